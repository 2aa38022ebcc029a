"""SMA 20, EMA 12, RSI 14, MACD 12 26 9, Bollinger 20 2, ATR 14: ours, TA-Lib's, plain, a peer's.

takes   float64 [open high low close volume, rows]
gives   for each side a function over a batch, or one that takes a candle
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

from candlewick.indicators import parse
from candlewick.indicators._states import States

ENTRIES = ("sma_20", "ema_12", "rsi_14", "macd_12_26_9", "bollinger_20_2", "atr_14")
HISTORY = 100  # Candles that a TA-Lib handle is opened with.
One = Callable[[float, float, float], object]


def states(slots: int) -> States:
    """Our kernels, with nothing around them: floats in, floats out."""
    return States([parse(entry) for entry in ENTRIES], slots)


def talib_batch(high: Any, low: Any, close: Any) -> list[Any]:
    import talib

    return [
        talib.SMA(close, 20), talib.EMA(close, 12), talib.RSI(close, 14),
        *talib.MACD(close, 12, 26, 9), *talib.BBANDS(close, 20, 2, 2), talib.ATR(high, low, close),
    ]  # fmt: skip


def talib_handles(table: np.ndarray) -> One:
    from talib import stream

    high, low, close = (np.ascontiguousarray(table[k, :HISTORY]) for k in (1, 2, 3))
    sma, ema = stream.SMA(close, timeperiod=20).update, stream.EMA(close, timeperiod=12).update
    rsi, macd = stream.RSI(close, timeperiod=14).update, stream.MACD(close).update
    bands = stream.BBANDS(close, timeperiod=20, nbdevup=2.0, nbdevdn=2.0).update
    atr = stream.ATR(high, low, close, timeperiod=14).update

    def take(high: float, low: float, close: float) -> object:
        return (sma(close), ema(close), rsi(close), macd(close), bands(close),
                atr(high, low, close))  # fmt: skip

    return take


class Plain:
    """The plain twin, with running sums; seeded with the first value, which costs no more."""

    def __init__(self) -> None:
        self.closes: deque[float] = deque(maxlen=20)
        self.total = self.squares = self.ema = self.fast = self.slow = self.signal = 0.0
        self.gain = self.loss = self.range = self.last = 0.0

    def take(self, high: float, low: float, close: float) -> object:
        closes, last = self.closes, self.last
        if len(closes) == 20:
            gone = closes[0]
            self.total -= gone
            self.squares -= gone * gone
        closes.append(close)
        self.total += close
        self.squares += close * close
        count = len(closes)
        sma = self.total / count
        deviation = sqrt(max(self.squares / count - sma * sma, 0.0))
        self.ema += (close - self.ema) * (2 / 13)
        self.fast += (close - self.fast) * (2 / 13)
        self.slow += (close - self.slow) * (2 / 27)
        line = self.fast - self.slow
        self.signal += (line - self.signal) * 0.2
        change = close - last
        self.gain += ((change if change > 0.0 else 0.0) - self.gain) / 14
        self.loss += ((-change if change < 0.0 else 0.0) - self.loss) / 14
        moved = self.gain + self.loss
        rsi = 100.0 * self.gain / moved if moved else 50.0
        true_range = max(high - low, abs(high - last), abs(low - last))
        self.range += (true_range - self.range) / 14
        self.last = close
        return (sma, self.ema, rsi, line, self.signal, line - self.signal, sma,
                sma + 2 * deviation, sma - 2 * deviation, self.range)  # fmt: skip


def nautilus() -> One:
    from nautilus_trader.indicators import (
        AverageTrueRange,
        BollingerBands,
        ExponentialMovingAverage,
        MovingAverageConvergenceDivergence,
        RelativeStrengthIndex,
        SimpleMovingAverage,
    )

    sma, ema = SimpleMovingAverage(20).update_raw, ExponentialMovingAverage(12).update_raw
    rsi, macd = (
        RelativeStrengthIndex(14).update_raw,
        MovingAverageConvergenceDivergence(12, 26).update_raw,
    )
    bands, atr = BollingerBands(20, 2.0).update_raw, AverageTrueRange(14).update_raw

    def take(high: float, low: float, close: float) -> None:
        sma(close)
        ema(close)
        rsi(close)
        macd(close)
        bands(high, low, close)
        atr(high, low, close)

    return take
