"""Bollinger bands: the mean of the last `period` closes, and `width` deviations to either side.

takes   close       quote units
gives   bollinger   middle: the mean; NaN, like the bands, for the first `period` - 1 closes
        upper       middle plus `width` population deviations
        lower       middle less as much
seed    none: the first value is already whole
source  Bollinger, Bollinger on Bollinger Bands, 2001.  Sums as in `sma.py`, never subtracted from.
        Distances are taken from a close inside the window, which is at most sqrt(period - 1)
        deviations from the mean (Samuelson, How Deviant Can You Be?, 1968): so the mean of squares
        is at most `period` variances, the variance keeps its digits where a sum of squared prices
        has none, cannot come out below 0, and is exactly 0 where the price is flat.
"""

from __future__ import annotations

import numpy as np

from candlewick.indicators._fma import fma
from candlewick.kernel import Array, kernel, record

STATE = record(period="i8", width="f8", rows="i8", slot="i8", base="f8", total="f8", squares="f8")
TAKES = ("close",)
GIVES = ("bollinger", "upper", "lower")
VERSION = 1
LIMITS = {"width": (0.1, 100.0)}
NAN = np.nan
ZERO, ONE = np.uint64(0), np.uint64(1)  # Unsigned places cost no check for negative ones.
CHUNK_ROWS = np.uint64(512)  # Sums and roots in turn, while the rows are in the first cache.


def start(head: Array, period: int = 20, width: float = 2.0) -> int:
    head["period"], head["width"] = period, width
    return 2 * (period + 1)  # Sums and squares; the last of each stays 0.


@kernel
def _sum_from_behind(tail, period, base):  # type: ignore[no-untyped-def]
    """The closes of the last block become sums, and squares' sums, of themselves and later ones."""
    total = square = 0.0
    k = period - ONE
    while k > ZERO:
        distance = tail[k] - base
        total += distance
        square = fma(distance, distance, square)
        tail[k], tail[period + ONE + k] = total, square
        k -= ONE


@kernel
def _bands(share, width, middle, upper, lower):  # type: ignore[no-untyped-def]
    """Sums to bands, in place; its own loop because the machine takes several roots at once."""
    for j in range(len(middle)):
        mean = middle[j] * share
        variance = upper[j] * share - mean * mean
        deviation = width * np.sqrt(variance)
        middle[j] = lower[j] + mean
        upper[j] = middle[j] + deviation
        lower[j] = middle[j] - deviation


@kernel
def scan(head, window, series, ends, close, out):  # type: ignore[no-untyped-def]
    middle, upper, lower = out[0], out[1], out[2]
    at = ZERO
    for run in range(len(series)):
        state, tail = head[series[run]], window[series[run]]
        period, rows, slot = np.uint64(state.period), np.uint64(state.rows), np.uint64(state.slot)
        base, total, square = state.base, state.total, state.squares
        share = 1.0 / state.period
        while at < ends[run]:
            begin, end = at, min(at + CHUNK_ROWS, np.uint64(ends[run]))
            while at < end:
                if slot == ZERO:
                    base, total, square = close[at], 0.0, 0.0
                    _sum_from_behind(tail, period, base)
                to = min(at + period - slot, end)
                for i in range(at, to):
                    distance = close[i] - base
                    total += distance
                    square = fma(distance, distance, square)
                    tail[slot], rest = close[i], tail[slot + ONE]
                    slot += ONE
                    middle[i] = total + rest
                    upper[i] = square + tail[period + ONE + slot]
                    lower[i] = base
                slot = slot if slot < period else ZERO
                at = to
            _bands(share, state.width, middle[begin:end], upper[begin:end], lower[begin:end])
            if rows < period:
                out[:, begin : min(begin + period - ONE - rows, end)] = NAN
                rows = min(rows + end - begin, period)
        state.rows, state.slot = rows, slot
        state.base, state.total, state.squares = base, total, square
