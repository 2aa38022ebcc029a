"""The newest of everything, in memory: what a page shows before it has asked the store.

takes   every `Outcome` after its commit, the tick means beside it, and what the feeds say of
        themselves
gives   last prices, recommendations, open candles with their preview indicators, quotes, the state
        of each feed and of the store
never   waits, writes, or is touched by another thread than the loop's; the store stays the truth
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import numpy as np

from candlewick import __version__
from candlewick.model.columns import Candles, Indicators, Trades
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.outcome import Outcome, Quote
from candlewick.model.time import NS_PER_MS, to_rfc3339
from candlewick.shell import shapes

# What a feed can be; `down` is the only one that takes its data away.
STATES = ("connecting", "live", "silent", "down", "ended")

Slot = tuple[int, int]  # series, interval_s


class Tick(NamedTuple):
    """The recommendation over trades: side 1 BUY, 0 HOLD, -1 SELL; `mean` NaN while warming up."""

    side: int
    price: int
    mean: float


class Last(NamedTuple):
    """The newest trade; `at_ns` 0 where only its price is known, as after a start."""

    price: int
    at_ns: int


class OpenCandle(NamedTuple):
    """A row of `Candles` as plain values, and the indicators as if it closed now."""

    row: tuple[Any, ...]
    values: dict[str, float | None]

    @property
    def open_ns(self) -> int:
        return int(self.row[2])


@dataclass(slots=True)
class Feed:
    """One venue's feed.  `seen_ns` is the arrival of the newest message, 0 before the first."""

    venue: str
    state: str = "connecting"
    reason: str = ""
    lag_ms: float | None = None
    seen_ns: int = 0
    reconnects: int = 0
    frames: int = 0
    peer_errors: int = 0

    def age_ms(self, now_ns: int) -> float | None:
        return max(0.0, (now_ns - self.seen_ns) / NS_PER_MS) if self.seen_ns > 0 else None


