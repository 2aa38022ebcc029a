"""What one bar does with one trade, and with a finer bar.

takes   records of `BAR`, integers in the instrument's decimals
gives   the same records, changed in place
never   looks at arrival: open and close are the trades of lowest and highest id, so any order of
        arrival gives the same bar
"""

from __future__ import annotations

from typing import Any

import numpy as np

from candlewick.candles.wide import multiply_wide
from candlewick.kernel import inlined, kernel, record

# `open` 0 is a void bar: nothing was ever traded before it.
BAR = record(
    open_ns="i8",
    open="i8",
    high="i8",
    low="i8",
    close="i8",
    volume="i8",
    taker_buy="i8",
    quote_hi="i8",
    quote_lo="u8",
    trades="i8",
    first_id="i8",
    last_id="i8",
    revision="i4",
    final="i1",
    coverage="u1",
)


@kernel
def begin(bar: Any, open_ns: int, carry: int) -> None:
    """A bar without trades at the last known price (0: none is known)."""
    bar.open_ns = open_ns
    bar.open = carry
    bar.high = carry
    bar.low = carry
    bar.close = carry
    bar.volume = 0
    bar.taker_buy = 0
    bar.quote_hi = 0
    bar.quote_lo = np.uint64(0)
    bar.trades = 0
    bar.first_id = -1
    bar.last_id = -1
    bar.revision = 0
    bar.final = 0
    bar.coverage = 0


@inlined
def add_trade(bar: Any, trade_id: int, price: int, size: int, side: int) -> None:
    """One trade into its bar.  Written without branches that a processor cannot foresee."""
    if bar.trades == 0:
        bar.open = price
        bar.high = price
        bar.low = price
        bar.close = price
        bar.first_id = trade_id
        bar.last_id = trade_id
    bar.high = max(bar.high, price)
    bar.low = min(bar.low, price)
    if trade_id >= bar.last_id:
        bar.close = price
        bar.last_id = trade_id
    elif trade_id < bar.first_id:
        bar.open = price
        bar.first_id = trade_id
    bar.trades += 1
    bar.volume += size
    bar.taker_buy += size if side > 0 else 0
    high, low = multiply_wide(price, size)
    total = bar.quote_lo + low
    bar.quote_lo = total
    bar.quote_hi += high + np.int64(total < low)


@kernel
def add_bar(bar: Any, fine: Any) -> None:
    """A finer bar into the coarse one that holds it."""
    if fine.trades == 0:
        if bar.open == 0:
            bar.open = fine.open
            bar.high = fine.open
            bar.low = fine.open
            bar.close = fine.open
        return
    if bar.trades == 0:
        bar.open = fine.open
        bar.high = fine.high
        bar.low = fine.low
        bar.close = fine.close
        bar.first_id = fine.first_id
        bar.last_id = fine.last_id
    else:
        bar.high = max(bar.high, fine.high)
        bar.low = min(bar.low, fine.low)
        if fine.last_id > bar.last_id:
            bar.close = fine.close
            bar.last_id = fine.last_id
        if fine.first_id < bar.first_id:
            bar.open = fine.open
            bar.first_id = fine.first_id
    bar.trades += fine.trades
    bar.volume += fine.volume
    bar.taker_buy += fine.taker_buy
    total = bar.quote_lo + fine.quote_lo
    bar.quote_hi += fine.quote_hi + np.int64(total < fine.quote_lo)
    bar.quote_lo = total


@kernel
def write_row(row: Any, bar: Any, series: int, interval_s: int, coverage: int) -> None:
    """One output row."""
    row.series = series
    row.interval_s = interval_s
    row.open_ns = bar.open_ns
    row.open = bar.open
    row.high = bar.high
    row.low = bar.low
    row.close = bar.close
    row.volume = bar.volume
    row.taker_buy = bar.taker_buy
    row.quote_hi = bar.quote_hi
    row.quote_lo = bar.quote_lo
    row.trades = bar.trades
    row.first_id = bar.first_id
    row.last_id = bar.last_id
    row.revision = bar.revision
    row.final = bar.final
    row.coverage = coverage
