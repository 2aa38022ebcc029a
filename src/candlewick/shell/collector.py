"""Python's collector of reference cycles, while a run lasts.

takes   nothing
gives   fewer and cheaper collections: what was made at the start is never looked at again, and a
        collection comes after a hundred thousand objects, not after seven hundred
never   switched off: a cycle is found, later

Frames are objects that live for a batch.  With the customary limits every few of them made the
collector walk through all modules and compiled code: four fifths of the time of reading a tape, and
the longest pauses of a live run.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS, _YOUNG, _MIDDLE = 100_000, 10, 10


@contextmanager
def seldom() -> Iterator[None]:
    """Inside the block; afterwards it is as before."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS, _YOUNG, _MIDDLE)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
