"""Claims of the rows over HTTP, from a real server over what a real store holds."""

from __future__ import annotations

import json as plain_json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.shell.serving import (
    MINUTE_NS,
    T0,
    World,
    closed,
    opened,
    preview,
    traded,
)

from candlewick.model.columns import Trades
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Outcome
from candlewick.model.time import to_rfc3339


@pytest.fixture
def world(tmp_path: Path, listing: tuple[Instrument, ...]) -> Iterator[World]:
    with World(tmp_path / "rows", listing, tmp_path / "static") as made:
        yield made


def test_history_is_the_last_hundred_trades_newest_first_and_exact(
    world: World, market: Callable[..., Any]
) -> None:
    traded(world, market)
    rows = world.get("/api/v1/history/BTCUSDT").json()
    stored = world.reader.trades(0, limit=100)
    assert [row["id"] for row in rows] == stored.id.tolist()
    assert len(rows) == 100
    assert list(rows[0]) == ["id", "venue", "symbol", "price", "quantity", "side", "time", "ts"]
    for row, price, size, at_ns, side in zip(
        rows, stored.price, stored.size, stored.at_ns, stored.side, strict=True
    ):
        assert Decimal(row["price"]) * 100 == int(price)
        assert Decimal(row["quantity"]) * 10**8 == int(size)
        assert row["time"] == to_rfc3339(int(at_ns))
        assert row["ts"] == at_ns // 10**6
        assert row["side"] == {1: "buy", -1: "sell"}[int(side)]


def test_a_candle_has_every_field_exactly(world: World) -> None:
    world.batch(closed((0, 60, T0, 6_183_700, 6_183_763, 6_183_001, 6_183_700, 150_000_000,
                        50_000_000, 5_000_000, 7, 12, 1, 12, 2, 1, 10)))  # fmt: skip
    (row,) = world.get("/api/v1/historical/btc").json()["data"]
    assert row == {
        "venue": "binance",
        "symbol": "BTC/USDT",
        "interval": "1m",
        "open_time": "2023-11-14T22:14:00Z",
        "ts": 1_700_000_040_000,
        "open": "61837",
        "high": "61837.63",
        "low": "61830.01",
        "close": "61837",
        "volume": "1.5",
        "quote_volume": str(Decimal((5_000_000 << 64) + 7).scaleb(-10)),
        "taker_buy_volume": "0.5",
        "trades": 12,
        "first_trade_id": 1,
        "last_trade_id": 12,
        "revision": 2,
        "final": True,
        "coverage": "gap|revised",
    }


def test_a_candle_without_trades_has_no_trade_ids(world: World) -> None:
    world.batch(closed((0, 60, T0, 5, 5, 5, 5, 0, 0, 0, 0, 0, -1, -1, 0, 1, 0)))
    (row,) = world.get("/api/v1/historical/btc").json()["data"]
    assert (row["first_trade_id"], row["last_trade_id"], row["trades"]) == (None, None, 0)


@pytest.mark.parametrize("path", ["/api/v1/latest/BTCUSDT", "/latest/btc", "/latest?symbol=BTC"])
def test_latest_is_the_open_candle_and_its_window(world: World, path: str) -> None:
    world.batch(closed(opened(0, 60, T0, 100, final=1)))
    world.batch(preview(opened(0, 60, T0 + MINUTE_NS, 105)))
    row = world.get(path).json()
    assert (row["final"], row["close"]) == (False, "1.05")
    assert row["window_start"] == row["open_time"] == "2023-11-14T22:15:00Z"
    assert row["window_end"] == "2023-11-14T22:16:00Z"


def test_latest_is_the_newest_closed_candle_where_none_is_open(world: World) -> None:
    world.batch(preview(opened(0, 60, T0, 99)))
    world.batch(closed(opened(0, 60, T0, 100, final=1)))
    row = world.get("/api/v1/latest/BTCUSDT").json()
    assert (row["final"], row["close"]) == (True, "1")


def test_latest_without_any_candle_is_a_404(world: World) -> None:
    answer = world.get("/api/v1/latest/BTCUSDT?interval=1h")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_candle")


def test_indicators_are_by_candle_and_nan_is_null(world: World, market: Callable[..., Any]) -> None:
    traded(world, market)
    body = world.get("/api/v1/indicators/btc?limit=2").json()
    assert [set(row) for row in body["data"]] == [{"open_time", "ts", "values"}] * 2
    assert body["data"][0]["ts"] > body["data"][1]["ts"]
    for row in body["data"]:
        assert isinstance(row["values"]["sma_2"], float)
        assert row["values"]["rsi_14"] is None
    only = world.get("/api/v1/indicators/btc?names=sma_2&order=asc").json()["data"]
    assert {name for row in only for name in row["values"]} == {"sma_2"}
    assert only[0]["ts"] < only[1]["ts"]


