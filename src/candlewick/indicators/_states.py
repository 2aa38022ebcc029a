"""The states of every instance of a panel, for every slot (a series at an interval).

takes   entries of the configuration; rows, sorted by slot
gives   their outputs; copies of slots; a slot's bytes
never   shared: one that is copied from another has its own memory
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from candlewick.indicators import Entry
from candlewick.indicators._calls import CALL_WIDTH, address_of, described, run
from candlewick.kernel import Array, grown


class States:
    """Row `slot` of every array is that slot's state; a slot never used is at its start."""

    def __init__(self, entries: Sequence[Entry], slots: int = 0) -> None:
        self.entries = entries
        self.outputs = sum(len(entry.outputs) for entry in entries)
        self.slots = 0
        self._addresses = [
            address_of(e.indicator.scan, e.indicator.STATE, e.indicator.TAKES) for e in entries
        ]
        self._gives = [len(e.indicator.GIVES) for e in entries]
        self._takes = [e.indicator.TAKES for e in entries]
        self._heads: list[Array] = [np.zeros(0, entry.indicator.STATE) for entry in entries]
        self._windows: list[Array] = [np.zeros((0, self.width(entry))) for entry in entries]
        self._calls = np.zeros((len(entries), CALL_WIDTH), np.int64)
        self.grow(slots)

    @staticmethod
    def width(entry: Entry) -> int:
        """How long an instance's window is."""
        return entry.indicator.start(np.zeros(1, entry.indicator.STATE), **entry.parameters)

    def grow(self, slots: int) -> None:
        """Have room for at least so many slots."""
        if slots <= self.slots:
            return
        for k, entry in enumerate(self.entries):
            self._heads[k] = grown(self._heads[k], slots)
            self._windows[k] = grown(self._windows[k], slots)
            entry.indicator.start(self._heads[k][self.slots :], **entry.parameters)
        self.slots = max([slots, *(len(head) for head in self._heads)])
        self._describe()

    def _describe(self) -> None:
        row = 0
        for k, gives in enumerate(self._gives):
            self._calls[k] = described(
                self._addresses[k], self._heads[k], self._windows[k], row, gives, self._takes[k]
            )
            row += gives

    def run(self, runs: Array, open_ns: Array, candles: Array, out: Array | None = None) -> Array:
        """Step every instance over the rows; see `_calls.run`.  Gives float64 [outputs, rows]."""
        if out is None:
            out = np.empty((self.outputs, len(open_ns)))
        run(self._calls, runs, open_ns, candles, out)
        return out

    def taken(self, slots: Array) -> States:
        """A throw-away copy of some slots, numbered from 0."""
        copy = object.__new__(States)
        copy.entries, copy.outputs, copy.slots = self.entries, self.outputs, len(slots)
        copy._addresses, copy._gives, copy._takes = self._addresses, self._gives, self._takes
        copy._heads = [head[slots] for head in self._heads]
        copy._windows = [window[slots] for window in self._windows]
        copy._calls = np.zeros_like(self._calls)
        copy._describe()
        return copy

    def copy_slot(self, slot: int, source: States) -> None:
        """Become what `source` is, in one slot."""
        for mine, other in zip(self._heads, source._heads, strict=True):
            mine[slot] = other[slot]
        for mine, other in zip(self._windows, source._windows, strict=True):
            mine[slot] = other[slot]

    def pieces(self, begin: int, end: int) -> list[Array]:
        """The arrays of some slots, in a fixed order, as views: to be saved, or to be written."""
        return [array[begin:end] for array in (*self._heads, *self._windows)]
