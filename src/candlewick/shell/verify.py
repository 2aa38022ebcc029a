"""The promises of a data directory, checked against its rows: what `candlewick verify` runs.

takes   a data directory; a running writer may go on, one moment of the store is looked at
gives   one `Finding` a promise: how much was checked, how much was wrong, the first few in words
never   repairs anything, or trusts the program that wrote the rows: candles are folded again from
        the stored trades by `refold.py`

Memory: a chunk of trades, and one series' candles of one interval; rows of the gap ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from candlewick.model.columns import GAP_KINDS, Candles, Column, Coverage, Trades
from candlewick.model.instruments import Instrument
from candlewick.model.time import NS_PER_S, interval_text, to_rfc3339
from candlewick.shell import refold
from candlewick.shell.ledger import excluded, holes_of, listed, spans
from candlewick.shell.reader import Reader
from candlewick.shell.references import CHECKS as REFERENCES
from candlewick.shell.references import file_faults

_EXAMPLES_MAX = 5
_CHUNK_ROWS = 100_000
_CLAIMS = {
    "file": "the file is whole",
    "trade_ids": "every trade id between the first and the last is stored or in the gap ledger",
    "trades_in_candles": "every trade is in exactly one candle of each interval",
    "candle_fold": "every candle is the fold of its trades in the order of their ids",
    "gap_flags": "a final candle has the gap flag where the ledger has an open hole, only there",
    "revisions": "a candle is revised exactly when its revision is above 0, and then final",
} | {name: check.claim for name, check in REFERENCES.items()}

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Finding:
    """One promise and what was found."""

    name: str
    claim: str
    checked: int = 0
    violations: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.violations == 0

    def wrong(self, count: int, examples: Iterable[str]) -> None:
        """Add violations; only the first few are worded."""
        self.violations += count
        for example in examples:
            if len(self.examples) == _EXAMPLES_MAX:
                return
            self.examples.append(example)


def verify(data_dir: Path, progress: Progress | None = None) -> list[Finding]:
    """Check every promise.

    Args:
        progress: told how many trades of how many have been read.

    Returns:
        One finding a promise, kept or not; only `file` if the file itself is damaged.

    Raises:
        StoreError: no store there, or the disk refused.
        VersionError: a store of another schema.
    """
    report = {name: Finding(name, claim) for name, claim in _CLAIMS.items()}
    with Reader(data_dir) as reader:
        faults = file_faults(reader)
        whole = report["file"]
        whole.checked = 1
        whole.wrong(len(faults), faults)
        if faults:
            return [whole]
        with reader.snapshot():
            _check_rows(reader, report, progress)
    return list(report.values())


def _check_rows(reader: Reader, report: dict[str, Finding], progress: Progress | None) -> None:
    """Everything that needs a whole file."""
    total, done = reader.counts()["trades"], 0
    for instrument in reader.instruments():
        series = _Series(reader, instrument, report)
        for chunk in series.chunks():
            done += len(chunk)
            if progress is not None:
                progress(done, total)
        series.judge()
    for name, check in REFERENCES.items():
        finding = report[name]
        finding.checked, count, examples = check.run(reader, _EXAMPLES_MAX)
        finding.wrong(count, examples)


class _Series:
    """One market: its trades are read once, then each interval's candles are judged."""

    def __init__(self, reader: Reader, one: Instrument, report: dict[str, Finding]) -> None:
        self.reader = reader
        self.one = one
        self.report = report
        self.name = f"{one.venue} {one.symbol}"
        self.gaps = reader.gaps(one.series)
        self.intervals_s = reader.intervals(one.series)
        self.parts: dict[int, list[refold.Bars]] = {s: [] for s in self.intervals_s}
        self.holes: list[tuple[int, int]] = []

    def chunks(self) -> Iterable[Trades]:
        """Read all trades, noting holes and folding what belongs into candles."""
        late = self.gaps.take(
            (self.gaps.kind == GAP_KINDS.index("late")) & (self.gaps.repaired_ns == 0)
        )
        last_id: int | None = None
        while True:
            from_id = 0 if last_id is None else last_id + 1
            chunk = self.reader.trades_since(self.one.series, from_id, _CHUNK_ROWS)
            if len(chunk) == 0:
                return
            self.holes += holes_of(chunk.id, last_id)
            last_id = int(chunk.id[-1])
            self.report["trade_ids"].checked += len(chunk)
            kept = chunk.take(~excluded(chunk.id, late))
            if len(kept):
                for interval_s, parts in self.parts.items():
                    parts.append(refold.fold(kept, interval_s))
            yield chunk

    def judge(self) -> None:
        """Everything that needed all trades first."""
        self._judge_ids()
        for interval_s in self.intervals_s:
            candles = self._candles(interval_s)
            parts = self.parts.pop(interval_s)
            bars = refold.merge(parts) if parts else refold.stored(Candles.empty())
            self._judge_fold(interval_s, candles, bars)
            self._judge_whole(interval_s, candles, bars)
            self._judge_flags(interval_s, candles)
            self._judge_revisions(interval_s, candles)

    def _judge_ids(self) -> None:
        finding = self.report["trade_ids"]
        rows = self.gaps.take(
            (self.gaps.kind == GAP_KINDS.index("trades")) & (self.gaps.repaired_ns == 0)
        )
        silent = [hole for hole in self.holes if not listed(hole, rows)]
        finding.wrong(
            len(silent),
            (f"{self.name}: trades {a} to {b} are missing and in no open gap" for a, b in silent),
        )
        for first, last, missing in zip(
            rows.first_id.tolist(), rows.last_id.tolist(), rows.missing.tolist(), strict=True
        ):
            held = self.reader.count_trades(self.one.series, first, last)
            if last - first + 1 - held != missing:
                finding.wrong(
                    1,
                    [
                        f"{self.name}: the gap {first} to {last} says {missing} missing, "
                        f"the store lacks {last - first + 1 - held}"
                    ],
                )

    def _candles(self, interval_s: int) -> Candles:
        pages, after = [], None
        while True:
            page = self.reader.candles(self.one.series, interval_s, limit=_CHUNK_ROWS, after=after)
            pages.append(page)
            if len(page) < _CHUNK_ROWS:
                return Candles.concat(pages)
            after = int(page.open_ns[-1])

    def _judge_fold(self, interval_s: int, candles: Candles, bars: refold.Bars) -> None:
        """Field by field; an open candle only while no later trade than its last is stored."""
        ours = refold.stored(candles)
        at, found = refold.places(bars, candles.open_ns)
        stale = (candles.final == 0) & found
        if len(bars):
            stale &= bars.last_id[at] != candles.last_id
        self.report["candle_fold"].checked += len(candles) - int(stale.sum())
        self._wrong(
            "candle_fold",
            (interval_s, candles, ~found & (candles.trades > 0)),
            lambda row: f"has {candles.trades[row]} trades, none of them is stored",
        )
        for name in refold.COMPARED if len(bars) else ():
            held, given = getattr(ours, name), getattr(bars, name)[at]
            self._wrong(
                "candle_fold",
                (interval_s, candles, found & ~stale & (held != given).astype(bool)),
                partial(_differs, name, held, given),
            )
        self._judge_empty(interval_s, candles, ~found & (candles.trades == 0))

    def _judge_empty(self, interval_s: int, candles: Candles, empty: Column) -> None:
        """A bar without trades stands at the close of the bar before it."""
        before_ns = candles.open_ns - interval_s * NS_PER_S
        at, known = refold.places(refold.stored(candles), before_ns)
        carry = candles.close[at] if len(candles) else candles.close
        flat = (candles.open == candles.high) & (candles.low == candles.close)
        flat &= (candles.open == candles.close) & (candles.volume == 0)
        flat &= (candles.close == carry) | ~known
        self._wrong(
            "candle_fold",
            (interval_s, candles, empty & ~flat),
            lambda _: "is without trades, yet does not stand at the close before it",
        )

    def _judge_whole(self, interval_s: int, candles: Candles, bars: refold.Bars) -> None:
        """Up to the last final candle every window with trades has one, and the sums agree."""
        finding = self.report["trades_in_candles"]
        final = candles.take(candles.final == 1)
        if len(final) == 0:
            return
        due = (bars.open_ns >= candles.open_ns[0]) & (bars.open_ns <= final.open_ns[-1])
        _, found = refold.places(refold.stored(final), bars.open_ns)
        finding.checked += int(bars.trades[due].sum())
        lost = np.flatnonzero(due & ~found).tolist()
        name = f"{self.name} {interval_text(interval_s)}"
        finding.wrong(
            len(lost),
            (
                f"{name} {to_rfc3339(int(bars.open_ns[row]))}: {bars.trades[row]} trades are "
                "stored, a final candle is not"
                for row in lost
            ),
        )
        for what in ("trades", "volume"):
            held = sum(final.column(what).tolist())
            given = sum(getattr(bars, what)[due].tolist())
            if held != given:
                words = f"{name}: {what} of all final candles is {held}, of their trades {given}"
                finding.wrong(1, [words])

    def _judge_flags(self, interval_s: int, candles: Candles) -> None:
        flagged = (candles.coverage & int(Coverage.GAP)) > 0
        final = candles.final == 1
        self.report["gap_flags"].checked += int(final.sum())
        must, may = spans(self.gaps, candles.open_ns, interval_s)
        self._wrong(
            "gap_flags",
            (interval_s, candles, final & must & ~flagged),
            lambda _: "lies in an open gap, yet has no gap flag",
        )
        self._wrong(
            "gap_flags",
            (interval_s, candles, final & flagged & ~may),
            lambda _: "has the gap flag, yet the ledger lists no gap there",
        )

    def _judge_revisions(self, interval_s: int, candles: Candles) -> None:
        self.report["revisions"].checked += len(candles)
        revised = (candles.coverage & int(Coverage.REVISED)) > 0
        wrong = (candles.revision > 0) != revised
        wrong |= (candles.revision < 0) | ((candles.revision > 0) & (candles.final == 0))
        self._wrong(
            "revisions",
            (interval_s, candles, wrong),
            lambda row: (
                f"revision {candles.revision[row]}, final {candles.final[row]}, "
                f"{Coverage(int(candles.coverage[row])).words()}"
            ),
        )

    def _wrong(
        self, name: str, rows: tuple[int, Candles, Column], words: Callable[[int], str]
    ) -> None:
        """Add the marked candles of an interval to a finding."""
        interval_s, candles, marked = rows
        places = np.flatnonzero(marked).tolist()
        self.report[name].wrong(
            len(places),
            (
                f"{self.name} {interval_text(interval_s)} "
                f"{to_rfc3339(int(candles.open_ns[row]))}: {words(row)}"
                for row in places
            ),
        )


def _differs(name: str, held: Column, given: Column, row: int) -> str:
    return f"{name} is {held[row]}, its trades give {given[row]}"
