"""`tick_sma` crosses exactly where it should, whatever the prices, cuts and restarts."""

from __future__ import annotations

import doctest
import math
from collections import deque
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.errors import UsageError, VersionError
from candlewick.model.columns import Signals, Trades
from candlewick.model.instruments import Instrument, Instruments
from candlewick.signals import tick_sma
from candlewick.signals.tick_sma import PERIOD_MAX, RECOMMENDATIONS, TickSma, reason

INT64_MAX = 2**63 - 1


def market(*decimals: int) -> Instruments:
    instruments = Instruments()
    for number, places in enumerate(decimals or (2,)):
        instruments.declare(Instrument("binance", f"C{number}/USDT", f"C{number}USDT", places, 5))
    return instruments


def trades(rows: list[tuple[int, int, int]]) -> Trades:
    """From (series, id, price)."""
    return Trades.from_rows([(s, i, i * 1_000, 0, p, 1, 1) for s, i, p in rows])


def path(prices: list[int], series: int = 0, first_id: int = 1) -> Trades:
    return trades([(series, first_id + n, price) for n, price in enumerate(prices)])


def sides(signals: Signals) -> list[tuple[int, str]]:
    return [(int(r["id"]), RECOMMENDATIONS[int(r["side"])]) for r in signals.records()]


class Twin:
    """The definition, slowly: fractions over the last `period` prices."""

    def __init__(self, instruments: Instruments, period: int, band_steps: int) -> None:
        self.instruments, self.period = instruments, period
        self.band = Fraction(band_steps, 100_000)
        self.seen: dict[int, deque[int]] = {}
        self.last_id: dict[int, int] = {}
        self.side: dict[int, int] = {}

    def scan(self, batch: Trades) -> list[tuple[Any, ...]]:
        rows = []
        for t in batch.records():
            series, price = int(t["series"]), int(t["price"])
            if series in self.last_id and t["id"] <= self.last_id[series]:
                continue
            self.last_id[series] = int(t["id"])
            window = self.seen.setdefault(series, deque(maxlen=self.period))
            window.append(price)
            if len(window) < self.period:
                continue
            mean = Fraction(sum(window), self.period)
            side = (price > mean * (1 + self.band)) - (price < mean * (1 - self.band))
            if side and side != self.side.get(series, 0):
                self.side[series] = side
                scaled = mean / 10 ** self.instruments[series].price_decimals
                rows.append((series, int(t["id"]), side, price, float(scaled)))
        return rows


def test_a_scripted_path_crossing_sma_20_gives_exactly_the_expected_sequence() -> None:
    flat = [10_000] * 20
    inside = [10_004, 9_996]  # Within 0.05 %.
    up, down = [10_100], [9_900]
    still = [10_010, 10_008]  # The mean is 10,010 to 10,011 by then.
    script = flat + inside + up + [10_100] + still + down + [9_900] + up
    signals = TickSma(market()).scan(path(script))
    assert sides(signals) == [(23, "BUY"), (27, "SELL"), (29, "BUY")]


def test_there_is_no_signal_while_warming_up_and_none_without_a_trade() -> None:
    fold = TickSma(market())
    assert fold.latest(0) == (0, None, pytest.approx(math.nan, nan_ok=True), False)
    assert len(fold.scan(path([100 * n for n in range(1, 20)]))) == 0
    side, price, mean, warm = fold.latest(0)
    assert (RECOMMENDATIONS[side], price, warm) == ("HOLD", 1_900, False)
    assert math.isnan(mean)
    assert sides(fold.scan(path([2_000], first_id=20))) == [(20, "BUY")]


def test_the_mean_of_twenty_known_prices_is_their_mean_and_the_window_slides() -> None:
    fold = TickSma(market())
    fold.scan(path(list(range(101, 121))))
    assert fold.latest(0).mean == 1.105
    fold.scan(path([200], first_id=21))
    assert fold.latest(0).mean == (sum(range(102, 121)) + 200) / 20 / 100


