"""Trade ids without a hole: every missing id is listed or came; none twice.

takes   events of venues whose trade ids run without a gap, in the order of arrival
gives   the same without duplicates, with GAP and HEAL rows among them; rows of the gap ledger
never   calls disorder a gap (1, 3, 2 within a second of the venue's clock); keeps silent about a
        hole; reads a wall clock

The invariant (I3): last - base + 1 == accepted + still missing, per series, forgotten included.
"""

from __future__ import annotations

import msgspec
import numpy as np

from candlewick import kernel
from candlewick.errors import VersionError
from candlewick.feeds import continuity_fold as fold
from candlewick.kernel import Array, Snapshot, grown
from candlewick.model.columns import Events, Gaps, Ints, trades_of
from candlewick.model.instruments import Instruments
from candlewick.model.time import NEVER_NS, NS_PER_S

NAME = "feeds.continuity"
VERSION = 1
DISORDER_NS = NS_PER_S
_TALLY = {
    "trades": fold.TRADES,
    "duplicates": fold.DUPLICATES,
    "disorder": fold.DISORDER,
    "repaired": fold.REPAIRED,
    "history": fold.HISTORY,
    "gaps": fold.GAPS,
    "healed": fold.HEALED,
    "id_jumps": fold.JUMPS,
}

Scanned = tuple[Events, Gaps, dict[str, int]]


