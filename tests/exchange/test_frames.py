"""Every frame and answer of ours has the keys, their order and the types of a recorded one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.exchange.recorded import lines, numbers, shape, shape_of

from candlewick.exchange.answers import Window
from candlewick.exchange.binance_rest import BinanceRest
from candlewick.exchange.binance_session import BinanceSession, BinanceStreams
from candlewick.exchange.kraken_rest import KrakenRest
from candlewick.exchange.kraken_session import KrakenChannels, KrakenSession
from candlewick.exchange.market import OPENED_NS, binance_market, kraken_market
from candlewick.model.time import NS_PER_S

NOW_NS = OPENED_NS + 185_765_432 * NS_PER_S
BINANCE, KRAKEN = binance_market(7, 30.0), kraken_market(7, 10.0)
SPOT = "hftbacktest/binance_spot_btcusdt_2024-08-08_2354_to_2024-08-09_0005.jsonl.zst"
COMBINED = "cryptofeed/binance_spot_2021-10-12_nknusdt_blzeth_lrcbtc_runeeur.jsonl.zst"
BOOK, OHLC, WORDS = (
    "kraken_v2_frames/book_btcusd_depth10_2026-08-24.jsonl",
    "kraken_v2_frames/ohlc_btcusdt_2026-09-10.jsonl",
    "kraken_async_rs/ws_v2_messages.jsonl",
)


def _binance(stream: str, seconds: int = 61) -> str:
    """The first frame of a stream, in the combined wrapping."""
    streams = BinanceStreams(BINANCE)
    session = BinanceSession(streams, "/stream", {"streams": stream}, NOW_NS)
    for second in range(seconds):
        window = Window(NOW_NS + second * NS_PER_S, NOW_NS + (second + 1) * NS_PER_S)
        streams.advance(window)
        for raw in session.due(window):
            found = json.loads(raw)["data"]
            if found.get("e") != "depthUpdate" or (found["b"] and found["a"]):
                return raw.decode()
    raise AssertionError(f"{stream} said nothing in {seconds} s")


@pytest.mark.parametrize(
    ("file", "kind", "stream"),
    [
        (SPOT, "trade", "btcusdt@trade"),
        (SPOT, "bookTicker", "btcusdt@bookTicker"),
        (SPOT, "depthUpdate", "btcusdt@depth@100ms"),
        (COMBINED, "aggTrade", "btcusdt@aggTrade"),
        (COMBINED, "kline", "btcusdt@kline_1m"),
    ],
)
def test_binance_streams_are_as_recorded(
    shared_data: Path, file: str, kind: str, stream: str
) -> None:
    def fits(raw: str) -> bool:
        told = json.loads(raw).get("data", {})
        if kind == "depthUpdate":
            return bool(told.get("b") and told.get("a"))
        return "bookTicker" in raw if kind == "bookTicker" else told.get("e") == kind

    theirs = next(e["raw"] for e in lines(shared_data / file) if e["raw"] and fits(e["raw"]))
    ours = _binance(stream)
    assert shape_of(ours) == shape_of(theirs)
    texts = re.findall(r'"(\d+\.\d+)"', ours)
    assert {len(t.partition(".")[2]) for t in texts} == {8}
    assert " " not in ours


def _binance_answer(call: str, **query: str) -> Any:
    return json.loads(BinanceRest(BINANCE).answer(f"/api/v3/{call}", query, NOW_NS).body)


def test_binance_depth_answers_as_recorded(shared_data: Path) -> None:
    theirs = next(e["raw"] for e in lines(shared_data / SPOT) if e["dir"] == "http")
    assert shape(_binance_answer("depth", symbol="BTCUSDT")) == shape_of(theirs)


def test_binance_exchange_info_answers_as_recorded(shared_data: Path) -> None:
    theirs = next(
        json.loads(e["raw"])
        for e in lines(shared_data / COMBINED)
        if "exchangeInfo" in e.get("url", "")
    )
    ours = _binance_answer("exchangeInfo")
    theirs["symbols"] = [s for s in theirs["symbols"] if s["symbol"] == "BTCUSDT"]
    assert [k for k, _ in shape(ours)] == [k for k, _ in shape(theirs)]
    mine, real = ours["symbols"][0], theirs["symbols"][0]
    assert [k for k, _ in shape(mine)] == [k for k, _ in shape(real)]
    assert [shape(f) for f in mine["filters"]] == [shape(f) for f in real["filters"]]
    assert [f["filterType"] for f in mine["filters"]] == [f["filterType"] for f in real["filters"]]
    assert mine["filters"][0]["tickSize"] == real["filters"][0]["tickSize"]
    assert mine["filters"][2]["stepSize"] == real["filters"][2]["stepSize"]


@pytest.mark.parametrize(
    ("call", "recorded", "query"),
    [
        ("trades", "/trades?", {"symbol": "BTCUSDT"}),
        ("historicalTrades", "/historicalTrades?", {"symbol": "BTCUSDT"}),
        ("klines", "/klines?", {"symbol": "BTCUSDT", "interval": "1m", "limit": "3"}),
        ("aggTrades", "/aggTrades?limit=1000", {"symbol": "BTCUSDT"}),
    ],
)
def test_binance_rows_answer_as_recorded(
    shared_data: Path, call: str, recorded: str, query: dict[str, str]
) -> None:
    """The recorder of these sorted the keys; the order is the documentation's."""
    file = shared_data / "gocryptotrader/binance_rest_recorded.jsonl.zst"
    theirs = next(json.loads(e["raw"]) for e in lines(file) if recorded in e["name"])[0]
    ours = _binance_answer(call, **query)[0]
    if isinstance(ours, dict):
        ours, theirs = dict(sorted(ours.items())), dict(sorted(theirs.items()))
    assert shape(ours) == shape(theirs)


