"""The order book of a moment, as a pure function of the moment.

Prices stand on a fixed grid; what rests at one is drawn anew every now and then, each price at its
own pace, so that from one 100 ms tick to the next only a few levels change.  The touch (best bid
and ask) comes from the price path and always holds something.  A bid and an ask are one rule and a
sign: distances are counted as `-sign * price`, so the best is always the smallest.

takes   a tick number since the Unix epoch, the touch, and the market's grid
gives   every resting level; the changes between two books
never   crosses: bids end at the touch's bid, asks begin at its ask
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from candlewick.exchange import draws
from candlewick.model.columns import Ints

GRID_LEVELS = 320  # Grid prices looked at on each side; about two thirds of them hold something.
_EMPTY_SHARE = 0.35
_PACE_TICKS = (8, 120)
_TOUCH_PACE_TICKS = 4
_SIZE_SPREAD = 1.1  # Log deviation of the size of a level.


class Levels(NamedTuple):
    """One side, best first."""

    price: Ints
    size: Ints


class Book(NamedTuple):
    """A whole book at one tick."""

    tick: int
    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True)
class Grid:
    """How a market's book is built: `step` between grid prices, `size` a median level, both in the
    instrument's integers; `pace` stretches the life of a level; `lot` is the smallest size."""

    key: int
    step: int
    size: float
    pace: int
    lot: int


def _sizes(grid: Grid, side: int, prices: Ints, epoch: Ints) -> Ints:
    key = grid.key ^ (0xB1D if side > 0 else 0xA5C)
    z = draws.normal(key, prices * 1_000_003 + epoch)
    lots = np.floor(draws.exp(_SIZE_SPREAD * z) * (grid.size / grid.lot)).astype(np.int64)
    sizes: Ints = np.maximum(lots, 1) * grid.lot
    return sizes


def side_levels(grid: Grid, tick: int, touch: int, side: int) -> Levels:
    """The levels of one side (1 bids, -1 asks) at a tick."""
    first = (touch - 1) // grid.step if side > 0 else touch // grid.step + 1
    prices = (first - side * np.arange(GRID_LEVELS)) * grid.step
    prices = prices[prices > 0]
    fate = draws.bits(grid.key ^ side & 0xFFFF, prices)
    least, most = _PACE_TICKS
    life = (least + (fate % np.uint64(most)).astype(np.int64)) * grid.pace
    epoch = (tick + (fate >> np.uint64(40)).astype(np.int64)) // life
    held = draws.uniform(grid.key ^ 0xE3, prices * 7_919 + epoch) >= _EMPTY_SHARE
    best = np.array([touch])
    touch_epoch = np.array([tick // (_TOUCH_PACE_TICKS * grid.pace)])
    sizes = _sizes(grid, side, prices[held], epoch[held])
    return Levels(
        np.concatenate([best, prices[held]]),
        np.concatenate([_sizes(grid, side, best, touch_epoch), sizes]),
    )


def book(grid: Grid, tick: int, bid: int, ask: int) -> Book:
    """The whole book of a tick between a bid and an ask."""
    return Book(tick, side_levels(grid, tick, bid, 1), side_levels(grid, tick, ask, -1))


def changes(before: Levels, after: Levels, side: int, depth: int | None = None) -> Levels:
    """What turns the first `depth` levels of `before` into those of `after`, best first.

    Size 0 removes.  A level that was only pushed out of the depth by better ones is not named: the
    reader cuts its own book to the depth, as the exchanges ask it to.
    """
    had_price, had_size = before.price[:depth], before.size[:depth]
    has_price, has_size = after.price[:depth], after.size[:depth]
    had_rank, has_rank, all_rank = -side * had_price, -side * has_price, -side * after.price
    at = np.minimum(np.searchsorted(had_rank, has_rank), len(had_rank) - 1)
    kept = (had_price[at] == has_price) & (had_size[at] == has_size)
    at = np.minimum(np.searchsorted(all_rank, had_rank), len(all_rank) - 1)
    gone = had_price[after.price[at] != had_price]
    prices = np.concatenate([has_price[~kept], gone])
    sizes = np.concatenate([has_size[~kept], np.zeros(len(gone), np.int64)])
    order = np.argsort(-side * prices, kind="stable")
    return Levels(prices[order], sizes[order])
