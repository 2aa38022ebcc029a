"""A slow, obvious twin of every indicator: lists, whole histories, exact sums (`math.fsum`).

takes   one series' candles, and the parameters
gives   its outputs, and `scale`: the size of what is subtracted where an output is a difference
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from tests.laws.laws import Table

NAN = math.nan


def _table(rows: Table, scale: Any = 0.0, **columns: list[float]) -> Table:
    names = [*columns, "scale"]
    table = np.zeros(len(rows), [(name, "f8") for name in names])
    for name, column in columns.items():
        table[name] = column
    table["scale"] = scale
    return table


def _exponential(values: list[float], period: int, weight: float) -> list[float]:
    """Seeded by the plain mean of the first `period`."""
    out = [NAN] * min(period - 1, len(values))
    if len(values) >= period:
        out.append(math.fsum(values[:period]) / period)
        for value in values[period:]:
            out.append(out[-1] * (1.0 - weight) + value * weight)
    return out


def sma(rows: Table, period: int) -> Table:
    close = rows["close"].tolist()
    means = [
        math.fsum(close[k - period + 1 : k + 1]) / period if k >= period - 1 else NAN
        for k in range(len(close))
    ]
    return _table(rows, sma=means)


def ema(rows: Table, period: int) -> Table:
    return _table(rows, ema=_exponential(rows["close"].tolist(), period, 2.0 / (period + 1)))


def rsi(rows: Table, period: int) -> Table:
    close = rows["close"].tolist()
    changes = [b - a for a, b in pairwise(close)]
    ups = _exponential([max(c, 0.0) for c in changes], period, 1.0 / period)
    downs = _exponential([max(-c, 0.0) for c in changes], period, 1.0 / period)
    values = [
        NAN if math.isnan(up) else 50.0 if up + down == 0.0 else 100.0 * up / (up + down)
        for up, down in zip(ups, downs, strict=True)
    ]
    return _table(rows, rsi=[NAN, *values])


def macd(rows: Table, fast: int, slow: int, signal: int) -> Table:
    close = rows["close"].tolist()
    quick = [NAN] * (slow - fast) + _exponential(close[slow - fast :], fast, 2.0 / (fast + 1))
    calm = _exponential(close, slow, 2.0 / (slow + 1))
    line = [a - b for a, b in zip(quick, calm, strict=True)][slow - 1 :]
    mean = _exponential(line, signal, 2.0 / (signal + 1))
    cold = [NAN] * (slow - 1)
    warm = [value if not math.isnan(m) else NAN for value, m in zip(line, mean, strict=True)]
    histogram = [a - b for a, b in zip(warm, mean, strict=True)]
    return _table(
        rows, scale=np.maximum.accumulate(rows["close"]) * 1e-6,
        macd=cold + warm, signal=cold + mean, histogram=cold + histogram,
    )  # fmt: skip


def bollinger(rows: Table, period: int, width: float) -> Table:
    close = rows["close"].tolist()
    middle, deviation = [], []
    for k in range(len(close)):
        window = close[k - period + 1 : k + 1] if k >= period - 1 else [NAN]
        mean = math.fsum(window) / len(window)
        middle.append(mean)
        squares = [(value - mean) ** 2 for value in window]
        deviation.append(width * math.sqrt(math.fsum(squares) / len(window)))
    return _table(
        rows, scale=np.abs(middle),
        bollinger=middle,
        upper=[m + d for m, d in zip(middle, deviation, strict=True)],
        lower=[m - d for m, d in zip(middle, deviation, strict=True)],
    )  # fmt: skip


def atr(rows: Table, period: int) -> Table:
    high, low, close = (rows[name].tolist() for name in ("high", "low", "close"))
    ranges = [
        max(h - b, abs(h - last), abs(b - last))
        for h, b, last in zip(high[1:], low[1:], close, strict=False)
    ]
    return _table(rows, atr=[NAN, *_exponential(ranges, period, 1.0 / period)])


def obv(rows: Table) -> Table:
    close, volume = rows["close"].tolist(), rows["volume"].tolist()
    total, values = Fraction(volume[0]), [volume[0]]
    for k in range(1, len(close)):
        total += Fraction(volume[k]) * ((close[k] > close[k - 1]) - (close[k] < close[k - 1]))
        values.append(float(total))
    return _table(rows, obv=values)


def vwap(rows: Table, session_s: int) -> Table:
    values: list[float] = []
    session: list[tuple[float, float]] = []
    began = None
    for row in rows:
        begin = int(row["open_ns"]) // 10**9 // session_s if session_s else 0
        if begin != began:
            began, session = begin, []
        price = math.fsum([row["high"], row["low"], row["close"]]) / 3
        session.append((price, float(row["volume"])))
        volume = math.fsum(v for _, v in session)
        paid = math.fsum(p * v for p, v in session)
        values.append(paid / volume if volume else price)
    return _table(rows, vwap=values)


TWINS: dict[str, Callable[..., Table]] = {
    function.__name__: function for function in (sma, ema, rsi, macd, bollinger, atr, obv, vwap)
}


def twin_of(file: str) -> Callable[..., Table]:
    """The twin of an indicator.

    Raises:
        LookupError: it has none; nobody may rely on its numbers yet.
    """
    if file not in TWINS:
        raise LookupError(f"indicators/{file}.py has no twin; write one in tests/laws/twins.py")
    return TWINS[file]
