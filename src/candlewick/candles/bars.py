"""The candle fold: events of many series in, candle rows out.

takes   `Events` in arrival order: trades, ticks of a feed's clock, marks of holes
gives   `Candles`: each bar once when final, again with `revision + 1` when a late trade, a hole or
        a repair changes it; `preview` shows the open ones without touching anything
never   looks at arrival time or batch cuts: the same events give the same rows, however cut

The finest bars (the greatest common divisor of the intervals) take the trades; every coarser bar
takes its child bars as they become final.  A series keeps a ring of bars an interval, long enough
for the allowed lateness.  A quiet series closes by its venue's clock: the latest exchange time seen
on any of its symbols.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from candlewick.candles import step, sweep
from candlewick.candles.fold import BAR
from candlewick.candles.rungs import CLOCK, NEVER, RULES, RUNG, SERIES
from candlewick.errors import UsageError
from candlewick.kernel import Array, grown, load, save
from candlewick.model.columns import Candles, Events, Ints
from candlewick.model.instruments import Instruments
from candlewick.model.time import NS_PER_S, interval_text

NAME = "candles.bars"
VERSION = 1
_ROW = np.dtype(list(Candles.DTYPES.items()), align=True)
_OUT_ROWS_MIN = 1024
_NO_ROWS = np.empty(0, np.int64)


@dataclass(slots=True)
class Bars:
    """State of all series; see the module's text for what it takes and gives."""

    instruments: Instruments
    intervals_s: list[int]
    grace_s: float = 2.0
    lateness_s: float = 300.0
    empty_bars_max: int = 1440
    touched: set[int] = field(default_factory=set)
    late: int = 0
    _ladder: Array = field(init=False)
    _rules: Array = field(init=False)
    _bars: Array = field(init=False)
    _series: Array = field(init=False)
    _clocks: Array = field(init=False)
    _venues: dict[str, int] = field(default_factory=dict)
    _out: Array = field(init=False)
    _ready: int = 0
    _take: Any = field(init=False)
    _places: Array = field(init=False)
    _places_at: int = field(init=False)
    _dirty: Array = field(init=False)

    def __post_init__(self) -> None:
        self._ladder = ladder(self.intervals_s, self.lateness_s)
        self._rules = np.zeros(1, RULES)
        self._rules["grace_ns"] = int(self.grace_s * NS_PER_S)
        self._rules["lateness_ns"] = int(self.lateness_s * NS_PER_S)
        # A series that begins anew must not find bars of its former life in the ring.
        self._rules["empty_max"] = max(self.empty_bars_max, int(self._ladder["ring"][0]))
        self._bars = np.zeros((0, int(self._ladder["ring"].sum())), BAR)
        self._series = np.zeros(0, SERIES)
        self._clocks = np.zeros(0, CLOCK)
        # One event may revise every bar of a ring on every rung.
        room = int(self._ladder["ring"][0]) * len(self._ladder) + self._bars.shape[1]
        self._out = np.zeros(_OUT_ROWS_MIN + room, _ROW)
        self._take = step.entry()
        self._place()

    @property
    def grace_ns(self) -> int:
        """How long after its end a bar waits for stragglers."""
        return int(self._rules["grace_ns"][0])

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What a saved state depends on."""
        return {
            "intervals_s": self.intervals_s,
            "grace_s": self.grace_s,
            "lateness_s": self.lateness_s,
            "empty_bars_max": self.empty_bars_max,
        }

    def scan(self, events: Events) -> tuple[Candles, Ints]:
        """Fold a batch.

        Returns:
            The rows, in the order in which they became true, and the indexes of trades that came
            too late for their candle (they belong in the gap ledger).
        """
        self._admit()
        if len(events) == 0:
            return Candles.empty(), _NO_ROWS
        verdict = np.zeros(len(events), np.uint8)
        parts = []
        at, rows, too_late = 0, 0, 0
        while True:
            at, rows, more = sweep.scan(
                self._bars, self._series, self._clocks, self._ladder, self._rules,
                events.kind, events.series, events.id, events.at_ns, events.price, events.size,
                at, self._out, verdict,
            )  # fmt: skip
            too_late += more
            if rows:
                parts.append(self._out[:rows].copy())
            if at == len(events):
                break
        candles = Candles.empty()
        if parts:
            candles = Candles.of(parts[0] if len(parts) == 1 else np.concatenate(parts))
            self._check_sums(candles)
        self.touched.update(self._dirty.nonzero()[0].tolist())
        self._dirty.fill(0)
        self.late += too_late
        return candles, verdict.nonzero()[0] if too_late else _NO_ROWS

    def step(
        self, series: int, kind: int, trade_id: int, at_ns: int, price: int, size: int
    ) -> tuple[Candles, Ints] | None:
        """Fold one trade: what `scan` does with a batch of one, in a fraction of the time.

        Returns:
            None where the trade only changed its open bar, as nearly all do; else as `scan`.
        """
        if self._take(self._places_at, series, kind, trade_id, at_ns, price, size):
            self.touched.add(series)
            return None
        return self.scan(Events.from_rows([(series, kind, trade_id, at_ns, 0, price, size)]))

    def preview(self, series: Iterable[int]) -> Candles:
        """The open bars of these series as they stand, `final` 0; no state is touched."""
        self._admit()
        wanted = np.fromiter(series, np.int32)
        spare = np.zeros(2 * len(self._ladder), _ROW)
        open_bars_max = int(self._rules["grace_ns"][0] // self._ladder["interval_ns"][0]) + 3
        out = np.zeros(len(wanted) * len(self._ladder) * open_bars_max, _ROW)
        rows = sweep.preview(
            self._bars[wanted], self._series[wanted], self._ladder, wanted, spare, out
        )
        return Candles.of(out[:rows])

    def clock_ns(self, venue: str) -> int | None:
        """The latest exchange time seen of a venue."""
        index = self._venues.get(venue)
        now_ns = NEVER if index is None else int(self._clocks["now_ns"][index])
        return None if now_ns == NEVER else now_ns

    def save(self, series: int) -> bytes:
        self._admit()
        return save(NAME, VERSION, self.parameters, self._arrays(series))

    def load(self, series: int, blob: bytes) -> None:
        """Take over a saved state.

        Raises:
            VersionError: of another version or other parameters; the state is left as it was.
        """
        self._admit()
        clock = self._clocks[self._series["venue"][series]]
        now_ns = clock["now_ns"]
        load(blob, NAME, VERSION, self.parameters, self._arrays(series))
        clock["now_ns"] = max(now_ns, clock["now_ns"])
        clock["due_ns"] = NEVER  # Not known any more: the next event sweeps.

    def _arrays(self, series: int) -> dict[str, Array]:
        venue = int(self._series["venue"][series])
        return {
            "series": self._series[series : series + 1],
            "bars": self._bars[series],
            "clock": self._clocks["now_ns"][venue : venue + 1],
        }

    def _admit(self) -> None:
        """Give every new instrument its place."""
        count = len(self.instruments)
        if count == self._ready:
            return
        self._bars = grown(self._bars, count)[:count]  # The kernels look at every place.
        self._series = grown(self._series, count)[:count]
        for series in range(self._ready, count):
            venue = self.instruments[series].venue
            if venue not in self._venues:
                self._venues[venue] = len(self._venues)
                self._clocks = grown(self._clocks, len(self._venues))[: len(self._venues)]
                self._clocks[len(self._venues) - 1] = (NEVER, NEVER)
            state = self._series[series]
            state["venue"] = self._venues[venue]
            state["pending_ns"] = state["newest_ns"] = NEVER
            state["started_ns"] = NEVER
        self._ready = count
        self._place()

    def _place(self) -> None:
        """Tell `step` where the arrays are now."""
        self._places = step.places(self._bars, self._series, self._clocks, self._ready)
        self._places_at = self._places.ctypes.data
        self._dirty = self._series["dirty"]

    def _check_sums(self, candles: Candles) -> None:
        """A sum past 63 bits would be silently wrong: too many decimals for this market."""
        wrong = np.flatnonzero((candles.volume < 0) | (candles.quote_hi < 0))
        if len(wrong):
            instrument = self.instruments[int(candles.series[wrong[0]])]
            raise UsageError(
                f"{instrument.venue} {instrument.symbol}: the volume of a candle at "
                f"{instrument.size_decimals} decimals does not fit 63 bits; "
                "let the venue's own listing (exchangeInfo) come first on the tape, with the lot"
            )


def ladder(intervals_s: list[int], lateness_s: float) -> Array:
    """The intervals from fine to coarse, each with its child and its place in a series' ring.

    A hidden base is put under them where the finest does not divide all (7 s and 60 s: 1 s).
    """
    wanted = sorted(set(intervals_s))
    if not wanted or wanted[0] < 1 or wanted[-1] > 86_400:
        raise UsageError(
            f"candle intervals {intervals_s}: expected 1 to 86,400 seconds, at least one"
        )
    base = math.gcd(*wanted)
    steps = wanted if base == wanted[0] else [base, *wanted]
    rungs = np.zeros(len(steps), RUNG)
    offset = 0
    for index, seconds in enumerate(steps):
        rung = rungs[index]
        rung["interval_ns"], rung["interval_s"] = seconds * NS_PER_S, seconds
        rung["ring"], rung["offset"] = math.ceil(lateness_s / seconds) + 2, offset
        rung["child"] = max((j for j in range(index) if seconds % steps[j] == 0), default=-1)
        rung["shown"] = seconds in wanted
        offset += int(rung["ring"])
        if offset > 100_000:
            raise UsageError(
                f"lateness of {lateness_s} s at candles of {interval_text(base)} needs {offset} "
                "bars a symbol; allow less lateness or use coarser candles"
            )
    return rungs