def test_a_price_exactly_on_the_band_has_not_left_it() -> None:
    """Period 1 of band 0: the price is its mean; period 2: chosen so that the border is hit."""
    assert len(TickSma(market(), 1, 0.0).scan(path([5, 7, 3]))) == 0
    # 110 against a mean of 100 is exactly 10 % over it; 111 against 100.5 is more.
    assert len(TickSma(market(), 2, 10.0).scan(path([90, 110]))) == 0
    assert sides(TickSma(market(), 2, 10.0).scan(path([90, 111]))) == [(2, "BUY")]
    assert len(TickSma(market(), 2, 10.0).scan(path([110, 90]))) == 0
    assert sides(TickSma(market(), 2, 10.0).scan(path([110, 89]))) == [(2, "SELL")]


def test_two_series_do_not_mix_and_a_third_changes_nothing_for_them() -> None:
    generator = np.random.default_rng(5)
    rows = [(int(s), n, int(p)) for n, (s, p) in enumerate(generator.integers(
        [0, 9_000], [3, 11_000], (3_000, 2)
    ))]  # fmt: skip
    mixed = TickSma(market(2, 2, 2), 20, 0.5).scan(trades(rows))
    for series in range(3):
        alone = TickSma(market(2, 2, 2), 20, 0.5).scan(trades([r for r in rows if r[0] == series]))
        assert len(alone) > 50
        assert alone.same_as(mixed.take(mixed.series == series))


PRICES = st.one_of(
    st.integers(9_900, 10_100), st.integers(1, INT64_MAX), st.integers(INT64_MAX - 9, INT64_MAX)
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), PRICES), max_size=120),
    period=st.sampled_from([1, 2, 3, 7, 20]),
    band_steps=st.sampled_from([0, 1, 50, 1_000, 99_999]),
    cuts=st.lists(st.integers(0, 120), max_size=6),
)
def test_equal_to_the_slow_twin_however_the_trades_are_cut(
    rows: list[tuple[int, int, int]], period: int, band_steps: int, cuts: list[int]
) -> None:
    """Fast twin and split law: ids that stand still or step back are among the rows."""
    ids = np.cumsum([0, *(step - (step == 0) for _, step, _ in rows)]).tolist()
    batch = trades([(s, i, p) for (s, _, p), i in zip(rows, ids, strict=False)])
    whole, pieces = (TickSma(market(2, 8), period, band_steps / 1_000) for _ in range(2))
    signals = whole.scan(batch)
    edges = [0, *sorted(min(cut, len(batch)) for cut in cuts), len(batch)]
    parts = [pieces.scan(batch.take(slice(a, b))) for a, b in pairwise(edges)]
    assert Signals.concat(parts).same_as(signals)
    assert [pieces.save(s) for s in (0, 1)] == [whole.save(s) for s in (0, 1)]
    expected = Twin(market(2, 8), period, band_steps).scan(batch)
    got = [
        (int(r["series"]), int(r["id"]), int(r["side"]), int(r["price"])) for r in signals.records()
    ]
    assert got == [row[:4] for row in expected]
    assert signals.mean.tolist() == pytest.approx([row[4] for row in expected], rel=1e-15)


def test_the_longest_window_of_the_largest_prices_is_exact() -> None:
    fold = TickSma(market(0), PERIOD_MAX, 99.999)
    assert len(fold.scan(path([INT64_MAX] * PERIOD_MAX))) == 0
    assert fold.latest(0).mean == float(INT64_MAX)
    assert sides(fold.scan(path([1], first_id=PERIOD_MAX + 1))) == [(PERIOD_MAX + 1, "SELL")]


def test_a_replayed_tape_changes_nothing() -> None:
    fold = TickSma(market(), 3, 0.1)
    tape = path([100, 200, 300, 100, 50, 900])
    assert len(fold.scan(tape)) == 3
    before = fold.save(0)
    assert len(fold.scan(tape)) == 0
    assert fold.save(0) == before


