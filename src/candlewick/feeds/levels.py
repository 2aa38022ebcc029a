"""Price levels in sorted arrays: the compiled inside of a book.

takes   one side as `keys` (sign times price, rising, so the best is last) and `sizes`, both int64
gives   the same arrays changed in place, and the new number of levels
never   allocates; the caller has made room for every level of the call

Best last, because nearly all changes happen near the best: an insertion there moves few levels.
"""

from __future__ import annotations

from typing import Any

from candlewick.kernel import kernel


@kernel
def place(
    keys: Any, sizes: Any, count: int, sign: int, prices: Any, amounts: Any, first: int, stop: int
) -> int:
    """Set (or with amount 0 remove) levels `first` to `stop` of `prices` and `amounts`."""
    for row in range(first, stop):
        key = sign * prices[row]
        low, high = 0, count
        while low < high:
            middle = (low + high) >> 1
            if keys[middle] < key:
                low = middle + 1
            else:
                high = middle
        if low < count and keys[low] == key:
            if amounts[row] != 0:
                sizes[low] = amounts[row]
                continue
            count -= 1
            for at in range(low, count):
                keys[at] = keys[at + 1]
            for at in range(low, count):
                sizes[at] = sizes[at + 1]
        elif amounts[row] != 0:
            for at in range(count, low, -1):
                keys[at] = keys[at - 1]
            for at in range(count, low, -1):
                sizes[at] = sizes[at - 1]
            keys[low] = key
            sizes[low] = amounts[row]
            count += 1
    return count


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
def change(keys: Any, sizes: Any, counts: Any, prices: Any, amounts: Any, cuts: Any) -> bool:
    """Apply one message to both sides; true where bid and ask then cross.

    `cuts` is (number of bids, number of bids and asks, levels kept a side).
    """
    counts[0] = place(keys[0], sizes[0], counts[0], 1, prices, amounts, 0, cuts[0])
    counts[1] = place(keys[1], sizes[1], counts[1], -1, prices, amounts, cuts[0], cuts[1])
    for side in range(2):
        counts[side] = keep_best(keys[side], sizes[side], counts[side], cuts[2])
    bids, asks = counts[0], counts[1]
    return bool(bids > 0 and asks > 0 and keys[0, bids - 1] >= -keys[1, asks - 1])
