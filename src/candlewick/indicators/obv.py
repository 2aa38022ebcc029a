"""On-balance volume: volume added on rising closes, taken off on falling ones.

takes   close    quote units
        volume   base units
gives   obv      base units, from the first bar on
seed    the first bar's volume
source  Granville, Granville's New Key to Stock Market Profits, 1963; the seed as in TA-Lib
"""

from __future__ import annotations

import numpy as np

from candlewick.kernel import Array, kernel, record

STATE = record(rows="i8", close="f8", total="f8", rest="f8")
TAKES = ("close", "volume")
GIVES = ("obv",)
VERSION = 1


def start(head: Array) -> int:
    return 0


@kernel
def scan(head, window, series, ends, close, volume, out):  # type: ignore[no-untyped-def]
    obv = out[0]
    begin = np.uint64(0)  # Unsigned places cost no check for negative ones.
    for run in range(len(series)):
        state = head[series[run]]
        rows, last, total, rest = state.rows, state.close, state.total, state.rest
        end = np.uint64(ends[run])
        for i in range(begin, end):
            sign = 1.0 if rows == 0 else np.sign(close[i] - last)
            signed = sign * volume[i]
            # Knuth's exact sum: `rest` is what `total` could not hold, so years do not drift.
            bigger = total + signed
            part = bigger - total
            rest += (total - (bigger - part)) + (signed - part)
            total = bigger
            last = close[i]
            rows += 1
            obv[i] = total + rest
        begin = end
        state.rows, state.close, state.total, state.rest = rows, last, total, rest