def test_a_restart_in_the_middle_continues_to_the_last_bit() -> None:
    generator = np.random.default_rng(11)
    tape = path(generator.integers(9_900, 10_100, 400).tolist())
    whole = TickSma(market(), 20, 0.3)
    signals = whole.scan(tape)
    for cut in (0, 1, 19, 20, 21, 200, 400):
        first, second = TickSma(market(), 20, 0.3), TickSma(market(), 20, 0.3)
        head = first.scan(tape.take(slice(0, cut)))
        second.load(0, first.save(0))
        tail = second.scan(tape.take(slice(cut, None)))
        assert Signals.concat([head, tail]).same_as(signals)
        assert second.save(0) == whole.save(0)
        assert second.latest(0) == whole.latest(0)


@pytest.mark.parametrize(("period", "band_pct"), [(21, 0.05), (20, 0.06)])
def test_a_snapshot_of_other_parameters_is_refused(period: int, band_pct: float) -> None:
    blob = TickSma(market()).save(0)
    with pytest.raises(VersionError, match="with parameters"):
        TickSma(market(), period, band_pct).load(0, blob)


@pytest.mark.parametrize(
    ("period", "band_pct"),
    [(0, 0.05), (PERIOD_MAX + 1, 0.05), (20, -0.1), (20, 100.0), (20, 0.0005), (20, math.inf)],
)
def test_settings_out_of_range_are_refused(period: int, band_pct: float) -> None:
    with pytest.raises(UsageError, match="expected"):
        TickSma(market(), period, band_pct)


def test_a_series_declared_later_gets_a_state_of_its_own() -> None:
    instruments = market()
    fold = TickSma(instruments, 2, 0.1)
    fold.scan(path([100, 200]))
    instruments.declare(Instrument("kraken", "ETH/EUR", "ETH/EUR", 4, 8))
    assert not fold.latest(1).warm
    fold.scan(trades([(1, 1, 30_000), (1, 2, 10_000)]))
    assert fold.latest(0) == (1, 200, 1.5, True)
    assert fold.latest(1) == (-1, 10_000, 2.0, True)


def test_touched_names_the_series_whose_state_changed() -> None:
    fold = TickSma(market(2, 2, 2))
    fold.scan(trades([(2, 1, 5), (0, 1, 5)]))
    assert fold.touched == {0, 2}
    fold.touched.clear()
    fold.scan(Trades.empty())
    assert fold.touched == set()


def test_a_price_that_no_feed_may_give_stops_the_program() -> None:
    with pytest.raises(AssertionError, match="not above 0"):
        TickSma(market()).scan(path([0]))


@pytest.mark.parametrize(
    ("row", "decimals", "expected"),
    [
        ((1, 6_190_050, 61_862.1), 2,
         "price 61,900.50 is 0.06 % above tick_sma_20 61,862.10 (band 0.05 %)"),
        ((-1, 990, 0.0000100), 8,
         "price 0.0000099 is 1.00 % below tick_sma_20 0.0000100 (band 0.05 %)"),
        ((1, 61_900_500_001, 61_869.552726), 6,
         "price 61,900.500001 is 0.05002 % above tick_sma_20 61,869.552726 (band 0.05 %)"),
        ((1, 13, 12.0), 0, "price 13 is 8.33 % above tick_sma_20 12 (band 0.05 %)"),
    ],
)  # fmt: skip
def test_the_reason_says_price_distance_mean_and_band(
    row: tuple[int, int, float], decimals: int, expected: str
) -> None:
    side, price, mean = row
    instrument = Instrument("binance", "BTC/USDT", "BTCUSDT", decimals, 5)
    assert reason({"side": side, "price": price, "mean": mean, "band": 0.0005}, instrument) == (
        expected
    )


def test_a_row_of_a_batch_explains_itself() -> None:
    instruments = market()
    fold = TickSma(instruments, 2, 10.0)
    signals = fold.scan(path([90, 111]))
    assert fold.reason(signals.records()[0], instruments[0]) == (
        "price 1.11 is 10.45 % above tick_sma_2 1.00 (band 10 %)"
    )


def test_the_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(tick_sma)
    assert found.attempted > 0
    assert found.failed == 0
