"""What the gap ledger says about trade ids and about bars.

takes   rows of the ledger of one series, ids or open times
gives   which ids or bars they cover
"""

from __future__ import annotations

import numpy as np

from candlewick.model.columns import GAP_KINDS, Column, Gaps, Ints
from candlewick.model.time import NS_PER_S

_FAR_NS = 2**62  # Beyond every market's time, and safe to add an interval to.


def holes_of(ids: Ints, last_id: int | None) -> list[tuple[int, int]]:
    """First and last id of every run that is missing from ascending ids (and after `last_id`)."""
    before = np.r_[ids[:1] - 1 if last_id is None else np.int64(last_id), ids[:-1]]
    at = np.flatnonzero(ids != before + 1)
    return list(zip((before[at] + 1).tolist(), (ids[at] - 1).tolist(), strict=True))


def excluded(ids: Ints, rows: Gaps) -> Column:
    """Which of the ascending ids lie in any of the rows."""
    inside = np.zeros(len(ids), bool)
    low = np.searchsorted(ids, rows.first_id, "left").tolist()
    high = np.searchsorted(ids, rows.last_id, "right").tolist()
    for start, stop in zip(low, high, strict=True):
        inside[start:stop] = True
    return inside


def listed(hole: tuple[int, int], rows: Gaps) -> bool:
    """Whether the rows together cover the whole hole."""
    at, end = hole
    touching = rows.take((rows.first_id <= end) & (rows.last_id >= at))
    for first, last in sorted(
        zip(touching.first_id.tolist(), touching.last_id.tolist(), strict=True)
    ):
        if first > at:
            return False
        at = max(at, last + 1)
    return at > end


def spans(rows: Gaps, open_ns: Ints, interval_s: int) -> tuple[Column, Column]:
    """Which bars must have the gap flag, and which may have it.

    A missing trade lies between its neighbours' times.  A bar that shares more than the edge with
    an open hole of trades must say so; one that touches any row of the ledger, even one repaired
    after the bar could still change, may.
    """
    must, may = np.zeros(len(open_ns), bool), np.zeros(len(open_ns), bool)
    trades, late = GAP_KINDS.index("trades"), GAP_KINDS.index("late")
    for kind, after, before, repaired in zip(
        rows.kind.tolist(),
        np.clip(rows.after_ns, -_FAR_NS, _FAR_NS).tolist(),
        np.clip(rows.before_ns, -_FAR_NS, _FAR_NS).tolist(),
        rows.repaired_ns.tolist(),
        strict=True,
    ):
        if kind not in (trades, late):
            continue
        low = np.searchsorted(open_ns, after - interval_s * NS_PER_S, "right")
        may[low : np.searchsorted(open_ns, before, "right")] = True
        if repaired == 0:
            # A late trade is missing in the bar of its own time.
            last = max(before, after + 1)
            must[low : np.searchsorted(open_ns, last, "left")] = True
    return must, may
