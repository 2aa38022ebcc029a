"""Frames between the sockets and the pipeline.

takes   frames of any number of venues
gives   everything that has arrived since the last turn, by venue, in order
bound   `frames_max`; at it `room` blocks the readers, so that TCP holds the exchange back
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sized

from candlewick.model.outcome import Frame


class Inbox:
    """One loop's queue: many writers, one reader."""

    def __init__(self, frames_max: int = 200_000) -> None:
        self.frames_max = frames_max
        self._frames: defaultdict[str, list[Frame]] = defaultdict(list)
        self._count = 0
        self._filled = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._put: Counter[str] = Counter()
        self._passed: Counter[str] = Counter()
        self._waiting: list[tuple[str, int, asyncio.Future[None]]] = []

    def __len__(self) -> int:
        return self._count

    def put(self, venue: str, frames: list[Frame]) -> None:
        """Append; a caller that brings many awaits `room` first."""
        if not frames:
            return
        self._frames[venue] += frames
        self._put[venue] += len(frames)
        self._count += len(frames)
        self._filled.set()
        if self._count >= self.frames_max:
            self._roomy.clear()

    async def room(self) -> None:
        """Wait until the queue is below its bound."""
        await self._roomy.wait()

    async def filled(self) -> None:
        """Wait until something is there."""
        await self._filled.wait()

    async def passed(self, venue: str) -> None:
        """Wait until everything that was put so far has been through the pipeline."""
        if self._passed[venue] < self._put[venue]:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((venue, self._put[venue], future))
            await future

    def done(self, frames: Mapping[str, Sized]) -> None:
        """What was taken is through; told by the runner after each batch."""
        for venue, taken in frames.items():
            self._passed[venue] += len(taken)
        still = []
        for venue, count, future in self._waiting:
            if future.done() or self._passed[venue] >= count:
                if not future.done():
                    future.set_result(None)
            else:
                still.append((venue, count, future))
        self._waiting = still

    def wake(self) -> None:
        """Let the reader look, though nothing came."""
        self._filled.set()

    def take(self, rows_max: int) -> dict[str, list[Frame]]:
        """The oldest frames, at most `rows_max` a venue."""
        taken = {venue: frames[:rows_max] for venue, frames in self._frames.items() if frames}
        for venue, frames in taken.items():
            del self._frames[venue][: len(frames)]
            self._count -= len(frames)
        if self._count == 0:
            self._filled.clear()
        if self._count < self.frames_max:
            self._roomy.set()
        return taken
