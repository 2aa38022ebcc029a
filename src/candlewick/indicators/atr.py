"""Average true range: how far the price travels in a bar, gaps between bars included.

takes   high, low, close    quote units
gives   atr      quote units, NaN for the first `period` bars
seed    plain mean of `period` true ranges, the first of them that of the second bar
source  Wilder, New Concepts in Technical Trading Systems, 1978
"""

from __future__ import annotations

import numpy as np

from candlewick.indicators._fma import fma
from candlewick.kernel import Array, kernel, record

STATE = record(period="i8", rows="i8", close="f8", mean="f8")
TAKES = ("high", "low", "close")
GIVES = ("atr",)
VERSION = 1
NAN = np.nan
NOTHING = 1e-290  # Where the price stands still the mean fades below what float64 can hold.


def start(head: Array, period: int = 14) -> int:
    head["period"] = period
    return 0


@kernel
def scan(head, window, series, ends, high, low, close, out):  # type: ignore[no-untyped-def]
    atr = out[0]
    begin = np.uint64(0)  # Unsigned places cost no check for negative ones.
    for run in range(len(series)):
        state = head[series[run]]
        period, rows, last, mean = state.period, state.rows, state.close, state.mean
        share = 1.0 / period
        keep = 1.0 - share
        end = np.uint64(ends[run])
        for i in range(begin, end):
            # The largest of high - low, high - last and last - low, where any of them may be it.
            travelled = max(high[i], last) - min(low[i], last)
            last = close[i]
            if rows > period:
                mean = fma(keep, mean, share * travelled)
                atr[i] = mean
                if mean > NOTHING:
                    continue
                mean = atr[i] = 0.0
                continue
            if rows > 0:  # The first bar has no close before it; the seed only adds up.
                mean += travelled
            rows += 1
            atr[i] = NAN
            if rows > period:
                mean /= period
                atr[i] = mean
        begin = end
        state.rows, state.close, state.mean = rows, last, mean
