"""The compiled loops of the candle fold: trades into bars and clocks over bars.

takes   the state arrays of `bars.Bars` and columns of events
gives   rows in `out`; `scan` stops early where `out` is full and is called again from there
"""

from __future__ import annotations

from typing import Any

import numpy as np

from candlewick.candles.fold import add_bar, add_trade
from candlewick.candles.revise import add_late, mark, move_start
from candlewick.candles.rungs import (
    FOREVER,
    NEVER,
    PARTIAL,
    floor_ns,
    make_empty,
    show,
    slot_of,
)
from candlewick.kernel import kernel

# `columns.Kind`; compiled code cannot read an enum.
_TRADE_MAX, _TICK, _GAP_MARK, _HEAL_MARK, _HOLD, _RELEASE = 1, 2, 3, 4, 5, 6


@kernel
def close_base(bars: Any, state: Any, series: int, ladder: Any, out: Any, rows: int) -> int:
    """Make the pending base bar final and hand it up the ladder."""
    open_ns = state.pending_ns
    base = bars[series, slot_of(ladder[0], open_ns)]
    if base.open_ns != open_ns:
        make_empty(bars, state, series, ladder[0], open_ns)
        state.newest_ns = max(state.newest_ns, open_ns)
    base.final = 1
    if state.from_ns == open_ns:
        state.until_ns = state.from_ns
    state.pending_ns = open_ns + ladder[0].interval_ns
    rows = show(base, state, series, ladder[0], out, rows)
    for r in range(1, len(ladder)):
        rung, child = ladder[r], ladder[ladder[r].child]
        fine_ns = floor_ns(child, open_ns)
        if fine_ns + child.interval_ns != state.pending_ns:
            continue  # The child itself is not final yet.
        coarse_ns = floor_ns(rung, open_ns)
        bar = bars[series, slot_of(rung, coarse_ns)]
        if bar.open_ns != coarse_ns:
            make_empty(bars, state, series, rung, coarse_ns)
        add_bar(bar, bars[series, slot_of(child, fine_ns)])
        if coarse_ns + rung.interval_ns == state.pending_ns:
            bar.final = 1
            rows = show(bar, state, series, rung, out, rows)
    return rows


@kernel
def suspend(bars: Any, state: Any, series: int, ladder: Any, out: Any, rows: int) -> int:
    """Too long a silence to fill with empty bars: close what is open, begin anew later."""
    last_ns = state.pending_ns - ladder[0].interval_ns
    for r in range(1, len(ladder)):
        rung = ladder[r]
        bar = bars[series, slot_of(rung, floor_ns(rung, last_ns))]
        if bar.open_ns == floor_ns(rung, last_ns) and bar.final == 0:
            bar.final = 1
            bar.coverage |= PARTIAL
            rows = show(bar, state, series, rung, out, rows)
    state.pending_ns = NEVER
    state.until_ns = state.from_ns
    return rows


@kernel
def sweep_series(
    bars: Any, state: Any, series: int, now_ns: int, ladder: Any, rules: Any, out: Any, rows: int
) -> tuple[int, bool]:
    """Close every base bar whose time has come; False where `out` is full before it is done."""
    base_ns = ladder[0].interval_ns
    while state.pending_ns != NEVER and now_ns >= state.pending_ns + base_ns + rules[0].grace_ns:
        if rows + 2 * len(ladder) > len(out):
            return rows, False
        state.dirty = 1
        silent = state.newest_ns < state.pending_ns
        if silent and (now_ns - state.pending_ns) // base_ns > rules[0].empty_max:
            rows = suspend(bars, state, series, ladder, out, rows)
        else:
            rows = close_base(bars, state, series, ladder, out, rows)
    return rows, True


@kernel
def sweep_venue(
    bars: Any, states: Any, clocks: Any, ladder: Any, rules: Any, venue: int, out: Any, rows: int
) -> tuple[int, bool]:
    """Close the due bars of every series that runs on this venue's clock."""
    now_ns = clocks[venue].now_ns
    due_ns = FOREVER
    wait_ns = ladder[0].interval_ns + rules[0].grace_ns
    for series in range(len(states)):
        state = states[series]
        if state.venue != venue or state.pending_ns == NEVER:
            continue
        if state.own == 1 and now_ns - state.own_seen_ns > rules[0].lateness_ns:
            state.own = 0  # Nothing more came of it: it was just quiet.
        if state.own != 0:
            due_ns = min(due_ns, state.own_seen_ns + rules[0].lateness_ns + 1)
            continue
        rows, done = sweep_series(bars, state, series, now_ns, ladder, rules, out, rows)
        if not done:
            return rows, False
        if state.pending_ns != NEVER:
            due_ns = min(due_ns, state.pending_ns + wait_ns)
    clocks[venue].due_ns = due_ns
    return rows, True


