"""The next items of an iterator, made in a thread while the last one is worked on.

takes   an iterator, and how many items may be made before they are wanted
gives   its items in order; whatever it raises, raised where the items are taken
never   runs further ahead than `items_max`; leaves its thread behind
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(source: Iterator[T], items_max: int) -> Iterator[T]:
    """The same items, none of which may be None.  Close it, or take all of them."""
    worker = ThreadPoolExecutor(1, "ahead")
    try:
        coming = deque(worker.submit(next, source, None) for _ in range(items_max))
        while (item := coming.popleft().result()) is not None:
            coming.append(worker.submit(next, source, None))
            yield item
    finally:
        worker.shutdown(wait=True, cancel_futures=True)
