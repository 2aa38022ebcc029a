"""The door of analytics: integers in an instrument's decimals become float64, once.

takes   candles
gives   float64 [open high low close volume, rows], each the nearest float64 to the exact decimal
"""

from __future__ import annotations

import numpy as np

from candlewick.kernel import Array
from candlewick.model.columns import Candles
from candlewick.model.instruments import Instruments

_EXACT_MAX = (
    2**53
)  # Beyond it an int64 is rounded on its way to float64, and dividing rounds again.


class Prices:
    """Knows every series' decimals."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._price_scale = np.zeros(0)
        self._size_scale = np.zeros(0)

    def of(self, candles: Candles) -> Array:
        if len(self._instruments) > len(self._price_scale):
            # A series keeps its decimals, so what is known stays true.
            self._price_scale = np.array([10.0**i.price_decimals for i in self._instruments])
            self._size_scale = np.array([10.0**i.size_decimals for i in self._instruments])
        units = np.stack([candles.open, candles.high, candles.low, candles.close, candles.volume])
        scale = np.empty(units.shape)
        scale[:4] = self._price_scale[candles.series]
        scale[4] = self._size_scale[candles.series]
        values: Array = units / scale
        if units.max(initial=0) > _EXACT_MAX or units.min(initial=0) < -_EXACT_MAX:
            wide = np.abs(units) > _EXACT_MAX
            pairs = zip(units[wide].tolist(), scale[wide].tolist(), strict=True)
            values[wide] = [number / int(by) for number, by in pairs]  # Python rounds once.
        return values