@kernel
def start(state: Any, ladder: Any, rules: Any, at_ns: int) -> None:
    """The first trade of a series; void bars before it wait for trades still on the way."""
    state.pending_ns = floor_ns(ladder[0], at_ns - rules[0].lateness_ns)
    state.newest_ns = state.pending_ns - ladder[0].interval_ns
    state.started_ns = floor_ns(ladder[0], at_ns)


@kernel
def take_trade(
    bars: Any, state: Any, clock: Any, series: int, ladder: Any, rules: Any, trade_id: int,
    at_ns: int, price: int, size: int, side: int, out: Any, rows: int,
) -> tuple[int, int]:  # fmt: skip
    """A trade outside the current window.  Gives the rows and the verdict: 1 is too late."""
    if state.pending_ns == NEVER:
        start(state, ladder, rules, at_ns)
        clock.due_ns = NEVER  # The void bars are made by the next event's sweep.
    base = ladder[0]
    open_ns = floor_ns(base, at_ns)
    bar = bars[series, slot_of(base, open_ns)]
    if open_ns < state.pending_ns:
        now_ns = clock.now_ns if state.own == 0 else state.own_ns
        if now_ns - at_ns > rules[0].lateness_ns or bar.open_ns != open_ns:
            return rows, 1
        if open_ns < state.started_ns:
            rows = move_start(bars, state, series, ladder, open_ns, out, rows)
        rows = add_late(
            bars, state, series, ladder, open_ns, trade_id, at_ns, price, size, side, out, rows
        )
        return rows, 0
    if bar.open_ns != open_ns:
        make_empty(bars, state, series, base, open_ns)
    if open_ns < state.started_ns:
        rows = move_start(bars, state, series, ladder, open_ns, out, rows)
    add_trade(bar, trade_id, price, size, side)
    if open_ns > state.newest_ns:
        state.newest_ns = open_ns
    if open_ns == state.newest_ns:
        state.from_ns = open_ns
        state.until_ns = open_ns + base.interval_ns if state.own == 0 else open_ns
        state.slot = slot_of(base, open_ns)
    return rows, 0


@kernel
def advance(
    bars: Any, states: Any, clocks: Any, ladder: Any, rules: Any, series: int, kind: int,
    at_ns: int, out: Any, rows: int,
) -> tuple[int, bool]:  # fmt: skip
    """Move the clock that an event moves, and close what is due by it."""
    state = states[series]
    clock = clocks[state.venue]
    if kind <= _TRADE_MAX:
        unborn = state.pending_ns == NEVER and state.own == 0
        if unborn and at_ns < clock.now_ns - rules[0].lateness_ns:
            state.own, state.own_ns = 1, at_ns
        if state.own != 0:
            state.own_ns = max(state.own_ns, at_ns)
            state.own_seen_ns = clock.now_ns
            if state.own == 2 or state.own_ns < clock.now_ns - rules[0].lateness_ns:
                return sweep_series(bars, state, series, state.own_ns, ladder, rules, out, rows)
            state.own = 0
            clock.due_ns = NEVER
    elif kind == _HOLD:
        state.own, state.own_ns, state.until_ns = 2, NEVER, state.from_ns
        state.own_seen_ns = clock.now_ns
        return rows, True
    elif kind == _RELEASE:
        clock.now_ns = max(clock.now_ns, state.own_ns)
        state.own = 0
        clock.due_ns = NEVER
    elif kind != _TICK:
        return rows, True
    if kind != _RELEASE and at_ns > clock.now_ns:
        clock.now_ns = at_ns
    if clock.now_ns < clock.due_ns:
        return rows, True
    return sweep_venue(bars, states, clocks, ladder, rules, state.venue, out, rows)