class Continuity:
    """One fold over all series.

    Args:
        disorder_ns: how long, by the venue's clock, a missing id may still be on its way.
    """

    def __init__(self, instruments: Instruments, disorder_ns: int = DISORDER_NS) -> None:
        self.touched: set[int] = set()
        self._instruments = instruments
        self._disorder_ns = disorder_ns
        self._head: Array = np.zeros(0, fold.HEAD)
        self._ranges: Array = np.zeros((0, fold.RANGES_MAX), fold.RANGE)
        self._venue_of: Ints = np.zeros(0, np.int64)
        self._venues: dict[str, int] = {}
        self._clocks: Ints = np.zeros(0, np.int64)
        self._dues: Ints = np.zeros(0, np.int64)  # When a venue's next pending hole is due.
        self._gap: Array = np.zeros(1, fold.RANGE)

    def scan(self, events: Events, ids_contiguous: bool = True, history: bool = False) -> Scanned:
        """Fold a batch.

        Args:
            ids_contiguous: false for a venue whose ids say nothing: all rows pass.
            history: the rows answer a request for what was missing.

        Gives the events to go on with, ledger rows (a later row of a key replaces an earlier one),
        and counts: trades, duplicates, disorder (came late, within the allowed time), repaired
        (filled a listed gap), history (below the first id, or asked for), gaps, healed, id_jumps.
        """
        if not ids_contiguous:
            return (
                events,
                Gaps.empty(),
                dict.fromkeys(_TALLY, 0) | {"trades": len(trades_of(events))},
            )
        if not len(events):
            return events, Gaps.empty(), dict.fromkeys(_TALLY, 0)
        self._grow(int(events.series.max()) + 1)
        rows_max = 4 * len(events) + int(self._head["pending"].sum())
        out, ledger, tally = _room(rows_max)
        touched = np.zeros(len(self._head), np.int8)
        fold.scan(
            events.series, events.kind, events.id, events.at_ns, events.seen_ns, events.price,
            events.size, history, self._disorder_ns, self._head, self._ranges, self._venue_of,
            self._clocks, self._dues, touched, out, ledger, tally, self._gap,
        )  # fmt: skip
        return self._given(out, ledger, tally, touched)

    def flush(self) -> Scanned:
        """The tape has ended: every hole still pending is listed."""
        out, ledger, tally = _room(int(self._head["pending"].sum()))
        touched = np.zeros(len(self._head), np.int8)
        fold.list_all(self._head, self._ranges, touched, out, ledger, tally)
        return self._given(out, ledger, tally, touched)

    def missing(self, series: int) -> list[tuple[int, int]]:
        """Runs of ids (first, last) that have not come, pending ones included, rising."""
        if series >= len(self._head):
            return []
        ranges = self._ranges[series, : self._head["ranges"][series]]
        return sorted(zip(ranges["low"].tolist(), ranges["high"].tolist(), strict=True))

    def last_id(self, series: int) -> int:
        """The highest id that came; -1 before the first."""
        known = series < len(self._head) and self._head["started"][series]
        return int(self._head["last"][series]) if known else -1

    def save(self, series: int) -> bytes:
        """The state of one series, and its venue's clock."""
        self._grow(series + 1)
        return kernel.save(NAME, VERSION, self._parameters(), self._state(series))

    def load(self, series: int, blob: bytes) -> None:
        """Continue where `save` was.

        Raises:
            VersionError: of another version or parameters.
        """
        self._grow(series + 1)
        head, clock = np.zeros(1, fold.HEAD), np.zeros(1, np.int64)
        ranges = np.zeros(_ranges_in(blob), fold.RANGE)
        into = {"head": head, "ranges": ranges, "clock": clock}
        kernel.load(blob, NAME, VERSION, self._parameters(), into)
        self._head[series] = head[0]
        self._ranges[series, : len(ranges)] = ranges
        venue = self._venue_of[series]
        self._clocks[venue] = max(self._clocks[venue], clock[0])
        self._dues[venue] = NEVER_NS  # Looked up at the next row.

    def _parameters(self) -> dict[str, int]:
        return {"disorder_ns": self._disorder_ns, "ranges_max": fold.RANGES_MAX}

    def _state(self, series: int) -> dict[str, Array]:
        venue = self._venue_of[series]
        return {
            "head": self._head[series : series + 1],
            "ranges": self._ranges[series, : self._head["ranges"][series]],
            "clock": self._clocks[venue : venue + 1],
        }

    def _grow(self, count: int) -> None:
        known = len(self._venue_of)
        if count <= known:
            return
        venues = [self._instruments[series].venue for series in range(known, count)]
        for venue in venues:
            self._venues.setdefault(venue, len(self._venues))
        added = np.array([self._venues[venue] for venue in venues], np.int64)
        self._venue_of = np.concatenate([self._venue_of, added])
        self._head = grown(self._head, count)[:count]
        self._ranges = grown(self._ranges, count)[:count]
        unknown = np.full(len(self._venues) - len(self._clocks), NEVER_NS, np.int64)
        self._clocks = np.concatenate([self._clocks, unknown])
        self._dues = np.concatenate([self._dues, unknown])

    def _given(self, out: Ints, ledger: Ints, tally: Ints, touched: Array) -> Scanned:
        self.touched.update(np.flatnonzero(touched).tolist())
        rows, listed = out[:, : tally[fold.ROWS]], ledger[:, : tally[fold.LEDGER]]
        events = Events(*(rows[i].astype(d) for i, d in enumerate(Events.DTYPES.values())))
        gaps = Gaps(*(listed[i].astype(d) for i, d in enumerate(Gaps.DTYPES.values())))
        return events, gaps, {name: int(tally[at]) for name, at in _TALLY.items()}


def _room(rows_max: int) -> tuple[Ints, Ints, Ints]:
    """Space for events, ledger rows and counts."""
    out = np.empty((len(Events.DTYPES), rows_max), np.int64)
    ledger = np.empty((len(Gaps.DTYPES), rows_max), np.int64)
    return out, ledger, np.zeros(fold.TALLIES, np.int64)


def _ranges_in(blob: bytes) -> int:
    """How many ranges a snapshot has; 0 where it is unreadable, which `kernel.load` then says."""
    try:
        shapes = msgspec.msgpack.decode(blob, type=Snapshot).shapes
    except msgspec.MsgspecError:
        return 0
    counts = [shape[0] for name, _, shape in shapes if name == "ranges"]
    if counts and counts[0] > fold.RANGES_MAX:
        raise VersionError(f"{NAME}: snapshot has {counts[0]} ranges, at most {fold.RANGES_MAX}")
    return counts[0] if counts else 0