def _kraken(asked: dict[str, Any]) -> list[str]:
    """Everything said in ten seconds after one message."""
    channels = KrakenChannels(KRAKEN)
    channels.advance(Window(NOW_NS, NOW_NS))
    session = KrakenSession(channels, 2**63 + 11, NOW_NS)
    said = [*session.greeting(), *session.received(json.dumps(asked).encode(), NOW_NS)]
    for turn in range(500):
        window = Window(NOW_NS + turn * NS_PER_S // 50, NOW_NS + (turn + 1) * NS_PER_S // 50)
        channels.advance(window)
        said += session.due(window)
    return [raw.decode() for raw in said]


def _asks(channel: str, symbol: str = "BTC/USD", **more: Any) -> dict[str, Any]:
    params = {"channel": channel, "symbol": [symbol], **more}
    return {"method": "subscribe", "params": params, "req_id": 42}


def _first(frames: list[str], *words: str) -> str:
    return next(f for f in frames if all(w in f for w in words))


@pytest.mark.parametrize(
    ("file", "asked", "words"),
    [
        (OHLC, _asks("trade"), ('"channel":"status"',)),
        (BOOK, _asks("book", depth=10), ('"channel":"book","type":"snapshot"',)),
        (BOOK, _asks("book", depth=10), ('"book","type":"update"', '"bids":[{', '"asks":[]')),
        (OHLC, _asks("ohlc", interval=1), ('"channel":"ohlc","type":"snapshot"',)),
        (OHLC, _asks("ohlc", interval=1), ('"channel":"ohlc","type":"update"',)),
        (BOOK, _asks("trade", "KAVA/USD", snapshot=False), ('"channel":"heartbeat"',)),
    ],
)
def test_kraken_frames_are_as_recorded(
    shared_data: Path, file: str, asked: dict[str, Any], words: tuple[str, ...]
) -> None:
    theirs = _first([e["raw"] for e in lines(shared_data / file)], *words)
    assert shape_of(_first(_kraken(asked), *words)) == shape_of(theirs)


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [
        (_asks("trade"), "trade_snapshot"),
        (_asks("trade", snapshot=False), "trade_update"),
        (_asks("ticker"), "ticker_snapshot"),
        (_asks("ticker", snapshot=False), "ticker_update"),
    ],
)
def test_kraken_trades_and_tickers_are_as_recorded(
    shared_data: Path, asked: dict[str, Any], recorded: str
) -> None:
    theirs = next(e["raw"] for e in lines(shared_data / WORDS) if recorded in e["name"])
    kind = recorded.partition("_")[2]
    ours = _first(_kraken(asked), f'"channel":"{asked["params"]["channel"]}","type":"{kind}"')
    assert shape_of(ours) == shape_of(theirs)


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [
        ({"method": "ping", "req_id": 1}, "get_pong"),
        (_asks("ticker"), "get_ticker_subscription"),
        (_asks("book", depth=10), "get_book_subscription"),
        (_asks("ohlc", interval=60), "get_ohlc_subscription"),
        (_asks("trade"), "get_trade_subscription"),
        ({"method": "subscribe", "params": {"channel": "instrument"}, "req_id": 0},
         "get_instruments_subscription"),
        ({"method": "whatever", "req_id": 0}, "unsupported_event"),
        (_asks("trade", "WWW/USD"), "base_messages.rs:240"),
    ],
)  # fmt: skip
def test_kraken_answers_are_as_recorded(
    shared_data: Path, asked: dict[str, Any], recorded: str
) -> None:
    theirs = next(e["raw"] for e in lines(shared_data / WORDS) if recorded in e["name"])
    assert shape_of(_first(_kraken(asked), '"time_in"')) == shape_of(theirs)


