"""The last candles of every slot, so that a corrected one can be stepped over again.

takes   in-order rows, sorted by slot
gives   the rows that they push out, oldest first: what the lagging states have to step over
never   more than `depth` rows a slot: an older candle is history's, not ours
"""

from __future__ import annotations

import numpy as np

from candlewick.kernel import Array, grown, kernel

FIELDS = 5  # open, high, low, close, volume


@kernel
def behind(slots, open_ns, last_ns, marks):  # type: ignore[no-untyped-def]
    """Mark the rows that are not later than every row of their slot before them; how many."""
    marked = 0
    for i in range(len(slots)):
        marks[i] = open_ns[i] <= last_ns[slots[i]]
        if marks[i]:
            marked += 1
        else:
            last_ns[slots[i]] = open_ns[i]
    return marked


@kernel
def _push(  # type: ignore[no-untyped-def]
    slots, open_ns, candles, revision, depth, count, ring_ns, ring_candles, ring_revision,
    out_slots, out_ns, out_candles,
):  # fmt: skip
    fallen = 0
    for i in range(len(slots)):
        slot = slots[i]
        at = count[slot] % depth[slot]
        if count[slot] >= depth[slot]:
            out_slots[fallen], out_ns[fallen] = slot, ring_ns[slot, at]
            for field in range(FIELDS):
                out_candles[field, fallen] = ring_candles[slot, at, field]
            fallen += 1
        ring_ns[slot, at] = open_ns[i]
        ring_revision[slot, at, 0] = ring_revision[slot, at, 1] = revision[i]
        for field in range(FIELDS):
            ring_candles[slot, at, field] = candles[field, i]
        count[slot] += 1
    return fallen


class Ring:
    """Of each slot the last `depth` rows; `revision` is the candle's own and the one given out."""

    def __init__(self, depths: list[int]) -> None:
        self._depths = np.array(depths, np.int64)  # Slots go round the intervals.
        self._deepest = int(self._depths.max(initial=1))
        self.count = np.zeros(0, np.int64)
        self.last_ns = np.zeros(0, np.int64)
        self.depth = np.zeros(0, np.int64)
        self._ns = np.zeros((0, self._deepest), np.int64)
        self._candles = np.zeros((0, self._deepest, FIELDS))
        self._revision = np.zeros((0, self._deepest, 2), np.int64)

    def grow(self, slots: int) -> None:
        """Have room for at least so many slots."""
        known = len(self.count)
        self.count, self.last_ns = grown(self.count, slots), grown(self.last_ns, slots)
        self._ns, self._candles = grown(self._ns, slots), grown(self._candles, slots)
        self._revision = grown(self._revision, slots)
        self.last_ns[known:] = np.iinfo(np.int64).min
        self.depth = np.resize(self._depths, len(self.count))

    def push(
        self, slots: Array, open_ns: Array, candles: Array, revision: Array
    ) -> tuple[Array, Array, Array]:
        """Keep rows, sorted by slot; gives slots, open times and candles of those that fall off."""
        out_slots, out_ns = np.empty_like(slots), np.empty_like(open_ns)
        out_candles = np.empty_like(candles)
        fallen = _push(
            slots, open_ns, candles, revision, self.depth, self.count, self._ns, self._candles,
            self._revision, out_slots, out_ns, out_candles,
        )  # fmt: skip
        return out_slots[:fallen], out_ns[:fallen], np.ascontiguousarray(out_candles[:, :fallen])

    def places(self, slot: int) -> Array:
        """Where a slot's rows are, oldest first."""
        count, depth = int(self.count[slot]), int(self.depth[slot])
        return np.arange(max(count - depth, 0), count) % depth

    def correct(self, slot: int, open_ns: int, candle: Array, revision: int) -> int:
        """Replace a row; which one it is, oldest first, or -1 if it is not kept (any more).

        Later rows keep their own revision but are given out with at least this one.
        """
        places = self.places(slot)
        found = np.flatnonzero(self._ns[slot, places] == open_ns)
        if not len(found):
            return -1
        first = int(found[0])
        own, given = self._revision[slot, :, 0], self._revision[slot, :, 1]
        own[places[first]] = revision
        self._candles[slot, places[first]] = candle
        given[places[first:]] = np.maximum(given[places[first:]], revision)
        return first

    def revision(self, slot: int, open_ns: int) -> int:
        """A kept candle's own revision, or -1."""
        places = self.places(slot)
        found = np.flatnonzero(self._ns[slot, places] == open_ns)
        return int(self._revision[slot, places[found[0]], 0]) if len(found) else -1

    def rows(self, slot: int) -> tuple[Array, Array, Array]:
        """Open times, candles [fields, rows] and revisions given out of a slot, oldest first."""
        places = self.places(slot)
        candles = np.ascontiguousarray(self._candles[slot, places].T)
        return self._ns[slot, places], candles, self._revision[slot, places, 1]

    def pieces(self, begin: int, end: int) -> list[Array]:
        """The arrays of some slots, in a fixed order, as views."""
        arrays = (self.count, self.last_ns, self._ns, self._candles, self._revision)
        return [array[begin:end] for array in arrays]
