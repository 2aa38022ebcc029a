"""A row kernel as a machine for the laws, and tapes to feed it.

A tape is rows of candles as float64, several series interleaved, in bursts and one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from candlewick import kernel
from tests.laws.laws import Table

TAPE = np.dtype(
    [
        ("series", "i8"), ("open_ns", "i8"), ("open", "f8"), ("high", "f8"), ("low", "f8"),
        ("close", "f8"), ("volume", "f8"),
    ]
)  # fmt: skip
UNWRITTEN = -7.25e77  # What an output row has that the kernel forgot.
SERIES_MAX = 4
MINUTE_NS = 60 * 10**9


class KernelMachine:
    """The state of `SERIES_MAX` series of one kernel."""

    def __init__(self, module: Any, parameters: dict[str, Any]) -> None:
        self._module, self._parameters = module, parameters
        self._head = np.zeros(SERIES_MAX, module.STATE)
        width = module.start(self._head, **parameters)
        self._window = np.zeros((SERIES_MAX, width))
        self._fields = np.dtype([("series", "i8"), *((name, "f8") for name in module.GIVES)])

    def feed(self, tape: Table) -> Table:
        series = tape["series"]
        ends = np.append(np.flatnonzero(series[1:] != series[:-1]) + 1, len(series))
        ends = ends.astype(np.int64) if len(series) else np.zeros(0, np.int64)
        runs = np.ascontiguousarray(series[ends - 1], np.int64)
        columns = [np.ascontiguousarray(tape[name]) for name in self._module.TAKES]
        values = np.full((len(self._module.GIVES), len(tape)), UNWRITTEN)
        self._module.scan(self._head, self._window, runs, ends, *columns, values)
        out = np.zeros(len(tape), self._fields)
        out["series"] = series
        for name, column in zip(self._module.GIVES, values, strict=True):
            out[name] = column
        return out

    def save(self, series: int) -> bytes:
        version = self._module.VERSION
        return kernel.save("law", version, self._parameters, self._arrays(series))

    def load(self, series: int, blob: bytes) -> None:
        version = self._module.VERSION
        kernel.load(blob, "law", version, self._parameters, self._arrays(series))

    def _arrays(self, series: int) -> dict[str, Any]:
        one = slice(series, series + 1)
        return {"head": self._head[one], "window": self._window[one]}


def tape(rows: int, seed: int, level: float = 100.0, noise: float = 1e-3) -> Table:
    """A walk of `rows` candles over all series, some without movement and some without volume."""
    rng = np.random.default_rng(seed)
    table = np.zeros(rows, TAPE)
    bursts = np.repeat(rng.integers(0, SERIES_MAX, rows), rng.integers(1, 9, rows))
    table["series"] = bursts[:rows]
    for series in range(SERIES_MAX):
        mine = table["series"] == series
        count = int(mine.sum())
        moves = rng.normal(0.0, noise, count) * (rng.random(count) > 0.2)
        close = level * (series + 1) * np.exp(np.cumsum(moves))
        spread = np.abs(rng.normal(0.0, noise, count)) * close
        table["close"][mine] = close
        table["open"][mine] = np.concatenate([close[:1], close[:-1]])
        table["high"][mine] = np.maximum(close, table["open"][mine]) + spread
        table["low"][mine] = np.minimum(close, table["open"][mine]) - spread
        table["open_ns"][mine] = 1_700_000_000 * 10**9 + np.arange(count) * 7 * MINUTE_NS
        table["volume"][mine] = rng.random(count) * (rng.random(count) > 0.1)
    return table


def flat(rows: int, price: float) -> Table:
    """A price that never moves, with volume now and then."""
    table = tape(rows, seed=1)
    for name in ("open", "high", "low", "close"):
        table[name] = price
    return table


def crash(rows: int) -> Table:
    """From 1e9 to 1e-8 within one bar, and up again: nothing of the one stays in the other."""
    table = tape(rows, seed=2, level=1.0)
    part = np.arange(rows) * 4 // rows
    scale = np.choose(part, [1e9, 1e-8, 1.0, 1e9])
    for name in ("open", "high", "low", "close"):
        table[name] *= scale
    return table
