"""Continuity: no id twice, no hole unlisted, however the stream is cut; held to a plain twin."""

from __future__ import annotations

import random
from typing import Any

import pytest

from candlewick.errors import VersionError
from candlewick.feeds.continuity import DISORDER_NS, Continuity
from candlewick.feeds.continuity_fold import RANGES_MAX
from candlewick.model.columns import Events, Gaps, Kind
from candlewick.model.instruments import Instrument, Instruments

S = 1_000_000_000


def registry(count: int = 3) -> Instruments:
    instruments = Instruments()
    for i in range(count):  # Series 0 and 2 of one venue, 1 of another.
        venue = "a" if i % 2 == 0 else "b"
        instruments.declare(Instrument(venue, f"X{i}/USD", f"X{i}USD", 2, 2))
    return instruments


def trade(series: int, ident: int, at_ns: int, seen_ns: int = 0) -> tuple[int, ...]:
    return (series, 1, ident, at_ns, seen_ns, 100 + ident, 5)


def tick(series: int, at_ns: int) -> tuple[int, ...]:
    return (series, Kind.TICK, 0, at_ns, 0, 0, 0)


def rows(columns: Events | Gaps) -> list[tuple[int, ...]]:
    return columns.records().tolist()


def run(stream: list[tuple[int, ...]], flush: bool = True, **how: Any) -> Any:
    continuity = Continuity(registry())
    events, gaps, counts = continuity.scan(Events.from_rows(stream), **how)
    if flush:
        last = continuity.flush()
        events, gaps = Events.concat([events, last[0]]), Gaps.concat([gaps, last[1]])
        counts = {name: counts[name] + last[2][name] for name in counts}
    return rows(events), rows(gaps), {k: v for k, v in counts.items() if v}


class Twin:
    """Sets of ids: slow, and easy to believe.  Knows nothing of the bound on ranges."""

    def __init__(self, venues: list[str]) -> None:
        self.venues = venues
        self.clock: dict[str, int] = {}
        self.known: dict[int, dict[int, int]] = {}
        self.holes: list[dict[str, Any]] = []
        self.events: list[tuple[int, ...]] = []
        self.ledger: dict[tuple[int, int], tuple[int, int, int, int, int]] = {}
        self.duplicates = 0

    def row(self, row: tuple[int, ...]) -> None:
        series, kind, ident, at_ns, *_ = row
        venue = self.venues[series]
        if at_ns > self.clock.get(venue, -1):
            self.clock[venue] = at_ns
            for hole in sorted(self.holes, key=lambda h: h["series"]):
                due = hole["due"] <= at_ns and not hole["listed"]
                if due and self.venues[hole["series"]] == venue:
                    self.list(hole)
        if kind == Kind.TICK:
            self.events.append(row)
            return
        known = self.known.setdefault(series, {})
        if ident in known:
            self.duplicates += 1
            return
        hole = next((h for h in self.holes if h["series"] == series and ident in h["ids"]), None)
        if hole is not None:
            hole["ids"].remove(ident)
            self.events.append(row)
            if hole["listed"]:
                self.tell(hole, self.clock[venue])
                if not hole["ids"]:
                    self.events.append(
                        (series, 4, hole["first"], hole["after"], 0, hole["before"], 0)
                    )
            else:
                self.split(hole, ident, at_ns)
            if not hole["ids"]:
                self.holes.remove(hole)
        elif known and ident > max(known) + 1:
            self.open(series, range(max(known) + 1, ident), known[max(known)], at_ns, at_ns)
            self.events.append(row)
        elif known and ident < min(known) - 1:
            self.open(series, range(ident + 1, min(known)), at_ns, known[min(known)], at_ns)
            self.events.append(row)
        else:
            self.events.append(row)
        known[ident] = at_ns

    def open(self, series: int, ids: range, after: int, before: int, seen: int) -> None:
        due = self.clock[self.venues[series]] + DISORDER_NS
        self.holes.append(
            {"series": series, "ids": set(ids), "after": after, "before": before, "seen": seen,
             "due": due, "listed": False}
        )  # fmt: skip

    def split(self, hole: dict[str, Any], ident: int, at_ns: int) -> None:
        above = {i for i in hole["ids"] if i > ident}
        below = hole["ids"] - above
        if above and below:
            self.holes.append({**hole, "ids": above, "after": at_ns})
            hole["ids"], hole["before"] = below, at_ns
        elif above:
            hole["after"] = at_ns
        else:
            hole["before"] = at_ns

    def list(self, hole: dict[str, Any]) -> None:
        hole["listed"] = True
        hole["first"], hole["last"] = min(hole["ids"]), max(hole["ids"])
        self.events.append(
            (hole["series"], 3, hole["first"], hole["after"], hole["seen"], hole["before"],
             len(hole["ids"]))
        )  # fmt: skip
        self.tell(hole, 0)

    def tell(self, hole: dict[str, Any], now_ns: int) -> None:
        missing = len(hole["ids"])
        self.ledger[hole["series"], hole["first"]] = (
            hole["last"], hole["after"], hole["before"], missing, now_ns if not missing else 0
        )  # fmt: skip

    def flush(self) -> None:
        for hole in sorted(self.holes, key=lambda h: h["series"]):
            if not hole["listed"]:
                self.list(hole)


