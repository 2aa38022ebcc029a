"""Moving average convergence divergence: a fast average less a slow one, and its own average.

takes   close       quote units
gives   macd        fast EMA less slow EMA, quote units
        signal      EMA of macd
        histogram   macd less signal; all three NaN for the first `slow` + `signal` - 2 closes
seed    both averages start at close number `slow`: the slow one with the plain mean of all closes
        so far, the fast one with that of the last `fast`; signal with that of `signal` values
source  Appel, The Moving Average Convergence-Divergence Method, 1979; seeds as in TA-Lib
"""

from __future__ import annotations

import numpy as np

from candlewick.errors import UsageError
from candlewick.indicators._fma import fma
from candlewick.kernel import Array, kernel, record

STATE = record(
    fast="i8", slow="i8", signal="i8", rows="i8", fast_mean="f8", slow_mean="f8", signal_mean="f8"
)
TAKES = ("close",)
GIVES = ("macd", "signal", "histogram")
VERSION = 1
NAN = np.nan
NOTHING = 1e-290  # Where the price stands still the signal fades below what float64 can hold.


def start(head: Array, fast: int = 12, slow: int = 26, signal: int = 9) -> int:
    if fast >= slow:
        raise UsageError(
            f"macd_{fast}_{slow}_{signal}: the fast period must be below the slow one; "
            f"write macd_{min(fast, slow)}_{max(fast, slow) + (fast == slow)}_{signal}"
        )
    head["fast"], head["slow"], head["signal"] = fast, slow, signal
    return 0


@kernel
def scan(head, window, series, ends, close, out):  # type: ignore[no-untyped-def]
    macd, signals, histogram = out[0], out[1], out[2]
    begin = np.uint64(0)  # Unsigned places cost no check for negative ones.
    for run in range(len(series)):
        state = head[series[run]]
        fast, slow, signal, rows = state.fast, state.slow, state.signal, state.rows
        quick, calm, mean = state.fast_mean, state.slow_mean, state.signal_mean
        fast_weight, slow_weight, weight = 2.0 / (fast + 1), 2.0 / (slow + 1), 2.0 / (signal + 1)
        fast_keep, slow_keep, keep = 1.0 - fast_weight, 1.0 - slow_weight, 1.0 - weight
        end = np.uint64(ends[run])
        for i in range(begin, end):
            if rows < slow:  # The seeds only add up.
                calm += close[i]
                if rows >= slow - fast:
                    quick += close[i]
                rows += 1
                if rows < slow:
                    macd[i] = signals[i] = histogram[i] = NAN
                    continue
                quick /= fast
                calm /= slow
            else:
                quick = fma(fast_keep, quick, fast_weight * close[i])
                calm = fma(slow_keep, calm, slow_weight * close[i])
            line = quick - calm
            if rows < slow + signal:
                mean += line
                rows += 1
                if rows < slow + signal:
                    macd[i] = signals[i] = histogram[i] = NAN
                    continue
                mean /= signal
            else:
                mean = fma(keep, mean, weight * line)
            macd[i] = line
            signals[i] = mean
            histogram[i] = line - mean
        begin = end
        state.rows, state.fast_mean, state.slow_mean, state.signal_mean = rows, quick, calm, mean
