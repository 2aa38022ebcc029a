"""A case worked by hand for every formula; and what each does where the numbers are nasty."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.indicators.columns import outputs, walk

NAN = np.nan
DAY_NS = 86_400 * 10**9


def check(found: object, *expected: float) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-14, equal_nan=True)


def test_sma_is_the_mean_of_the_last_three() -> None:
    check(outputs("sma_3", close=[1, 2, 6, 4, 8])["sma"], NAN, NAN, 3, 4, 6)


def test_ema_starts_with_the_mean_of_three_then_goes_half_way() -> None:
    check(outputs("ema_3", close=[1, 2, 6, 4, 8])["ema"], NAN, NAN, 3, 3.5, 5.75)


def test_rsi_of_two() -> None:
    """Changes +2 -1 +3: means 1 and 0.5, then 2 and 0.25."""
    check(outputs("rsi_2", close=[10, 12, 11, 14])["rsi"], NAN, NAN, 200 / 3, 800 / 9)


def test_rsi_is_100_where_all_rose_0_where_all_fell_50_where_nothing_moved() -> None:
    check(outputs("rsi_2", close=[1, 2, 3])["rsi"], NAN, NAN, 100)
    check(outputs("rsi_2", close=[3, 2, 1])["rsi"], NAN, NAN, 0)
    check(outputs("rsi_2", close=[2, 2, 2])["rsi"], NAN, NAN, 50)


def test_macd_of_1_2_2_has_its_seeds_where_talib_has_them() -> None:
    """Fast is the close itself; slow is (4 + 8) / 2 = 6, then 6 + (9 - 6) * 2/3 = 8, then 4."""
    found = outputs("macd_1_2_2", close=[4, 8, 9, 2])
    check(found["macd"], NAN, NAN, 1, -2)
    check(found["signal"], NAN, NAN, 1.5, -2 * 2 / 3 + 1.5 / 3)
    check(found["histogram"], NAN, NAN, -0.5, -2 - (-2 * 2 / 3 + 1.5 / 3))


def test_bollinger_of_eight_with_a_whole_deviation() -> None:
    """The textbook's 2 4 4 4 5 5 7 9: mean 5, population deviation 2."""
    found = outputs("bollinger_8_2", close=[2, 4, 4, 4, 5, 5, 7, 9])
    assert [found[name][-1] for name in ("bollinger", "upper", "lower")] == [5, 9, 1]
    assert np.isnan(found["upper"][:-1]).all()


def test_atr_counts_the_gap_between_bars() -> None:
    """True ranges 5 (up from 10), 7 (down from 15), 2; means (5 + 7) / 2, then (6 + 2) / 2."""
    found = outputs("atr_2", high=[11, 15, 10, 9], low=[9, 13, 8, 7], close=[10, 15, 9, 8])
    check(found["atr"], NAN, NAN, 6, 4)


def test_obv_adds_on_rising_subtracts_on_falling_keeps_on_equal_closes() -> None:
    found = outputs("obv", close=[5, 6, 6, 4], volume=[10, 3, 7, 2])
    check(found["obv"], 10, 13, 13, 11)


def test_vwap_begins_anew_with_the_utc_day() -> None:
    """Typical prices 2 and 5 with volumes 1 and 2: 12 / 3; the next day is alone."""
    columns = {
        "open_ns": [DAY_NS - 120 * 10**9, DAY_NS - 1, DAY_NS, DAY_NS + 1],
        "high": [3, 6, 9, 9], "low": [1, 4, 9, 9], "close": [2, 5, 9, 3], "volume": [1, 2, 0, 1],
    }  # fmt: skip
    check(outputs("vwap", **columns)["vwap"], 2, 4, 9, 7)
    check(outputs("vwap_0", **columns)["vwap"], 2, 4, 4, 19 / 4)


