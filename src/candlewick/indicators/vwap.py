"""Volume-weighted average price since the session began.

takes   open_ns              int64 nanoseconds UTC, the bar's open time
        high, low, close     quote units; a bar's price is their mean
        volume               base units
gives   vwap     quote units, from the first bar on; the bar's price while the session has no volume
seed    each session anew; sessions are `session_s` long and begin at the epoch plus a multiple of
        it (86400: the UTC day), 0 is one session without end
source  Berkowitz, Logue, Noser, The Total Cost of Transactions on the NYSE, 1988
"""

from __future__ import annotations

import numpy as np

from candlewick.kernel import Array, kernel, record

STATE = record(session_s="i8", rows="i8", begun_ns="i8", paid="f8", volume="f8")
TAKES = ("open_ns", "high", "low", "close", "volume")
GIVES = ("vwap",)
VERSION = 1
LIMITS = {"session_s": (0, 86_400)}
NS_PER_S = 1_000_000_000


def start(head: Array, session_s: int = 86_400) -> int:
    head["session_s"] = session_s
    return 0


@kernel
def scan(  # type: ignore[no-untyped-def]
    head, window, series, ends, open_ns, high, low, close, volume, out
):
    vwap = out[0]
    begin = np.uint64(0)  # Unsigned places cost no check for negative ones.
    for run in range(len(series)):
        state = head[series[run]]
        session_ns = state.session_s * NS_PER_S
        rows, begun_ns, paid, sold = state.rows, state.begun_ns, state.paid, state.volume
        end = np.uint64(ends[run])
        for i in range(begin, end):
            if session_ns > 0 and (rows == 0 or not 0 <= open_ns[i] - begun_ns < session_ns):
                begun_ns = open_ns[i] - open_ns[i] % session_ns
                paid = sold = 0.0
            rows += 1
            price = (high[i] + low[i] + close[i]) / 3.0
            paid += price * volume[i]
            sold += volume[i]
            vwap[i] = paid / sold if sold > 0.0 else price
        begin = end
        state.rows, state.begun_ns, state.paid, state.volume = rows, begun_ns, paid, sold
