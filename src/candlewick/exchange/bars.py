"""Candles as the exchange itself reports them: the plain fold of its trades.

takes   trades of one market, in id order
gives   a `Bar` with exact integer sums; bars join to coarser ones
never   rounds; price times size is summed in two int64 halves and joined as a Python integer
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from candlewick.model.columns import Ints, Side, Trades

_HALF = 1_000_000  # Sizes are split here: prices to 1e8, sizes to 1e14, 1e5 trades stay exact.


class Bar(NamedTuple):
    """One candle in the instrument's integers; `quote` and `taker_quote` in price times size."""

    open_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote: int
    taker_buy: int
    taker_quote: int
    trades: int
    first_id: int
    last_id: int


def _product_sum(prices: Ints, sizes: Ints) -> int:
    high, low = np.divmod(sizes, _HALF)
    return int((prices * high).sum()) * _HALF + int((prices * low).sum())


def fold(open_ns: int, trades: Trades) -> Bar | None:
    """The bar of some trades; None without any."""
    if len(trades) == 0:
        return None
    prices, sizes = trades.price, trades.size
    bought = trades.side == Side.BUY
    return Bar(
        open_ns=open_ns,
        open=int(prices[0]),
        high=int(prices.max()),
        low=int(prices.min()),
        close=int(prices[-1]),
        volume=int(sizes.sum()),
        quote=_product_sum(prices, sizes),
        taker_buy=int(sizes[bought].sum()),
        taker_quote=_product_sum(prices[bought], sizes[bought]),
        trades=len(trades),
        first_id=int(trades.id[0]),
        last_id=int(trades.id[-1]),
    )


def join(open_ns: int, bars: Sequence[Bar]) -> Bar | None:
    """Consecutive bars as one; None where there is none."""
    if not bars:
        return None
    return Bar(
        open_ns=open_ns,
        open=bars[0].open,
        high=max(b.high for b in bars),
        low=min(b.low for b in bars),
        close=bars[-1].close,
        volume=sum(b.volume for b in bars),
        quote=sum(b.quote for b in bars),
        taker_buy=sum(b.taker_buy for b in bars),
        taker_quote=sum(b.taker_quote for b in bars),
        trades=sum(b.trades for b in bars),
        first_id=bars[0].first_id,
        last_id=bars[-1].last_id,
    )
