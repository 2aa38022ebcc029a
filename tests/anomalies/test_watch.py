"""Each alert once for a series, a window and a kind: across revisions, replays, cuts, restarts."""

from __future__ import annotations

import doctest
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.anomalies import watch as module
from candlewick.anomalies.watch import DEFAULTS, KINDS, RULES, WINDOWS_KEPT_MIN, Watch
from candlewick.errors import UsageError, VersionError
from candlewick.model.columns import Anomalies, Candles
from candlewick.model.instruments import Instrument, Instruments

Market = Callable[[int], Instruments]
Minutes = Callable[..., Candles]
# Few warm-up bars and tight limits, so that random candles reach every branch.
EAGER = {
    "volatility_low": 1.5,
    "volatility_medium": 2.5,
    "volatility_high": 4.0,
    "volatility_half_life_bars": 3.0,
    "volatility_warmup_bars": 2.0,
    "volatility_trades_min": 2.0,
    "volatility_move_min_pct": 0.1,
}


def restarted(watch: Watch, instruments: Instruments, settings: dict[str, float]) -> Watch:
    again = Watch(instruments, settings)
    for series in range(len(instruments)):
        again.load(series, watch.save(series))
    return again


def keys(alerts: Anomalies) -> list[tuple[int, int, str]]:
    return [(int(r["series"]), int(r["open_ns"]), KINDS[r["kind"]]) for r in alerts.records()]


def test_the_rules_are_found_by_their_files() -> None:
    assert list(RULES) == ["fixed_move", "volatility_move"]
    assert KINDS == ("PRICE_SPIKE", "PRICE_DROP", "VOLATILITY_SPIKE", "VOLATILITY_DROP")


def test_the_same_window_five_times_is_one_alert(market: Market, minutes: Minutes) -> None:
    watch = Watch(market(1), {})
    again = [len(watch.scan(minutes([(0, 7, 100, 106)]))) for _ in range(5)]
    assert again == [1, 0, 0, 0, 0]
    assert len(Watch(market(1), {}).scan(minutes([(0, 7, 100, 106)] * 5))) == 1


def test_a_late_revision_after_a_restart_is_still_one_alert(
    market: Market, minutes: Minutes
) -> None:
    watch = Watch(market(1), {})
    assert keys(watch.scan(minutes([(0, 7, 100, 106)]))) == [(0, 7 * 60 * 10**9, "PRICE_SPIKE")]
    watch = restarted(watch, market(1), {})
    revised = minutes([(0, 8, 106, 106), (0, 7, 100, 112)], revision=1)
    assert len(watch.scan(revised)) == 0, "severity rose from LOW to HIGH, the alert is the same"


def test_a_revision_that_passes_for_the_first_time_alerts(market: Market, minutes: Minutes) -> None:
    watch = Watch(market(1), {})
    assert len(watch.scan(minutes([(0, 7, 100, 104), (0, 8, 104, 104)]))) == 0
    assert len(watch.scan(minutes([(0, 7, 100, 106)], revision=1))) == 1
    assert len(watch.scan(minutes([(0, 7, 100, 107)], revision=2))) == 0
    fell = watch.scan(minutes([(0, 7, 100, 92)], revision=3))
    assert keys(fell) == [(0, 7 * 60 * 10**9, "PRICE_DROP")], "another kind is another alert"


def test_only_final_candles_of_the_interval_are_judged(market: Market, minutes: Minutes) -> None:
    watch = Watch(market(1), {})
    assert len(watch.scan(minutes([(0, 7, 100, 120)], final=0))) == 0
    assert len(watch.scan(minutes([(0, 7, 100, 120)], interval_s=300))) == 0
    assert watch.touched == set()
    assert len(watch.scan(minutes([(0, 7, 100, 120)]))) == 1
    five = Watch(market(1), {"interval_s": 300})
    assert len(five.scan(minutes([(0, 7, 100, 120)]))) == 0
    assert len(five.scan(minutes([(0, 7, 100, 120)], interval_s=300))) == 1


def test_a_window_beyond_the_memory_is_not_judged_and_one_inside_is(
    market: Market, minutes: Minutes
) -> None:
    for back, expected in ((WINDOWS_KEPT_MIN - 1, 1), (WINDOWS_KEPT_MIN, 0)):
        watch = Watch(market(1), {})
        watch.scan(minutes([(0, 100, 100, 100)]))
        assert len(watch.scan(minutes([(0, 100 - back, 100, 120)]))) == expected


def test_the_memory_reaches_past_the_lateness(market: Market) -> None:
    assert Watch(market(1), {}).windows_kept == WINDOWS_KEPT_MIN
    second = Watch(market(1), {"interval_s": 1, "lateness_s": 300})
    assert second.windows_kept > 302


