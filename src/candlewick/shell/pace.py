"""Time for runs that are not live: how long something took, and playing at a recorded speed.

takes   frames with their arrival times
gives   waits, so that they come as fast as they came then (times `speed`)
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from candlewick.model.outcome import Frame
from candlewick.model.time import NS_PER_S

_STATUS = Path("/proc/self/status")
_PACED_ROWS_MAX = 200  # A paced batch is small, so that its frames are not late by much.


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start_s = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self._start_s


class Pace:
    """`max` never waits.  Frames without an arrival time do not make anybody wait either."""

    def __init__(self, speed: float | Literal["max"]) -> None:
        self.speed = speed
        self._first_ns = 0
        self._start_s = 0.0

    def rows_max(self, wanted: int) -> int:
        return wanted if self.speed == "max" else min(wanted, _PACED_ROWS_MAX)

    def wait_s(self, frames: Sequence[Frame]) -> float:
        """How long these frames have to wait from now."""
        if self.speed == "max":
            return 0.0
        seen_ns = max((frame.seen_ns for frame in frames), default=0)
        if seen_ns <= 0:
            return 0.0
        now_s = time.monotonic()
        if self._first_ns == 0:
            self._first_ns, self._start_s = seen_ns, now_s
        due_s = self._start_s + (seen_ns - self._first_ns) / NS_PER_S / self.speed
        return max(0.0, due_s - now_s)

    def wait(self, frames: Sequence[Frame]) -> None:
        """Block until it is their time."""
        time.sleep(self.wait_s(frames))


def rss_mb() -> float:
    """The most memory that this process has held, in MB.

    Linux's `ru_maxrss` also knows what the parent held when it started us.
    """
    if _STATUS.exists():
        high = next(x for x in _STATUS.read_text("ascii").splitlines() if x.startswith("VmHWM"))
        return round(int(high.split()[1]) / 1e3, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)
