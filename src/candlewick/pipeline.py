"""START HERE: which room feeds which, on one screen.

    frames -> feeds.<venue> -> continuity -> candles -> indicators
                                   |            |-----> anomalies
                                   |-> trades ------> signals
    all of it -> one Outcome -> one transaction -> the listeners

takes   frames of any number of venues, as they came, in batches of any size
gives   one `Outcome` a batch: everything it yields, with the state that belongs to it
never   opens a socket, reads a clock or a disk: live, replay and tests run this same object
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from candlewick import feeds
from candlewick.anomalies.watch import Watch
from candlewick.candles.bars import Bars
from candlewick.config import Settings
from candlewick.errors import PeerError, VersionError
from candlewick.feeds.continuity import Continuity
from candlewick.feeds.decoded import Decoded, Decoder, Notice, Want
from candlewick.indicators.panel import Panel
from candlewick.model.columns import (
    GAP_KINDS,
    Anomalies,
    Candles,
    Events,
    Gaps,
    Indicators,
    Ints,
    Kind,
    Signals,
    Trades,
    trades_of,
)
from candlewick.model.instruments import Instruments
from candlewick.model.outcome import Frame, Outcome
from candlewick.signals.tick_sma import TickSma

# Marks in the stream of frames, put there by the shell around a venue's history (`url`: native).
HOLD, RELEASE = "hold", "release"
_LATE_KIND = GAP_KINDS.index("late")
_LIVE = frozenset(("in", "out", "connect"))
_origin = attrgetter("origin")


class Fold(Protocol):
    """What the pipeline asks of everything that keeps a state."""

    touched: set[int]

    def save(self, series: int) -> bytes: ...

    def load(self, series: int, blob: bytes) -> None: ...


@dataclass(slots=True)
class _Yield:
    """Parts of an outcome, while its batch is on the way."""

    trades: list[Trades] = field(default_factory=list)
    candles: list[Candles] = field(default_factory=list)
    indicators: list[Indicators] = field(default_factory=list)
    signals: list[Signals] = field(default_factory=list)
    anomalies: list[Anomalies] = field(default_factory=list)
    gaps: list[Gaps] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class Pipeline:
    """Every room's state for one run, and the way through them."""

    def __init__(self, settings: Settings, instruments: Instruments) -> None:
        self._settings = settings
        intervals_s = list(settings.candles.intervals_s)
        lateness_s = settings.candles.lateness_s
        self.instruments = instruments
        self.continuity = Continuity(instruments)
        self.bars = Bars(
            instruments,
            intervals_s,
            settings.candles.grace_s,
            lateness_s,
            settings.candles.empty_bars_max,
        )
        self.panel = Panel(instruments, list(settings.indicators.names), intervals_s, lateness_s)
        self.ticks = TickSma(
            instruments, settings.signals.tick_sma_period, settings.signals.band_pct
        )
        rules = {**settings.anomalies.model_dump(), "lateness_s": lateness_s}
        self.watch = Watch(instruments, rules)
        self.folds: dict[str, Fold] = {
            "continuity": self.continuity,
            "candles": self.bars,
            "indicators": self.panel,
            "signals": self.ticks,
            "anomalies": self.watch,
        }
        self.decoders: dict[str, Decoder] = {}
        self.only: frozenset[str] = frozenset()  # Canonical symbols; empty is all.
        self.wants: list[tuple[str, Want]] = []
        self.notices: list[tuple[str, Notice]] = []

    def decoder(self, venue: str) -> Decoder:
        """The decoder of a venue, made at its first frame."""
        if venue not in self.decoders:
            self.decoders[venue] = feeds.venue(venue).Decoder(self.instruments)
        return self.decoders[venue]

    def take(self, frames: Mapping[str, Sequence[Frame]], *, previews: bool = False) -> Outcome:
        """One batch through every room.

        Args:
            frames: by venue, in order of arrival.
            previews: also give the open candles of what was touched, and their indicators.
        """
        outcome, parts = Outcome(), _Yield()
        for venue, arrived in frames.items():
            for lane, group in _lanes(arrived):
                if lane in (HOLD, RELEASE):
                    self._fold(self._marks(venue, lane, group), parts)
                    continue
                decoded = self.decoder(venue).decode(group)
                self._collect(venue, decoded, outcome, parts)
                self._fold(decoded.events, parts, history=lane == "http")
        return self._finished(outcome, parts, previews)

    def skip(self, frames: Mapping[str, Sequence[Frame]]) -> None:
        """Frames whose rows are stored already: only what a decoder learns from them is kept."""
        for venue, arrived in frames.items():
            self.decoder(venue).decode(list(arrived))

    def refold(self, events: Events) -> Outcome:
        """Stored trades, once more: how a state is rebuilt from the store."""
        outcome, parts = Outcome(), _Yield()
        self._fold(events, parts)
        return self._finished(outcome, parts, previews=False)

    def flush(self) -> Outcome:
        """The end of a tape: holes that may still have been disorder are holes now."""
        outcome, parts = Outcome(), _Yield()
        events, gaps, counts = self.continuity.flush()
        parts.gaps.append(gaps)
        parts.counts.update(counts)
        self._beyond_continuity(events, parts)
        return self._finished(outcome, parts, previews=False)

    def open_candles(self) -> Candles:
        """Every open candle as it stands."""
        return self.bars.preview(range(len(self.instruments)))

    def restore(self, states: Mapping[tuple[str, int], bytes]) -> dict[int, str]:
        """Take over the states of a former run.

        Returns:
            The series that must be rebuilt from the store, each with the reason.
        """
        refused: dict[int, str] = {}
        for (name, series), blob in states.items():
            try:
                if series >= len(self.instruments):
                    continue  # Of nothing: an instrument is stored with its first row.
                if name not in self.folds:
                    raise VersionError(f"{name}: this program has no such kernel; rebuilding")
                self.folds[name].load(series, blob)
            except VersionError as error:
                refused[series] = str(error)
        return refused

    def forget(self, many: Iterable[int]) -> None:
        """Put series back to where they were before their first row."""
        blank = Pipeline(self._settings, self.instruments)
        for series in many:
            for name, fold in self.folds.items():
                fold.load(series, blank.folds[name].save(series))

    def _marks(self, venue: str, lane: str, frames: Sequence[Frame]) -> Events:
        """Subscribed symbols begin or end their history; from then on only they are known."""
        kind, decoder, rows = Kind.HOLD if lane == HOLD else Kind.RELEASE, self.decoder(venue), []
        for frame in frames:
            try:
                rows.append((decoder.admit(frame.url).series, kind, 0, 0, 0, 0, 0))
            except PeerError as error:
                self.notices.append((venue, Notice("refused", str(error))))
        self.instruments.close(venue)
        return Events.from_rows(rows)

    def _collect(self, venue: str, decoded: Decoded, outcome: Outcome, parts: _Yield) -> None:
        parts.counts.update(decoded.counts)
        parts.gaps.append(decoded.gaps)
        outcome.quotes.update(decoded.quotes)
        outcome.quarantined += decoded.quarantined
        self.wants += [(venue, want) for want in decoded.wants]
        self.notices += [(venue, notice) for notice in decoded.notices]

    def _fold(self, events: Events, parts: _Yield, *, history: bool = False) -> None:
        if self.only:
            wanted = [one.symbol in self.only for one in self.instruments]
            events = events.take(np.array(wanted, np.bool_)[events.series] | (events.kind > 1))
        if len(events):
            whole, gaps, counts = self.continuity.scan(events, history=history)
            parts.gaps.append(gaps)
            parts.counts.update(counts)
            self._beyond_continuity(whole, parts)

    def _beyond_continuity(self, events: Events, parts: _Yield) -> None:
        trades = trades_of(events)
        candles, late = self.bars.scan(events)
        parts.trades.append(trades)
        parts.candles.append(candles)
        parts.indicators.append(self.panel.update(candles))
        parts.signals.append(self.ticks.scan(trades))
        parts.anomalies.append(self.watch.scan(candles))
        if len(late):
            parts.gaps.append(_late_rows(events, late))
            parts.counts["late"] += len(late)

    def _finished(self, outcome: Outcome, parts: _Yield, previews: bool) -> Outcome:
        outcome.trades = Trades.concat(parts.trades)
        outcome.candles = Candles.concat(parts.candles)
        outcome.indicators = Indicators.concat(parts.indicators)
        outcome.signals = Signals.concat(parts.signals)
        outcome.anomalies = Anomalies.concat(parts.anomalies)
        outcome.gaps = Gaps.concat(parts.gaps)
        traded = np.flatnonzero(np.bincount(outcome.trades.series)).tolist()
        outcome.ticks = {series: self.ticks.latest(series) for series in traded}
        if previews:
            outcome.previews = self.bars.preview(sorted(self.bars.touched))
            outcome.preview_indicators = self.panel.preview(outcome.previews)
        for name, fold in self.folds.items():
            outcome.states += [(name, series, fold.save(series)) for series in sorted(fold.touched)]
            fold.touched.clear()
        for name in ("candles", "indicators", "signals", "anomalies"):
            parts.counts[name] += len(getattr(outcome, name))
        outcome.counts = dict(parts.counts)
        return outcome


def _lanes(frames: Sequence[Frame]) -> Iterator[tuple[str, Sequence[Frame]]]:
    """Runs of frames that may share a call; nearly always it is all of them."""
    if _LIVE.issuperset(map(_origin, frames)):
        yield "live", frames
        return
    for lane, group in groupby(frames, key=_lane):
        yield lane, list(group)


def _lane(frame: Frame) -> str:
    """Frames that may share a call: history is told apart from what came live."""
    return frame.origin if frame.origin in ("http", HOLD, RELEASE) else "live"


def _late_rows(events: Events, late: Ints) -> Gaps:
    """Trades that their candle could not take any more: stored, and listed."""
    found: dict[str, Any] = {
        name: events.column(name)[late] for name in ("series", "id", "at_ns", "seen_ns")
    }
    return Gaps.from_rows(
        [
            (series, _LATE_KIND, trade, trade, seen_ns or at_ns, at_ns, at_ns, 1, 0, 0)
            for series, trade, at_ns, seen_ns in zip(
                *(found[n].tolist() for n in ("series", "id", "at_ns", "seen_ns")), strict=True
            )
        ]
    )
