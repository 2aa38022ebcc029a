"""Simple moving average: the plain mean of the last `period` closes.

takes   close    quote units
gives   sma      quote units, NaN for the first `period` - 1 closes
seed    none: the first value is already whole
source  the definition.  The sum is never subtracted from: closes come in blocks of `period`, and a
        window is the rest of the last block (sums from behind, taken once when a block begins)
        plus the beginning of this one, both as distances from this block's first close.  So nothing
        drifts, a flat price gives itself, and where a batch is cut does not matter.
"""

from __future__ import annotations

import numpy as np

from candlewick.kernel import Array, kernel, record

# `slot` counts the closes of this block, `total` their distances from `base`.
STATE = record(period="i8", rows="i8", slot="i8", base="f8", total="f8")
TAKES = ("close",)
GIVES = ("sma",)
VERSION = 1
NAN = np.nan
ZERO, ONE = np.uint64(0), np.uint64(1)  # Unsigned places cost no check for negative ones.


def start(head: Array, period: int = 20) -> int:
    head["period"] = period
    return period + 1  # The last one stays 0: what is left of a block at its end.


@kernel
def _sum_from_behind(tail, period, base):  # type: ignore[no-untyped-def]
    """The closes of the last block become sums of their distances from `base`, theirs and later."""
    total = 0.0
    k = period - ONE
    while k > ZERO:
        total += tail[k] - base
        tail[k] = total
        k -= ONE


@kernel
def scan(head, window, series, ends, close, out):  # type: ignore[no-untyped-def]
    sma = out[0]
    at = ZERO
    for run in range(len(series)):
        state, tail, end = head[series[run]], window[series[run]], np.uint64(ends[run])
        period, rows, slot = np.uint64(state.period), np.uint64(state.rows), np.uint64(state.slot)
        base, total = state.base, state.total
        share = 1.0 / state.period
        while at < end:
            if slot == ZERO:
                base, total = close[at], 0.0
                _sum_from_behind(tail, period, base)
            to = min(at + period - slot, end)
            for i in range(at, to):
                total += close[i] - base
                tail[slot], rest = close[i], tail[slot + ONE]
                sma[i] = base + (total + rest) * share
                slot += ONE
            if rows < period:  # The first block: its windows are whole only at its end.
                rows = slot
                sma[at : to - np.uint64(rows == period)] = NAN
            slot = slot if slot < period else ZERO
            at = to
        state.rows, state.slot, state.base, state.total = rows, slot, base, total
