"""The loop of a running program: what has arrived becomes one batch, one transaction, one telling.

takes   an inbox, and three functions: compute a batch, commit it, tell the listeners
gives   batches that grow with the load: whatever came while the last one was being written
never   computes or writes on the event loop (one worker thread does, so order is kept), tells
        anybody of rows that are not committed, or goes on after a failed commit
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from candlewick.model.outcome import Frame, Outcome
from candlewick.shell.inbox import Inbox


class Timed(NamedTuple):
    """An outcome and the seconds of its hops."""

    outcome: Outcome
    hops_s: dict[str, float]


class Runner:
    """Run with `run`; `stop` lets the batch under way end and drains what is left."""

    def __init__(
        self,
        inbox: Inbox,
        compute: Callable[[dict[str, list[Frame]]], Outcome],
        commit: Callable[[Outcome], None],
        tell: Callable[[Timed], None],
        *,
        rows_max: int,
        wait_s: float,
    ) -> None:
        self.inbox = inbox
        self._compute, self._commit, self._tell = compute, commit, tell
        self._rows_max, self._wait_s = rows_max, wait_s
        self._stopping = False
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pipeline")

    async def run(self) -> None:
        """Until `stop`, or until a batch fails: then nothing more is written."""
        try:
            while not self._stopping or len(self.inbox):
                if not self._stopping:
                    await self.inbox.filled()
                started_s = time.monotonic()
                await self._turn(self.inbox.take(self._rows_max))
                rest_s = self._wait_s - (time.monotonic() - started_s)
                if rest_s > 0 and not self._stopping:
                    await asyncio.sleep(rest_s)
        finally:
            self.thread.shutdown(wait=True)

    async def call(self, work: Callable[[], Outcome]) -> Outcome:
        """A batch that does not come from frames (a test, a flush), in its turn."""
        loop = asyncio.get_running_loop()
        timed = await loop.run_in_executor(self.thread, self._work, work)
        self._tell(timed)
        return timed.outcome

    def stop(self) -> None:
        """End after what is in the inbox now; the sockets must be closed already."""
        self._stopping = True
        self.inbox.wake()

    async def _turn(self, frames: dict[str, list[Frame]]) -> None:
        if frames:
            await self.call(lambda: self._compute(frames))
            self.inbox.done(frames)

    def _work(self, compute: Callable[[], Outcome]) -> Timed:
        """In the worker thread."""
        started_s = time.perf_counter()
        outcome = compute()
        computed_s = time.perf_counter()
        self._commit(outcome)
        done_s = time.perf_counter()
        return Timed(outcome, {"compute": computed_s - started_s, "commit": done_s - computed_s})
