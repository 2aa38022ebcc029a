"""How often the other side may be called: a budget of events in a sliding window.

takes   a limit and a window, as an exchange states them (300 connections in 5 minutes)
gives   `wait`: returns when one more is allowed
bound   the window's own: at most `events_max` times are remembered
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque


class Budget:
    """Shared by every task that draws on the same limit."""

    def __init__(self, events_max: int, window_s: float) -> None:
        self.events_max = events_max
        self.window_s = window_s
        self._spent: deque[float] = deque(maxlen=events_max)

    async def wait(self) -> None:
        while True:
            now_s = time.monotonic()
            if len(self._spent) < self.events_max or now_s - self._spent[0] >= self.window_s:
                self._spent.append(now_s)
                return
            await asyncio.sleep(self.window_s - (now_s - self._spent[0]))


class Backoff:
    """Exponential waits with full jitter, so that many clients do not come back together."""

    def __init__(self, s_min: float, s_max: float) -> None:
        self.s_min, self.s_max = s_min, s_max
        self._tries = 0

    def reset(self) -> None:
        self._tries = 0

    def next_s(self) -> float:
        """The next wait in seconds: between `s_min` and a ceiling that doubles up to `s_max`."""
        ceiling = min(self.s_max, self.s_min * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return self.s_min + random.random() * max(0.0, ceiling - self.s_min)
