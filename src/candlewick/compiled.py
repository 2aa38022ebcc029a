"""Compiling kernels, and where the compiled code is kept.

takes   a plain function over arrays and records
gives   the compiled one, cached on disk in a folder named after the source of its room
never   runs code that was compiled from other sources: numba itself looks only at the file of the
        function, not at the files whose functions it has inlined
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba


@lru_cache(maxsize=64)
def _cache_folder(room: Path) -> str:
    """A folder of this room's source, with everything that its kernels may inline."""
    digest = hashlib.blake2b(digest_size=8)
    for source in sorted(room.glob("*.py")):
        digest.update(source.read_bytes())
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return str(root / "candlewick" / f"{room.name}-{digest.hexdigest()}")


def compiled(function: Callable[..., Any], nogil: bool = True) -> Any:
    """Compile at the first call of each signature, once a machine.

    No fastmath and no parallel: outputs must be equal to the last bit however a tape is cut.
    nogil: the shell runs a batch in a thread while its loop goes on reading sockets.  Giving the
    lock back and taking it again costs more than a single row does.
    """
    if not os.environ.get("NUMBA_CACHE_DIR"):
        room = Path(function.__code__.co_filename).parent
        numba.config.CACHE_DIR = _cache_folder(room)  # type: ignore[attr-defined]
    return numba.njit(cache=True, nogil=nogil, fastmath=False, error_model="numpy")(function)
