"""The compiled inside of `continuity.py`: trade ids, row by row, with what is missing per series.

takes   event columns in order, the state of every series, the clock of every venue
gives   the events without duplicates, GAP and HEAL rows among them, and ledger rows
never   allocates; the caller has made room for every row that a batch can yield

A hole is first pending: ids that come within the allowed disorder of the venue's clock were only
out of order.  After that it is listed: a row in the ledger and a GAP event.  A range is a run of
ids still missing; a listed gap may have several, all with the gap's own `first`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from candlewick.kernel import kernel, record

RANGES_MAX = (
    64  # A series; then the oldest is forgotten for repair in the stream, not in the ledger.
)
JUMP_IDS = 1_000_000_000  # Beyond it an id begins a new numbering.
HEAD = record(
    started="i8", base="i8", last="i8", base_ns="i8", last_ns="i8", ranges="i8", pending="i8"
)
RANGE = record(
    low="i8", high="i8", first="i8", last="i8", after_ns="i8", before_ns="i8", seen_ns="i8",
    due_ns="i8", listed="i8", lost="i8",
)  # fmt: skip
(TRADES, DUPLICATES, DISORDER, REPAIRED, HISTORY, GAPS, HEALED, JUMPS, ROWS, LEDGER) = range(10)
TALLIES = 10
_NEVER = np.iinfo(np.int64).max
_TICK, _GAP, _HEAL = 2, 3, 4


@kernel
def emit(
    out: Any, tally: Any, series: int, kind: int, ident: int, at_ns: int, seen_ns: int, price: int,
    size: int,
) -> None:  # fmt: skip
    """One event row."""
    at = tally[ROWS]
    out[0, at], out[1, at], out[2, at], out[3, at] = series, kind, ident, at_ns
    out[4, at], out[5, at], out[6, at] = seen_ns, price, size
    tally[ROWS] = at + 1


@kernel
def write(
    ledger: Any, tally: Any, series: int, r: Any, missing: int, repaired: int, how: int
) -> None:
    """One ledger row of a listed gap."""
    at = tally[LEDGER]
    ledger[0, at], ledger[1, at], ledger[2, at], ledger[3, at] = series, 0, r.first, r.last
    ledger[4, at], ledger[5, at], ledger[6, at] = r.seen_ns, r.after_ns, r.before_ns
    ledger[7, at], ledger[8, at], ledger[9, at] = missing, repaired, how
    tally[LEDGER] = at + 1


@kernel
def list_range(
    series: int, i: int, head: Any, ranges: Any, out: Any, ledger: Any, tally: Any
) -> None:
    """A pending hole becomes a gap."""
    r = ranges[series, i]
    r.listed, r.first, r.last = 1, r.low, r.high
    head[series].pending -= 1
    missing = r.high - r.low + 1
    write(ledger, tally, series, r, missing, 0, 0)
    emit(out, tally, series, _GAP, r.first, r.after_ns, r.seen_ns, r.before_ns, missing)
    tally[GAPS] += 1


@kernel
def drop_range(series: int, i: int, head: Any, ranges: Any) -> None:
    """Take a range out; ids of its gap that were forgotten stay counted with a sibling."""
    lost, first, listed = ranges[series, i].lost, ranges[series, i].first, ranges[series, i].listed
    for at in range(i, head[series].ranges - 1):
        ranges[series, at] = ranges[series, at + 1]
    head[series].ranges -= 1
    if listed and lost > 0:
        for at in range(head[series].ranges):
            if ranges[series, at].listed and ranges[series, at].first == first:
                ranges[series, at].lost += lost
                return


@kernel
def add_range(series: int, head: Any, ranges: Any, out: Any, ledger: Any, tally: Any) -> int:
    """Room for one more range: its place.  The oldest gives way, listed first if it was not."""
    if head[series].ranges == RANGES_MAX:
        if not ranges[series, 0].listed:
            list_range(series, 0, head, ranges, out, ledger, tally)
        ranges[series, 0].lost += ranges[series, 0].high - ranges[series, 0].low + 1
        drop_range(series, 0, head, ranges)
    head[series].ranges += 1
    return int(head[series].ranges - 1)


@kernel
def open_hole(
    series: int, low: int, high: int, after_ns: int, before_ns: int, seen_ns: int, due_ns: int,
    head: Any, ranges: Any, out: Any, ledger: Any, tally: Any,
) -> int:  # fmt: skip
    """Ids `low` to `high` have not come yet: the place of their range."""
    i = add_range(series, head, ranges, out, ledger, tally)
    r = ranges[series, i]
    r.low, r.high, r.first, r.last = low, high, low, high
    r.after_ns, r.before_ns, r.seen_ns, r.due_ns = after_ns, before_ns, seen_ns, due_ns
    r.listed, r.lost = 0, 0
    head[series].pending += 1
    return i


@kernel
def list_due(
    venue: int, now_ns: int, head: Any, ranges: Any, venue_of: Any, dues: Any, touched: Any,
    out: Any, ledger: Any, tally: Any,
) -> None:  # fmt: skip
    """List every pending hole of a venue whose time is up, and find when the next one's is."""
    next_ns = _NEVER
    for series in range(len(head)):
        if venue_of[series] != venue or head[series].pending == 0:
            continue
        for i in range(head[series].ranges):
            if ranges[series, i].listed:
                continue
            if ranges[series, i].due_ns <= now_ns:
                list_range(series, i, head, ranges, out, ledger, tally)
                touched[series] = 1
            else:
                next_ns = min(next_ns, ranges[series, i].due_ns)
    dues[venue] = next_ns


