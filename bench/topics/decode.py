"""Binance trade frames to normalised rows."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

from bench import inputs
from bench.topic import Case, Numbers, Ratio, Topic, fresh, need, timed
from candlewick.feeds.binance import Decoder
from candlewick.model.instruments import Instruments


def _candlewick(batch: int) -> Any:
    def run(size: int) -> Numbers:
        frames = inputs.trade_frames(size)
        cuts = [frames[at : at + batch] for at in range(0, len(frames), batch)]

        def make() -> Any:
            decoder = Decoder(Instruments())
            decoder.decode(frames[:1])
            rows = 0

            def work() -> None:
                nonlocal rows
                for cut in cuts:
                    rows += len(decoder.decode(cut).events)
                assert rows == size, f"{rows} rows of {size} frames"

            return work

        return fresh(size, make)

    return run


def _decimal(size: int) -> Numbers:
    """The plain twin: what a careful first version would be."""
    frames = inputs.trade_frames(size)

    def work() -> list[Any]:
        rows = []
        for frame in frames:
            t = json.loads(frame.raw)["data"]
            rows.append(
                (t["s"], -1 if t["m"] else 1, t["t"], t["T"] * 1_000_000, frame.seen_ns,
                 Decimal(t["p"]), Decimal(t["q"]))
            )  # fmt: skip
        return rows

    return timed(size, work)


class _Trade(msgspec.Struct, gc=False):
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


class _Wrapped(msgspec.Struct, gc=False):
    data: _Trade


def _units(text: str) -> int:
    """Eight decimals, as the exchange spells them, to an integer."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(8, "0"))


def _typed(size: int) -> Numbers:
    """The careful twin: typed structs, prices to integers."""
    frames, read = inputs.trade_frames(size), msgspec.json.Decoder(_Wrapped).decode

    def work() -> list[Any]:
        rows = []
        for frame in frames:
            t = read(frame.raw).data
            rows.append(
                (t.s, -1 if t.m else 1, t.t, t.T * 1_000_000, frame.seen_ns, _units(t.p),
                 _units(t.q))
            )  # fmt: skip
        return rows

    return timed(size, work)


def _nautilus(size: int) -> Numbers:
    need("nautilus_trader")
    from nautilus_trader.adapters.binance.spot.schemas.market import BinanceSpotTradeMsg
    from nautilus_trader.model.identifiers import InstrumentId

    frames = inputs.trade_frames(size)
    read = msgspec.json.Decoder(BinanceSpotTradeMsg).decode
    name = InstrumentId.from_str("BTCUSDT.BINANCE")

    def work() -> None:
        for frame in frames:
            read(frame.raw).data.parse_to_trade_tick(name, frame.seen_ns)

    return timed(size, work)


def _ccxt(size: int) -> Numbers:
    need("ccxt")
    from ccxt.pro import binance

    frames, exchange = inputs.trade_frames(size), binance({"newUpdates": True})
    market = exchange.safe_market_structure(
        {"id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "type": "spot",
         "spot": True, "linear": None, "contract": False}
    )  # fmt: skip
    exchange.set_markets([market])

    def work() -> None:
        for frame in frames:
            exchange.parse_ws_trade(exchange.parse_json(frame.raw.decode())["data"], market)

    return timed(size, work)


TOPIC = Topic(
    title="Binance trade frame to a normalised trade",
    cases=(
        Case("candlewick, 10,000 a call", _candlewick(10_000)),
        Case("candlewick, 100 a call", _candlewick(100)),
        Case("candlewick, 1 a call", _candlewick(1), 0.1),
        Case("msgspec typed struct", _typed),
        Case("json.loads and Decimal", _decimal, 0.5),
        Case("nautilus_trader", _nautilus, 0.25),
        Case("ccxt", _ccxt, 0.05),
    ),
    goals=(
        Ratio("candlewick, 10,000 a call", "nautilus_trader", 8.0),
        Ratio("candlewick, 10,000 a call", "ccxt", 30.0),
        Ratio("candlewick, 100 a call", "nautilus_trader", 8.0),
        Ratio("candlewick, 100 a call", "ccxt", 30.0),
    ),
    size=200_000,
    unit="cpu_ns",
    also=("ns",),
    notes=(
        "cryptofeed is not measured here: its licence keeps it out. Its goal (>= 5x) stands beside "
        "nautilus_trader's, which took 1.4 times as long as cryptofeed on the day both were.",
        "Frames: the trade frames of the recorded capture beside the checkout, looped with rising "
        "ids and times; made ones where it is absent. Objects of 1 frame each in memory.",
    ),
)
