"""Exchange frames to trades, clock ticks, quotes and books.  One exchange a file, no socket.

To add one: write `name.py` with FEED (`decoded.Feed`) and a Decoder.  Nothing else: it is found
here by its file name, and `tests/feeds/` holds it to the laws of every decoder.  A frame is one of
data, control or a counted `PeerError`; never two, never none.
"""

from __future__ import annotations

import pkgutil
from functools import lru_cache
from importlib import import_module
from types import ModuleType

from candlewick.errors import UsageError


@lru_cache(maxsize=1)
def venues() -> tuple[str, ...]:
    """The names of all venues, sorted."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(n for n in names if hasattr(import_module(f"{__name__}.{n}"), "FEED")))


def venue(name: str) -> ModuleType:
    """The module of a venue, with its `FEED` and `Decoder`.

    Raises:
        UsageError: there is no such file.
    """
    if name not in venues():
        raise UsageError(f"venue {name!r}: expected one of {', '.join(venues())}")
    return import_module(f"{__name__}.{name}")
