"""Binance's calls and streams say one thing: history, candles, books and diffs agree."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import Any

import pytest

from candlewick.exchange.answers import Closing, Window
from candlewick.exchange.binance_rest import BinanceRest
from candlewick.exchange.binance_session import STREAMS_MAX, BinanceSession, BinanceStreams
from candlewick.exchange.market import MINUTE_NS, OPENED_NS, binance_market
from candlewick.model.columns import Side
from candlewick.model.time import NS_PER_MS, NS_PER_S

NOW_NS = OPENED_NS + 185_765_432 * NS_PER_S
MARKET = binance_market(7, 30.0)


def _get(rest: BinanceRest, call: str, now_ns: int = NOW_NS, **query: Any) -> Any:
    words = {key: str(value) for key, value in query.items()}
    answer = rest.answer(f"/api/v3/{call}", words, now_ns)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def _windows(begin_ns: int, end_ns: int, step_ms: int = 20) -> list[Window]:
    edges = [*range(begin_ns, end_ns, step_ms * NS_PER_MS), end_ns]
    return [Window(*pair) for pair in itertools.pairwise(edges)]


def _hear(names: str, windows: list[Window]) -> list[Any]:
    streams = BinanceStreams(MARKET)
    session = BinanceSession(streams, "/stream", {"streams": names}, windows[0].from_ns)
    heard = []
    for window in windows:
        streams.advance(window)
        heard += [json.loads(raw)["data"] for raw in session.due(window)]
    return heard


@pytest.mark.parametrize("symbol", ["BTCUSDT", "LTCUSDT", "KAVAUSDT"])
def test_klines_are_the_fold_of_the_trades(symbol: str) -> None:
    """Naive twin: page through the history by id, fold the decimal texts, compare every field."""
    rest = BinanceRest(MARKET, 10**6)
    klines = _get(rest, "klines", symbol=symbol, interval="3m", limit=4)
    begin_ms, now_ms = klines[0][0], NOW_NS // NS_PER_MS
    row = _get(rest, "aggTrades", symbol=symbol, startTime=begin_ms, limit=1)
    rows: list[Any] = []
    while page := _get(rest, "historicalTrades", symbol=symbol, limit=1000,
                       fromId=rows[-1]["id"] + 1 if rows else row[0]["a"]):  # fmt: skip
        rows += page
    assert [r["id"] for r in rows] == list(range(rows[0]["id"], rows[0]["id"] + len(rows)))
    assert all(begin_ms <= r["time"] <= now_ms for r in rows)
    close = None
    for kline in klines:
        mine = [r for r in rows if kline[0] <= r["time"] <= kline[6]]
        prices = [Decimal(r["price"]) for r in mine] or [close]
        bought = [r for r in mine if not r["isBuyerMaker"]]
        if close is not None or mine:  # The price before the first candle is not in `rows`.
            assert [Decimal(v) for v in kline[1:5]] == [
                prices[0], max(prices), min(prices), prices[-1]
            ]  # fmt: skip
        assert Decimal(kline[5]) == sum(Decimal(r["qty"]) for r in mine)
        assert Decimal(kline[7]) == sum(Decimal(r["price"]) * Decimal(r["qty"]) for r in mine)
        assert Decimal(kline[7]) == sum(Decimal(r["quoteQty"]) for r in mine)
        assert kline[8] == len(mine)
        assert Decimal(kline[9]) == sum(Decimal(r["qty"]) for r in bought)
        assert Decimal(kline[10]) == sum(Decimal(r["quoteQty"]) for r in bought)
        close = Decimal(kline[4])


def test_streamed_trades_are_the_history_without_a_gap_or_a_double() -> None:
    heard = _hear("btcusdt@trade", _windows(NOW_NS, NOW_NS + 20 * NS_PER_S))
    rest = BinanceRest(MARKET)
    rows = _get(rest, "historicalTrades", NOW_NS + 20 * NS_PER_S - 1, symbol="BTCUSDT",
                fromId=heard[0]["t"], limit=1000)  # fmt: skip
    assert len(heard) > 100
    assert [(h["t"], h["p"], h["q"], h["T"], h["m"]) for h in heard] == [
        (r["id"], r["price"], r["qty"], r["time"], r["isBuyerMaker"]) for r in rows
    ]
    assert all(h["E"] >= h["T"] for h in heard)
    truth = MARKET.trades_from_id("BTC/USDT", heard[0]["t"], len(heard), NOW_NS + 20 * NS_PER_S)
    assert [h["m"] for h in heard] == (truth.side == Side.SELL).tolist()


def test_aggregates_carry_the_trades() -> None:
    windows = _windows(NOW_NS, NOW_NS + 5 * NS_PER_S)
    plain, heard = _hear("ethusdt@trade", windows), _hear("ethusdt@aggTrade", windows)
    assert [(h["f"], h["l"], h["p"], h["q"], h["T"], h["m"]) for h in heard] == [
        (p["t"], p["t"], p["p"], p["q"], p["T"], p["m"]) for p in plain
    ]


@pytest.mark.parametrize("step_ms", [20, 130, 1_700])
@pytest.mark.parametrize("symbol", ["BTCUSDT", "KAVAUSDT"])
def test_the_diff_stream_applied_to_a_snapshot_is_the_book(symbol: str, step_ms: int) -> None:
    """The documented steps: buffer, snapshot, drop the older, straddle, then U = u + 1."""
    end_ns = NOW_NS + 12 * NS_PER_S
    heard = _hear(f"{symbol.lower()}@depth@100ms", _windows(NOW_NS, end_ns, step_ms))
    rest = BinanceRest(MARKET, 10**6)
    shot = _get(rest, "depth", NOW_NS + 3_456 * NS_PER_MS, symbol=symbol, limit=5000)
    sides = [{Decimal(p): Decimal(q) for p, q in shot[side]} for side in ("bids", "asks")]
    events = [h for h in heard if h["u"] > shot["lastUpdateId"]]
    assert events[0]["U"] <= shot["lastUpdateId"] + 1 <= events[0]["u"]
    assert all(b["U"] == a["u"] + 1 for a, b in itertools.pairwise(heard))
    for event in events:
        for side, levels in zip(sides, (event["b"], event["a"]), strict=True):
            for price, size in ((Decimal(p), Decimal(q)) for p, q in levels):
                if size:
                    side[price] = size
                else:
                    del side[price]  # A level that was not there would be an error of ours.
    truth = _get(rest, "depth", end_ns - 1, symbol=symbol, limit=5000)
    for side, name, sign in zip(sides, ("bids", "asks"), (-1, 1), strict=True):
        mine = sorted(side.items(), key=lambda level: sign * level[0])
        assert mine == [(Decimal(p), Decimal(q)) for p, q in truth[name]]


def test_a_skipped_stretch_of_time_shows_as_a_hole_in_the_update_ids() -> None:
    windows = _windows(NOW_NS, NOW_NS + NS_PER_S) + _windows(
        NOW_NS + 5 * NS_PER_S, NOW_NS + 6 * NS_PER_S
    )
    heard = _hear("btcusdt@depth@100ms", windows)
    assert sum(b["U"] != a["u"] + 1 for a, b in itertools.pairwise(heard)) == 1


def test_book_tickers_are_the_top_of_the_book_and_only_when_it_moves() -> None:
    heard = _hear("solusdt@bookTicker", _windows(NOW_NS, NOW_NS + 5 * NS_PER_S))
    rest = BinanceRest(MARKET)
    last = _get(rest, "depth", NOW_NS + 5 * NS_PER_S - 1, symbol="SOLUSDT", limit=1)
    assert [[heard[-1]["b"], heard[-1]["B"]], [heard[-1]["a"], heard[-1]["A"]]] == [
        last["bids"][0], last["asks"][0]
    ]  # fmt: skip
    told = [(h["b"], h["B"], h["a"], h["A"]) for h in heard]
    assert all(a != b for a, b in itertools.pairwise(told))


@pytest.mark.parametrize("symbol", ["BTCUSDT", "KAVAUSDT"])
def test_the_closed_kline_of_the_stream_is_that_of_the_rest_call(symbol: str) -> None:
    begin_ns = NOW_NS // MINUTE_NS * MINUTE_NS + 30 * NS_PER_S
    heard = _hear(f"{symbol.lower()}@kline_1m", _windows(begin_ns, begin_ns + 2 * MINUTE_NS, 130))
    closed = [h["k"] for h in heard if h["k"]["x"]]
    rest = BinanceRest(MARKET)
    rows = _get(rest, "klines", begin_ns + 2 * MINUTE_NS, symbol=symbol, interval="1m", limit=3)
    assert [
        [k["t"], k["o"], k["h"], k["l"], k["c"], k["v"], k["T"], k["q"], k["n"], k["V"], k["Q"]]
        for k in closed
    ] == [row[:11] for row in rows[:2]]
    for event in heard:
        kline = event["k"]
        assert kline["n"] == (kline["L"] - kline["f"] + 1 if kline["n"] else 0)


@pytest.mark.parametrize(
    ("call", "query", "code"),
    [
        ("trades", {"symbol": "NOPEUSDT"}, -1121),
        ("depth", {"symbol": "btcusdt"}, -1121),
        ("exchangeInfo", {"symbol": "X"}, -1121),
        ("trades", {}, -1102),
        ("trades", {"symbol": "BTCUSDT", "limit": "ten"}, -1100),
        ("trades", {"symbol": "BTCUSDT", "limit": "0"}, -1130),
        ("historicalTrades", {"symbol": "BTCUSDT", "fromId": "9" * 40}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
    ],
)
def test_refusals_are_binances(call: str, query: dict[str, str], code: int) -> None:
    answer = BinanceRest(MARKET).answer(f"/api/v3/{call}", query, NOW_NS)
    assert answer.status == 400
    assert list(json.loads(answer.body)) == ["code", "msg"]
    assert json.loads(answer.body)["code"] == code


@pytest.mark.parametrize("call", ["trades", "aggTrades", "historicalTrades"])
@pytest.mark.parametrize("key", ["fromId", "startTime", "endTime"])
@pytest.mark.parametrize("value", [0, 10**17, NOW_NS // NS_PER_MS + 10**9])
def test_hostile_numbers_get_an_answer(call: str, key: str, value: int) -> None:
    rows = _get(BinanceRest(MARKET), call, symbol="BTCUSDT", limit=5, **{key: value})
    assert len(rows) <= 5


def test_the_weight_limit_answers_429_until_the_minute_is_over() -> None:
    rest = BinanceRest(MARKET, 100)
    answers = [rest.answer("/api/v3/trades", {"symbol": "DOTUSDT"}, NOW_NS) for _ in range(5)]
    assert [a.status for a in answers] == [200] * 4 + [429]
    assert dict(answers[0].headers)["X-MBX-USED-WEIGHT-1M"] == "25"
    assert json.loads(answers[4].body)["code"] == -1003
    wait_s = int(dict(answers[4].headers)["Retry-After"])
    assert 0 < wait_s <= 60
    later_ns = NOW_NS + wait_s * NS_PER_S
    assert rest.answer("/api/v3/trades", {"symbol": "DOTUSDT"}, later_ns).status == 200


def _session(path: str = "/ws", **query: str) -> tuple[BinanceStreams, BinanceSession]:
    streams = BinanceStreams(MARKET)
    return streams, BinanceSession(streams, path, query, NOW_NS)


def test_subscribing_listing_and_unsubscribing_are_acknowledged() -> None:
    streams, session = _session()
    said = session.received(
        b'{"method":"SUBSCRIBE","params":["btcusdt@trade","nope@trade"],"id":1}', NOW_NS
    )
    assert said == [b'{"result":null,"id":1}']
    window = Window(NOW_NS, NOW_NS + 2 * NS_PER_S)
    streams.advance(window)
    assert {json.loads(raw)["s"] for raw in session.due(window)} == {"BTCUSDT"}
    listed = session.received(b'{"method":"LIST_SUBSCRIPTIONS","id":2}', NOW_NS)
    assert listed == [b'{"result":["btcusdt@trade","nope@trade"],"id":2}']
    session.received(b'{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":3}', NOW_NS)
    assert session.due(window) == []
    assert session.closing is None


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[]", b"\xff", b'{"method":"NOPE","id":1}', b'{"method":"SUBSCRIBE","params":7,"id":1}',
     b'{"method":"SUBSCRIBE","params":[7],"id":1}', b'{"method":"SUBSCRIBE","params":[],"id":[]}',
     b"[" * 100_000],
)  # fmt: skip
def test_nonsense_is_refused_and_the_connection_goes_on(raw: bytes) -> None:
    _, session = _session()
    assert list(json.loads(session.received(raw, NOW_NS)[0])) == ["code", "msg", "id"]
    assert session.closing is None


def test_the_sixth_message_in_a_second_closes_the_connection() -> None:
    _, session = _session()
    for number in range(5):
        session.received(b'{"method":"LIST_SUBSCRIPTIONS","id":1}', NOW_NS + number)
    assert session.closing is None
    session.received(b'{"method":"LIST_SUBSCRIPTIONS","id":1}', NOW_NS + NS_PER_S - 1)
    assert session.closing == Closing(1008, "Too many requests")


def test_five_messages_a_second_are_allowed_for_ever() -> None:
    _, session = _session()
    for number in range(50):
        session.received(b'{"method":"LIST_SUBSCRIPTIONS","id":1}', NOW_NS + number * NS_PER_S // 5)
    assert session.closing is None


def test_more_streams_than_allowed_are_refused() -> None:
    _, session = _session()
    names = [f"x{number}@trade" for number in range(STREAMS_MAX + 1)]
    asked = json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}).encode()
    assert json.loads(session.received(asked, NOW_NS)[0])["code"] == 2
    assert _session("/stream", streams="/".join(names))[1].closing is not None


def test_a_connection_lives_for_a_day() -> None:
    _, session = _session("/ws/btcusdt@trade")
    session.due(Window(NOW_NS, NOW_NS + 86_399 * NS_PER_S))
    assert session.closing is None
    session.due(Window(NOW_NS, NOW_NS + 86_400 * NS_PER_S))
    assert session.closing is not None
