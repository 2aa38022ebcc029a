"""The fixed rule: over 5 % LOW, from 7 % MEDIUM, from 10 % HIGH, to the last unit."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.anomalies.watch import KINDS, SEVERITIES, Watch
from candlewick.errors import UsageError
from candlewick.model.columns import Anomalies, Candles
from candlewick.model.instruments import Instrument, Instruments

Market = Callable[[int], Instruments]
Minutes = Callable[..., Candles]
INT64_MAX = 2**63 - 1


def told(alerts: Anomalies) -> list[tuple[int, str, str]]:
    return [
        (int(r["series"]), KINDS[r["kind"]], SEVERITIES[r["severity"]]) for r in alerts.records()
    ]


@pytest.mark.parametrize(
    ("open_", "close", "expected"),
    [
        (10_000, 10_600, ("PRICE_SPIKE", "LOW")),
        (10_000, 9_200, ("PRICE_DROP", "MEDIUM")),
        (10_000, 11_200, ("PRICE_SPIKE", "HIGH")),
        (10_000, 10_500, None),
        (10_000, 9_500, None),
        (10_000, 10_501, ("PRICE_SPIKE", "LOW")),
        (10_000, 9_499, ("PRICE_DROP", "LOW")),
        (10_000, 10_699, ("PRICE_SPIKE", "LOW")),
        (10_000, 10_700, ("PRICE_SPIKE", "MEDIUM")),
        (10_000, 9_300, ("PRICE_DROP", "MEDIUM")),
        (10_000, 10_999, ("PRICE_SPIKE", "MEDIUM")),
        (10_000, 11_000, ("PRICE_SPIKE", "HIGH")),
        (10_000, 9_000, ("PRICE_DROP", "HIGH")),
        (1, 1, None),
        (1, INT64_MAX, ("PRICE_SPIKE", "HIGH")),
        (INT64_MAX, 1, ("PRICE_DROP", "HIGH")),
        (INT64_MAX // 20 * 20, INT64_MAX // 20 * 19, None),
        (INT64_MAX // 20 * 20, INT64_MAX // 20 * 19 - 1, ("PRICE_DROP", "LOW")),
    ],
)
def test_a_minute_is_judged_exactly(
    market: Market, minutes: Minutes, open_: int, close: int, expected: tuple[str, str] | None
) -> None:
    alerts = Watch(market(1), {}).scan(minutes([(0, 1, open_, close)]))
    assert told(alerts) == ([(0, *expected)] if expected else [])


@settings(max_examples=300, deadline=None)
@given(
    open_=st.one_of(st.integers(1, 10**6), st.integers(1, INT64_MAX)),
    share=st.sampled_from([-10, -7, -5, 5, 7, 10, 0, 300]),
    nudge=st.integers(-2, 2),
)
def test_equal_to_the_definition_in_fractions(
    market: Market, minutes: Minutes, open_: int, share: int, nudge: int
) -> None:
    """Closes within two units of each limit, of every size of price."""
    close = min(max(open_ + open_ * share // 100 + nudge, 1), INT64_MAX)
    move = abs(Fraction(close, open_) - 1) * 100
    severity = (move > 5) + (move >= 7) + (move >= 10)
    alerts = Watch(market(1), {}).scan(minutes([(0, 1, open_, close)]))
    assert alerts.severity.tolist() == ([severity] if severity else [])
    if severity:
        assert KINDS[alerts.kind[0]] == ("PRICE_SPIKE" if close > open_ else "PRICE_DROP")
        assert alerts.value[0] == pytest.approx(float(move), rel=1e-14)
        assert alerts.limit[0] == (5.0, 7.0, 10.0)[severity - 1]
        assert (alerts.open[0], alerts.close[0]) == (open_, close)


def test_limits_are_settings(market: Market, minutes: Minutes) -> None:
    watch = Watch(market(1), {"low_pct": 0.0001, "medium_pct": 0.5, "high_pct": 250})
    candles = minutes([(0, 1, 10**6, 10**6 + 1), (0, 2, 10**6, 10**6 + 2), (0, 3, 100, 351)])
    assert told(watch.scan(candles)) == [(0, "PRICE_SPIKE", "LOW"), (0, "PRICE_SPIKE", "HIGH")]


@pytest.mark.parametrize(
    "wrong",
    [{"low_pct": 7.0}, {"low_pct": 0}, {"high_pct": 10**6}, {"low_pct": 0.00001}],
)
def test_limits_that_make_no_sense_are_refused(market: Market, wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        Watch(market(1), wrong)


def test_the_reason_in_words(market: Market, minutes: Minutes) -> None:
    watch = Watch(market(1), {})
    bitcoin: Instrument = market(1)[0]
    candles = minutes([(0, 754, 10_000, 10_612), (0, 755, 100_000, 92_999), (0, 756, 1, 1)])
    assert [watch.reason(row, bitcoin) for row in watch.scan(candles).records()] == [
        "BTC/USDT rose 6.12 % in the minute from 12:34Z, limit 5 %",
        "BTC/USDT fell 7.001 % in the minute from 12:35Z, limit 7 %",
    ]
    watch = Watch(market(1), {"interval_s": 30})
    rows = watch.scan(minutes([(0, 1, 100, 106)], interval_s=30)).records()
    assert watch.reason(rows[0], bitcoin) == (
        "BTC/USDT rose 6.00 % in the 30s from 00:00:30Z, limit 5 %"
    )
