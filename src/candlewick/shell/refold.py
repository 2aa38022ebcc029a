"""Bars once more, from the stored trades alone: the twin that judges the stored candles.

takes   trades in any number of chunks, in ascending ids
gives   what every window's bar must be, in exact integers
never   shares a line with `candles/`: a second, slower way to the same numbers

Sums of price times size are Python integers in object columns: slow, and plainly right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from candlewick.model.columns import Candles, Column, Ints, Trades
from candlewick.model.money import join_128
from candlewick.model.time import NS_PER_S

COMPARED = (
    "open", "high", "low", "close", "volume", "taker_buy", "quote", "trades", "first_id", "last_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bars:
    """One row a window that had trades, by open time; `quote` holds Python integers."""

    open_ns: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    taker_buy: Ints
    quote: Column
    trades: Ints
    first_id: Ints
    last_id: Ints

    def __len__(self) -> int:
        return len(self.open_ns)


def fold(trades: Trades, interval_s: int) -> Bars:
    """The bars of one chunk of one series."""
    interval_ns = interval_s * NS_PER_S
    window = trades.at_ns // interval_ns * interval_ns
    order = np.lexsort((trades.id, window))
    window, ids = window[order], trades.id[order]
    price, size = trades.price[order], trades.size[order]
    starts, ends = _runs(window)
    return Bars(
        open_ns=window[starts],
        open=price[starts],
        high=np.maximum.reduceat(price, starts),
        low=np.minimum.reduceat(price, starts),
        close=price[ends],
        volume=np.add.reduceat(size, starts),
        taker_buy=np.add.reduceat(np.where(trades.side[order] > 0, size, 0), starts),
        quote=np.add.reduceat(price.astype(object) * size.astype(object), starts),
        trades=ends - starts + 1,
        first_id=ids[starts],
        last_id=ids[ends],
    )


def merge(parts: Sequence[Bars]) -> Bars:
    """The bars of consecutive chunks as the bars of the whole."""
    joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Bars)}
    order = np.lexsort((joined["first_id"], joined["open_ns"]))
    column = {name: values[order] for name, values in joined.items()}
    starts, ends = _runs(column["open_ns"])
    return Bars(
        open_ns=column["open_ns"][starts],
        open=column["open"][starts],
        high=np.maximum.reduceat(column["high"], starts),
        low=np.minimum.reduceat(column["low"], starts),
        close=column["close"][ends],
        volume=np.add.reduceat(column["volume"], starts),
        taker_buy=np.add.reduceat(column["taker_buy"], starts),
        quote=np.add.reduceat(column["quote"], starts),
        trades=np.add.reduceat(column["trades"], starts),
        first_id=column["first_id"][starts],
        last_id=column["last_id"][ends],
    )


def stored(candles: Candles) -> Bars:
    """Candles in the shape of bars, to be compared with."""
    pairs = zip(candles.quote_hi.tolist(), candles.quote_lo.tolist(), strict=True)
    quote = np.empty(len(candles), object)
    quote[:] = [join_128(high, low) for high, low in pairs]
    same = {name: candles.column(name) for name in COMPARED if name != "quote"}
    return Bars(open_ns=candles.open_ns, quote=quote, **same)


def places(bars: Bars, open_ns: Ints) -> tuple[Ints, Column]:
    """Where each window is among the bars, and whether it is."""
    at = np.searchsorted(bars.open_ns, open_ns)
    inside = at < len(bars)
    at = np.where(inside, at, 0)
    found = inside & (bars.open_ns[at] == open_ns) if len(bars) else inside
    return at, found


def _runs(sorted_keys: Ints) -> tuple[Ints, Ints]:
    """First and last index of each run of equal keys."""
    starts = np.flatnonzero(np.r_[True, sorted_keys[1:] != sorted_keys[:-1]])
    return starts, np.r_[starts[1:], len(sorted_keys)] - 1