@dataclass(slots=True)
class Live:
    """The state itself.

    Args:
        instruments: the registry of the run.
        started_ns: when the program started.
        indicator_names: what the `name` column of `Indicators` indexes (`Panel.names`).
    """

    instruments: Instruments
    started_ns: int
    indicator_names: Sequence[str] = ()
    env: str = "development"
    source: str = "starting"
    source_reason: str = ""
    store_failure: str = ""
    last: dict[int, Last] = field(default_factory=dict)
    ticks: dict[int, Tick] = field(default_factory=dict)
    quotes: dict[int, Quote] = field(default_factory=dict)
    candles: dict[Slot, OpenCandle] = field(default_factory=dict)
    feeds: dict[str, Feed] = field(default_factory=dict)

    def apply(self, outcome: Outcome, ticks: Mapping[int, tuple[Any, ...]]) -> None:
        """Take over one committed batch.

        Args:
            ticks: side, price, mean (`TickSma.latest` will do) of the series in the batch.  After
                a start, all restored ones with an empty outcome give the last known prices.
        """
        for series, (side, price, mean, *_) in ticks.items():
            if price is not None:
                self.ticks[series] = Tick(side, price, mean)
                self.last.setdefault(series, Last(price, 0))
        self._trades(outcome)
        self._candles(outcome)
        self.quotes.update(outcome.quotes)
        for bad in outcome.quarantined:
            self.feed(bad.venue).peer_errors += 1

    def feed(self, venue: str) -> Feed:
        """The feed of a venue, to read and to set; made at the first asking."""
        return self.feeds.setdefault(venue, Feed(venue))

    def _trades(self, outcome: Outcome) -> None:
        """A trade that fills a hole is no news: prices only go on in time."""
        trades = outcome.trades
        for series, row in newest_rows(trades).items():
            at_ns, seen_ns = int(trades.at_ns[row]), int(trades.seen_ns[row])
            known, feed = self.last.get(series), self.feeds.get(self.instruments[series].venue)
            if known is not None and at_ns < known.at_ns:
                continue
            self.last[series] = Last(int(trades.price[row]), at_ns)
            if feed is not None and seen_ns > 0:
                feed.lag_ms = (seen_ns - at_ns) / NS_PER_MS
                feed.seen_ns = max(feed.seen_ns, seen_ns)

    def _candles(self, outcome: Outcome) -> None:
        for slot, open_ns in newest_final(outcome.candles).items():
            shown = self.candles.get(slot)
            if shown is not None and shown.open_ns <= open_ns:
                del self.candles[slot]
        if len(outcome.previews) == 0:
            return
        values = values_by_candle(outcome.preview_indicators, self.indicator_names)
        for row in shapes.tuples(outcome.previews):
            self.candles[row[0], row[1]] = OpenCandle(row, values.get(row[:3], {}))

    def price_row(self, series: int) -> shapes.PriceRow | None:
        """The flat form of one series; None before its first trade."""
        last = self.last.get(series)
        if last is None:
            return None
        instrument, tick = self.instruments[series], self.ticks.get(series)
        return shapes.PriceRow(
            shapes.joined(instrument.symbol),
            instrument.venue,
            msgspec.Raw(instrument.price_text(last.price).encode()),
            number_or_none(tick.mean) if tick else None,
            shapes.SIDES[tick.side] if tick else "HOLD",
            last.at_ns // NS_PER_MS,
            to_rfc3339(last.at_ns),
        )

    def recommendation(self, instrument: Instrument | None) -> shapes.Recommendation:
        """Price, mean and word of one market; a market nobody knows yet has none."""
        if instrument is None:
            return shapes.Recommendation("BTCUSDT", None, None, "HOLD")
        row = self.price_row(instrument.series)
        if row is None:
            return shapes.Recommendation(shapes.joined(instrument.symbol), None, None, "HOLD")
        return shapes.Recommendation(row.symbol, row.price, row.sma_20, row.signal)

    def symbol_row(self, instrument: Instrument) -> shapes.SymbolRow:
        last, feed = self.last.get(instrument.series), self.feeds.get(instrument.venue)
        return shapes.SymbolRow(
            instrument.venue,
            instrument.symbol,
            instrument.native,
            instrument.price_decimals,
            instrument.size_decimals,
            instrument.price_text(instrument.tick),
            instrument.size_text(instrument.lot),
            instrument.price_text(last.price) if last else None,
            feed.state if feed else "none",
            self.source,
        )

    def status(self, now_ns: int, clients: int) -> shapes.StatusRow:
        """Only venues with a feed: what `test-spike` makes up has none."""
        symbols: dict[str, list[str]] = {venue: [] for venue in self.feeds}
        for instrument in self.instruments:
            if instrument.venue in symbols:
                symbols[instrument.venue].append(instrument.symbol)
        feeds = [
            self._feed_row(self.feeds[venue], found, now_ns) for venue, found in symbols.items()
        ]
        return shapes.StatusRow(
            __version__,
            self.env,
            self.source,
            self.source_reason or None,
            to_rfc3339(self.started_ns),
            self.store_failure or None,
            clients,
            feeds,
        )

    def _feed_row(self, feed: Feed, symbols: list[str], now_ns: int) -> shapes.FeedRow:
        age_ms = feed.age_ms(now_ns)
        return shapes.FeedRow(
            feed.venue,
            feed.state,
            feed.reason,
            None if feed.lag_ms is None else round(feed.lag_ms, 3),
            None if age_ms is None else round(age_ms, 3),
            feed.reconnects,
            feed.frames,
            feed.peer_errors,
            symbols,
        )

    def failures(self) -> list[str]:
        """Why this program cannot do its work; empty while it can."""
        found = [f"store: {self.store_failure}"] if self.store_failure else []
        if self.feeds and all(feed.state == "down" for feed in self.feeds.values()):
            found += [f"feed {f.venue}: {f.reason or 'down'}" for f in self.feeds.values()]
        return found


def number_or_none(value: float) -> float | None:
    """NaN and the infinities mean that there is nothing."""
    return value if math.isfinite(value) else None


def newest_rows(trades: Trades) -> dict[int, int]:
    """The row of each series' newest trade, by the exchange's time and then by order."""
    if len(trades) == 0:
        return {}
    order = np.lexsort((trades.at_ns, trades.series))  # Stable: of equal times the last is last.
    ends = np.flatnonzero(np.diff(trades.series[order], append=-1))
    return dict(zip(trades.series[order[ends]].tolist(), order[ends].tolist(), strict=True))


def newest_final(candles: Candles) -> dict[Slot, int]:
    """The latest open time among the final bars of each series and interval."""
    newest: dict[Slot, int] = {}
    keys = (candles.series, candles.interval_s, candles.open_ns, candles.final)
    for series, interval_s, open_ns, final in zip(*(k.tolist() for k in keys), strict=True):
        slot = (series, interval_s)
        if final and open_ns > newest.get(slot, -1):
            newest[slot] = open_ns
    return newest


def values_by_candle(
    indicators: Indicators, names: Sequence[str]
) -> dict[tuple[int, int, int], dict[str, float | None]]:
    """Indicator values by the key of their candle: series, interval_s, open_ns."""
    found: dict[tuple[int, int, int], dict[str, float | None]] = {}
    for series, interval_s, open_ns, name, value, _revision in shapes.tuples(indicators):
        found.setdefault((series, interval_s, open_ns), {})[names[name]] = number_or_none(value)
    return found