def test_kraken_instruments_are_as_recorded(shared_data: Path) -> None:
    file = shared_data / "kraken_data_recorder/kraken_v2_instrument_snapshot.jsonl.zst"
    theirs = numbers(next(lines(file))["raw"])
    ours = numbers(
        _first(_kraken({"method": "subscribe", "params": {"channel": "instrument"}}), '"assets"')
    )
    pairs = {p["symbol"]: p for p in theirs["data"]["pairs"]}
    unmarginable = next(p for p in theirs["data"]["pairs"] if p["marginable"] is False)
    assert [*ours], [*ours["data"]] == ([*theirs], [*theirs["data"]])
    for pair in ours["data"]["pairs"]:
        assert list(pair) == list(unmarginable)
        real = pairs[pair["symbol"]]
        for key in ("base", "quote", "price_precision", "qty_precision"):
            assert pair[key] == real[key], pair["symbol"]
    assert list(ours["data"]["assets"][0]) == list(theirs["data"]["assets"][0])


def _kraken_answer(call: str, **query: str) -> Any:
    return numbers(KrakenRest(KRAKEN).answer(f"/0/public/{call}", query, NOW_NS).body)


@pytest.mark.parametrize(
    ("call", "file"),
    [
        ("Trades", "nautilus_trader/kraken_rest_trades_xbtusdt_2025-11-10_until_2130.json.zst"),
        ("OHLC", "nautilus_trader/kraken_rest_ohlc_1m_xbtusdt_2025-11-10_until_2130.json.zst"),
    ],
)
def test_kraken_rows_answer_as_recorded(shared_data: Path, call: str, file: str) -> None:
    theirs = next(lines(shared_data / file))
    ours = json.loads(
        KrakenRest(KRAKEN).answer(f"/0/public/{call}", {"pair": "BTC/USDT"}, NOW_NS).body
    )
    assert list(ours["result"]) == list(theirs["result"])  # The key is XBTUSDT.
    assert shape(ours) == shape(theirs)
    digits = [
        [str(v).partition(".")[2] for v in r["result"]["XBTUSDT"][1][:2]] for r in (ours, theirs)
    ]
    assert [len(d) for d in digits[0]] == [len(d) for d in digits[1]]


def test_kraken_pairs_and_status_answer_as_recorded(shared_data: Path) -> None:
    messages = {
        e["name"].rpartition("/")[2]: json.loads(e["raw"])
        for e in lines(shared_data / "nautilus_trader/kraken_messages.jsonl")
        if "http_asset_pairs.json" in e["name"] or "system_status" in e["name"]
    }
    theirs = messages["http_asset_pairs.json"]["result"]["XBTUSDT"]
    ours = _kraken_answer("AssetPairs", pair="XBTUSDT")["result"]["XBTUSDT"]
    assert list(ours) == list(theirs)
    for key in ("altname", "wsname", "base", "quote", "tick_size", "costmin", "status"):
        assert ours[key] == theirs[key]
    assert int(ours["pair_decimals"]) == theirs["pair_decimals"]
    status = _kraken_answer("SystemStatus")
    assert shape(status) == shape(messages["http_system_status.json"])


@pytest.mark.parametrize(
    ("pair", "key"),
    [("BTC/USD", "XXBTZUSD"), ("XBT/USD", "XXBTZUSD"), ("XBTUSD", "XXBTZUSD"),
     ("XXBTZUSD", "XXBTZUSD"), ("ETHUSD", "XETHZUSD"), ("DOGE/USD", "XDGUSD"),
     ("SOL/USD", "SOLUSD")],
)  # fmt: skip
def test_kraken_takes_every_spelling_of_a_pair(pair: str, key: str) -> None:
    assert list(_kraken_answer("Trades", pair=pair, count="1")["result"]) == [key, "last"]
