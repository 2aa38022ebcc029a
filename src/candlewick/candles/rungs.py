"""The state records of the candle fold, and what every compiled loop over them needs.

Names: a *rung* is an interval of the ladder, rung 0 the base; *pending* is the earliest base bar
that is not final; a *void* bar (open 0) lies before the first trade and is never shown.
"""

from __future__ import annotations

from typing import Any

from candlewick.candles.fold import begin, write_row
from candlewick.kernel import kernel, record

NEVER = -(2**62)  # Earlier than every time, and a lateness earlier still fits 64 bits.
FOREVER = 2**62

HOLES_MAX = 16  # Open holes a series; beyond it the two oldest count as one.

SERIES = record(
    from_ns="i8",  # The window that takes trades without a further look,
    until_ns="i8",
    slot="i8",  # and its bar.
    pending_ns="i8",
    newest_ns="i8",
    started_ns="i8",
    holes=("i8", (HOLES_MAX, 2)),  # Open holes: the times of the trades around each,
    hole_count="i8",  # of which so many are in use.
    own_ns="i8",  # The clock of a series whose history is being caught up with,
    own_seen_ns="i8",  # when its venue's clock last saw a row of it,
    own="i8",  # and whether it is: 0 no, 1 on sight of an old trade, 2 told to.
    dirty="i8",  # Changed since the last look.
    venue="i8",
)
CLOCK = record(now_ns="i8", due_ns="i8")
RUNG = record(interval_ns="i8", interval_s="i8", ring="i8", offset="i8", child="i8", shown="i8")
RULES = record(grace_ns="i8", lateness_ns="i8", empty_max="i8")

PARTIAL, GAP, BACKFILLED, REVISED = 1, 2, 4, 8


@kernel
def slot_of(rung: Any, open_ns: int) -> int:
    return rung.offset + (open_ns // rung.interval_ns) % rung.ring


@kernel
def floor_ns(rung: Any, at_ns: int) -> int:
    return at_ns // rung.interval_ns * rung.interval_ns


@kernel
def shown(bar: Any, rung: Any) -> bool:
    return rung.shown == 1 and bar.open != 0


@kernel
def holed(state: Any, open_ns: int, interval_ns: int) -> bool:
    """Whether trades are known to be missing inside a bar."""
    for k in range(state.hole_count):
        if state.holes[k, 0] < open_ns + interval_ns and state.holes[k, 1] >= open_ns:
            return True
    return False


@kernel
def show(bar: Any, state: Any, series: int, rung: Any, out: Any, rows: int) -> int:
    """Write a bar's row if it is one that people see.

    Where the series starts is not known to be the start of its bar: that bar is partial.
    """
    if shown(bar, rung):
        coverage = bar.coverage
        if bar.open_ns <= state.started_ns:
            coverage |= PARTIAL
        if holed(state, bar.open_ns, rung.interval_ns):
            coverage |= GAP
        write_row(out[rows], bar, series, rung.interval_s, coverage)
        rows += 1
    return rows


@kernel
def show_again(bar: Any, state: Any, series: int, rung: Any, out: Any, rows: int) -> int:
    """A bar has changed: if it was final, that is a revision."""
    if bar.final == 1:
        if shown(bar, rung):
            bar.revision += 1
            bar.coverage |= REVISED
        rows = show(bar, state, series, rung, out, rows)
    return rows


@kernel
def make_empty(bars: Any, state: Any, series: int, rung: Any, open_ns: int) -> None:
    """A bar in which nothing traded; it carries the close of the one before it."""
    before = bars[series, slot_of(rung, open_ns - rung.interval_ns)]
    carry = before.close if before.open_ns == open_ns - rung.interval_ns else 0
    begin(bars[series, slot_of(rung, open_ns)], open_ns, carry)
