"""Exponential moving average: each step old weights fade by the same factor.

takes   close    quote units
gives   ema      quote units, NaN for the first `period` - 1 closes
seed    plain mean of the first `period` closes
source  Hunter, The Exponentially Weighted Moving Average, 1986; the weight is 2 / (period + 1)
"""

from __future__ import annotations

import numpy as np

from candlewick.indicators._fma import fma
from candlewick.kernel import Array, kernel, record

STATE = record(period="i8", rows="i8", mean="f8")
TAKES = ("close",)
GIVES = ("ema",)
VERSION = 1
NAN = np.nan


def start(head: Array, period: int = 20) -> int:
    head["period"] = period
    return 0


@kernel
def scan(head, window, series, ends, close, out):  # type: ignore[no-untyped-def]
    ema = out[0]
    begin = np.uint64(0)  # Unsigned places cost no check for negative ones.
    for run in range(len(series)):
        state = head[series[run]]
        period, rows, mean = state.period, state.rows, state.mean
        weight = 2.0 / (period + 1)
        keep = 1.0 - weight
        end = np.uint64(ends[run])
        for i in range(begin, end):
            if rows >= period:
                mean = fma(keep, mean, weight * close[i])
                ema[i] = mean
                continue
            mean += close[i]  # The seed only adds up.
            rows += 1
            ema[i] = NAN
            if rows == period:
                mean /= period
                ema[i] = mean
        begin = end
        state.rows, state.mean = rows, mean
