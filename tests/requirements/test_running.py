"""Requirements that are seen from outside, on a running program with the built-in market."""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from tests.requirements.conftest import Program
from websockets.asyncio.client import connect

pytestmark = pytest.mark.proc

FLAT = {"symbol", "venue", "price", "sma_20", "signal", "timestamp", "time"}


def test_the_whole_pipeline_runs_without_internet(program: Program) -> None:
    """ING-21, ING-28: eight or more symbols, each with trades and candles, from settings alone."""
    rows = program.get("/api/v1/symbols")["data"]
    assert {row["source"] for row in rows if row["venue"] != "test"} == {"built-in"}
    assert len({row["symbol"].partition("/")[0] for row in rows}) >= 8
    for row in rows:
        where = f"{row['symbol'].replace('/', '')}?venue={row['venue']}"
        assert program.get(f"/api/v1/history/{where}"), where
        assert program.get(f"/api/v1/historical/{where}")["data"], where
    assert len(program.command("symbols", "--json")) >= 8


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "1h", "4h", "1d"])
def test_every_interval_is_stored_or_open_and_served(program: Program, interval: str) -> None:
    """CDL-08, CDL-11, CDL-12, API-06: the open candle of each is `final` false and up to date."""
    newest = program.get(f"/api/v1/latest/BTC?interval={interval}")
    until_s = time.monotonic() + 10  # A minute may just have closed, and nobody traded since.
    while newest["final"] and time.monotonic() < until_s:
        newest = program.get(f"/api/v1/latest/BTC?interval={interval}")
    assert newest["final"] is False
    assert newest["window_start"] <= newest["open_time"] < newest["window_end"]
    last = program.get("/api/v1/history/BTC")[0]
    assert last["ts"] - 30_000 < time.time() * 1e3
    assert newest["last_trade_id"] is not None
    assert last["id"] - newest["last_trade_id"] < 100
    if interval in ("1m", "5m", "15m"):
        rows = program.get(f"/api/v1/historical/BTC?interval={interval}")["data"]
        assert rows
        assert {row["final"] for row in rows} == {True}


def test_open_candles_move_within_seconds(program: Program) -> None:
    """CDL-07, PERF-13: a candle in progress is seen to move."""
    until_s, seen = time.monotonic() + 30, set()
    while len(seen) < 3:
        assert time.monotonic() < until_s
        found = program.get("/api/v1/latest/BTC?interval=1h")
        seen.add((found["open_time"], found["trades"]))
        time.sleep(0.1)


def test_history_is_the_last_hundred_trades_newest_first(program: Program) -> None:
    """API-01, API-29, ING-25."""
    rows = program.get("/api/v1/history/BTCUSDT")
    assert len(rows) == 100
    ids = [row["id"] for row in rows]
    assert ids == list(range(ids[0], ids[0] - 100, -1))
    assert all(Decimal(row["price"]) > 0 and Decimal(row["quantity"]) > 0 for row in rows)


def test_btc_has_a_price_a_mean_and_a_recommendation(program: Program) -> None:
    """API-02, SIG-02."""
    found = program.get("/api/v1/btc")
    assert found["symbol"] == "BTCUSDT"
    assert found["recommendation"] in ("BUY", "SELL", "HOLD")
    assert abs(found["price"] / found["sma_20"] - 1) < 0.05


def test_pages_are_the_whole_without_a_double(program: Program) -> None:
    """API-07, API-08, STO-17: 7 rows a page over all closed minutes of an hour."""
    whole = program.get("/api/v1/historical/ETHUSDT?limit=1000")["data"]
    start, end = whole[2]["open_time"], whole[-2]["open_time"]
    asked = f"/api/v1/historical/ETHUSDT?limit=7&start={start}&end={end}"
    rows: list[Any] = []
    page = program.get(asked)
    while page["has_more"]:
        rows += page["data"]
        page = program.get(f"{asked}&cursor={page['next']}")
    rows += page["data"]
    assert rows == whole[2:-2]


