"""The volatility rule: against its definition, on flat and wild series, and on real minutes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.anomalies.volatility_move import DEFAULTS, SIGMA_MIN
from candlewick.anomalies.watch import KINDS, SEVERITIES, Watch
from candlewick.errors import UsageError
from candlewick.model.columns import Anomalies, Candles
from candlewick.model.instruments import Instruments

Market = Callable[[int], Instruments]
Minutes = Callable[..., Candles]
HOUR_NS = 3_600 * 10**9
SMALL = {
    "volatility_half_life_bars": 4.0,
    "volatility_warmup_bars": 5.0,
    "volatility_move_min_pct": 0.2,
}


def of_volatility(alerts: Anomalies) -> Anomalies:
    return alerts.take(np.array([KINDS[k].startswith("VOLATILITY") for k in alerts.kind], bool))


def told(alerts: Anomalies) -> list[tuple[int, str, str]]:
    return [
        (int(r["open_ns"]) // (60 * 10**9), KINDS[r["kind"]], SEVERITIES[r["severity"]])
        for r in of_volatility(alerts).records()
    ]


def twin(settings_: dict[str, float], moves: list[tuple[int, int]]) -> list[tuple[int, float]]:
    """The definition over (close after an open of 10,000, trades) minutes in order."""
    rule = {**DEFAULTS, **settings_}
    fade = 1 - 0.5 ** (1 / rule["volatility_half_life_bars"])
    limit, warmup = rule["volatility_low"], rule["volatility_warmup_bars"]
    seen, variance, alerts = 0, 0.0, []
    for minute, (close, trades) in enumerate(moves):
        if trades < rule["volatility_trades_min"]:
            continue
        size, sigma = abs(math.log(close / 10_000)), max(math.sqrt(variance), SIGMA_MIN)
        if seen >= warmup:
            enough = size >= math.log1p(rule["volatility_move_min_pct"] / 100)
            if enough and size / sigma >= limit:
                alerts.append((minute, size / sigma))
            size = min(size, limit * sigma)
        seen += 1
        variance += max(1 / seen, fade) * (size**2 - variance)
    return alerts


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(9_990, 10_010), st.sampled_from([9_000, 9_960, 10_300])),
            st.sampled_from([0, 4, 5, 90]),
        ),
        max_size=60,
    )
)
def test_equal_to_the_slow_twin(
    market: Market, minutes: Minutes, moves: list[tuple[int, int]]
) -> None:
    candles = Candles.concat(
        [Candles.empty()]
        + [minutes([(0, m, 10_000, c)], trades=n) for m, (c, n) in enumerate(moves)]
        + [Candles.empty()]
    )
    alerts = of_volatility(Watch(market(1), SMALL).scan(candles))
    expected = twin(SMALL, moves)
    assert (alerts.open_ns // (60 * 10**9)).tolist() == [minute for minute, _ in expected]
    assert alerts.value.tolist() == pytest.approx([value for _, value in expected], rel=1e-12)


def calm(count: int, first: int = 0) -> list[tuple[int, int, int, int]]:
    """Minutes of plus and minus 0.1 %."""
    return [(0, first + n, 10_000, 10_000 + (10 if n % 2 else -10)) for n in range(count)]


def test_a_worked_case(market: Market, minutes: Minutes) -> None:
    """Ten minutes of 0.1 % make a sigma of 0.1 %: 0.9 % is nine of them, -1.3 % is thirteen."""
    for close, expected in ((10_090, ("SPIKE", "LOW")), (9_870, ("DROP", "MEDIUM"))):
        alerts = Watch(market(1), SMALL).scan(minutes([*calm(10), (0, 10, 10_000, close)]))
        assert told(alerts) == [(10, f"VOLATILITY_{expected[0]}", expected[1])]
        assert alerts.value[0] == pytest.approx(abs(math.log(close / 10_000)) / 0.001, rel=1e-3)
        assert alerts.limit[0] == {"LOW": 8.0, "MEDIUM": 12.0}[expected[1]]


def test_a_candle_is_judged_before_it_is_folded_in(market: Market, minutes: Minutes) -> None:
    """Folded in first, no candle could pass a high limit: it would raise its own measure."""
    alerts = Watch(market(1), SMALL).scan(minutes([*calm(10), (0, 10, 10_000, 12_000)]))
    assert told(alerts) == [(10, "VOLATILITY_SPIKE", "HIGH")]


def test_no_alert_while_warming_up_with_few_trades_or_of_a_small_move(
    market: Market, minutes: Minutes
) -> None:
    wild = [(0, 4, 10_000, 12_000)]
    assert told(Watch(market(1), SMALL).scan(minutes([*calm(4), *wild]))) == []
    warm = Watch(market(1), SMALL)
    warm.scan(minutes(calm(10)))
    assert told(warm.scan(minutes([(0, 10, 10_000, 12_000)], trades=4))) == []
    assert told(warm.scan(minutes([(0, 11, 10_000, 12_000)], trades=5))) != []
    flat = Watch(market(1), SMALL)
    flat.scan(minutes([(0, n, 10_000, 10_000) for n in range(20)]))
    assert told(flat.scan(minutes([(0, 20, 10_000, 10_019)]))) == []


def test_a_flat_series_divides_by_no_zero(market: Market, minutes: Minutes) -> None:
    flat = Watch(market(1), SMALL)
    flat.scan(minutes([(0, n, 10_000, 10_000) for n in range(20)]))
    alerts = of_volatility(flat.scan(minutes([(0, 20, 10_000, 10_050)])))
    assert alerts.value[0] == pytest.approx(math.log(1.005) / SIGMA_MIN, rel=1e-12)


def test_one_crash_does_not_blind_the_rule(market: Market, minutes: Minutes) -> None:
    """Ten calm minutes after a fall of 20 % a jump of 2 % is seen; folded in whole it would not be:
    at a half-life of 60 the crash alone would leave a sigma of 2 %."""
    rule = {**SMALL, "volatility_half_life_bars": 60.0}
    watch = Watch(market(1), rule)
    crash = [*calm(30), (0, 30, 10_000, 8_000), *calm(10, 31), (0, 41, 10_000, 10_200)]
    assert [row[0] for row in told(watch.scan(minutes(crash)))] == [30, 41]


def test_a_lasting_change_of_regime_is_learned(market: Market, minutes: Minutes) -> None:
    """By hand, in per cent: sigma is 0.1, then 0.17 and 0.30; 2 is less than eight times that."""
    stormy = [(0, 30 + n, 10_000, 10_000 + (200 if n % 2 else -200)) for n in range(40)]
    alerts = told(Watch(market(1), {**SMALL, "volatility_half_life_bars": 60.0}).scan(
        minutes([*calm(30), *stormy])
    ))  # fmt: skip
    assert [row[0] for row in alerts] == [30, 31]


@settings(max_examples=150, deadline=None)
@given(
    closes=st.lists(st.integers(9_800, 10_200), min_size=1, max_size=40),
    wrong=st.lists(st.tuples(st.integers(1, 15), st.integers(9_000, 11_000)), max_size=5),
)
def test_revisions_leave_the_state_of_a_tape_without_them(
    market: Market, minutes: Minutes, closes: list[int], wrong: list[tuple[int, int]]
) -> None:
    """A candle first seen wrong, then revised to the truth, is folded once: rolled back and on."""
    rule = {**SMALL, "low_pct": 90.0, "medium_pct": 91.0, "high_pct": 92.0, "volatility_low": 1e6,
            "volatility_medium": 2e6, "volatility_high": 3e6}  # fmt: skip
    truth = [(0, n, 10_000, close) for n, close in enumerate(closes)]
    plain, revised = Watch(market(1), rule), Watch(market(1), rule)
    plain.scan(minutes(truth))
    errors = {len(truth) - back: close for back, close in wrong if back <= len(truth)}
    revised.scan(minutes([(0, n, o, errors.get(n, c)) for _, n, o, c in truth]))
    revised.scan(minutes([truth[n] for n in errors], revision=1))
    assert revised.save(0) == plain.save(0)


def test_a_candle_born_late_is_folded_in_its_place(market: Market, minutes: Minutes) -> None:
    rows = calm(20)
    plain, late = Watch(market(1), SMALL), Watch(market(1), SMALL)
    plain.scan(minutes(rows))
    late.scan(minutes([*rows[:12], *rows[15:]]))
    late.scan(minutes([rows[13], rows[12], rows[14]]))
    assert late.save(0) == plain.save(0)


def test_a_revision_is_judged_against_the_state_before_it(market: Market, minutes: Minutes) -> None:
    """Later storms do not excuse it."""
    storm = [(0, 11 + n, 10_000, 10_300) for n in range(4)]
    watch = Watch(market(1), SMALL)
    watch.scan(minutes([*calm(11), *storm]))
    late = watch.scan(minutes([(0, 10, 10_000, 10_090)], revision=1))
    assert told(late) == [(10, "VOLATILITY_SPIKE", "LOW")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"volatility_low": 12.0},
        {"volatility_low": 1.0},
        {"volatility_half_life_bars": 0.0},
        {"volatility_warmup_bars": 0.0},
        {"volatility_trades_min": 0.0},
        {"volatility_move_min_pct": -1.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(market: Market, wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        Watch(market(1), wrong)


def test_the_reason_in_words(market: Market, minutes: Minutes) -> None:
    watch = Watch(market(1), SMALL)
    alerts = watch.scan(minutes([*calm(10), (0, 10, 10_000, 9_870)]))
    assert watch.reason(alerts.records()[0], market(1)[0]) == (
        "BTC/USDT fell 1.30 % in the minute from 00:10Z, 13.09 times its usual move, limit 12"
    )


@pytest.mark.parametrize(
    ("year", "month", "alerts", "days_max", "events"),
    [
        (2018, 4, 70, 8, ["April 2018 short squeeze"]),
        (2020, 2, 15, 4, []),
        (2020, 3, 41, 7, ["March 2020 crash"]),
    ],
)
def test_on_real_minutes_the_defaults_are_quiet_and_see_the_known_events(
    market: Market, bitmex: Callable[[int, int], Candles], shared_data: Path,
    year: int, month: int, alerts: int, days_max: int, events: list[str],
) -> None:  # fmt: skip
    """The number of alerts in the month, the most on one day, and an alert within the hour of each
    named hour-long move of that month whose minutes stand out."""
    found = of_volatility(Watch(market(1), {}).scan(bitmex(year, month)))
    days = found.open_ns // (24 * HOUR_NS)
    a_day = np.bincount(days - days[0])
    assert (len(found), int(a_day.max())) == (alerts, days_max)
    moves = json.loads((shared_data / "bitmex_data" / "known_events_xbtusd.json").read_text())
    seen = []
    for move in moves["moves"]:
        if move["window_minutes"] == 60 and move.get("event") in events:
            end_ns = int(datetime.fromisoformat(move["bin_end"]).timestamp()) * 10**9
            inside = (found.open_ns >= end_ns - HOUR_NS) & (found.open_ns < end_ns)
            falls = "VOLATILITY_DROP" if move["change_pct"] < 0 else "VOLATILITY_SPIKE"
            if falls in {KINDS[kind] for kind in found.kind[inside]}:
                seen.append(move["event"])
    assert seen == events
