"""A small seeded market as outcomes, folded by plain Python: what a pipeline would hand over."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from candlewick.model.columns import (
    Anomalies,
    Candles,
    Coverage,
    Gaps,
    Indicators,
    Signals,
    Trades,
)
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Outcome, Quarantined
from candlewick.model.time import NS_PER_S

START_NS = 1_700_000_000 * NS_PER_S
INTERVALS_S = (60, 300)
NAMES = ("sma_2", "rsi_14")
KINDS = ("fixed", "volatility")
INSTRUMENTS = (
    Instrument("binance", "BTC/USDT", "BTCUSDT", 2, 8, tick=1, lot=1000, series=0),
    Instrument("kraken", "ETH/EUR", "ETH/EUR", 2, 8, tick=1, lot=1, series=1),
)

TradeTuple = tuple[int, int, int, int, int, int, int]


def plain_candle(interval_s: int, open_ns: int, rows: list[TradeTuple]) -> tuple[object, ...]:
    """The slow, obvious fold of the trades of one window."""
    rows = sorted(rows, key=lambda row: row[1])
    prices = [row[4] for row in rows]
    quote = sum(row[4] * row[5] for row in rows)
    return (
        rows[0][0], interval_s, open_ns, prices[0], max(prices), min(prices), prices[-1],
        sum(row[5] for row in rows), sum(row[5] for row in rows if row[6] == 1),
        quote >> 64, quote & (2**64 - 1), len(rows), rows[0][1], rows[-1][1], 0, 1, 0,
    )  # fmt: skip


class Market:
    """Trades of two series, a second or so apart; every window closes when its end has passed."""

    def __init__(self, seed: int, missing: dict[int, range] | None = None) -> None:
        self.random = random.Random(seed)
        self.missing = missing or {}
        self.at_ns = [START_NS, START_NS]
        self.next_id = [1_000, 5_000_000_000]
        self.price = [6_000_000, 180_000]
        self.windows: dict[tuple[int, int, int], list[TradeTuple]] = {}
        self.first = {(s, i) for s in (0, 1) for i in INTERVALS_S}
        self.batch = 0

    def outcome(self, rows: int) -> Outcome:
        """The next `rows` trades of each series, and everything that follows from them."""
        self.batch += 1
        gaps: list[tuple[int, ...]] = []
        trades = [self._trade(series, gaps) for series in (0, 1) for _ in range(rows)]
        candles = self._closed()
        return Outcome(
            trades=Trades.from_rows(trades),
            candles=Candles.from_rows(candles),
            indicators=Indicators.from_rows(
                [
                    (c[0], c[1], c[2], name, float("nan") if name else c[6] / 100, c[14])
                    for c in candles
                    for name in range(len(NAMES))
                ]
            ),
            signals=Signals.from_rows(
                [(t[0], t[1], t[2], 1, t[4], float("nan"), 0.05) for t in trades[::7]]
            ),
            anomalies=Anomalies.from_rows(
                [(c[0], c[1], c[2], 1, 3, 12.5, 10.0, c[3], c[6]) for c in candles[::3]]
            ),
            gaps=Gaps.from_rows(gaps),
            quarantined=[
                Quarantined("binance", "truncated", f"batch {self.batch}", b'{"e":', self.batch)
            ],
            states=[("candles.bars", series, b"s%d" % self.batch) for series in (0, 1)],
            offsets=[("tape", str(self.batch))],
            counts={"trades": len(trades), "frames": len(trades)},
        )

    def _trade(self, series: int, gaps: list[tuple[int, ...]]) -> TradeTuple:
        after_ns, hole = self.at_ns[series], []
        self.at_ns[series] += self.random.randrange(3 * NS_PER_S)
        while self.next_id[series] in self.missing.get(series, ()):
            hole.append(self.next_id[series])
            self.next_id[series] += 1
            self.at_ns[series] += NS_PER_S
        self.price[series] += self.random.randrange(-500, 501)
        row = (
            series, self.next_id[series], self.at_ns[series], self.at_ns[series] + 20_000_000,
            self.price[series], self.random.randrange(1, 10**14), self.random.choice((1, -1)),
        )  # fmt: skip
        self.next_id[series] += 1
        if hole:
            gaps.append((series, 0, hole[0], hole[-1], row[3], after_ns, row[2], len(hole), 0, 0))
        for interval_s in INTERVALS_S:
            open_ns = row[2] // (interval_s * NS_PER_S) * interval_s * NS_PER_S
            self.windows.setdefault((series, interval_s, open_ns), []).append(row)
        return row

    def _closed(self) -> list[tuple[object, ...]]:
        """The bars whose end has passed."""
        candles = []
        for key in sorted(self.windows):
            series, interval_s, open_ns = key
            if open_ns + interval_s * NS_PER_S <= self.at_ns[series]:
                rows = self.windows.pop(key)
                coverage = Coverage.COMPLETE
                if (series, interval_s) in self.first:
                    self.first.remove((series, interval_s))
                    coverage |= Coverage.PARTIAL
                ids = {row[1] for row in rows}
                span = self.missing.get(series, range(0))
                if span and {span.start - 1, span.stop} & ids:
                    coverage |= Coverage.GAP
                candles.append((*plain_candle(interval_s, open_ns, rows)[:16], int(coverage)))
        return candles


@pytest.fixture
def market() -> Callable[..., Market]:
    """`market(seed)` makes a market that yields outcomes."""
    return Market


@pytest.fixture
def listing() -> tuple[Instrument, ...]:
    """The two instruments of the market."""
    return tuple(replace(one) for one in INSTRUMENTS)


@pytest.fixture
def names() -> tuple[str, ...]:
    return NAMES


@pytest.fixture
def kinds() -> tuple[str, ...]:
    return KINDS
