"""A venue's trades from the last stored one up to now, page by page.

takes   where each stored series ends (`ends`), or nothing for a new one
gives   REST answers as `http` frames, between a HOLD and a RELEASE mark of their symbol
bound   `rows_max` a symbol: what lies further back stays a hole, and continuity lists it
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from candlewick.errors import PeerError
from candlewick.feeds.decoded import Feed
from candlewick.model.columns import Events
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Frame
from candlewick.model.time import NS_PER_S
from candlewick.shell.clock import now_ns
from candlewick.shell.inbox import Inbox
from candlewick.shell.rest import Rest

log = structlog.get_logger(__name__)

HOLD, RELEASE = "hold", "release"
_PAGE_ROWS = 1_000
_TOGETHER_MAX = 4
_GUESS = 1.1  # A little further than the rate says, so that few guesses are needed.


class End(NamedTuple):
    """The newest stored trade of a series."""

    id: int
    at_ns: int


@dataclass(slots=True)
class History:
    """One venue's history.

    `instrument` finds a native symbol's instrument (None before the venue has listed it), `end` its
    newest stored trade; `look_back_s` is how far a series without one is filled.
    """

    feed: Feed
    rest: Rest
    instrument: Callable[[str], Instrument | None]
    end: Callable[[Instrument], End | None]
    look_back_s: float
    rows_max: int

    async def join(self, natives: Sequence[str], inbox: Inbox) -> None:
        """Every symbol's missing trades into the inbox."""
        inbox.put(self.feed.name, [Frame(b"", 0, HOLD, url=native) for native in natives])
        await inbox.passed(self.feed.name)
        found = [self.instrument(native) for native in natives]
        absent = [native for native, one in zip(natives, found, strict=True) if one is None]
        if absent:
            log.warning("not listed by the venue", venue=self.feed.name, symbols=absent)
        gate = asyncio.Semaphore(_TOGETHER_MAX)
        await asyncio.gather(*(self._fill(one, inbox, gate) for one in found if one is not None))

    async def _fill(self, instrument: Instrument, inbox: Inbox, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                await self._pages(instrument, inbox)
            except PeerError as error:
                log.warning(
                    "history stops early", venue=self.feed.name, symbol=instrument.symbol,
                    reason=str(error),
                )  # fmt: skip
            inbox.put(self.feed.name, [Frame(b"", 0, RELEASE, url=instrument.native)])

    async def _pages(self, instrument: Instrument, inbox: Inbox) -> None:
        end = self.end(instrument) or await self._begin(instrument)
        rows = 0
        while rows < self.rows_max:
            path = self.feed.history_path(instrument.native, end.id + 1, end.at_ns)
            body = await self.rest.get(path)
            page = self.feed.history(body, instrument, now_ns())
            fresh = page.take(page.id > end.id)
            await inbox.room()
            inbox.put(self.feed.name, [Frame(body, now_ns(), "http", url=path)])
            if len(fresh) == 0 or len(page) < _PAGE_ROWS:
                return
            rows += len(fresh)
            end = End(int(fresh.id[-1]), int(fresh.at_ns[-1]))
        log.warning(
            "history is longer than allowed", venue=self.feed.name, symbol=instrument.symbol,
            rows_max=self.rows_max,
        )  # fmt: skip

    async def _begin(self, instrument: Instrument) -> End:
        """Before the first trade wanted of a new series: `look_back_s` ago, within `rows_max`.

        Ids tell no time, so the distance is guessed from the rate of the newest page, and again
        from what that guess found.
        """
        since_ns = now_ns() - int(self.look_back_s * NS_PER_S)
        if self.feed.history_by == "time":
            return End(-1, since_ns)
        page = newest = await self._page(instrument, -1)
        while len(page) and int(page.at_ns[0]) > since_ns and int(page.id[0]) > 0:
            span_ns = max(int(page.at_ns[-1] - page.at_ns[0]), 1)
            step = 1 + int(len(page) * (int(page.at_ns[0]) - since_ns) / span_ns * _GUESS)
            lowest = int(newest.id[-1]) - self.rows_max
            if int(page.id[0]) - step <= lowest:
                return End(max(lowest, 0), since_ns)
            page = await self._page(instrument, max(int(page.id[0]) - step, 0))
        inside = page.take(page.at_ns >= since_ns)
        if len(inside) == 0:
            return End(int(page.id[-1]) if len(page) else -1, since_ns)
        return End(int(inside.id[0]) - 1, since_ns)

    async def _page(self, instrument: Instrument, from_id: int) -> Events:
        path = self.feed.history_path(instrument.native, from_id, 0)
        return self.feed.history(await self.rest.get(path), instrument, now_ns())
