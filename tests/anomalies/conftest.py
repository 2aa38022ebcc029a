"""Candles written by hand, and a year of real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from candlewick.model.columns import Candles
from candlewick.model.instruments import Instrument, Instruments

MINUTE_NS = 60 * 10**9
Minute = tuple[int, int, int, int]


@pytest.fixture(scope="session")
def market() -> Callable[[int], Instruments]:
    """A registry of so many instruments."""

    def declared(count: int) -> Instruments:
        instruments = Instruments()
        for number in range(count):
            symbol = f"C{number}/USDT" if number else "BTC/USDT"
            instruments.declare(Instrument("binance", symbol, symbol.replace("/", ""), 2, 5))
        return instruments

    return declared


@pytest.fixture(scope="session")
def minutes() -> Callable[..., Candles]:
    """Candles from (series, minute, open, close)."""

    def candles(
        rows: Sequence[Minute],
        trades: int = 50,
        final: int = 1,
        interval_s: int = 60,
        revision: int = 0,
    ) -> Candles:
        return Candles.from_rows(
            [
                (s, interval_s, m * interval_s * 10**9, o, max(o, c), min(o, c), c, 9, 4, 0, 9,
                 trades, 1, trades, revision, final, 0)
                for s, m, o, c in rows
            ]
        )  # fmt: skip

    return candles


@pytest.fixture(scope="session")
def bitmex(shared_data: Path) -> Callable[[int, int], Candles]:
    """A month of BitMEX XBTUSD minutes; the file stamps a bar with its end."""
    polars = pytest.importorskip("polars")

    def month(year: int, number: int) -> Candles:
        table = polars.read_parquet(shared_data / "bitmex_data" / f"xbtusd_1m_{year}.parquet")
        opened = table["ts"].dt.offset_by("-1m")
        table = table.with_columns(opened.alias("opened")).filter(
            (opened.dt.year() == year) & (opened.dt.month() == number)
        )
        assert len(table) > 40_000
        prices = {
            name: np.round(table[name].to_numpy() * 100).astype(np.int64)
            for name in ("open", "high", "low", "close")
        }
        zeros = np.zeros(len(table), np.int64)
        columns = dict.fromkeys(Candles.DTYPES, zeros) | prices
        columns["open_ns"] = table["opened"].dt.epoch("ns").to_numpy()
        columns["trades"] = table["trades"].to_numpy()
        columns["interval_s"], columns["final"] = zeros + 60, zeros + 1
        return Candles.of(columns)

    return month
