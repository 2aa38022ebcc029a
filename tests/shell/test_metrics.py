"""Claims of `/metrics`: each hop is counted, no label grows with what others invent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.shell.serving import MINUTE_NS, World, closed, opened, traded

from candlewick.model.columns import Trades
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Outcome, Quarantined
from candlewick.shell.metrics import REASONS_MAX, rss_bytes

HOPS_S = {"decode": 0.0004, "compute": 0.002, "commit": 0.004, "publish": 0.0001}


@pytest.fixture
def world(tmp_path: Path, listing: tuple[Instrument, ...]) -> Iterator[World]:
    with World(tmp_path / "rows", listing, tmp_path) as made:
        yield made


def told(world: World) -> dict[tuple[str, ...], float]:
    """Every sample by its name and its label values by label name, as Prometheus reads them."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(world.metrics.text().decode())
        for sample in family.samples
    }


def test_a_batch_is_counted_in_every_hop(world: World, market: Callable[..., Any]) -> None:
    outcome = market(7, {0: range(1_100, 1_105)}).outcome(300)
    now_ns = int(outcome.trades.at_ns.max()) + 30_000_000
    world.metrics.batch(outcome, HOPS_S, now_ns)
    found = told(world)
    assert found["candlewick_trades_total", "binance"] == 300
    assert found["candlewick_trades_total", "kraken"] == 300
    assert found["candlewick_frames_total",] == 600
    assert found["candlewick_gaps_total", "trades", "binance"] == 1
    assert found["candlewick_peer_errors_total", "truncated", "binance"] == 1
    minutes = int((outcome.candles.interval_s == 60).sum())
    assert found["candlewick_candles_total", "60"] == minutes > 10
    assert found["strategy_signals_total", "BUY"] == len(outcome.signals)
    assert found["candlewick_batch_rows_sum",] == 600
    for hop, seconds in HOPS_S.items():
        assert found["candlewick_hop_seconds_count", hop] == 1
        assert found["candlewick_hop_seconds_sum", hop] == seconds
    assert found["candlewick_commit_seconds_sum",] == HOPS_S["commit"]


def test_lag_is_from_the_exchanges_clock_and_from_arrival_to_published(world: World) -> None:
    at_ns = 1_700_000_000_000_000_000
    trades = [(0, 1, at_ns - 10**12, at_ns, 5, 1, 1), (0, 2, at_ns, at_ns + 8_000_000, 5, 1, 1)]
    world.metrics.batch(Outcome(trades=Trades.from_rows(trades)), {}, at_ns + 30_000_000)
    found = told(world)
    assert found["candlewick_lag_seconds_sum", "binance"] == pytest.approx(0.030)
    assert found["candlewick_inside_seconds_sum",] == pytest.approx(0.022)


def test_reasons_that_a_peer_invents_end_as_other(world: World) -> None:
    bad = [Quarantined("kraken", f"reason{n}", "", b"", 1) for n in range(3 * REASONS_MAX)]
    world.metrics.batch(Outcome(quarantined=bad), {}, 1)
    errors = {key: v for key, v in told(world).items() if key[0] == "candlewick_peer_errors_total"}
    assert len(errors) == REASONS_MAX + 1
    assert errors["candlewick_peer_errors_total", "other", "kraken"] == 2 * REASONS_MAX
    assert sum(errors.values()) == 3 * REASONS_MAX


def test_a_hop_that_nobody_knows_is_a_fault(world: World) -> None:
    with pytest.raises(AssertionError, match="none of"):
        world.metrics.batch(Outcome(), {"guess": 1.0}, 1)


def test_requests_are_counted_by_template_whatever_is_typed(
    world: World, market: Callable[..., Any]
) -> None:
    traded(world, market)
    invented = [("GET", f"/api/v1/history/X{n}", {}) for n in range(30)]
    invented += [("GET", f"/nothing/{n}", {}) for n in range(30)]
    invented += [(method, "/api/v1/btc", {}) for method in ("BREW", "PROPFIND", "HEAD", "GET")]
    world.get_all(invented)
    counted = {key[1:]: v for key, v in told(world).items() if key[0] == "http_requests_total"}
    assert counted == {
        ("GET", "/api/v1/history/{symbol:path}", "404"): 30,
        ("GET", "/{path:path}", "404"): 30,
        ("other", "/api/v1/btc", "405"): 2,
        ("HEAD", "/api/v1/btc", "200"): 1,
        ("GET", "/api/v1/btc", "200"): 1,
    }
    found = told(world)
    assert found["http_request_duration_seconds_count", "GET", "/api/v1/btc"] == 1


def test_feeds_clients_and_memory_are_as_they_are_now(world: World) -> None:
    feed = world.live.feed("binance")
    feed.state, feed.lag_ms, feed.reconnects = "silent", 250.0, 3
    found = told(world)
    assert found["candlewick_feed_state", "silent", "binance"] == 1
    assert found["candlewick_feed_state", "live", "binance"] == 0
    assert found["candlewick_feed_lag_seconds", "binance"] == 0.25
    assert found["candlewick_reconnects_total", "binance"] == 3
    assert found["ws_connections",] == 0
    assert found["candlewick_rss_bytes",] > 10_000_000
    assert abs(found["candlewick_rss_bytes",] - rss_bytes()) < 100_000_000


def test_frames_to_clients_add_up(world: World) -> None:
    class Ear:
        def waiting(self) -> int:
            return 0

        def write(self, frames: bytes) -> None:
            assert frames

        def finish(self, code: int, frames: bytes) -> None:
            assert frames

    client = world.hub.fanout.join(Ear())
    assert client is not None
    world.hub.fanout.subscribe(client, ["candles:binance:BTC/USDT:1m"])
    for at in range(5):
        world.batch(closed(opened(0, 60, at * MINUTE_NS, 100, final=1)))
    world.hub.fanout.flush()
    world.batch(closed(opened(0, 60, 9 * MINUTE_NS, 100, final=1)))
    found = told(world)
    assert (found["ws_connections",], found["ws_queued_frames",]) == (1, 1)
    assert (found["ws_messages_pushed_total",], found["ws_messages_sent_total",]) == (6, 5)
    world.hub.fanout.leave(client)
    assert told(world)["ws_messages_dropped_total",] == 1
