"""One venue's feed: a socket that is kept alive, and history joined to it without a seam.

takes   a `Feed`, the venue's own symbols, and where each stored series ends
gives   frames into the inbox: first the missing history of each symbol, then what came live
never   gives up: a lost, silent or cut connection is followed by a jittered wait and a new one

The seam: live frames are held back until the history from the last stored trade on has reached
them.  Both sides then carry the trades around the joint, and continuity keeps each id once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from candlewick.errors import PeerError
from candlewick.feeds.decoded import FRAME_BYTES_MAX, Feed, Want
from candlewick.model.outcome import Frame
from candlewick.shell.budget import Backoff, Budget
from candlewick.shell.clock import now_ns
from candlewick.shell.history import History
from candlewick.shell.inbox import Inbox
from candlewick.shell.rest import Rest

log = structlog.get_logger(__name__)

_HELD_FRAMES_MAX = 500_000  # Live frames that wait for history; beyond it the history is dropped.
_WATCH_S = 0.5
_CLOSE_S = 0.3


class Health(NamedTuple):
    """What a session tells the page about itself."""

    state: str
    reason: str
    reconnects: int


@dataclass(slots=True)
class Session:
    """Run it with `run`; it ends only when it is cancelled."""

    feed: Feed
    natives: Sequence[str]
    inbox: Inbox
    rest: Rest
    history: History
    budget: Budget
    backoff: Backoff
    tell: Callable[[Health], None]
    silence_s_max: float
    reconnects: int = 0
    _socket: ClientConnection | None = None
    _held: list[Frame] | None = None
    _heard_s: float = 0.0
    _wanted: set[tuple[str, str]] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Connect, read, reconnect."""
        while True:
            await self.budget.wait()
            reason = "closed by the venue"
            try:
                await self._connected()
            except (OSError, WebSocketException, InvalidHandshake, TimeoutError) as error:
                reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            except PeerError as error:
                reason = str(error)
            finally:
                self._socket, self._held = None, None
                await self._cancel_tasks()
            self.reconnects += 1
            wait_s = self.backoff.next_s()
            self._say("down", reason)
            log.warning(
                "feed lost", venue=self.feed.name, reason=reason, reconnect_in_s=round(wait_s, 2)
            )
            await asyncio.sleep(wait_s)

    def fetch(self, want: Want) -> None:
        """Do what a decoder asked for; a want that is already under way is not doubled."""
        key = (want.kind, want.instrument.native)
        if key in self._wanted or self._socket is None:
            return
        self._wanted.add(key)
        self._start(self._fetch(want, key))

    async def _connected(self) -> None:
        url = self.feed.connect_url(self.feed.ws_url, self.natives)
        self._say("connecting", "")
        listing = await self.rest.get(self.feed.instruments_path(self.natives))
        self.inbox.put(self.feed.name, [self._http(self.feed.instruments_path(()), listing)])
        async with connect(
            url,
            max_size=FRAME_BYTES_MAX,
            compression=None,
            close_timeout=_CLOSE_S,
            ping_interval=20,
            ping_timeout=20,
        ) as socket:
            self._socket, self._held = socket, []
            self._heard_s = time.monotonic()
            for message in self.feed.subscribe(self.natives):
                await socket.send(message.decode())
                await asyncio.sleep(1.0 / self.feed.messages_per_s_max)
            self._start(self._join_history())
            watch = self._start(self._watch(socket))
            started_s = time.monotonic()
            await self._read(socket, started_s)
            watch.cancel()

    async def _read(self, socket: ClientConnection, started_s: float) -> None:
        put, name = self.inbox.put, self.feed.name
        while True:
            raw = await socket.recv(decode=False)
            self._heard_s = time.monotonic()
            frame = Frame(raw, now_ns(), "in")
            if self._held is None:
                put(name, [frame])
                if len(self.inbox) >= self.inbox.frames_max:
                    await self.inbox.room()
            else:
                self._held.append(frame)
                if len(self._held) > _HELD_FRAMES_MAX:
                    raise PeerError("history", "history did not catch up with the live frames")
            if self._heard_s - started_s > self.feed.connection_s_max:
                return

    async def _join_history(self) -> None:
        """History of every symbol into the inbox, then the live frames that waited."""
        await self.history.join(self.natives, self.inbox)
        held, self._held = self._held or [], None
        self.inbox.put(self.feed.name, held)
        self.backoff.reset()
        self._say("live", "")

    async def _watch(self, socket: ClientConnection) -> None:
        """Cut a connection on which nothing comes; send the venue's own ping."""
        pinged_s = time.monotonic()
        while True:
            await asyncio.sleep(_WATCH_S)
            now_s = time.monotonic()
            silent_s = now_s - self._heard_s
            if silent_s > self.silence_s_max:
                self._say("silent", f"nothing came for {silent_s:.0f} s")
                socket.transport.abort()
                return
            if self.feed.ping and now_s - pinged_s > self.silence_s_max / 3:
                pinged_s = now_s
                await socket.send(self.feed.ping.decode())

    async def _fetch(self, want: Want, key: tuple[str, str]) -> None:
        try:
            if want.kind == "depth":
                path = self.feed.depth_path(want.instrument.native)
                self.inbox.put(self.feed.name, [self._http(path, await self.rest.get(path))])
            elif self._socket is not None:
                for message in self.feed.resubscribe(want.instrument.native):
                    await self._socket.send(message.decode())
            await asyncio.sleep(1.0)  # One try a second a symbol, however often it is asked for.
        except (PeerError, WebSocketException) as error:
            log.warning("fetch failed", venue=self.feed.name, want=want.kind, reason=str(error))
        finally:
            self._wanted.discard(key)

    def _http(self, path: str, body: bytes) -> Frame:
        return Frame(body, now_ns(), "http", url=path)

    def _say(self, state: str, reason: str) -> None:
        self.tell(Health(state, reason, self.reconnects))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A helper that failed takes the connection with it; the reconnect starts all anew."""
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None or self._socket is None:
            return
        log.warning("feed task failed", venue=self.feed.name, reason=str(task.exception()))
        self._socket.transport.abort()

    async def _cancel_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._wanted.clear()