@kernel
def missing_of(series: int, first: int, head: Any, ranges: Any) -> int:
    """How many ids of a listed gap still are."""
    missing = 0
    for i in range(head[series].ranges):
        r = ranges[series, i]
        if r.listed and r.first == first:
            missing += r.high - r.low + 1 + r.lost
    return missing


@kernel
def shrink(
    series: int, i: int, ident: int, at_ns: int, head: Any, ranges: Any, out: Any, ledger: Any,
    tally: Any,
) -> None:  # fmt: skip
    """Take one id out of a range.  A pending hole learns the times around what is left; a listed
    gap keeps those that it was listed with."""
    r = ranges[series, i]
    pending = not r.listed
    if r.low == r.high:
        drop_range(series, i, head, ranges)
        if pending:
            head[series].pending -= 1
    elif ident == r.low:
        r.low += 1
        if pending:
            r.after_ns = at_ns
    elif ident == r.high:
        r.high -= 1
        if pending:
            r.before_ns = at_ns
    else:
        high, first, last = r.high, r.first, r.last
        after_ns, before_ns, seen_ns, due_ns = r.after_ns, r.before_ns, r.seen_ns, r.due_ns
        r.high = ident - 1
        if pending:
            r.before_ns = at_ns
            after_ns = at_ns
        place = open_hole(
            series, ident + 1, high, after_ns, before_ns, seen_ns, due_ns, head, ranges, out,
            ledger, tally,
        )  # fmt: skip
        if not pending:
            head[series].pending -= 1
            new = ranges[series, place]
            new.listed, new.first, new.last = 1, first, last


@kernel
def fill(
    series: int, ident: int, at_ns: int, history: bool, now_ns: int, head: Any, ranges: Any,
    out: Any, ledger: Any, tally: Any, gap: Any,
) -> bool:  # fmt: skip
    """An id at or below the last one: false where it is a duplicate.

    `gap[0]` becomes the range of a gap that is whole now, for the HEAL row that follows the trade.
    """
    for i in range(head[series].ranges):
        if not ranges[series, i].low <= ident <= ranges[series, i].high:
            continue
        if not ranges[series, i].listed:
            tally[HISTORY if history else DISORDER] += 1
            shrink(series, i, ident, at_ns, head, ranges, out, ledger, tally)
            return True
        tally[REPAIRED] += 1
        gap[0] = ranges[series, i]
        lost = ranges[series, i].lost
        lonely = ranges[series, i].low == ranges[series, i].high
        shrink(series, i, ident, at_ns, head, ranges, out, ledger, tally)
        missing = missing_of(series, gap[0].first, head, ranges)
        if lonely and missing == 0:
            missing = lost  # No range of the gap is left to remember what was forgotten.
        how = 2 if history else 1
        if missing == 0:
            write(ledger, tally, series, gap[0], 0, now_ns, how)
            tally[HEALED] += 1
        else:
            write(ledger, tally, series, gap[0], missing, 0, 0)
        gap[0].listed = missing == 0
        return True
    return False


