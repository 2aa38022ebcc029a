"""What Prometheus reads: counters and histograms of every hop, in a registry of their own.

takes   each batch with the seconds of its hops, each HTTP request, and, when it is read, the state
        of the clients, the feeds and the process
gives   the text of `/metrics`
never   a label that grows with what a peer or a caller invents: beyond `REASONS_MAX` it is `other`
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from candlewick.model.columns import GAP_KINDS
from candlewick.model.outcome import Outcome
from candlewick.shell.fanout import Fanout
from candlewick.shell.live import STATES, Live, newest_rows
from candlewick.shell.shapes import SIDES

HOPS = ("decode", "compute", "commit", "publish")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
REASONS_MAX = 64
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROWS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)
_COUNTED = ("frames", "data_frames", "control_frames", "duplicates", "disorder", "late")


class Metrics:
    """All of it.  `fanout` and `live` are read when the text is made."""

    def __init__(self, fanout: Fanout, live: Live) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._reasons: set[str] = set()
        self._events(self.registry)
        self._durations(self.registry)
        self.registry.register(_Now(fanout, live))
        self._live = live

    def _events(self, registry: CollectorRegistry) -> None:
        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(name, words, labels, registry=registry)

        self._counted = {
            name: counter(f"candlewick_{name}", f"{name} of feeds") for name in _COUNTED
        }
        self._errors = counter(
            "candlewick_peer_errors", "frames that a venue should not have sent", "venue", "reason"
        )
        self._trades = counter("candlewick_trades", "market trades stored", "venue")
        self._candles = counter("candlewick_candles", "final candles and revisions", "interval_s")
        self._gaps = counter("candlewick_gaps", "rows of the gap ledger", "venue", "kind")
        self._signals = counter("strategy_signals", "recommendations that changed", "signal")
        self._alerts = counter("candlewick_anomalies", "alerts", "venue")
        self._requests = counter("http_requests", "requests answered", "method", "path", "status")

    def _durations(self, registry: CollectorRegistry) -> None:
        self._hops = Histogram(
            "candlewick_hop_seconds", "a batch in one hop", ("hop",), buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._rows = Histogram(
            "candlewick_batch_rows", "trades of a batch", buckets=_ROWS, registry=registry
        )
        self._lag = Histogram(
            "candlewick_lag_seconds", "the newest trade of a batch, exchange time to published",
            ("venue",), buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._inside = Histogram(
            "candlewick_inside_seconds", "the newest trade of a batch, arrival to published",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._commit = Histogram(
            "candlewick_commit_seconds", "one transaction of the store", buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._request_s = Histogram(
            "http_request_duration_seconds", "requests answered", ("method", "path"),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip

    def batch(self, outcome: Outcome, hops_s: Mapping[str, float], now_ns: int) -> None:
        """One batch that was committed and published.

        Args:
            hops_s: seconds by hop, of `HOPS`.
            now_ns: the wall clock after publishing.
        """
        for name in _COUNTED:
            if outcome.counts.get(name):
                self._counted[name].inc(outcome.counts[name])
        for bad in outcome.quarantined:
            self._errors.labels(bad.venue, self._bounded(bad.reason)).inc()
        for hop, seconds in hops_s.items():
            assert hop in HOPS, f"hop {hop!r} is none of {HOPS}"
            self._hops.labels(hop).observe(seconds)
        if "commit" in hops_s:
            self._commit.observe(hops_s["commit"])
        self._trades_of(outcome, now_ns)
        self._rows_of(outcome)

    def _trades_of(self, outcome: Outcome, now_ns: int) -> None:
        trades, instruments = outcome.trades, self._live.instruments
        if len(trades) == 0:
            return
        self._rows.observe(len(trades))
        for series, row in newest_rows(trades).items():
            venue = instruments[series].venue
            self._trades.labels(venue).inc(int((trades.series == series).sum()))
            self._lag.labels(venue).observe(max(0.0, (now_ns - int(trades.at_ns[row])) / 1e9))
            if trades.seen_ns[row] > 0:
                self._inside.observe(max(0.0, (now_ns - int(trades.seen_ns[row])) / 1e9))

    def _rows_of(self, outcome: Outcome) -> None:
        instruments = self._live.instruments
        for interval_s in outcome.candles.interval_s.tolist():
            self._candles.labels(str(interval_s)).inc()
        for series, kind in zip(outcome.gaps.series, outcome.gaps.kind, strict=True):
            self._gaps.labels(instruments[series].venue, GAP_KINDS[kind]).inc()
        for side in outcome.signals.side.tolist():
            self._signals.labels(SIDES[side]).inc()
        for series in outcome.anomalies.series.tolist():
            self._alerts.labels(instruments[series].venue).inc()

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        """One HTTP request; `path` is the route's template, never what was typed."""
        known = method if method in METHODS else "other"
        self._requests.labels(known, path, str(status)).inc()
        self._request_s.labels(known, path).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def _bounded(self, reason: str) -> str:
        if reason not in self._reasons and len(self._reasons) >= REASONS_MAX:
            return "other"
        self._reasons.add(reason)
        return reason


class _Now:
    """What is true at the moment of reading, rather than counted on the way."""

    def __init__(self, fanout: Fanout, live: Live) -> None:
        self._fanout = fanout
        self._live = live

    def collect(self) -> Iterator[Metric]:
        fanout = self._fanout
        yield _gauge("ws_connections", "WebSocket clients connected", len(fanout))
        yield _gauge("ws_queued_frames", "frames owed to clients", fanout.queued)
        yield _gauge("candlewick_rss_bytes", "memory of this process", rss_bytes())
        yield _counter("ws_messages_pushed", "frames queued for clients", fanout.pushed)
        yield _counter("ws_messages_sent", "frames written to clients", fanout.sent)
        yield _counter("ws_messages_conflated", "replaced by a newer one", fanout.conflated)
        yield _counter("ws_messages_dropped", "owed to clients that left", fanout.dropped)
        closed = CounterMetricFamily("ws_closed", "clients sent away", labels=["why"])
        for why, count in fanout.closed.items():
            closed.add_metric([why], count)
        yield closed
        yield from self._feeds()

    def _feeds(self) -> Iterator[Metric]:
        state = GaugeMetricFamily(
            "candlewick_feed_state", "1 for the one", labels=["venue", "state"]
        )
        lag = GaugeMetricFamily("candlewick_feed_lag_seconds", "behind", labels=["venue"])
        reconnects = CounterMetricFamily(
            "candlewick_reconnects", "connects again", labels=["venue"]
        )
        for feed in self._live.feeds.values():
            for known in STATES:
                state.add_metric([feed.venue, known], float(feed.state == known))
            if feed.lag_ms is not None:
                lag.add_metric([feed.venue], feed.lag_ms / 1e3)
            reconnects.add_metric([feed.venue], feed.reconnects)
        yield from (state, lag, reconnects)


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, value=value)


def _counter(name: str, words: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, words, value=value)


def rss_bytes() -> int:
    """Resident memory; where the kernel does not tell, the most there ever was."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1_024
