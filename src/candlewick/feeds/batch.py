"""One call of a decoder, being collected: rows, quotes, refusals, and the feed's clock.

takes   what a venue's decoder read from one frame after another
gives   `Decoded`
never   keeps a part of a frame that was refused: a decoder reads the whole frame, then adds

The clock rule is decided frame by frame, so that it does not depend on how frames are batched: a
frame with an exchange time but no trade becomes a TICK row when it is at least `TICK_NS` later than
every time told before.
"""

from __future__ import annotations

import numpy as np

from candlewick.errors import PeerError
from candlewick.feeds.decoded import Decoded, Notice, Want
from candlewick.model.columns import GAP_HOW, GAP_KINDS, Events, Gaps, Ints, Kind
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Frame, Quarantined, Quote
from candlewick.model.time import NEVER_NS, NS_PER_MS, NS_PER_S, NS_PER_US

TICK_NS = 250 * NS_PER_MS
FUTURE_NS_MAX = 60 * NS_PER_S  # An exchange time so far ahead of its arrival is not a time.
TIME_NS_MAX = 4_102_444_800 * NS_PER_S  # 2100-01-01
MICROSECONDS_FROM = 100_000_000_000_000  # In ms the year 5138, in us 1973.
_KIND_BOOK = GAP_KINDS.index("book")
_HOW_HISTORY = GAP_HOW.index("history")

_NO_GAPS = Gaps.empty()

Row = tuple[int, int, int, int, int, int, int]
GapRow = tuple[int, int, int, int, int, int, int, int, int, int]


def clock() -> Ints:
    """A feed's clock that has not been told a time: one int64, shared with compiled code."""
    return np.full(1, NEVER_NS, np.int64)


def checked_ns(at_ns: int, seen_ns: int) -> int:
    """A time that can be one.

    Raises:
        PeerError: `bad_time` or `from_the_future`.
    """
    if not 0 < at_ns < TIME_NS_MAX:
        raise PeerError("bad_time", f"{at_ns} ns is not a time between 1970 and 2100")
    if seen_ns > 0 and at_ns > seen_ns + FUTURE_NS_MAX:
        ahead_s = (at_ns - seen_ns) // NS_PER_S
        raise PeerError("from_the_future", f"exchange time is {ahead_s} s ahead of its arrival")
    return at_ns


def epoch_ns(epoch: int) -> int:
    """Milliseconds, or microseconds where the number is that large."""
    return epoch * (NS_PER_US if epoch >= MICROSECONDS_FROM else NS_PER_MS)


class Batch:
    """What one `decode` call has read so far."""

    __slots__ = (
        "clock",
        "counts",
        "gaps",
        "moved",
        "notices",
        "quarantined",
        "quoted",
        "quotes",
        "rows",
        "venue",
        "wants",
    )

    def __init__(self, venue: str, clock: Ints) -> None:
        self.venue = venue
        self.clock = clock
        self.rows: list[Row] = []
        self.quotes: dict[int, Quote] = {}
        self.quarantined: list[Quarantined] = []
        self.notices: list[Notice] = []
        self.wants: list[Want] = []
        self.gaps: list[GapRow] = []
        self.moved: set[int] = set()  # Series whose valid book changed.
        self.quoted = False  # A ticker was read in the plain lane.
        self.counts = dict.fromkeys(("frames", "data_frames", "control_frames", "peer_errors"), 0)

    def trades(self, rows: list[Row]) -> None:
        """Trade rows of one good frame."""
        if not rows:
            return
        self.rows += rows
        latest_ns = max(row[3] for row in rows)
        if latest_ns > self.clock[0]:
            self.clock[0] = latest_ns

    def tick(self, series: int, at_ns: int, seen_ns: int) -> None:
        """An exchange time without a trade."""
        if at_ns >= self.clock[0] + TICK_NS:
            self.rows.append((series, Kind.TICK, 0, at_ns, seen_ns, 0, 0))
            self.clock[0] = at_ns

    def refuse(self, frame: Frame, error: PeerError) -> None:
        """Keep a frame that cannot be what the venue promised."""
        self.counts["peer_errors"] += 1
        self.quarantined.append(
            Quarantined(self.venue, error.reason, str(error), frame.raw, frame.seen_ns)
        )

    def want(self, kind: str, instrument: Instrument) -> None:
        assert kind in ("depth", "resubscribe"), kind
        self.wants.append(Want("depth" if kind == "depth" else "resubscribe", instrument))

    def book_hole(
        self, series: int, first_id: int, last_id: int, after_ns: int, before_ns: int, seen_ns: int
    ) -> GapRow:
        """Book updates that never came, or did not agree with their checksum."""
        missing = last_id - first_id + 1
        row = (series, _KIND_BOOK, first_id, last_id, seen_ns, after_ns, before_ns, missing, 0, 0)
        self.gaps.append(row)
        return row

    def book_whole(self, holes: list[GapRow], at_ns: int) -> None:
        """A later snapshot made the book whole again."""
        self.gaps += [(*hole[:7], 0, at_ns, _HOW_HISTORY) for hole in holes]
        holes.clear()

    def decoded(self, events: Events) -> Decoded:
        return Decoded(
            events=events,
            quotes=self.quotes,
            quarantined=self.quarantined,
            notices=self.notices,
            wants=self.wants,
            gaps=Gaps.from_rows(self.gaps) if self.gaps else _NO_GAPS,
            counts=self.counts,
        )
