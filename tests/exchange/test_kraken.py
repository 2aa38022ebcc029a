"""Kraken's calls and channels say one thing; checksums are verified from the text of the frames."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from tests.exchange.recorded import lines, numbers

from candlewick.exchange import kraken_frames
from candlewick.exchange.answers import Window
from candlewick.exchange.books import Book, Levels
from candlewick.exchange.kraken_rest import KrakenRest
from candlewick.exchange.kraken_session import KrakenChannels, KrakenSession
from candlewick.exchange.market import OPENED_NS, kraken_market
from candlewick.model.columns import Ints
from candlewick.model.money import to_units
from candlewick.model.time import NS_PER_MS, NS_PER_S, from_rfc3339

NOW_NS = OPENED_NS + 185_765_432 * NS_PER_S
MARKET = kraken_market(7, 20.0)


class Client:
    """One connection, driven window by window."""

    def __init__(self, at_ns: int = NOW_NS) -> None:
        self.channels = KrakenChannels(MARKET)
        self.channels.advance(Window(at_ns, at_ns))
        self.session = KrakenSession(self.channels, 5, at_ns)
        self.at_ns = at_ns

    def ask(self, method: str = "subscribe", **params: Any) -> list[Any]:
        raw = json.dumps({"method": method, "params": params, "req_id": 3}).encode()
        return [numbers(said) for said in self.session.received(raw, self.at_ns)]

    def hear(self, seconds: float, step_ms: int = 20) -> list[Any]:
        end_ns, heard = self.at_ns + int(seconds * NS_PER_S), list[Any]()
        while self.at_ns < end_ns:
            window = Window(self.at_ns, min(self.at_ns + step_ms * NS_PER_MS, end_ns))
            self.channels.advance(window)
            heard += [numbers(raw) for raw in self.session.due(window)]
            self.at_ns = window.to_ns
        return heard


def checksum(bids: dict[str, str], asks: dict[str, str]) -> int:
    """Ten asks low to high, then ten bids high to low; no point, no leading zeros."""
    ranked = [sorted(asks, key=Decimal)[:10], sorted(bids, key=Decimal, reverse=True)[:10]]
    text = "".join(
        number.replace(".", "").lstrip("0")
        for side, prices in zip((asks, bids), ranked, strict=True)
        for price in prices
        for number in (price, side[price])
    )
    return crc32(text.encode())


@pytest.mark.parametrize("step_ms", [20, 350])
@pytest.mark.parametrize(
    ("symbol", "depth"), [("BTC/USD", 10), ("DOGE/USD", 25), ("KAVA/USD", 100)]
)
def test_book_updates_keep_the_checksum_right(symbol: str, depth: int, step_ms: int) -> None:
    client = Client()
    _, snapshot = client.ask(channel="book", symbol=[symbol], depth=depth)
    sides: list[dict[str, str]] = [{}, {}]
    for number, frame in enumerate([snapshot, *client.hear(30, step_ms)]):
        if frame["channel"] == "heartbeat":
            continue
        (entry,) = frame["data"]
        assert frame["type"] == ("update" if number else "snapshot")
        for side, name, best_last in zip(sides, ("bids", "asks"), (False, True), strict=True):
            for level in entry[name]:
                if Decimal(level["qty"]):
                    side[level["price"]] = level["qty"]
                else:
                    del side[level["price"]]
            for price in sorted(side, key=Decimal, reverse=not best_last)[depth:]:
                del side[price]
            assert len(side) == depth
        assert checksum(*sides) == int(entry["checksum"])
    assert number > 5


def test_our_checksum_is_that_of_the_official_example(shared_data: Any) -> None:
    file = shared_data / "kraken_v2_frames/book_checksum_official_example.jsonl"
    (entry,) = json.loads(next(lines(file))["raw"])["data"]

    def column(levels: list[dict[str, str]], key: str, decimals: int) -> Ints:
        return np.array([to_units(level[key], decimals) for level in levels])

    bids, asks = (
        Levels(column(entry[name], "price", 1), column(entry[name], "qty", 8))
        for name in ("bids", "asks")
    )
    assert kraken_frames.checksum(Book(0, bids, asks)) == entry["checksum"]


def test_the_trade_snapshot_the_updates_and_the_history_are_one_list() -> None:
    client = Client()
    _, snapshot = client.ask(channel="trade", symbol=["BTC/USD"])
    assert len(snapshot["data"]) == 50
    heard = [t for f in client.hear(20) if f["channel"] == "trade" for t in f["data"]]
    streamed = snapshot["data"] + heard
    assert len(heard) > 20
    since_ns = from_rfc3339(streamed[0]["timestamp"]) - 1_000
    answer = KrakenRest(MARKET).answer(
        "/0/public/Trades", {"pair": "BTC/USD", "since": str(since_ns)}, client.at_ns - 1
    )
    rows = numbers(answer.body)["result"]["XXBTZUSD"]
    assert [
        (t["trade_id"], Decimal(t["price"]), t["qty"], t["side"][0], t["ord_type"][0])
        for t in streamed
    ] == [(r[6], Decimal(r[0]), r[1], r[3], r[4]) for r in rows]
    truth = MARKET.trades_from_id("BTC/USD", int(rows[0][6]), len(rows), client.at_ns)
    assert [{"buy": 1, "sell": -1}[t["side"]] for t in streamed] == truth.side.tolist()
    for told, row in zip(streamed, rows, strict=True):
        assert from_rfc3339(told["timestamp"]) == to_units(row[2], 9)


def test_paging_by_last_gives_every_trade_once() -> None:
    rest, since, found = KrakenRest(MARKET), str(NOW_NS - 120 * NS_PER_S), list[int]()
    while True:
        query = {"pair": "ETH/USD", "since": since, "count": "37"}
        result = json.loads(rest.answer("/0/public/Trades", query, NOW_NS).body)["result"]
        if not result["XETHZUSD"]:
            break
        found += [row[6] for row in result["XETHZUSD"]]
        since = result["last"]
    first = MARKET.last_id_at("ETH/USD", NOW_NS - 120 * NS_PER_S) + 1
    assert found == list(range(first, MARKET.last_id_at("ETH/USD", NOW_NS) + 1))
    assert len(found) > 100


def test_candles_of_channel_and_call_are_the_same_and_empty_minutes_are_only_in_the_call() -> None:
    client = Client()
    _, snapshot = client.ask(channel="ohlc", symbol=["KAVA/USD"], interval=1)
    result = numbers(
        KrakenRest(MARKET).answer("/0/public/OHLC", {"pair": "KAVAUSD"}, NOW_NS - 1).body
    )["result"]
    rows, last = result["KAVAUSD"], result["last"]
    assert len(rows) == 720
    assert last == rows[-2][0]  # The last candle is still open; `last` is the one before.
    assert any(row[7] == "0" and row[5] == "0.0" and row[6] == "0.00000000" for row in rows)
    assert {len({row[1], row[2], row[3], row[4]}) for row in rows if row[7] == "0"} == {1}
    by_open = {int(row[0]): row for row in rows}
    assert snapshot["data"]
    for candle in snapshot["data"]:
        row = by_open[from_rfc3339(candle["interval_begin"]) // NS_PER_S]
        keys = ("open", "high", "low", "close", "vwap", "volume", "trades")
        assert [candle[k] for k in keys] == row[1:]


def test_candles_are_the_fold_of_the_trades() -> None:
    rest = KrakenRest(MARKET)
    ohlc = numbers(rest.answer("/0/public/OHLC", {"pair": "SOL/USD"}, NOW_NS).body)["result"]
    begin_s = int(ohlc["SOLUSD"][-3][0])
    query = {"pair": "SOL/USD", "since": str(begin_s * NS_PER_S - 1)}
    rows = numbers(rest.answer("/0/public/Trades", query, NOW_NS).body)["result"]["SOLUSD"]
    for candle in ohlc["SOLUSD"][-3:]:
        mine = [r for r in rows if int(candle[0]) <= Decimal(r[2]) < int(candle[0]) + 60]
        prices, sizes = ([Decimal(r[i]) for r in mine] for i in (0, 1))
        assert [Decimal(v) for v in candle[1:5]] == [
            prices[0],
            max(prices),
            min(prices),
            prices[-1],
        ]
        assert Decimal(candle[6]) == sum(sizes)
        mean = sum(p * s for p, s in zip(prices, sizes, strict=True)) / sum(sizes)
        assert abs(Decimal(candle[5]) - mean) <= Decimal("0.005")
        assert int(candle[7]) == len(mine)


def test_the_ticker_is_the_top_of_the_book_and_the_last_trade() -> None:
    client = Client()
    client.ask(channel="ticker", symbol=["BTC/USD"], snapshot=False)
    client.ask(channel="trade", symbol=["BTC/USD"], snapshot=False)
    heard = client.hear(10)
    last: str | None = None
    tickers = 0
    for frame in heard:
        if frame["channel"] == "trade":
            last = frame["data"][-1]["price"]
        if frame["channel"] == "ticker":
            (told,) = frame["data"]
            tickers += 1
            assert Decimal(told["bid"]) < Decimal(told["ask"])
            assert Decimal(told["low"]) <= Decimal(told["last"]) <= Decimal(told["high"])
    trades = [f for f in heard if f["channel"] == "trade"]
    assert tickers == len(trades) > 10
    assert last == [f for f in heard if f["channel"] == "ticker"][-1]["data"][0]["last"]


def test_each_symbol_is_answered_and_an_unknown_one_refused() -> None:
    said = Client().ask(channel="trade", symbol=["BTC/USD", "WWW/USD", "ETH/USD"], snapshot=False)
    assert [(s["success"], s.get("symbol") or s["result"]["symbol"]) for s in said] == [
        (True, "BTC/USD"), (False, "WWW/USD"), (True, "ETH/USD")
    ]  # fmt: skip
    assert said[1]["error"] == "Currency pair not supported WWW/USD"


def test_unsubscribing_ends_a_channel_and_a_second_time_is_refused() -> None:
    client = Client()
    client.ask(channel="trade", symbol=["BTC/USD"], snapshot=False)
    assert client.ask(channel="trade", symbol=["BTC/USD"])[0]["success"] is False
    assert any(f["channel"] == "trade" for f in client.hear(3))
    assert client.ask("unsubscribe", channel="trade", symbol=["BTC/USD"])[0]["success"] is True
    assert client.hear(3) == []
    assert client.ask("unsubscribe", channel="trade", symbol=["BTC/USD"])[0]["success"] is False


def test_a_silent_subscription_has_a_heartbeat_about_every_second() -> None:
    client = Client()
    client.ask(channel="trade", symbol=["KAVA/USD"], snapshot=False)
    heard = client.hear(30)
    assert 20 <= sum(f["channel"] == "heartbeat" for f in heard) <= 30


@pytest.mark.parametrize(
    "params",
    [
        {"channel": "nope", "symbol": ["BTC/USD"]},
        {"channel": "book", "symbol": ["BTC/USD"], "depth": 7},
        {"channel": "book", "symbol": ["BTC/USD"], "depth": []},
        {"channel": "trade", "symbol": "BTC/USD"},
        {"channel": "ohlc", "symbol": ["BTC/USD"], "interval": "1"},
        {"channel": "trade"},
        {"symbol": []},
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, Any]) -> None:
    assert [said["success"] for said in Client().ask(**params)] == [False]


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff{", b"{" * 9_999, b'{"method":[]}'])
def test_nonsense_is_refused(raw: bytes) -> None:
    (said,) = Client().session.received(raw, NOW_NS)
    assert json.loads(said)["success"] is False


@pytest.mark.parametrize(
    ("path", "query", "error"),
    [
        ("Trades", {"pair": "NOPE"}, "EQuery:Unknown asset pair"),
        ("Trades", {}, "EQuery:Unknown asset pair"),
        ("OHLC", {"pair": "XBTUSD", "interval": "7"}, "EGeneral:Invalid arguments"),
        ("Trades", {"pair": "XBTUSD", "since": "soon"}, "EGeneral:Invalid arguments"),
        ("Nope", {}, "EGeneral:Unknown method"),
    ],
)
def test_errors_are_in_the_body(path: str, query: dict[str, str], error: str) -> None:
    answer = KrakenRest(MARKET).answer(f"/0/public/{path}", query, NOW_NS)
    assert json.loads(answer.body) == {"error": [error]}


@pytest.mark.parametrize("since", ["0", "9" * 19, "1"])
@pytest.mark.parametrize("call", ["Trades", "OHLC"])
def test_hostile_times_get_an_answer(call: str, since: str) -> None:
    query = {"pair": "DOT/USD", "since": since, "interval": "60"}
    answer = KrakenRest(MARKET).answer(f"/0/public/{call}", query, NOW_NS)
    assert json.loads(answer.body)["error"] == []
