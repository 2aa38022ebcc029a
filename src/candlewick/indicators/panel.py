"""Every configured indicator of every series at every interval.

takes   candles as the candle kernel gives them: any mix of series and intervals, final and open
gives   a row for each final candle and output, NaN while warming up; previews of open candles
never   keeps a secret: a preview leaves the state as it was, byte for byte; a candle corrected
        within the lateness rolls the state back and on, an older one is counted in `stale`
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from candlewick import kernel
from candlewick.errors import UsageError
from candlewick.indicators import parse
from candlewick.indicators._prices import Prices
from candlewick.indicators._ring import Ring, behind
from candlewick.indicators._states import States
from candlewick.kernel import Array
from candlewick.model.columns import Candles, Indicators
from candlewick.model.instruments import Instruments

VERSION = 1
_RING_SPARE_ROWS = 3  # The lateness itself, the open bar, and both its ends.


def depth_rows(lateness_s: float, interval_s: int) -> int:
    """How many candles of an interval a correction may still reach."""
    return math.ceil(lateness_s / interval_s) + _RING_SPARE_ROWS


class Panel:
    """Slot `series * intervals + interval` of every state is that series at that interval.

    Two states run side by side: `_now`, after the last row, and `_then`, before the rows that the
    ring still has.  A correction goes into the ring, and `_now` becomes `_then` plus the ring.

    Attributes:
        names: what each output is called; `Indicators.name` is an index into it.
        touched: series whose state changed; whoever saves them clears it.
        stale: candles that came too late to be stepped over again.
    """

    NAME = "indicators"

    def __init__(
        self,
        instruments: Instruments,
        entries: Sequence[str],
        intervals_s: Sequence[int],
        lateness_s: float,
    ) -> None:
        twice = sorted({entry for entry in entries if list(entries).count(entry) > 1})
        if twice:
            raise UsageError(f"indicators: {', '.join(twice)} twice; name each once")
        parsed = [parse(entry) for entry in entries]
        self.names = [output for entry in parsed for output in entry.outputs]
        self.touched: set[int] = set()
        self.stale = 0
        self._intervals_s = np.unique(np.array(intervals_s, np.int64))
        depths = [depth_rows(lateness_s, int(seconds)) for seconds in self._intervals_s]
        self._prices = Prices(instruments)
        self._now, self._then, self._ring = States(parsed), States(parsed), Ring(depths)
        self._name_column = np.arange(len(self.names), dtype=np.int32)
        self._parameters = {
            "entries": [entry.name for entry in parsed],
            "versions": [entry.indicator.VERSION for entry in parsed],
            "layouts": [kernel.layout(entry.indicator.STATE) for entry in parsed],
            "intervals_s": self._intervals_s.tolist(),
            "depth_rows": depths,
        }
        self._snapshot_bytes = sum(piece.nbytes for piece in self._pieces(0))

    def update(self, candles: Candles) -> Indicators:
        """Step over the final candles, in order; intervals that are not ours are left out."""
        closed = self._ours(candles, final=True)
        if not len(closed):
            return Indicators.empty()
        slots, open_ns = self._slots(closed), np.ascontiguousarray(closed.open_ns)
        values = self._prices.of(closed)
        marks = np.empty(len(slots), np.bool_)
        self.touched.update(np.unique(closed.series).tolist())
        if not behind(slots, open_ns, self._ring.last_ns, marks):
            return self._step(closed, slots, open_ns, values)
        parts, begin = [], 0
        for late in [*np.flatnonzero(marks).tolist(), len(slots)]:
            if late > begin:
                some = slice(begin, late)
                rows = np.ascontiguousarray(values[:, some])
                parts.append(self._step(closed.take(some), slots[some], open_ns[some], rows))
            if late < len(slots):
                parts.append(self._correct(closed, late, int(slots[late]), values[:, late]))
            begin = late + 1
        return Indicators.concat(parts)

    def preview(self, candles: Candles) -> Indicators:
        """The values as if each open candle closed now; no state is touched."""
        opened = self._ours(candles, final=False)
        if not len(opened):
            return Indicators.empty()
        slots = self._slots(opened)
        later = opened.open_ns > self._ring.last_ns[slots]
        opened, slots = opened.take(later), slots[later]
        if not len(opened):
            return Indicators.empty()
        rows = np.arange(len(opened))
        runs = np.array([rows, rows + 1])
        open_ns = np.ascontiguousarray(opened.open_ns)
        out = self._now.taken(slots).run(runs, open_ns, self._prices.of(opened))
        return self._rows(opened.series, opened.interval_s, open_ns, opened.revision, out)

    def save(self, series: int) -> bytes:
        """All states and candles kept of a series, as one snapshot."""
        whole = b"".join(piece.tobytes() for piece in self._pieces(series))
        arrays = {"state": np.frombuffer(whole, np.uint8)}
        return kernel.save(self.NAME, VERSION, self._parameters, arrays)

    def load(self, series: int, blob: bytes) -> None:
        """Become what was saved.

        Raises:
            VersionError: saved by another version, or of other entries, periods or intervals.
        """
        whole = np.empty(self._snapshot_bytes, np.uint8)
        kernel.load(blob, self.NAME, VERSION, self._parameters, {"state": whole})
        at = 0
        for piece in self._pieces(series):
            saved = whole[at : at + piece.nbytes].view(piece.dtype)
            piece[...] = saved.reshape(piece.shape)
            at += piece.nbytes

    def _pieces(self, series: int) -> Iterable[Array]:
        """Every array of a series, in a fixed order, as views."""
        begin, end = series * len(self._intervals_s), (series + 1) * len(self._intervals_s)
        self._grow(end)
        for part in (self._now, self._then, self._ring):
            yield from part.pieces(begin, end)

    def _grow(self, slots: int) -> None:
        if slots > len(self._ring.count):
            self._ring.grow(slots)
            self._now.grow(len(self._ring.count))
            self._then.grow(len(self._ring.count))

    def _ours(self, candles: Candles, final: bool) -> Candles:
        """The final or the open ones of our intervals."""
        if not len(candles):
            return candles
        wanted = (candles.final == 1) if final else (candles.final == 0)
        places = np.searchsorted(self._intervals_s, candles.interval_s)
        places[places == len(self._intervals_s)] = 0
        wanted &= self._intervals_s[places] == candles.interval_s
        return candles if wanted.all() else candles.take(wanted)

    def _slots(self, candles: Candles) -> Array:
        intervals = len(self._intervals_s)
        slots = candles.series * np.int64(intervals)
        slots += np.searchsorted(self._intervals_s, candles.interval_s)
        if len(slots):
            self._grow((int(candles.series.max()) + 1) * intervals)
        return slots

    def _step(self, candles: Candles, slots: Array, open_ns: Array, values: Array) -> Indicators:
        """In-order rows through every instance; those that fall off the ring through `_then`."""
        order = None
        if len(slots) > 1 and (np.diff(slots) < 0).any():
            order = np.argsort(slots, kind="stable")
            slots, open_ns = slots[order], open_ns[order]
            values = np.ascontiguousarray(values[:, order])
            candles = candles.take(order)
        out = self._now.run(_runs(slots), open_ns, values)
        revision = candles.revision.astype(np.int64)
        fallen, fallen_ns, fallen_values = self._ring.push(slots, open_ns, values, revision)
        if len(fallen):
            self._then.run(_runs(fallen), fallen_ns, fallen_values)
        if order is None:
            return self._rows(candles.series, candles.interval_s, open_ns, candles.revision, out)
        back = np.argsort(order)  # The rows' own order, so that cutting a batch changes nothing.
        return self._rows(
            candles.series[back], candles.interval_s[back], open_ns[back],
            candles.revision[back], out[:, back],
        )  # fmt: skip

    def _correct(self, candles: Candles, row: int, slot: int, values: Array) -> Indicators:
        """A candle again: roll back to before the ring, put it in, roll on."""
        open_ns, revision = int(candles.open_ns[row]), int(candles.revision[row])
        known = self._ring.revision(slot, open_ns)
        if known < 0:
            self.stale += 1
        if revision < known or known < 0:
            return Indicators.empty()
        first = self._ring.correct(slot, open_ns, values, revision)
        self._now.copy_slot(slot, self._then)
        times, kept, revisions = self._ring.rows(slot)
        out = self._now.run(np.array([[slot], [len(times)]]), times, kept)
        count = len(times) - first
        return self._rows(
            np.full(count, candles.series[row]), np.full(count, candles.interval_s[row]),
            times[first:], revisions[first:], out[:, first:],
        )  # fmt: skip

    def _rows(
        self, series: Array, interval_s: Array, open_ns: Array, revision: Array, out: Array
    ) -> Indicators:
        """One row a candle and output, the outputs of a candle together."""
        outputs = len(self.names)
        return Indicators(
            series=np.repeat(series.astype(np.int32, copy=False), outputs),
            interval_s=np.repeat(interval_s.astype(np.int32, copy=False), outputs),
            open_ns=np.repeat(open_ns, outputs),
            name=np.tile(self._name_column, len(open_ns)),
            value=out.T.ravel(),
            revision=np.repeat(revision.astype(np.int32, copy=False), outputs),
        )


def _runs(slots: Array) -> Array:
    """Rows sorted by slot: the slot of each run of rows, and where it ends."""
    ends = np.append(np.flatnonzero(slots[1:] != slots[:-1]) + 1, len(slots))
    return np.array([slots[ends - 1], ends])
