"""Relative strength index: how much of the recent movement was upward.

takes   close    quote units
gives   rsi      0..100, NaN for the first `period` closes, 50 where nothing moved
seed    plain mean of the first `period` changes
source  Wilder, New Concepts in Technical Trading Systems, 1978
"""

from __future__ import annotations

import numpy as np

from candlewick.indicators._fma import fma
from candlewick.kernel import Array, kernel, record

STATE = record(period="i8", rows="i8", close="f8", gain="f8", loss="f8")
TAKES = ("close",)
GIVES = ("rsi",)
VERSION = 1
NAN = np.nan
NOTHING = 1e-290  # After hours without a trade the means fade to where float64 has no digits left.


def start(head: Array, period: int = 14) -> int:
    head["period"] = period
    return 0


@kernel
def scan(head, window, series, ends, close, out):  # type: ignore[no-untyped-def]
    rsi = out[0]
    begin = np.uint64(0)  # Unsigned places cost no check for negative ones.
    for run in range(len(series)):
        state = head[series[run]]
        period, rows, last = state.period, state.rows, state.close
        gain, loss = state.gain, state.loss
        share = 1.0 / period
        keep = 1.0 - share
        end = np.uint64(ends[run])
        for i in range(begin, end):
            change = close[i] - last
            last = close[i]
            up, down = max(change, 0.0), max(-change, 0.0)
            if rows > period:
                gain = fma(keep, gain, share * up)
                loss = fma(keep, loss, share * down)
            else:
                if rows > 0:  # The first close has no change; the seed only adds up.
                    gain += up
                    loss += down
                rows += 1
                if rows <= period:
                    rsi[i] = NAN
                    continue
                gain /= period
                loss /= period
            moved = gain + loss
            if moved > NOTHING:
                rsi[i] = 100.0 * gain / moved
            else:
                gain = loss = 0.0
                rsi[i] = 50.0
        begin = end
        state.rows, state.close, state.gain, state.loss = rows, last, gain, loss