def test_answers_say_how_long_the_query_took(program: Program) -> None:
    """API-09."""
    for path in ("historical", "history", "latest", "indicators", "signals", "alerts"):
        assert float(program.text(f"/api/v1/{path}/BTC")[1]["x-query-time-ms"]) >= 0


def test_documents_and_metrics_are_on_the_same_port(program: Program) -> None:
    """API-11, API-28, API-32, WS-05, OBS-01 to OBS-03, OBS-05, OBS-18, WS-07."""
    assert "<html" in program.text("/docs")[0]
    assert "/api/v1/historical/{symbol}" in program.get("/openapi.json")["paths"]
    assert program.get("/health")["status"] == "ok"
    assert "<button" in program.text("/ws/test")[0]
    told = program.text("/metrics")[0]
    for name in ("http_requests_total{", "http_request_duration_seconds_bucket{"):
        assert name in told
    for label in ("method=", "path=", "status="):
        assert label in told
    assert 'strategy_signals_total{signal="' in told
    assert "ws_connections 0.0" in told


def test_status_names_each_exchange_and_its_connection(program: Program) -> None:
    """ING-27, OBS-24."""
    found = program.command("status", "--data-dir", str(program.data_dir), "--json")
    assert [(feed["venue"], feed["state"]) for feed in found["feeds"]] == [
        ("binance", "live"),
        ("kraken", "live"),
    ]


def test_three_clients_get_the_same_prices(program: Program) -> None:
    """WS-01, WS-02, WS-06, SIG-03, ING-24: all fields; each frame of one is a frame of all."""

    async def listen(frames: int) -> list[dict[str, Any]]:
        async with connect(program.socket) as socket:
            return [json.loads(await socket.recv()) for _ in range(frames)]

    async def together() -> list[list[dict[str, Any]]]:
        async with asyncio.timeout(60):
            return await asyncio.gather(*(listen(60) for _ in range(3)))

    clients = asyncio.run(together())
    for frames in clients:
        assert {frozenset(frame) for frame in frames} == {frozenset(FLAT)}
        assert {frame["signal"] for frame in frames} <= {"BUY", "SELL", "HOLD"}
    per_market: list[dict[str, list[int]]] = []
    for frames in clients:
        seen: dict[str, list[int]] = {}
        for frame in frames:
            seen.setdefault(f"{frame['venue']} {frame['symbol']}", []).append(frame["timestamp"])
        per_market.append(seen)
    for market in set(per_market[0]) & set(per_market[1]) & set(per_market[2]):
        heard = [seen[market] for seen in per_market]
        first, last = max(one[0] for one in heard), min(one[-1] for one in heard)
        while_all_listened = [tuple(at for at in one if first <= at <= last) for one in heard]
        assert len(set(while_all_listened)) == 1, market


def test_a_test_spike_is_seen_over_rest_and_socket(program: Program) -> None:
    """ANO-04: within 5 s of the command."""

    async def spiked() -> dict[str, Any]:
        async with connect(program.socket) as socket:
            await socket.send(json.dumps({"op": "sub", "id": 1, "ch": ["alerts"]}))
            while json.loads(await socket.recv()).get("op") != "ack":
                pass
            ask = ("test-spike", "-s", "BTC", "--pct", "6", "-d", str(program.data_dir), "--json")
            told = await asyncio.to_thread(program.command, *ask)
            assert [alert["severity"] for alert in told["alerts"]] == ["LOW"]
            async with asyncio.timeout(5):
                while True:
                    frame = json.loads(await socket.recv())
                    if frame.get("ch") == "alerts":
                        return dict(frame["data"])

    alert = asyncio.run(spiked())
    assert (alert["venue"], alert["kind"], alert["severity"]) == ("test", "PRICE_SPIKE", "LOW")
    assert alert in program.get("/api/v1/alerts/BTC")["data"]
