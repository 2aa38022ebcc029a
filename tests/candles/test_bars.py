"""The candle fold against its slow twin, and the laws that hold it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from candlewick.candles.bars import Bars
from candlewick.errors import UsageError, VersionError
from candlewick.model.columns import Candles, Coverage, Events, Kind
from candlewick.model.time import NS_PER_S
from tests.candles import twin, worlds

INTERVALS_S = [60, 300, 900]


def run(events: Events, cuts: list[int], bars: Bars) -> list[Candles]:
    edges = [0, *cuts, len(events)]
    return [bars.scan(events.take(slice(a, b)))[0] for a, b in pairwise(edges)]


def fresh(series: int = 3, intervals_s: list[int] | None = None, **rules: float) -> Bars:
    return Bars(worlds.instruments(series), intervals_s or INTERVALS_S, **rules)  # type: ignore[arg-type]


def expected(events: Events, intervals_s: list[int], grace_s: float) -> dict:
    clock_ns = int(events.at_ns.max())
    found = {}
    for series in np.unique(events.series):
        rows = events.take((events.series == series) & (np.abs(events.kind) <= 1))
        prints = [
            twin.Print(*values)
            for values in zip(
                rows.id.tolist(), rows.at_ns.tolist(), rows.price.tolist(), rows.size.tolist(),
                rows.kind.tolist(), strict=True,
            )
        ]  # fmt: skip
        for seconds in intervals_s:
            bars = twin.bars(prints, seconds * NS_PER_S, clock_ns, int(grace_s * NS_PER_S))
            found.update({(int(series), seconds, at): bar for at, bar in bars.items()})
    return found


@pytest.mark.parametrize("seed", range(6))
def test_in_order_bars_equal_the_slow_twin(seed: int) -> None:
    events = worlds.stream(seed, 3000)
    rows = worlds.table(run(events, [], fresh()))
    assert worlds.values_only(rows) == expected(events, INTERVALS_S, 2.0)
    assert {row["revision"] for row in rows.values()} == {0}


@pytest.mark.parametrize(
    "intervals_s", [[7, 60], [1], [30, 45], [60, 300, 900, 3600, 14400, 86400]]
)
def test_any_intervals_equal_the_slow_twin(intervals_s: list[int]) -> None:
    events = worlds.stream(3, 2000, seconds=90_000.0 if 86400 in intervals_s else 900.0)
    bars = fresh(intervals_s=intervals_s, empty_bars_max=10**6)
    assert worlds.values_only(worlds.table(run(events, [], bars))) == expected(
        events, intervals_s, 2.0
    )


@pytest.mark.parametrize("seed", range(6))
def test_order_trades_shuffled_within_the_lateness_give_the_same_bars(seed: int) -> None:
    events = worlds.stream(seed, 3000, shuffle_s=200.0)
    bars = fresh(lateness_s=300.0)
    rows = worlds.table(run(events, [], bars))
    want = expected(events, INTERVALS_S, 2.0)
    assert bars.late == 0
    assert worlds.values_only(rows) == want
    assert any(row["revision"] > 0 for row in rows.values())


@pytest.mark.parametrize("shuffle_s", [0.0, 200.0])
def test_split_batch_cuts_change_nothing(shuffle_s: float) -> None:
    events = worlds.stream(11, 2000, shuffle_s=shuffle_s)
    whole = fresh()
    once = Candles.concat(run(events, [], whole))
    draw = np.random.default_rng(5)
    for cuts in ([*range(1, 2000)], sorted(draw.integers(0, 2000, 40).tolist())):
        other = fresh()
        assert Candles.concat(run(events, cuts, other)).same_as(once)
        for series in range(3):
            assert other.save(series) == whole.save(series)


def test_restart_from_any_checkpoint_ends_equal() -> None:
    events = worlds.stream(4, 1500, shuffle_s=100.0)
    whole = fresh()
    once = Candles.concat(run(events, [], whole))
    for cut in (1, 333, 800, 1499):
        before, after = fresh(), fresh()
        parts = run(events.take(slice(0, cut)), [], before)
        for series in range(3):
            after.load(series, before.save(series))
        parts += run(events.take(slice(cut, None)), [], after)
        assert Candles.concat(parts).same_as(once)


def test_series_do_not_leak_into_each_other() -> None:
    """Series of another venue, in the same batches, change nothing."""
    events = worlds.stream(8, 2000)
    alone = events.take(events.series == 0)
    registry = worlds.instruments(1)
    first = Candles.concat(run(alone, [], Bars(registry, INTERVALS_S)))
    registry = worlds.instruments(1)
    for other in worlds.instruments(2, venue="kraken"):
        registry.declare(other)
    among = run(events, [], Bars(registry, INTERVALS_S))
    mine = [part.take(part.series == 0) for part in among]
    assert Candles.concat(mine).same_as(first)


@pytest.mark.parametrize("shuffle_s", [0.0, 150.0])
def test_conservation_every_trade_is_in_one_bar_of_each_interval(shuffle_s: float) -> None:
    events = worlds.stream(21, 4000, seconds=4000.0, shuffle_s=shuffle_s)
    end = Events.from_rows([(s, 2, 0, int(events.at_ns.max()) + 10**13, 0, 0, 0) for s in range(3)])
    bars = fresh(empty_bars_max=10**6)
    rows = worlds.table(run(Events.concat([events, end]), [], bars))
    for series in range(3):
        mine = events.take((events.series == series) & (np.abs(events.kind) <= 1))
        for seconds in INTERVALS_S:
            found = [row for key, row in rows.items() if key[:2] == (series, seconds)]
            assert sum(row["trades"] for row in found) == len(mine)
            assert sum(row["volume"] for row in found) == int(mine.size.sum())


def trade(series: int, id: int, at_s: float, price: int = 100, side: int = 1) -> tuple:
    at_ns = worlds.START_NS + int(at_s * NS_PER_S)
    return (series, side, id, at_ns, at_ns, price, 10)


def mark(kind: Kind, series: int, from_s: float, to_s: float = 0.0) -> tuple:
    start = worlds.START_NS
    return (series, kind, 0, start + int(from_s * NS_PER_S), 0, start + int(to_s * NS_PER_S), 0)


def rows_of(candles: Candles, interval_s: int = 60) -> list[tuple]:
    """(minute, close, trades, revision, coverage) of each row; START_NS is 20 s into a minute."""
    first_ns = worlds.START_NS - 20 * NS_PER_S
    return [
        (int(r["open_ns"] - first_ns) // (60 * NS_PER_S), int(r["close"]), int(r["trades"]),
         int(r["revision"]), Coverage(int(r["coverage"])).words())
        for r in candles.records() if r["interval_s"] == interval_s
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_only_series_that_exist_are_touched(count: int) -> None:
    bars = fresh(count)
    bars.scan(Events.from_rows([trade(0, 1, 0.0), mark(Kind.TICK, 0, 500.0)]))
    assert bars.touched == {0}


def test_a_quiet_symbol_closes_by_its_venues_clock() -> None:
    bars = fresh(2)
    candles, _ = bars.scan(Events.from_rows([trade(0, 1, 0.0), trade(1, 1, 41.9)]))
    assert rows_of(candles) == []  # 1.9 s after the end: still in the grace.
    candles, _ = bars.scan(Events.from_rows([trade(1, 2, 42.0)]))
    assert rows_of(candles) == [(0, 100, 1, 0, "partial")]


def test_a_minute_without_trades_carries_the_close_and_a_late_trade_corrects_all() -> None:
    bars = fresh(1)
    events = [trade(0, 1, 0.0), mark(Kind.TICK, 0, 162.0), trade(0, 2, 45.0, price=90)]
    candles, late = bars.scan(Events.from_rows(events))
    assert len(late) == 0
    assert rows_of(candles) == [
        (0, 100, 1, 0, "partial"),
        (1, 100, 0, 0, "complete"),
        (2, 100, 0, 0, "complete"),
        (1, 90, 1, 1, "revised"),
        (2, 90, 0, 1, "revised"),
    ]


def test_a_trade_later_than_allowed_is_told_and_its_bars_say_that_they_lack_it() -> None:
    bars = fresh(1, lateness_s=60.0)
    bars.scan(Events.from_rows([trade(0, 1, 0.0), trade(0, 5, 300.0)]))
    candles, late = bars.scan(Events.from_rows([trade(0, 2, 10.0)]))
    assert (late.tolist(), bars.late) == ([0], 1)
    # The minute has left the ring, it is the store's to flag; five and fifteen are still held.
    assert rows_of(candles, 60) == []
    assert [row[2:] for row in rows_of(candles, 300)] == [(1, 1, "partial|gap|revised")]
    assert [row[2:] for row in rows_of(candles, 900)] == [(1, 1, "partial|gap|revised")]


def test_a_hole_marks_its_bars_and_a_repair_clears_them() -> None:
    bars = fresh(1)
    events = [trade(0, 1, 0.0), trade(0, 9, 41.0), mark(Kind.GAP, 0, 0.0, 41.0)]
    candles, _ = bars.scan(Events.from_rows([*events, mark(Kind.TICK, 0, 103.0)]))
    assert rows_of(candles) == [(0, 100, 1, 0, "partial|gap"), (1, 100, 1, 0, "gap")]
    candles, _ = bars.scan(Events.from_rows([mark(Kind.HEAL, 0, 0.0, 41.0)]))
    assert rows_of(candles) == [
        (0, 100, 1, 1, "partial|backfilled|revised"),
        (1, 100, 1, 1, "backfilled|revised"),
    ]


def test_a_hole_in_a_minute_marks_the_five_minutes_and_overlapping_holes_count() -> None:
    bars = fresh(1)
    events = [
        trade(0, 1, 0.0), trade(0, 5, 10.0), mark(Kind.GAP, 0, 0.0, 10.0),
        trade(0, 9, 20.0), mark(Kind.GAP, 0, 10.0, 20.0), mark(Kind.TICK, 0, 400.0),
    ]  # fmt: skip
    candles, _ = bars.scan(Events.from_rows(events))
    assert rows_of(candles, 300)[0][4] == "partial|gap"
    candles, _ = bars.scan(Events.from_rows([mark(Kind.HEAL, 0, 0.0, 10.0)]))
    assert len(candles) == 0  # One of their holes is still open: nothing changed.
    candles, _ = bars.scan(Events.from_rows([mark(Kind.HEAL, 0, 10.0, 20.0)]))
    assert [row[4] for row in rows_of(candles, 300)] == ["partial|backfilled|revised"]


def test_more_holes_than_are_remembered_still_mark_every_bar() -> None:
    bars = fresh(1, lateness_s=3600.0)
    events = [trade(0, 1, 0.0)]
    for k in range(1, 41):
        events += [trade(0, 10 * k, 60.0 * k), mark(Kind.GAP, 0, 60.0 * k - 60, 60.0 * k)]
    rows = worlds.table([bars.scan(Events.from_rows([*events, mark(Kind.TICK, 0, 3000.0)]))[0]])
    flagged = [row["coverage"] & Coverage.GAP for key, row in rows.items() if key[1] == 60]
    assert [bool(flag) for flag in flagged[:41]] == [True] * 41


def test_history_runs_on_its_own_clock_until_it_is_released() -> None:
    """Two symbols restart after an hour: neither's history is late because of the other's."""
    bars = fresh(2)
    bars.scan(Events.from_rows([trade(0, 1, 0.0), trade(1, 1, 0.0)]))
    events = [mark(Kind.HOLD, 0, 0), mark(Kind.HOLD, 1, 0)]
    events += [trade(0, i + 2, 60.0 * i + 50.0) for i in range(60)] + [mark(Kind.RELEASE, 0, 0)]
    events += [trade(1, i + 2, 60.0 * i + 51.0) for i in range(60)] + [mark(Kind.RELEASE, 1, 0)]
    candles, late = bars.scan(Events.from_rows(events))
    assert len(late) == 0
    for series in (0, 1):
        mine = rows_of(candles.take(candles.series == series))
        assert [row[2:] for row in mine[1:]] == [(1, 0, "complete")] * 59


def test_old_trades_of_a_new_series_are_not_late() -> None:
    """A snapshot of a quiet symbol's last trades comes when its venue's clock is hours ahead."""
    bars = fresh(2)
    bars.scan(Events.from_rows([trade(0, 1, 7200.0)]))
    old = [trade(1, i, 60.0 * i) for i in range(1, 5)]
    candles, late = bars.scan(Events.from_rows([*old, trade(0, 2, 7600.0)]))
    assert len(late) == 0
    mine = rows_of(candles.take(candles.series == 1))
    assert [row[2] for row in mine[:4]] == [1, 1, 1, 1]


def test_a_long_silence_is_not_filled() -> None:
    bars = fresh(1, empty_bars_max=10)
    candles, _ = bars.scan(Events.from_rows([trade(0, 1, 0.0), trade(0, 2, 7200.0)]))
    assert [(row[0], row[4]) for row in rows_of(candles)] == [(0, "partial")]
    candles, _ = bars.scan(Events.from_rows([mark(Kind.TICK, 0, 7300.0)]))
    assert [(row[0], row[4]) for row in rows_of(candles)] == [(120, "partial")]


def test_preview_shows_every_open_bar_and_touches_nothing() -> None:
    bars = fresh(1)
    bars.scan(Events.from_rows([trade(0, 1, 0.0), trade(0, 2, 39.0, 110), trade(0, 3, 41.0, 90)]))
    before = bars.save(0)
    open_bars = bars.preview([0])
    assert bars.save(0) == before
    assert rows_of(open_bars) == [(0, 110, 2, 0, "partial"), (1, 90, 1, 0, "complete")]
    assert [row[1:3] for row in rows_of(open_bars, 300)] == [(90, 3)]
    assert set(open_bars.final.tolist()) == {0}


def test_preview_at_the_end_equals_the_bar_that_closes() -> None:
    events = worlds.stream(2, 500, series=1, seconds=300.0)
    bars = fresh(1)
    for at in range(0, 500, 7):
        bars.scan(events.take(slice(at, at + 7)))
    seen = {(r["interval_s"], r["open_ns"]): r for r in bars.preview([0]).records()}
    final = bars.scan(Events.from_rows([mark(Kind.TICK, 0, 3000.0)]))[0].records()
    for row in final:
        if (row["interval_s"], row["open_ns"]) in seen:
            was = seen[row["interval_s"], row["open_ns"]]
            assert [was[n] for n in was.dtype.names if n != "final"] == [
                row[n] for n in row.dtype.names if n != "final"
            ]
    assert seen


def test_a_full_output_is_continued_where_it_stopped() -> None:
    """A jump of the clock closes thousands of bars at once."""
    bars = fresh(3, intervals_s=[1, 5], empty_bars_max=5000)
    first = Events.from_rows([trade(s, 1, 0.0) for s in range(3)])
    candles, _ = bars.scan(Events.concat([first, Events.from_rows([trade(0, 2, 4000.0)])]))
    counts = {s: int(((candles.series == s) & (candles.interval_s == 1)).sum()) for s in range(3)}
    assert counts == {0: 3998, 1: 3998, 2: 3998}


def test_quote_volume_is_exact_past_64_bits() -> None:
    bars = fresh(1)
    size = 9 * 10**17
    events = [(0, 1, i, worlds.START_NS + i, 0, 9 * 10**17, size) for i in range(1, 10)]
    bars.scan(Events.from_rows(events))
    row = worlds.table([bars.scan(Events.from_rows([mark(Kind.TICK, 0, 100.0)]))[0]])
    assert row[0, 60, worlds.START_NS - 20 * NS_PER_S]["quote"] == 9 * 9 * 10**17 * size


def test_a_volume_that_does_not_fit_stops_with_a_reason() -> None:
    bars = fresh(1)
    events = [(0, 1, i, worlds.START_NS + i, 0, 10, 2**62) for i in range(1, 4)]
    with pytest.raises(UsageError, match=r"A0/USDT.*does not fit"):
        bars.scan(Events.from_rows([*events, mark(Kind.TICK, 0, 100.0)]))


def test_a_snapshot_of_other_rules_is_refused() -> None:
    bars = fresh(1)
    bars.scan(Events.from_rows([trade(0, 1, 0.0)]))
    with pytest.raises(VersionError, match=r"candles.bars: snapshot is with parameters"):
        fresh(1, lateness_s=60.0).load(0, bars.save(0))


@pytest.mark.parametrize("bad", [[], [0], [86_401], [-60]])
def test_intervals_out_of_range_are_refused(bad: list[int]) -> None:
    with pytest.raises(UsageError, match="expected 1 to 86,400"):
        Bars(worlds.instruments(1), bad)


def broken_by_arrival(events: Events) -> Events:
    """A fold that trusted arrival order: ids renumbered as they come."""
    return Events(**{**events.as_dict(), "id": np.arange(len(events), dtype=np.int64)})


def broken_by_dropping(events: Events) -> Events:
    return events.take(slice(0, len(events) - 1))


@pytest.mark.parametrize("broken", [broken_by_arrival, broken_by_dropping])
def test_the_twin_comparison_fails_on_a_broken_fold(broken: Callable[[Events], Events]) -> None:
    events = worlds.stream(1, 3000, shuffle_s=200.0)
    tail = Events.from_rows([(0, 1, 10**6, int(events.at_ns.max()), 0, 77, 5)])
    tick = Events.from_rows([mark(Kind.TICK, 0, 10**6)])
    whole = Events.concat([events, tail])
    want = expected(Events.concat([whole, tick]), [60], 2.0)
    bars = fresh(intervals_s=[60], empty_bars_max=10**6)
    rows = worlds.table(run(Events.concat([broken(whole), tick]), [], bars))
    assert worlds.values_only(rows) != want