def test_series_do_not_leak_into_each_other(market: Market, minutes: Minutes) -> None:
    watch = Watch(market(3), {})
    alerts = watch.scan(minutes([(0, 7, 100, 106), (2, 7, 100, 106), (1, 7, 100, 101)]))
    assert [key[0] for key in keys(alerts)] == [0, 2]
    assert watch.touched == {0, 1, 2}


def shuffled(rows: list[tuple[int, int, int, int]]) -> Iterator[tuple[int, int, int, int, int]]:
    """(series, minute, open, close, trades) from steps: minutes that repeat, skip and go back."""
    minute = 40
    for series, step, move, trades in rows:
        minute = max(0, minute + step)
        yield series, minute, 10_000, 10_000 + move, trades


STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([1, 1, 1, 1, 0, 2, -1, -3, -20, 5, 40]),
        st.one_of(st.integers(-60, 60), st.sampled_from([-1_200, -600, 501, 700, 1_500])),
        st.sampled_from([0, 1, 2, 50]),
    ),
    max_size=80,
)


def candles_of(rows: list[tuple[int, int, int, int]], minutes: Minutes) -> Candles:
    parts = [minutes([row[:4]], trades=row[4]) for row in shuffled(rows)]
    return Candles.concat([Candles.empty(), Candles.empty(), *parts])


@settings(max_examples=200, deadline=None)
@given(rows=STEPS, cuts=st.lists(st.tuples(st.integers(0, 80), st.booleans()), max_size=6))
def test_alerts_and_state_do_not_depend_on_cuts_and_restarts(
    market: Market, minutes: Minutes, rows: list[tuple[int, int, int, int]],
    cuts: list[tuple[int, bool]],
) -> None:  # fmt: skip
    """Split and restart law, and every key at most once."""
    instruments, candles = market(2), candles_of(rows, minutes)
    whole, pieces = Watch(instruments, EAGER), Watch(instruments, EAGER)
    alerts = whole.scan(candles)
    edges = [(0, False), *sorted((min(c, len(candles)), r) for c, r in cuts), (len(candles), False)]
    parts = []
    for (a, restart), (b, _) in pairwise(edges):
        pieces = restarted(pieces, instruments, EAGER) if restart else pieces
        parts.append(pieces.scan(candles.take(slice(a, b))))
    assert Anomalies.concat(parts).same_as(alerts)
    assert [pieces.save(s) for s in (0, 1)] == [whole.save(s) for s in (0, 1)]
    assert len(set(keys(alerts))) == len(alerts)


@settings(max_examples=100, deadline=None)
@given(rows=STEPS, times=st.integers(1, 3))
def test_replaying_a_tape_adds_no_alert_that_was_given(
    market: Market, minutes: Minutes, rows: list[tuple[int, int, int, int]], times: int
) -> None:
    watch, candles = Watch(market(2), EAGER), candles_of(rows, minutes)
    given = [key for _ in range(times + 1) for key in keys(watch.scan(candles))]
    assert len(set(given)) == len(given)


def test_the_random_candles_above_do_alert_by_every_kind(market: Market, minutes: Minutes) -> None:
    """Otherwise the two laws above would prove nothing."""
    generator = np.random.default_rng(3)
    rows = [(0, 1, int(move), 50) for move in generator.choice([-1_200, -30, -9, 9, 30, 700], 60)]
    alerts = Watch(market(2), EAGER).scan(candles_of(rows, minutes))
    assert {key[2] for key in keys(alerts)} == set(KINDS)


def test_settings_are_refused_with_the_nearest_known_one(market: Market) -> None:
    with pytest.raises(UsageError, match="'lowpct'; did you mean 'low_pct'"):
        Watch(market(1), {"lowpct": 3.0})
    with pytest.raises(UsageError, match="interval_s from 1"):
        Watch(market(1), {"interval_s": 0})


@pytest.mark.parametrize("name", ["low_pct", "volatility_low", "lateness_s", "interval_s"])
def test_a_snapshot_of_other_settings_is_refused(market: Market, name: str) -> None:
    blob = Watch(market(1), {}).save(0)
    with pytest.raises(VersionError, match="with parameters"):
        Watch(market(1), {name: DEFAULTS[name] + 1}).load(0, blob)


def test_a_series_declared_later_gets_a_state_of_its_own(market: Market, minutes: Minutes) -> None:
    instruments = market(1)
    watch = Watch(instruments, {})
    watch.scan(minutes([(0, 7, 100, 106)]))
    for number in range(9):
        instruments.declare(Instrument("kraken", f"D{number}/EUR", f"D{number}/EUR", 2, 8))
    alerts = watch.scan(minutes([(9, 7, 100, 106), (0, 7, 100, 106)]))
    assert [key[0] for key in keys(alerts)] == [9]
    assert restarted(watch, instruments, {}).save(0) == watch.save(0)


def test_the_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
