"""The panel: every indicator of every series, corrections, previews, snapshots."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from candlewick.errors import UsageError, VersionError
from candlewick.indicators import parse
from candlewick.indicators.panel import Panel, depth_rows
from candlewick.model.columns import Candles, Indicators
from candlewick.model.instruments import Instrument, Instruments
from tests.indicators.columns import outputs
from tests.laws import laws

ENTRIES = [
    "sma_5", "ema_4", "rsi_3", "macd_2_5_3", "bollinger_6_2", "atr_3", "obv", "vwap", "vwap_3600",
]  # fmt: skip
INTERVALS_S = [60, 300]
LATENESS_S = 300.0
START_NS = 1_700_006_400 * 10**9  # A UTC hour.
DECIMALS = [(2, 5), (8, 0), (0, 8)]


def instruments(count: int = 3) -> Instruments:
    known = Instruments()
    for k in range(count):
        prices, sizes = DECIMALS[k % 3]
        known.declare(Instrument("binance", f"A{k}/USDT", f"A{k}USDT", prices, sizes))
    return known


def panel(entries: list[str] | None = None) -> Panel:
    return Panel(instruments(), ENTRIES if entries is None else entries, INTERVALS_S, LATENESS_S)


def candle(series: int, interval_s: int, index: int, rng: Any, **fixed: int) -> tuple[Any, ...]:
    """A random bar as a row of `Candles`."""
    a, b = rng.integers(90_000, 110_000, 2).tolist()
    row = {
        "series": series, "interval_s": interval_s,
        "open_ns": START_NS + index * interval_s * 10**9,
        "open": a, "high": max(a, b) + 70, "low": min(a, b) - 40, "close": b,
        "volume": int(rng.integers(0, 10**7)), "taker_buy": 0, "quote_hi": 0, "quote_lo": 0,
        "trades": 3, "first_id": 1, "last_id": 3, "revision": 0, "final": 1, "coverage": 0,
    } | fixed  # fmt: skip
    return tuple(row[name] for name in Candles.DTYPES)


def day(minutes: int, seed: int = 0, late: float = 0.0, bars_back: int = 4) -> Candles:
    """Minutes and five-minutes of all series; with probability `late` an older one, corrected."""
    rng = np.random.default_rng(seed)
    rows, revisions = [], dict[tuple[int, int, int], int]()
    for minute in range(minutes):
        for series in rng.permutation(3).tolist():
            for interval_s in INTERVALS_S:
                index, rest = divmod((minute + 1) * 60, interval_s)
                if rest:
                    continue
                rows.append(candle(series, interval_s, index - 1, rng))
                if rng.random() < late:
                    back = max(index - 1 - int(rng.integers(0, bars_back)), 0)
                    key = (series, interval_s, back)
                    revisions[key] = revisions.get(key, 0) + 1
                    rows.append(candle(*key, rng, revision=revisions[key]))
    return Candles.from_rows(rows)


def newest(found: Indicators) -> dict[tuple[int, ...], float]:
    """What a store ends with: of each key the last row, which never has a lower revision."""
    values: dict[tuple[int, ...], float] = {}
    revisions: dict[tuple[int, ...], int] = {}
    for row in found.records().tolist():
        series, interval_s, open_ns, name, value, revision = row
        key = (series, interval_s, open_ns, name)
        assert revision >= revisions.get(key, 0)
        values[key], revisions[key] = value, revision
    return values


def newest_candles(candles: Candles) -> Candles:
    """Each candle once, as it was last given, in order of time."""
    rows = {row[:3]: row for row in candles.records().tolist()}
    return Candles.from_rows(sorted(rows.values(), key=lambda row: row[2] + row[1] * 10**9))


def bits(values: dict[tuple[int, ...], float]) -> dict[tuple[int, ...], bytes]:
    return {key: np.float64(value).tobytes() for key, value in values.items()}


def test_names_are_the_outputs_in_the_order_of_the_entries() -> None:
    assert panel(["macd_2_5_3", "sma_5"]).names == [
        "macd_2_5_3", "macd_2_5_3_signal", "macd_2_5_3_histogram", "sma_5",
    ]  # fmt: skip


def test_each_final_candle_and_name_has_a_row_equal_to_the_indicator_alone() -> None:
    tested, candles = panel(), day(120)
    found = tested.update(candles)
    assert len(found) == len(candles) * len(tested.names)
    for series in range(3):
        for interval_s in INTERVALS_S:
            mine = candles.take((candles.series == series) & (candles.interval_s == interval_s))
            prices, sizes = (10.0**d for d in DECIMALS[series])
            columns = {
                name: mine.column(name) / prices for name in ("open", "high", "low", "close")
            }
            columns |= {"volume": mine.volume / sizes, "open_ns": mine.open_ns}
            alone = [values for entry in ENTRIES for values in outputs(entry, **columns).values()]
            here = found.take((found.series == series) & (found.interval_s == interval_s))
            for name, values in enumerate(alone):
                of_name = here.take(here.name == name)
                assert of_name.value.tobytes() == values.tobytes()
                assert of_name.open_ns.tolist() == mine.open_ns.tolist()


def test_rows_come_in_the_order_of_the_candles_with_their_names_together() -> None:
    tested, candles = panel(), day(7)
    found = tested.update(candles)
    names = len(tested.names)
    assert found.series.tolist() == np.repeat(candles.series, names).tolist()
    assert found.open_ns.tolist() == np.repeat(candles.open_ns, names).tolist()
    assert found.name.tolist() == list(range(names)) * len(candles)


class PanelMachine:
    """A panel for the laws; its tape is a table of candles."""

    def __init__(self) -> None:
        self._panel = panel()
        self.save, self.load = self._panel.save, self._panel.load

    def feed(self, tape: laws.Table) -> laws.Table:
        return self._panel.update(Candles.of(tape)).records()


@pytest.mark.parametrize("law", [laws.split, laws.restart, laws.replay, laws.isolation])
def test_the_panel_obeys_the_laws_with_corrections_and_open_candles(law: laws.Law) -> None:
    tape = day(90, seed=2, late=0.2, bars_back=14).records()
    tape["final"][::17] = 0
    law(PanelMachine, tape)


@pytest.mark.parametrize("seed", range(4))
def test_a_corrected_candle_gives_what_a_run_with_the_right_one_gives(seed: int) -> None:
    """Bit for bit, every value of every bar, as a store would keep them."""
    candles = day(150, seed, late=0.15)
    tested, fresh = panel(), panel()
    found = newest(tested.update(candles))
    assert tested.stale == 0
    assert (candles.revision > 0).sum() > 50
    assert bits(found) == bits(newest(fresh.update(newest_candles(candles))))
    # And so does everything that comes after.
    more = Candles.from_rows(
        [candle(s, 60, 150 + k, np.random.default_rng(k)) for k in range(40) for s in range(3)]
    )
    assert tested.update(more).value.tobytes() == fresh.update(more).value.tobytes()


def test_a_correction_gives_the_corrected_bar_and_those_after_it_with_its_revision() -> None:
    tested, rng = panel(["sma_2"]), np.random.default_rng(1)
    tested.update(Candles.from_rows([candle(0, 60, k, rng) for k in range(6)]))
    found = tested.update(Candles.from_rows([candle(0, 60, 3, rng, revision=1)]))
    assert ((found.open_ns - START_NS) // (60 * 10**9)).tolist() == [3, 4, 5]
    assert found.revision.tolist() == [1, 1, 1]
    again = tested.update(Candles.from_rows([candle(0, 60, 4, rng, revision=1)]))
    assert again.revision.tolist() == [1, 1]
    third = tested.update(Candles.from_rows([candle(0, 60, 3, rng, revision=2)]))
    assert third.revision.tolist() == [2, 2, 2]


def test_the_ring_is_as_deep_as_the_lateness_needs() -> None:
    """A trade 300 s late reaches five bars back, and the bar in which it arrives is still open."""
    assert [depth_rows(300.0, seconds) for seconds in (1, 60, 300, 86_400)] == [303, 8, 4, 4]
    for index, stale in ((40 - 8, 0), (40 - 9, 1)):
        tested, rng = panel(), np.random.default_rng(1)
        tested.update(Candles.from_rows([candle(1, 60, k, rng) for k in range(40)]))
        before = tested.save(1)
        found = tested.update(Candles.from_rows([candle(1, 60, index, rng, revision=1)]))
        assert tested.stale == stale
        assert (len(found) == 0) == bool(stale)
        assert (tested.save(1) == before) == bool(stale)


def test_a_superseded_candle_says_nothing_and_a_repeated_one_the_same_again() -> None:
    tested, rng = panel(), np.random.default_rng(1)
    old = [candle(0, 60, k, rng) for k in range(9)]
    right = Candles.from_rows([candle(0, 60, 7, rng, revision=1)])
    tested.update(Candles.from_rows(old))
    first = tested.update(right)
    before = tested.save(0)
    assert len(tested.update(Candles.from_rows([old[7]]))) == 0
    assert tested.update(right).same_as(first)
    assert tested.save(0) == before
    assert tested.stale == 0


def test_a_candle_that_was_never_there_is_stale_and_not_squeezed_in() -> None:
    tested, rng = panel(), np.random.default_rng(1)
    tested.update(Candles.from_rows([candle(0, 60, k, rng) for k in (0, 1, 3, 4)]))
    assert len(tested.update(Candles.from_rows([candle(0, 60, 2, rng)]))) == 0
    assert tested.stale == 1


def test_a_preview_is_what_closing_now_would_give_and_touches_nothing() -> None:
    tested, rng = panel(), np.random.default_rng(5)
    candles = day(60, seed=5)
    tested.update(candles)
    tested.touched.clear()
    rows = [candle(s, i, 3600 // i, rng) for s in (2, 0) for i in (300, 60)]
    closed = Candles.from_rows(rows)
    opened = Candles.of(closed.as_dict() | {"final": np.zeros(4)})
    before = [tested.save(series) for series in range(3)]
    found = tested.preview(opened)
    assert [tested.save(series) for series in range(3)] == before
    assert tested.touched == set()
    assert len(tested.preview(closed)) == 0
    assert len(tested.update(opened)) == 0
    assert [tested.save(series) for series in range(3)] == before
    assert found.same_as(tested.update(closed))
    assert tested.touched == {0, 2}


def test_a_preview_of_an_unknown_series_is_warming_up_and_of_a_closed_bar_nothing() -> None:
    tested, rng = panel(["sma_2", "obv"]), np.random.default_rng(5)
    found = tested.preview(Candles.from_rows([candle(2, 60, 0, rng, final=0, volume=7 * 10**8)]))
    assert np.isnan(found.value[0])
    assert found.value[1] == 7.0
    tested.update(Candles.from_rows([candle(2, 60, 0, rng)]))
    assert len(tested.preview(Candles.from_rows([candle(2, 60, 0, rng, final=0)]))) == 0


def test_other_intervals_and_empty_batches_give_nothing() -> None:
    tested, rng = panel(), np.random.default_rng(5)
    assert len(tested.update(Candles.empty())) == 0
    assert len(tested.preview(Candles.empty())) == 0
    assert len(tested.update(Candles.from_rows([candle(0, 900, 0, rng)]))) == 0
    assert tested.touched == set()


def test_a_panel_of_no_indicators_gives_nothing() -> None:
    tested = panel([])
    assert len(tested.update(day(20))) == 0
    assert len(tested.preview(day(20))) == 0


def test_a_saved_series_goes_on_in_a_fresh_panel() -> None:
    """Also its corrections: the ring and the state before it are in the snapshot."""
    candles = day(100, seed=3, late=0.1)
    half = len(candles) // 2
    tested, fresh = panel(), panel()
    tested.update(candles.take(slice(0, half)))
    for series in (2, 0, 1):
        fresh.load(series, tested.save(series))
        assert fresh.save(series) == tested.save(series)
    rest = candles.take(slice(half, len(candles)))
    assert fresh.update(rest).same_as(tested.update(rest))


@pytest.mark.parametrize(
    "other",
    [
        lambda: panel([*ENTRIES, "sma_9"]),
        lambda: panel(["sma_6", *ENTRIES[1:]]),
        lambda: panel(ENTRIES[::-1]),
        lambda: Panel(instruments(), ENTRIES, [60, 900], LATENESS_S),
        lambda: Panel(instruments(), ENTRIES, INTERVALS_S, 600.0),
    ],
)
def test_a_snapshot_of_another_panel_is_refused(other: Callable[[], Panel]) -> None:
    blob = panel().save(0)
    with pytest.raises(VersionError, match="indicators: snapshot is with parameters"):
        other().load(0, blob)


def test_a_damaged_snapshot_is_refused_and_changes_nothing() -> None:
    tested = panel()
    tested.update(day(30))
    before = tested.save(0)
    for blob in (b"", before[:-1], b"\xc1" + before[1:]):
        with pytest.raises(VersionError):
            tested.load(0, blob)
    assert tested.save(0) == before


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="sma_5 twice"):
        panel(["sma_5", "rsi", "sma_5"])


def test_hundreds_of_series_that_come_later_change_nothing() -> None:
    """The state grows, and moves in memory, while it is in use."""
    few, many = panel(), Panel(instruments(400), ENTRIES, INTERVALS_S, LATENESS_S)
    candles = day(40, seed=9)
    half = len(candles) // 2
    first, rest = candles.take(slice(0, half)), candles.take(slice(half, len(candles)))
    rng = np.random.default_rng(0)
    assert many.update(first).same_as(few.update(first))
    for series in (3, 399, 77):
        many.update(Candles.from_rows([candle(series, 60, k, rng) for k in range(30)]))
    assert many.update(rest).same_as(few.update(rest))
    assert [many.save(series) for series in range(3)] == [few.save(series) for series in range(3)]


def test_integers_become_the_nearest_float64_also_where_they_have_more_digits() -> None:
    """Eight decimals of a coin that trades by the billion do not fit 53 bits."""
    tested = panel(["obv"])
    rng = np.random.default_rng(11)
    for volume in [*rng.integers(2**53, 2**63 - 1, 200).tolist(), 2**53 + 1, 2**63 - 1, 12345678]:
        row = candle(2, 60, 0, rng, volume=volume, final=0)
        found = tested.preview(Candles.from_rows([row])).value[0]
        assert found == float(Fraction(volume, 10**8))


def test_one_call_for_all_indicators_is_the_same_as_a_call_for_each() -> None:
    """Also when there is a single one, of every number of columns that there is."""
    candles = day(50)
    everything = panel().update(candles)
    at = 0
    for entry in ENTRIES:
        alone = panel([entry]).update(candles)
        count = len(parse(entry).outputs)
        mine = everything.take((everything.name >= at) & (everything.name < at + count))
        assert mine.value.tobytes() == alone.value.tobytes()
        at += count