def test_a_flat_price_is_its_own_average_and_has_no_width() -> None:
    for price in (0.1, 1e-8, 98765.4321, 1e9):
        close = np.full(500, price)
        assert (outputs("sma_7", close=close)["sma"][6:] == price).all()
        found = outputs("bollinger_7_2", close=close)
        for name in ("bollinger", "upper", "lower"):
            assert (found[name][6:] == price).all()


def test_what_fades_for_days_without_a_trade_becomes_0_and_not_noise() -> None:
    close = np.concatenate([walk(200, 1)["close"], np.full(60_000, 100.0)])
    rsi = outputs("rsi_14", close=close)["rsi"][200:]
    assert rsi[-1] == 50.0
    fading = rsi[rsi != 50.0]  # Both means fade alike, so what they say stays the same.
    np.testing.assert_allclose(fading, fading[0], rtol=1e-9)
    assert 1_000 < len(fading) < 20_000
    assert outputs("atr_14", high=close, low=close, close=close)["atr"][-1] == 0.0
    found = outputs("macd_12_26_9", close=close)
    assert abs(found["macd"][-1]) < 1e-12
    for name in ("signal", "histogram"):
        assert found[name][-1] == 0.0 or abs(found[name][-1]) > 1e-290


def test_a_narrow_band_at_a_high_price_keeps_its_digits() -> None:
    """1e5 with a deviation of 1e-3: squares of prices have 16 digits and would need 20."""
    rng = np.random.default_rng(4)
    close = 1e5 + np.round(rng.normal(0.0, 1e-3, 3_000), 6)
    found = outputs("bollinger_20_2", close=close)
    for row in range(19, 3_000, 7):
        window = [Fraction(value) for value in close[row - 19 : row + 1].tolist()]
        mean = sum(window) / 20
        exact = 2.0 * float(sum((value - mean) ** 2 for value in window) / 20) ** 0.5
        width = found["upper"][row] - found["bollinger"][row]
        assert abs(width - exact) < 2e-11  # The two bands are only good to 1e5 * 2**-53.


def test_a_band_of_10000_around_one_wild_close_is_still_a_number() -> None:
    """The worst window there is: the close from which distances are taken is the only one apart."""
    for wild in (1.0, 1e-8, 1e9):
        close = np.full(25_000, 3.0)
        close[10_000] = wild
        found = outputs("bollinger_10000_2", close=close)
        assert not np.isnan(found["upper"][9_999:]).any()
        apart = 2.0 * abs(wild - 3.0) * 9_999**0.5 / 10_000
        width = (found["upper"] - found["bollinger"])[10_000:20_000]
        np.testing.assert_allclose(width, apart, rtol=1e-8)
        assert (found["upper"][20_000:] == 3.0).all()


@pytest.mark.parametrize("level", [1e-8, 100.0, 1e9])
def test_nothing_drifts_in_a_million_rows(level: float) -> None:
    """The last windows are as exact as those of a run that begins with them, 1e-14 of the price."""
    close = walk(1_000_000, 6, level)["close"]
    mean = outputs("sma_20", close=close)["sma"]
    found = outputs("bollinger_20_2", close=close)
    for row in range(999_000, 1_000_000, 11):
        window = [Fraction(value) for value in close[row - 19 : row + 1].tolist()]
        exact = sum(window) / 20
        variance = float(sum((value - exact) ** 2 for value in window) / 20)
        assert abs(mean[row] - float(exact)) <= 4e-16 * float(exact)
        width = found["upper"][row] - found["bollinger"][row]
        assert abs(width - 2.0 * variance**0.5) <= 1e-13 * float(exact)


def test_obv_is_exact_after_200_000_rows() -> None:
    c = walk(200_000, 8)
    found = outputs("obv", **c)["obv"]
    steps = np.sign(np.diff(c["close"], prepend=-1.0)).astype(int).tolist()
    units = [Fraction(volume) * step for volume, step in zip(c["volume"], steps, strict=True)]
    assert found[-1] == float(sum(units))
