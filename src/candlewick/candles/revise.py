"""What changes bars after the fact: late trades, holes, and repairs.

takes   the state arrays of `bars.Bars`, and one late trade or one span of time
gives   the rows of every final bar that changed, with `revision + 1`
"""

from __future__ import annotations

from typing import Any

import numpy as np

from candlewick.candles.fold import add_trade
from candlewick.candles.rungs import BACKFILLED, floor_ns, show, show_again, slot_of
from candlewick.kernel import kernel


@kernel
def carry_on(
    bars: Any, state: Any, series: int, rung: Any, open_ns: int, out: Any, rows: int
) -> int:
    """The close of a bar changed: the empty bars behind it carry the new one."""
    bar = bars[series, slot_of(rung, open_ns)]
    carry = bar.close
    for _ in range(rung.ring - 1):
        open_ns += rung.interval_ns
        bar = bars[series, slot_of(rung, open_ns)]
        if bar.open_ns != open_ns or bar.trades != 0 or bar.close == carry:
            break
        fresh = bar.open == 0
        bar.open = carry
        bar.high = carry
        bar.low = carry
        bar.close = carry
        if fresh:
            rows = show(bar, state, series, rung, out, rows) if bar.final == 1 else rows
        else:
            rows = show_again(bar, state, series, rung, out, rows)
    return rows


@kernel
def move_start(
    bars: Any, state: Any, series: int, ladder: Any, open_ns: int, out: Any, rows: int
) -> int:
    """An earlier trade than the first: the bars after it are not partial any more."""
    was_ns = state.started_ns
    state.started_ns = open_ns
    for r in range(len(ladder)):
        rung = ladder[r]
        bar = bars[series, slot_of(rung, floor_ns(rung, was_ns))]
        if bar.open_ns == floor_ns(rung, was_ns) and bar.open_ns > open_ns:
            rows = show_again(bar, state, series, rung, out, rows)
    return rows


@kernel
def add_late(
    bars: Any, state: Any, series: int, ladder: Any, open_ns: int, trade_id: int, at_ns: int,
    price: int, size: int, side: int, out: Any, rows: int,
) -> int:  # fmt: skip
    """A trade into a final bar and into every coarser bar that has taken that one already."""
    for r in range(len(ladder)):
        rung = ladder[r]
        if r > 0:
            child = ladder[rung.child]
            if bars[series, slot_of(child, floor_ns(child, at_ns))].final == 0:
                continue
        bar = bars[series, slot_of(rung, floor_ns(rung, at_ns))]
        was_void = bar.open == 0
        add_trade(bar, trade_id, price, size, side)
        if was_void and bar.final == 1:
            rows = show(bar, state, series, rung, out, rows)
        else:
            rows = show_again(bar, state, series, rung, out, rows)
        rows = carry_on(bars, state, series, rung, bar.open_ns, out, rows)
    return rows


@kernel
def mark(
    bars: Any, state: Any, series: int, ladder: Any, after_ns: int, before_ns: int, change: int,
    out: Any, rows: int,
) -> int:  # fmt: skip
    """A hole between two times (change 1), or its repair (-1), onto the bars that it touches.

    A coarse bar counts its final children that have a hole, so it changes only where one flips.
    """
    if change > 0:
        state.gap_to_ns = max(state.gap_to_ns, before_ns)
    base = ladder[0]
    oldest_ns = state.newest_ns - (base.ring - 1) * base.interval_ns
    open_ns = max(floor_ns(base, after_ns), oldest_ns)
    flipped = np.zeros(len(ladder), np.bool_)
    while open_ns <= min(before_ns, state.newest_ns):
        for r in range(len(ladder)):
            rung = ladder[r]
            flipped[r] = False
            if r > 0:
                child = ladder[rung.child]
                fine = bars[series, slot_of(child, floor_ns(child, open_ns))]
                if not flipped[rung.child] or fine.final == 0:
                    continue
            bar = bars[series, slot_of(rung, floor_ns(rung, open_ns))]
            if bar.open_ns != floor_ns(rung, open_ns) or (change < 0 and bar.gaps == 0):
                continue
            bar.gaps += change
            flipped[r] = bar.gaps == (1 if change > 0 else 0)
            if change < 0:
                bar.coverage |= BACKFILLED
            rows = show_again(bar, state, series, rung, out, rows)
        open_ns += base.interval_ns
    return rows
