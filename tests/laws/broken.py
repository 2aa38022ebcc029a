"""Kernels that are wrong on purpose, each in one way: a law that has never failed proves nothing.

Every one is a running mean over the last `PERIOD` closes; `Sound` is the one without a fault.
They are plain Python, so that the fault is easy to see.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from candlewick.kernel import record

PERIOD = 5


class Sound:
    """All state in `head` and `window`, every row answered, nothing subtracted."""

    STATE = record(rows="i8")
    TAKES: tuple[str, ...] = ("close",)
    GIVES = ("mean",)
    VERSION = 1

    def start(self, head: Any) -> int:
        return PERIOD

    def scan(self, head: Any, window: Any, series: Any, ends: Any, close: Any, out: Any) -> None:
        begin = 0
        for s, end in zip(series.tolist(), ends.tolist(), strict=True):
            for i in range(begin, end):
                out[0, i] = self.step(head[s], window[s], close[i])
            begin = end

    def step(self, state: Any, kept: Any, close: float) -> float:
        kept[state["rows"] % PERIOD] = close
        state["rows"] += 1
        return float(np.mean(kept)) if state["rows"] >= PERIOD else np.nan


_hidden = {"rows": 0, "last": 0.0}


class HidesState(Sound):
    """Counts its rows in the module."""

    def step(self, state: Any, kept: Any, close: float) -> float:
        value = super().step(state, kept, close)
        _hidden["rows"] += 1
        return value + _hidden["rows"]


class ForgetsInSnapshot(Sound):
    """Keeps the last close in the object, beside the state that is saved."""

    def __init__(self) -> None:
        self.last = 0.0

    def step(self, state: Any, kept: Any, close: float) -> float:
        value = super().step(state, kept, close) + self.last
        self.last = close
        return value


class LeaksBetweenSeries(Sound):
    """Writes to the window of the next series too."""

    def scan(self, head: Any, window: Any, series: Any, ends: Any, close: Any, out: Any) -> None:
        super().scan(head, window, series, ends, close, out)
        for s in series.tolist():
            window[(s + 1) % len(window), 0] = window[s, 0]


class DropsLastRow(Sound):
    """Stops one row before the end of a batch."""

    def scan(self, head: Any, window: Any, series: Any, ends: Any, close: Any, out: Any) -> None:
        ends = np.minimum(ends, len(close) - 1)
        super().scan(head, window, series, ends, close, out)


class SumsByBatch(Sound):
    """Right up to the last bits, which depend on how long the batch is."""

    def scan(self, head: Any, window: Any, series: Any, ends: Any, close: Any, out: Any) -> None:
        super().scan(head, window, series, ends, close, out)
        out[0] = (out[0] + len(close)) - len(close)


class StateByBatch(Sound):
    """Right in every value; only the state remembers how often it was called."""

    STATE = record(rows="i8", calls="i8")

    def scan(self, head: Any, window: Any, series: Any, ends: Any, close: Any, out: Any) -> None:
        super().scan(head, window, series, ends, close, out)
        head["calls"] += 1


class Random(Sound):
    """Adds what no tape says."""

    def step(self, state: Any, kept: Any, close: float) -> float:
        return super().step(state, kept, close) + np.random.default_rng().random()


class CoolsDown(Sound):
    """NaN again where the price did not move."""

    def step(self, state: Any, kept: Any, close: float) -> float:
        before = kept[(state["rows"] - 1) % PERIOD]
        value = super().step(state, kept, close)
        return np.nan if before == close else value


class NeverWarm(Sound):
    """Gives nothing at all."""

    def step(self, state: Any, kept: Any, close: float) -> float:
        super().step(state, kept, close)
        return np.nan


class Infinite(Sound):
    """Divides by a movement that may be none."""

    def step(self, state: Any, kept: Any, close: float) -> float:
        before = kept[(state["rows"] - 1) % PERIOD]
        value = super().step(state, kept, close)
        return np.inf if before == close else value


class Drifts(Sound):
    """Adds the close that comes, subtracts the one that goes."""

    STATE = record(rows="i8", total="f8")

    def step(self, state: Any, kept: Any, close: float) -> float:
        state["total"] += close - kept[state["rows"] % PERIOD]
        value = super().step(state, kept, close)
        return state["total"] / PERIOD if not np.isnan(value) else value


class WarmTooEarly(Sound):
    """A guess while there are too few closes."""

    def step(self, state: Any, kept: Any, close: float) -> float:
        value = super().step(state, kept, close)
        return float(np.sum(kept) / state["rows"]) if np.isnan(value) else value
