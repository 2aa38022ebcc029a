"""The six indicators over a million candles in one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import inputs
from bench.topic import Case, Numbers, Ratio, Topic, fresh, need, timed
from bench.topics import _six
from candlewick.indicators.panel import Panel


def _kernels(size: int) -> Numbers:
    table = inputs.table(size)
    at, runs = np.arange(size) * 60 * 10**9, np.array([[0], [size]])
    out = np.empty((_six.states(1).outputs, size))

    def make() -> Any:
        states = _six.states(1)
        return lambda: states.run(runs, at, table, out)

    return fresh(size, make)


def _panel(size: int) -> Numbers:
    candles = inputs.candles(size)

    def make() -> Any:
        panel = Panel(inputs.markets(1), _six.ENTRIES, [60], 300)
        return lambda: panel.update(candles)

    return fresh(size, make)


def _talib(size: int) -> Numbers:
    need("talib")
    table = inputs.table(size)
    high, low, close = (np.ascontiguousarray(table[k]) for k in (1, 2, 3))
    return timed(size, lambda: _six.talib_batch(high, low, close))


def _plain(size: int) -> Numbers:
    rows = list(zip(*inputs.table(size)[1:4].tolist(), strict=True))

    def work() -> None:
        take = _six.Plain().take
        for row in rows:
            take(*row)

    return timed(size, work)


def check(size: int) -> None:
    """Our averages are TA-Lib's: run by the tests."""
    table = inputs.table(size)
    ours = _six.states(1).run(np.array([[0], [size]]), np.arange(size) * 60 * 10**9, table)
    theirs = _six.talib_batch(*(np.ascontiguousarray(table[k]) for k in (1, 2, 3)))
    for mine, other in zip(ours[:3], theirs[:3], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9)


TOPIC = Topic(
    title="SMA EMA RSI MACD Bollinger ATR, a million candles in one call",
    cases=(
        Case("candlewick, the kernels", _kernels),
        Case("candlewick, Panel.update", _panel),
        Case("TA-Lib", _talib),
        Case("plain Python", _plain, 0.05),
    ),
    goals=(Ratio("candlewick, the kernels", "TA-Lib", 1.5),),
    size=1_000_000,
    tiny=500,
    unit="cpu_ns",
    also=("ns",),
    notes=(
        "The kernels take and give float64 columns, as TA-Lib does. Panel.update is what the "
        "pipeline calls: from integer candles, with the ring for corrections, to a row an output.",
    ),
)