def test_signals_alerts_and_gaps_say_why(world: World, market: Callable[..., Any]) -> None:
    traded(world, market)
    signals, alerts, gaps = (
        answer.json()["data"]
        for answer in world.get_all(
            [
                ("GET", f"/api/v1/{p}", {})
                for p in ("signals/btc", "alerts/btc", "gaps?venue=binance")
            ]
        )
    )
    assert [row["ts"] for row in signals] == sorted((row["ts"] for row in signals), reverse=True)
    assert signals[0]["signal"] == "BUY"
    assert signals[0]["tick_sma_20"] == 59_000.125
    assert "above tick_sma_20" in signals[0]["reason"]
    assert alerts[0]["kind"] == "PRICE_DROP"
    assert alerts[0]["severity"] == "HIGH"
    assert alerts[0]["reason"].startswith("BTC/USDT fell 12.5")
    (gap,) = gaps
    assert (gap["first_id"], gap["last_id"], gap["missing"]) == (1_100, 1_104, 5)
    assert (gap["symbol"], gap["kind"], gap["repaired_at"]) == ("BTC/USDT", "trades", None)


def test_gaps_are_of_the_asked_for_market(world: World, market: Callable[..., Any]) -> None:
    traded(world, market)
    asked = ("gaps", "gaps?symbol=btc", "gaps?venue=kraken", "gaps?symbol=eth&venue=kraken")
    counts = [
        len(answer.json()["data"])
        for answer in world.get_all([("GET", f"/api/v1/{path}", {}) for path in asked])
    ]
    assert counts == [1, 1, 0, 0]
    assert world.get("/api/v1/gaps?venue=nasdaq").status_code == 404


def test_btc_has_exact_numbers(world: World, market: Callable[..., Any]) -> None:
    traded(world, market)
    answer = world.get("/api/v1/btc")
    body = plain_json.loads(answer.content, parse_float=Decimal)
    assert body == {
        "symbol": "BTCUSDT",
        "price": Decimal(int(world.reader.trades(0, limit=1).price[0])) / 100,
        "sma_20": Decimal("60000.5"),
        "recommendation": "BUY",
    }


def test_an_empty_system_holds(tmp_path: Path, listing: tuple[Instrument, ...]) -> None:
    for instruments in ((), listing):
        with World(tmp_path / f"rows{len(instruments)}", instruments, tmp_path) as world:
            assert world.get("/api/v1/btc").json() == {
                "symbol": "BTCUSDT",
                "price": None,
                "sma_20": None,
                "recommendation": "HOLD",
            }


def test_symbols_and_status_name_every_market_and_feed(
    world: World, market: Callable[..., Any]
) -> None:
    traded(world, market)
    world.live.source, world.live.source_reason = "built-in", "no venue answered in 3 s"
    feed = world.live.feed("binance")
    feed.state, feed.reconnects, feed.frames = "live", 2, 900
    symbols, status = (
        answer.json()
        for answer in world.get_all([("GET", "/api/v1/symbols", {}), ("GET", "/api/v1/status", {})])
    )
    first = symbols["data"][0]
    assert (first["venue"], first["symbol"], first["tick"], first["lot"]) == (
        "binance",
        "BTC/USDT",
        "0.01",
        "0.00001",
    )
    assert (first["feed_state"], first["source"]) == ("live", "built-in")
    assert status["source_reason"] == "no venue answered in 3 s"
    assert status["started_at"] == "2023-11-14T22:13:20Z"
    found = {row["venue"]: row for row in status["feeds"]}
    assert found["binance"]["reconnects"] == 2
    assert found["binance"]["peer_errors"] == 1
    assert found["binance"]["lag_ms"] == 20.0
    assert found["kraken"]["symbols"] == ["ETH/EUR"]


def test_trades_at_the_edge_of_int64_stay_exact(world: World) -> None:
    row = (0, 2**63 - 2, T0, 0, 2**63 - 1, 2**63 - 1, 0)
    world.batch(Outcome(trades=Trades.from_rows([row])))
    (found,) = plain_json.loads(world.get("/api/v1/history/btc").content)
    assert found["id"] == 2**63 - 2
    assert found["price"] == "92233720368547758.07"
    assert found["side"] == "unknown"
