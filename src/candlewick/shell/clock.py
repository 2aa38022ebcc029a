"""The wall clock.  The only place that reads it for rows: everything else is handed times."""

from __future__ import annotations

import time


def now_ns() -> int:
    """Nanoseconds UTC."""
    return time.time_ns()
