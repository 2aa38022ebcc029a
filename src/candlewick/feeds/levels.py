"""Price levels in sorted arrays: the compiled inside of a book, and the shelf that many stand on.

takes   one side as `keys` (sign times price, rising, so the best is last) and `sizes`, both int64
gives   the same arrays changed in place, and the new number of levels
never   allocates while it changes; the caller has made room for every level of the call

Best last, because nearly all changes happen near the best: an insertion there moves few levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from candlewick.kernel import grown, kernel
from candlewick.model.columns import Ints

# Columns of `Shelf.heads`: may the compiled lane change this book; the last update in it and the
# last that came; the exchange time of its content; did it change in this batch.
LIVE, LAST_ID, STREAM_ID, AT_NS, MOVED = range(5)
_HEADS = 5
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_LEVELS_FIRST = 256


class Shelf:
    """The levels of many books in arrays that compiled code can reach at once: by book and side
    `keys` and `sizes`, how many of them (`counts`), and a row of `heads` a book."""

    __slots__ = ("counts", "heads", "keys", "sizes")

    def __init__(self) -> None:
        self.keys: Ints = np.zeros((0, 2, _LEVELS_FIRST), np.int64)
        self.sizes: Ints = np.zeros((0, 2, _LEVELS_FIRST), np.int64)
        self.counts: Ints = np.zeros((0, 2), np.int64)
        self.heads: Ints = np.zeros((0, _HEADS), np.int64)

    def room(self, rows: int, levels: int) -> None:
        """Make room for so many books of so many levels a side."""
        if levels > self.keys.shape[2]:
            more = max(levels, 2 * self.keys.shape[2]) - self.keys.shape[2]
            wider = ((0, 0), (0, 0), (0, more))
            self.keys, self.sizes = np.pad(self.keys, wider), np.pad(self.sizes, wider)
        if rows > len(self.keys):
            self.keys, self.sizes = grown(self.keys, rows), grown(self.sizes, rows)
            self.counts, self.heads = grown(self.counts, rows), grown(self.heads, rows)


@kernel
def shift_up(column: Any, first: Any, stop: Any) -> None:
    """Rows `first` to `stop` move one place towards the end.  (With unsigned places the compiler
    makes one block move of it; with signed ones it is six times slower.)"""
    at = stop
    while at > first:
        column[at] = column[at - _ONE]
        at -= _ONE


@kernel
def shift_down(column: Any, first: Any, stop: Any) -> None:
    """Rows after `first` up to `stop` move one place towards the beginning."""
    for at in range(first, stop):
        column[at] = column[at + _ONE]


@kernel
def find(keys: Any, count: Any, key: int) -> Any:
    """The first place whose key is not below `key`."""
    low, high = _ZERO, count
    while low < high:
        middle = (low + high) >> _ONE
        if keys[middle] < key:
            low = middle + _ONE
        else:
            high = middle
    return low


@kernel
def place(
    keys: Any, sizes: Any, counted: int, sign: int, prices: Any, amounts: Any, first: int, stop: int
) -> int:
    """Set (or with amount 0 remove) levels `first` to `stop` of `prices` and `amounts`."""
    count = np.uint64(counted)
    for row in range(np.uint64(first), np.uint64(stop)):
        key, amount = sign * prices[row], amounts[row]
        at = find(keys, count, key)
        if at < count and keys[at] == key:
            if amount != 0:
                sizes[at] = amount
                continue
            count -= _ONE
            shift_down(keys, at, count)
            shift_down(sizes, at, count)
        elif amount != 0:
            shift_up(keys, at, count)
            shift_up(sizes, at, count)
            keys[at] = key
            sizes[at] = amount
            count += _ONE
    return int(count)


@kernel
def keep_best(keys: Any, sizes: Any, count: int, depth: int) -> int:
    """Forget the worst levels beyond `depth`."""
    surplus = count - depth
    if surplus <= 0:
        return count
    for at in range(depth):
        keys[at] = keys[at + surplus]
        sizes[at] = sizes[at + surplus]
    return depth


@kernel
def change(
    keys: Any, sizes: Any, counts: Any, prices: Any, amounts: Any, bids: int, total: int, keep: int
) -> bool:
    """Apply one message to both sides; true where bid and ask then cross.

    The first `bids` of `total` levels are bids; `keep` is how many stay on a side.
    """
    counts[0] = place(keys[0], sizes[0], counts[0], 1, prices, amounts, 0, bids)
    counts[1] = place(keys[1], sizes[1], counts[1], -1, prices, amounts, bids, total)
    for side in range(2):
        counts[side] = keep_best(keys[side], sizes[side], counts[side], keep)
    last_bid, last_ask = counts[0] - 1, counts[1] - 1
    return bool(last_bid >= 0 and last_ask >= 0 and keys[0, last_bid] >= -keys[1, last_ask])