@kernel
def run(
    bars: Any, states: Any, clocks: Any, kinds: Any, series: Any, ids: Any, at: Any, prices: Any,
    sizes: Any, first: int,
) -> int:  # fmt: skip
    """Trades of the open window of their series; stops at the first other event.

    The clock is kept in registers and indexes are unsigned: this loop is where the time goes.
    """
    venue = np.int64(-1)
    now_ns = np.int64(0)
    due_ns = np.int64(0)
    i = np.uint64(first)
    while i < np.uint64(len(kinds)):
        state = states[np.uint32(series[i])]
        if state.venue != venue:
            if venue >= 0:
                clocks[venue].now_ns = now_ns
            venue = state.venue
            now_ns = clocks[venue].now_ns
            due_ns = clocks[venue].due_ns
        at_ns, kind = at[i], kinds[i]
        if kind > _TRADE_MAX or at_ns < state.from_ns or at_ns >= min(state.until_ns, due_ns):
            break
        now_ns = max(now_ns, at_ns)
        bar = bars[np.uint32(series[i]), np.uint64(state.slot)]
        add_trade(bar, ids[i], prices[i], sizes[i], kind)
        state.dirty = 1
        i += np.uint64(1)
    if venue >= 0:
        clocks[venue].now_ns = now_ns
    return i  # type: ignore[return-value]


@kernel
def scan(
    bars: Any, states: Any, clocks: Any, ladder: Any, rules: Any, kinds: Any, series: Any,
    ids: Any, at: Any, prices: Any, sizes: Any, first: int, out: Any, verdict: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Events from `first` on; gives the next one to take, the rows written, the trades too late."""
    rows = 0
    too_late = 0
    room = ladder[0].ring * len(ladder) + bars.shape[1]
    i = run(bars, states, clocks, kinds, series, ids, at, prices, sizes, first)
    while i < len(kinds):
        if rows + room > len(out):
            return i, rows, too_late
        kind, s, at_ns = kinds[i], series[i], at[i]
        state = states[s]
        state.dirty = 1
        rows, done = advance(bars, states, clocks, ladder, rules, s, kind, at_ns, out, rows)
        if not done or rows + room > len(out):
            return i, rows, too_late
        if kind <= _TRADE_MAX:
            rows, late = take_trade(
                bars, state, clocks[state.venue], s, ladder, rules, ids[i], at_ns, prices[i],
                sizes[i], kind, out, rows,
            )  # fmt: skip
            if late:  # The bars that lack it say so, until they are made anew from the store.
                verdict[i] = 1
                too_late += 1
                rows = mark(bars, state, s, ladder, at_ns, at_ns, True, out, rows)
        elif kind == _GAP_MARK:
            rows = mark(bars, state, s, ladder, at_ns, prices[i], True, out, rows)
        elif kind == _HEAL_MARK:
            rows = mark(bars, state, s, ladder, at_ns, prices[i], False, out, rows)
        i = run(bars, states, clocks, kinds, series, ids, at, prices, sizes, i + 1)
    return len(kinds), rows, too_late


@kernel
def hand_up(bars: Any, state: Any, series: int, ladder: Any) -> None:
    """Give each coarser bar what its child holds so far: `close_base` waits for the child's end."""
    for r in range(1, len(ladder)):
        rung, child = ladder[r], ladder[ladder[r].child]
        fine_ns, coarse_ns = floor_ns(child, state.newest_ns), floor_ns(rung, state.newest_ns)
        fine = bars[series, slot_of(child, fine_ns)]
        if fine.open_ns != fine_ns or fine.final == 1:
            continue
        bar = bars[series, slot_of(rung, coarse_ns)]
        if bar.open_ns != coarse_ns:
            make_empty(bars, state, series, rung, coarse_ns)
        add_bar(bar, fine)


@kernel
def preview(bars: Any, states: Any, ladder: Any, wanted: Any, spare: Any, out: Any) -> int:
    """Open bars as if they closed now.  `bars` and `states` are copies, one row a wanted series."""
    rows = 0
    for s in range(len(wanted)):
        state = states[s]
        if state.pending_ns == NEVER:
            continue
        pending_ns = state.pending_ns
        while state.pending_ns <= state.newest_ns:
            close_base(bars, state, s, ladder, spare, 0)
        hand_up(bars, state, s, ladder)
        for r in range(len(ladder)):
            rung = ladder[r]
            open_ns = floor_ns(rung, pending_ns)
            while open_ns <= state.newest_ns:
                bar = bars[s, slot_of(rung, open_ns)]
                if bar.open_ns == open_ns:
                    bar.final = 0
                    if rows == len(out):
                        return rows
                    rows = show(bar, state, wanted[s], rung, out, rows)
                open_ns += rung.interval_ns
    return rows