@kernel
def accept(
    series: int, ident: int, at_ns: int, seen_ns: int, history: bool, due_ns: int, now_ns: int,
    head: Any, ranges: Any, out: Any, ledger: Any, tally: Any, gap: Any,
) -> bool:  # fmt: skip
    """Judge one trade id; false where it is a duplicate."""
    h = head[series]
    gap[0].listed = 0
    if not h.started:
        h.started, h.base, h.last, h.base_ns, h.last_ns = 1, ident, ident, at_ns, at_ns
        return True
    if ident > h.last:
        if ident > h.last + 1:
            i = open_hole(
                series, h.last + 1, ident - 1, h.last_ns, at_ns, seen_ns, due_ns, head, ranges,
                out, ledger, tally,
            )  # fmt: skip
            if ident - h.last > JUMP_IDS:
                tally[JUMPS] += 1
                list_range(series, i, head, ranges, out, ledger, tally)
        h.last, h.last_ns = ident, at_ns
        return True
    if ident < h.base:
        tally[HISTORY] += 1
        if ident < h.base - 1:
            i = open_hole(
                series, ident + 1, h.base - 1, at_ns, h.base_ns, seen_ns, due_ns, head, ranges,
                out, ledger, tally,
            )  # fmt: skip
            if h.base - ident > JUMP_IDS:
                tally[JUMPS] += 1
                list_range(series, i, head, ranges, out, ledger, tally)
        h.base, h.base_ns = ident, at_ns
        return True
    return bool(fill(series, ident, at_ns, history, now_ns, head, ranges, out, ledger, tally, gap))


@kernel
def scan(
    series_all: Any, kinds: Any, ids: Any, ats: Any, seens: Any, prices: Any, sizes: Any,
    history: bool, disorder_ns: int, head: Any, ranges: Any, venue_of: Any, clocks: Any, dues: Any,
    touched: Any, out: Any, ledger: Any, tally: Any, gap: Any,
) -> None:  # fmt: skip
    """Fold a batch of events into the state."""
    for row in range(len(series_all)):
        series, kind, ident = int(series_all[row]), int(kinds[row]), ids[row]
        at_ns, seen_ns = ats[row], seens[row]
        if kind > _TICK:
            emit(out, tally, series, kind, ident, at_ns, seen_ns, prices[row], sizes[row])
            continue
        venue = venue_of[series]
        if at_ns > clocks[venue]:
            clocks[venue] = at_ns
            touched[series] = 1
            if at_ns >= dues[venue]:
                list_due(venue, at_ns, head, ranges, venue_of, dues, touched, out, ledger, tally)
        if kind == _TICK:
            emit(out, tally, series, kind, ident, at_ns, seen_ns, prices[row], sizes[row])
            continue
        due_ns = clocks[venue] + disorder_ns
        now_ns = seen_ns if seen_ns > 0 else clocks[venue]
        revealed_ns = seen_ns if seen_ns > 0 else at_ns
        if not accept(
            series, ident, at_ns, revealed_ns, history, due_ns, now_ns, head, ranges, out, ledger,
            tally, gap,
        ):  # fmt: skip
            tally[DUPLICATES] += 1
            continue
        touched[series] = 1
        tally[TRADES] += 1
        if head[series].pending > 0:
            dues[venue] = min(dues[venue], due_ns)
        emit(out, tally, series, kind, ident, at_ns, seen_ns, prices[row], sizes[row])
        if gap[0].listed:
            g = gap[0]
            emit(out, tally, series, _HEAL, g.first, g.after_ns, seen_ns, g.before_ns, 0)


@kernel
def list_all(head: Any, ranges: Any, touched: Any, out: Any, ledger: Any, tally: Any) -> None:
    """The tape ends: what is pending will not come."""
    for series in range(len(head)):
        if head[series].pending == 0:
            continue
        for i in range(head[series].ranges):
            if not ranges[series, i].listed:
                list_range(series, i, head, ranges, out, ledger, tally)
                touched[series] = 1
