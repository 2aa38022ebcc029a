"""What changes bars after the fact: late trades, holes, and repairs.

takes   the state arrays of `bars.Bars`, and one late trade or one span of time
gives   the rows of every final bar that changed, with `revision + 1`
"""

from __future__ import annotations

from typing import Any

from candlewick.candles.fold import add_trade
from candlewick.candles.rungs import (
    BACKFILLED,
    HOLES_MAX,
    floor_ns,
    holed,
    show,
    show_again,
    slot_of,
)
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
def put_hole(state: Any, after_ns: int, before_ns: int) -> None:
    """Remember an open hole; where there is no room the two oldest are held for one."""
    if state.hole_count == HOLES_MAX:
        state.holes[0, 0] = min(state.holes[0, 0], state.holes[1, 0])
        state.holes[0, 1] = max(state.holes[0, 1], state.holes[1, 1])
        drop_hole(state, 1)
    state.holes[state.hole_count, 0] = after_ns
    state.holes[state.hole_count, 1] = before_ns
    state.hole_count += 1


@kernel
def drop_hole(state: Any, which: int) -> None:
    for k in range(which, state.hole_count - 1):
        state.holes[k, 0] = state.holes[k + 1, 0]
        state.holes[k, 1] = state.holes[k + 1, 1]
    state.hole_count -= 1


@kernel
def find_hole(state: Any, after_ns: int, before_ns: int) -> int:
    for k in range(state.hole_count):
        if state.holes[k, 0] == after_ns and state.holes[k, 1] == before_ns:
            return k
    return -1


@kernel
def mark(
    bars: Any, state: Any, series: int, ladder: Any, after_ns: int, before_ns: int, opens: bool,
    out: Any, rows: int,
) -> int:  # fmt: skip
    """A hole between two times opens, or is whole again: the bars that it changes are revised.

    Bars that have left the ring are the store's to flag: see `shell/statements.py`.
    """
    which = find_hole(state, after_ns, before_ns)
    if opens == (which >= 0):
        return rows
    if not opens:
        drop_hole(state, which)
    for r in range(len(ladder)):
        rung = ladder[r]
        newest_ns = floor_ns(rung, min(before_ns, state.newest_ns))
        oldest_ns = floor_ns(rung, state.newest_ns) - (rung.ring - 1) * rung.interval_ns
        open_ns = max(floor_ns(rung, after_ns), oldest_ns)
        while open_ns <= newest_ns:
            bar = bars[series, slot_of(rung, open_ns)]
            if bar.open_ns == open_ns and not holed(state, open_ns, rung.interval_ns):
                if opens:
                    put_hole(state, after_ns, before_ns)
                else:
                    bar.coverage |= BACKFILLED
                rows = show_again(bar, state, series, rung, out, rows)
                if opens:
                    drop_hole(state, state.hole_count - 1)
            open_ns += rung.interval_ns
    if opens:
        put_hole(state, after_ns, before_ns)
    return rows
