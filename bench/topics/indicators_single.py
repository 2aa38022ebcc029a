"""The six indicators, one candle a call; and one candle of each of 500 symbols in one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import inputs
from bench.topic import Case, Numbers, Ratio, Topic, fresh, need
from bench.topics import _six
from candlewick.indicators.panel import Panel

SYMBOLS = 500


def _kernels(symbols: int) -> Any:
    def run(size: int) -> Numbers:
        calls = max(1, size // symbols)
        table = inputs.table(calls * symbols)
        cuts = [
            (np.full(symbols, k * 60 * 10**9),
             np.ascontiguousarray(table[:, k * symbols : (k + 1) * symbols]))
            for k in range(calls)
        ]  # fmt: skip
        slots = np.arange(symbols)
        runs = np.array([slots, slots + 1])

        def make() -> Any:
            states = _six.states(symbols)
            out = np.empty((states.outputs, symbols))

            def work() -> None:
                step = states.run
                for at_ns, candle in cuts:
                    step(runs, at_ns, candle, out)

            return work

        return fresh(calls * symbols, make)

    return run


def _panel(symbols: int) -> Any:
    def run(size: int) -> Numbers:
        calls = max(1, size // symbols)
        candles = inputs.candles(calls * symbols, symbols)
        cuts = [candles.take(slice(k * symbols, (k + 1) * symbols)) for k in range(calls)]

        def make() -> Any:
            panel = Panel(inputs.markets(symbols), _six.ENTRIES, [60], 300)

            def work() -> None:
                for cut in cuts:
                    panel.update(cut)

            return work

        return fresh(calls * symbols, make)

    return run


def _one_by_one(make_take: Any) -> Any:
    def run(size: int) -> Numbers:
        table = inputs.table(size + _six.HISTORY)
        rows = list(zip(*table[1:4, _six.HISTORY :].tolist(), strict=True))

        def make() -> Any:
            take = make_take(table)

            def work() -> None:
                for high, low, close in rows:
                    take(high, low, close)

            return work

        return fresh(size, make)

    return run


def _handles(table: np.ndarray) -> Any:
    need("talib")
    return _six.talib_handles(table)


def _nautilus(_table: np.ndarray) -> Any:
    need("nautilus_trader")
    return _six.nautilus()


TOPIC = Topic(
    title="The same six, one candle a call; of 500 symbols in one call",
    cases=(
        Case("candlewick, the kernels", _kernels(1)),
        Case("candlewick, Panel.update", _panel(1), 0.05),
        Case("candlewick, the kernels, 500 symbols", _kernels(SYMBOLS)),
        Case("candlewick, Panel.update, 500 symbols", _panel(SYMBOLS)),
        Case("TA-Lib stream handles", _one_by_one(_handles)),
        Case("plain Python", _one_by_one(lambda _: _six.Plain().take)),
        Case("nautilus_trader", _one_by_one(_nautilus)),
    ),
    goals=(
        Ratio("candlewick, the kernels", "nautilus_trader", 3.0),
        Ratio("candlewick, the kernels", "TA-Lib stream handles", 1.0),
        Ratio("candlewick, the kernels, 500 symbols", "nautilus_trader", 20.0),
    ),
    size=100_000,
    tiny=1_000,
    unit="cpu_ns",
    also=("ns",),
    notes=("ns of processor time a candle with all six.",),
)