def world(seed: int, rows_max: int = 400) -> list[tuple[int, ...]]:
    """A seeded stream of three series with drops, late rows, duplicates, ticks."""
    dice = random.Random(seed)
    stream: list[tuple[int, ...]] = []
    next_id = {s: dice.randrange(50, 1000) for s in range(3)}
    now_ns, late = 1000 * S, []
    for _ in range(rows_max):
        now_ns += dice.choice([0, 1, S // 50, S // 10, S // 2])
        series = dice.randrange(3)
        fate = dice.random()
        if fate < 0.08:
            stream.append(tick(series, now_ns))
            continue
        if fate < 0.1:
            next_id[series] += dice.randrange(1, 6)  # Never comes.
        row = trade(series, next_id[series], now_ns)
        next_id[series] += 1
        if fate < 0.2:
            late.append((now_ns + dice.choice([S // 10, S // 2, 2 * S, 4 * S]), row))
            continue
        stream.append(row)
        if fate > 0.93:
            stream.append(row)
        if fate > 0.98 and stream:
            stream.append(dice.choice(stream))
        due = [item for item in late if item[0] <= now_ns]
        dice.shuffle(due)
        stream += [row for _, row in due]
        late = [item for item in late if item not in due]
    return stream


@pytest.mark.parametrize("seed", range(60))
def test_it_equals_the_plain_twin_on_a_seeded_world(seed: int) -> None:
    stream = world(seed)
    twin = Twin(["a", "b", "a"])
    for row in stream:
        twin.row(row)
    twin.flush()
    events, gaps, counts = run(stream)
    assert [e for e in events if e[1] != 3] == [e for e in twin.events if e[1] != 3]
    # Gaps that fall due at one row are told by series; the twin splits in another order.
    assert sorted(events) == sorted(twin.events)
    found = {(g[0], g[2]): (g[3], g[5], g[6], g[7], g[8]) for g in gaps}
    assert found == twin.ledger
    assert counts.get("duplicates", 0) == twin.duplicates


@pytest.mark.parametrize("seed", range(20))
def test_the_output_does_not_depend_on_how_the_stream_is_cut(seed: int) -> None:
    stream = world(seed)
    whole = run(stream)
    for size in (1, 2, 7, 50):
        continuity = Continuity(registry())
        parts = [
            continuity.scan(Events.from_rows(stream[i : i + size]))
            for i in range(0, len(stream), size)
        ]
        parts.append(continuity.flush())
        assert [e for p in parts for e in rows(p[0])] == whole[0]
        assert [g for p in parts for g in rows(p[1])] == whole[1]
        assert {k: n for k in parts[0][2] if (n := sum(p[2][k] for p in parts))} == whole[2]


@pytest.mark.parametrize("seed", range(10))
def test_a_restart_from_saved_states_changes_nothing(seed: int) -> None:
    stream = world(seed)
    whole = run(stream)
    cut = len(stream) // 2
    before = Continuity(registry())
    first = before.scan(Events.from_rows(stream[:cut]))
    after = Continuity(registry())
    for series in before.touched:
        after.load(series, before.save(series))
    second = after.scan(Events.from_rows(stream[cut:]))
    last = after.flush()
    assert rows(first[0]) + rows(second[0]) + rows(last[0]) == whole[0]
    assert rows(first[1]) + rows(second[1]) + rows(last[1]) == whole[1]


@pytest.mark.parametrize("seed", range(10))
def test_every_id_between_first_and_last_came_or_is_missing(seed: int) -> None:
    """Invariant I3, from the output alone."""
    stream = world(seed)
    continuity = Continuity(registry())
    events = rows(continuity.scan(Events.from_rows(stream))[0])
    for series in range(3):
        ids = [e[2] for e in events if e[0] == series and e[1] == 1]
        missing = {i for low, high in continuity.missing(series) for i in range(low, high + 1)}
        assert len(ids) == len(set(ids))
        assert set(range(min(ids), max(ids) + 1)) == set(ids) | missing
        assert not set(ids) & missing


def test_plain_disorder_is_counted_and_not_listed() -> None:
    stream = [trade(0, 1, 10 * S), trade(0, 3, 10 * S + 2), trade(0, 2, 10 * S + 1)]
    events, gaps, counts = run([*stream, tick(0, 20 * S)])
    assert events == [*stream, tick(0, 20 * S)]
    assert gaps == []
    assert counts == {"trades": 3, "disorder": 1}


def test_a_hole_is_listed_when_the_venue_clock_says_that_it_stays() -> None:
    stream = [trade(0, 1, 10 * S), trade(0, 5, 11 * S, seen_ns=77), tick(2, 12 * S)]
    events, gaps, counts = run(stream, flush=False)
    gap = (0, Kind.GAP, 2, 10 * S, 77, 11 * S, 3)
    assert events == [stream[0], stream[1], gap, stream[2]]
    assert gaps == [(0, 0, 2, 4, 77, 10 * S, 11 * S, 3, 0, 0)]
    assert counts == {"trades": 2, "gaps": 1}


def test_another_venues_clock_does_not_list_it() -> None:
    stream = [trade(0, 1, 10 * S), trade(0, 3, 10 * S), tick(1, 99 * S)]
    assert run(stream, flush=False)[1] == []


def test_a_listed_gap_shrinks_and_heals() -> None:
    gap = [trade(0, 1, 10 * S), trade(0, 5, 11 * S), tick(0, 13 * S)]
    late = [trade(0, i, 10 * S + i, seen_ns=900 + i) for i in (3, 2, 4)]
    events, gaps, counts = run([*gap, *late], flush=False)
    assert events[4:] == [*late, (0, Kind.HEAL, 2, 10 * S, 904, 11 * S, 0)]
    span = (2, 4, 11 * S, 10 * S, 11 * S)
    assert gaps == [
        (0, 0, *span, 3, 0, 0),
        (0, 0, *span, 2, 0, 0),
        (0, 0, *span, 1, 0, 0),
        (0, 0, *span, 0, 904, 1),
    ]
    assert counts == {"trades": 5, "gaps": 1, "repaired": 3, "healed": 1}


def test_a_gap_filled_by_request_says_so() -> None:
    continuity = Continuity(registry())
    continuity.scan(Events.from_rows([trade(0, 1, S), trade(0, 3, S), tick(0, 9 * S)]))
    _, gaps, counts = continuity.scan(Events.from_rows([trade(0, 2, S, 5)]), history=True)
    assert rows(gaps) == [(0, 0, 2, 2, S, S, S, 0, 5, 2)]
    assert counts["healed"] == 1


def test_older_ids_are_history_and_a_hole_between_is_missing() -> None:
    continuity = Continuity(registry())
    continuity.scan(Events.from_rows([trade(0, 100, 50 * S)]))
    older = Events.from_rows([trade(0, 90, 40 * S), trade(0, 91, 41 * S)])
    events, _, counts = continuity.scan(older, history=True)
    assert rows(events) == rows(older)
    assert counts["history"] == 2
    assert continuity.missing(0) == [(92, 99)]
    _, gaps, _ = continuity.flush()
    assert rows(gaps) == [(0, 0, 92, 99, 40 * S, 41 * S, 50 * S, 8, 0, 0)]


def test_one_id_between_is_missing_below_as_above() -> None:
    continuity = Continuity(registry())
    continuity.scan(Events.from_rows([trade(0, 100, 50 * S), trade(0, 98, 49 * S)]))
    continuity.scan(Events.from_rows([trade(0, 102, 51 * S)]))
    assert continuity.missing(0) == [(99, 99), (101, 101)]
    _, _, counts = continuity.scan(Events.from_rows([trade(0, i, 52 * S) for i in (99, 101, 97)]))
    assert (counts["trades"], continuity.missing(0)) == (3, [])


def test_a_jump_to_a_new_numbering_is_listed_at_once_and_the_old_one_goes_on() -> None:
    far = 5_000_000_000_000
    stream = [trade(0, 1, S), trade(0, far, S), trade(0, 2, S), trade(0, far + 1, S)]
    events, gaps, counts = run(stream, flush=False)
    assert [e[1:3] for e in events] == [(1, 1), (3, 2), (1, far), (1, 2), (1, far + 1)]
    assert gaps[0][2:4] == (2, far - 1)
    assert counts == {"trades": 4, "gaps": 1, "id_jumps": 1, "repaired": 1}


def test_more_holes_than_ranges_are_all_in_the_ledger() -> None:
    """The oldest range gives way for repair in the stream; it is listed before it goes."""
    holes = RANGES_MAX + 10
    stream = [trade(0, 2 * i, S) for i in range(holes + 1)]
    _, gaps, counts = run(stream)
    assert [g[2] for g in gaps] == [2 * i + 1 for i in range(holes)]
    assert counts["gaps"] == holes
    forgotten, kept = trade(0, 1, S), trade(0, 2 * holes - 1, S)
    _, _, counts = run([*stream, forgotten, kept], flush=False)
    assert counts["duplicates"] == 1
    assert counts["disorder"] == 1


def test_a_gap_that_was_partly_forgotten_never_claims_to_be_whole() -> None:
    wide = [trade(0, 0, S), trade(0, 400, S), tick(0, 9 * S)]
    splits = [trade(0, i, S) for i in range(2, 2 * RANGES_MAX + 40, 2)]
    rest = [trade(0, i, S) for i in range(1, 400)]
    _, gaps, counts = run([*wide, *splits, *rest], flush=False)
    assert counts.get("healed", 0) == 0
    assert [g[7] for g in gaps if g[2] == 1] == list(range(399, 398 - counts["repaired"], -1))
    assert counts["duplicates"] > len(splits)  # The forgotten ids are among them.
    assert gaps[-1][7] > 0
    assert gaps[-1][8] == 0


def test_ids_that_say_nothing_pass_unchecked() -> None:
    stream = [trade(0, 9, S), trade(0, 3, S), trade(0, 9, S)]
    events, gaps, counts = run(stream, ids_contiguous=False)
    assert events == stream
    assert gaps == []
    assert counts == {"trades": 3}


def test_touched_names_the_series_whose_state_changed() -> None:
    continuity = Continuity(registry())
    continuity.scan(Events.from_rows([trade(0, 1, S), tick(1, S)]))
    assert continuity.touched == {0, 1}
    continuity.touched.clear()
    continuity.scan(Events.from_rows([trade(0, 1, S)]))
    assert continuity.touched == set()


@pytest.mark.parametrize("damage", ["version", "parameters", "bytes"])
def test_a_snapshot_of_another_kind_is_refused(damage: str) -> None:
    continuity = Continuity(registry())
    continuity.scan(Events.from_rows([trade(0, 1, S), trade(0, 3, S)]))
    blob = continuity.save(0)
    other = Continuity(registry(), disorder_ns=5 if damage == "parameters" else DISORDER_NS)
    if damage == "version":
        blob = blob.replace(b"continuity\x01", b"continuity\x02")
    if damage == "bytes":
        blob = blob[:-3]
    with pytest.raises(VersionError, match="continuity"):
        other.load(0, blob)
