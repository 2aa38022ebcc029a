"""Messages to many clients: encoded once, framed once, queued by key, sent together.

takes   rows for a channel, and the clients' subscriptions
gives   WebSocket text frames, ready for the socket, to each client in one write every `FLUSH_MS`
never   waits for a client: a STATE frame (price, open candle, status) replaces the unsent one of
        its key; an EVENT frame (signal, alert, gap, final candle, answer) is never dropped, and a
        client whose queue is full of them is sent away with `bye slow`

Counted so that nothing gets lost in silence: pushed == sent + conflated + dropped + queued.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from typing import Any, Protocol

import msgspec

FLUSH_MS = 20
PREVIEW_MS_MIN = 250  # An open candle reaches a client about four times a second, not more.
STATUS_MS = 1_000
HEARTBEAT_MS = 5_000
QUEUE_FRAMES_MAX = 1_000
CLIENTS_MAX = 5_000
WIRE_BYTES_MAX = 64 * 1024  # Beyond it in the socket's buffer a client gets nothing more for now.
STUCK_MS_MAX = 15_000

CLOSE_AWAY = 1012  # The server restarts; come back.
CLOSE_SLOW = 1013  # Try again later.
_CLOSE_CODES = {"slow": CLOSE_SLOW, "shutdown": CLOSE_AWAY}

_encode = msgspec.json.encode


class Wire(Protocol):
    """One client's socket, as it is needed here; none of its calls waits."""

    def waiting(self) -> int:
        """Bytes written and not yet taken over by the operating system."""

    def write(self, frames: bytes) -> None: ...

    def finish(self, code: int, frames: bytes) -> None:
        """Write a last frame, close, and cut the connection if the other side does not."""


def framed(message: bytes) -> bytes:
    """A text frame from server to client (RFC 6455, 5.2): not masked, so equal for all."""
    size = len(message)
    if size < 126:
        return bytes((0x81, size)) + message
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + message
    return b"\x81\x7f" + size.to_bytes(8, "big") + message


class Client:
    """One connection: what it wants, and what has not been sent to it yet.

    `series` are the prices it gets in the flat form, None for all; `flat` is false once it has
    subscribed to a channel.
    """

    __slots__ = (
        "channels", "flat", "gone", "number", "queue", "series", "stuck_since_ms", "typed", "wire",
    )  # fmt: skip

    def __init__(self, number: int, wire: Wire, series: frozenset[int] | None) -> None:
        self.number = number
        self.wire = wire
        self.series = series
        self.flat = True
        self.typed = False
        self.gone = False
        self.channels: set[str] = set()
        self.queue: dict[Hashable, bytes] = {}
        self.stuck_since_ms: float | None = None


class Fanout:
    """All clients of this process and what is owed to them.

    Args:
        clock_ms: a clock that never goes back; the tests bring their own.
        status: builds the row of the `status` channel, called once a second if anybody listens.
    """

    def __init__(self, clock_ms: Callable[[], float] = lambda: time.monotonic_ns() / 1e6) -> None:
        self.status: Callable[[], Any] | None = None
        self.pushed = self.sent = self.conflated = self.dropped = 0
        self.closed: dict[str, int] = {"slow": 0, "shutdown": 0}
        self._clock_ms = clock_ms
        self._clients: dict[int, Client] = {}
        self._listeners: dict[str, dict[int, Client]] = {}
        self._seq: dict[str, int] = {}
        self._late: dict[str, tuple[float, Callable[[], Any]]] = {}
        self._preview_sent_ms: dict[str, float] = {}
        self._number = 0
        self._woken = asyncio.Event()
        self._status_ms = self._heartbeat_ms = clock_ms()

    # Clients

    def join(self, wire: Wire, series: Collection[int] | None = None) -> Client | None:
        """Admit a client; None if the house is full."""
        if len(self._clients) >= CLIENTS_MAX:
            return None
        self._number += 1
        client = Client(self._number, wire, None if series is None else frozenset(series))
        self._clients[client.number] = client
        return client

    def leave(self, client: Client) -> None:
        """Forget a client; what it had not been sent counts as dropped."""
        self._clients.pop(client.number, None)
        self.unsubscribe(client, tuple(client.channels))
        self.dropped += len(client.queue)
        client.queue.clear()
        client.gone = True

    def subscribe(self, client: Client, channels: Iterable[str]) -> None:
        client.flat, client.typed = False, True
        for channel in channels:
            client.channels.add(channel)
            self._listeners.setdefault(channel, {})[client.number] = client

    def unsubscribe(self, client: Client, channels: Iterable[str]) -> None:
        for channel in channels:
            client.channels.discard(channel)
            listeners = self._listeners.get(channel, {})
            listeners.pop(client.number, None)
            if not listeners:
                self._listeners.pop(channel, None)
                self._late.pop(channel, None)
                self._preview_sent_ms.pop(channel, None)

    def clients(self) -> Iterator[Client]:
        yield from self._clients.values()

    def heard(self, channel: str) -> bool:
        """Whether anybody listens; what nobody hears is not built."""
        return channel in self._listeners

    def flat_clients(self) -> list[Client]:
        return [client for client in self._clients.values() if client.flat]

    @property
    def queued(self) -> int:
        return sum(len(client.queue) for client in self._clients.values())

    def __len__(self) -> int:
        return len(self._clients)

    # Messages

    def state(self, client: Client, key: Hashable, frame: bytes) -> None:
        """Queue a frame that is worth nothing once a newer one of its key exists."""
        if client.gone:
            return
        self.pushed += 1
        if client.queue.pop(key, None) is not None:
            self.conflated += 1
        client.queue[key] = frame
        self._woken.set()

    def event(self, client: Client, frame: bytes) -> None:
        """Queue a frame that must arrive; a full queue ends the client."""
        if client.gone:
            return
        self.pushed += 1
        if len(client.queue) >= QUEUE_FRAMES_MAX:
            self.dropped += 1
            self.dismiss(client, "slow")
            return
        client.queue["event", self.pushed] = frame
        self._woken.set()

    def message(self, channel: str, type_: str, row: Any) -> bytes:
        """A frame of a channel, with the channel's next number."""
        self._seq[channel] = seq = self.seq(channel) + 1
        return framed(_encode({"ch": channel, "t": type_, "seq": seq, "data": row}))

    def answer(self, client: Client, row: Any) -> None:
        """What only this client asked for."""
        self.event(client, framed(_encode(row)))

    def remark(self, client: Client, key: str, row: Any) -> None:
        """As `answer`, but a repetition replaces the unsent one."""
        self.state(client, ("remark", key), framed(_encode(row)))

    def snapshot(self, client: Client, channel: str, row: Any) -> None:
        """What a channel holds now, for one client; the channel's number does not rise."""
        message = {"ch": channel, "t": "snap", "seq": self.seq(channel), "data": row}
        self.event(client, framed(_encode(message)))

    def seq(self, channel: str) -> int:
        return self._seq.get(channel, 0)

    def tell(self, channel: str, row: Any) -> None:
        """An event to everybody who listens."""
        self._to_all(channel, self.message(channel, "upd", row))

    def retell(self, channel: str, row: Any) -> None:
        """A whole new state of a channel, in place of more events than are worth sending."""
        frame = self.message(channel, "snap", row)
        for client in list(self._listeners.get(channel, {}).values()):
            self.state(client, channel, frame)

    def show(self, channel: str, row: Any, key: Hashable = None) -> None:
        """A state to everybody who listens."""
        frame = self.message(channel, "upd", row)
        for client in list(self._listeners.get(channel, {}).values()):
            self.state(client, (channel, key), frame)

    def show_paced(self, channel: str, build: Callable[[], Any]) -> None:
        """A state that is sent at most every `PREVIEW_MS_MIN`; the newest one is never left out."""
        due_ms = self._preview_sent_ms.get(channel, -PREVIEW_MS_MIN) + PREVIEW_MS_MIN
        if due_ms <= self._clock_ms():
            self._late.pop(channel, None)
            self._preview_sent_ms[channel] = self._clock_ms()
            self.show(channel, build())
        else:
            self._late[channel] = (due_ms, build)

    def supersede(self, channel: str) -> None:
        """Forget the unsent state of a channel: an event that follows has overtaken it."""
        self._late.pop(channel, None)
        for client in self._listeners.get(channel, {}).values():
            if client.queue.pop((channel, None), None) is not None:
                self.conflated += 1

    def _to_all(self, channel: str, frame: bytes) -> None:
        for client in list(self._listeners.get(channel, {}).values()):
            self.event(client, frame)

    # Sending

    def flush(self) -> None:
        """Give every client what it is owed, in one write; pass over who has not taken the last."""
        now_ms = self._clock_ms()
        self._due(now_ms)
        for client in list(self._clients.values()):
            if not client.queue:
                continue
            if client.wire.waiting() > WIRE_BYTES_MAX:
                self._stuck(client, now_ms)
                continue
            client.stuck_since_ms = None
            client.wire.write(b"".join(client.queue.values()))
            self.sent += len(client.queue)
            client.queue.clear()

    def _stuck(self, client: Client, now_ms: float) -> None:
        if client.stuck_since_ms is None:
            client.stuck_since_ms = now_ms
        elif now_ms - client.stuck_since_ms > STUCK_MS_MAX:
            self.dismiss(client, "slow")

    def _due(self, now_ms: float) -> None:
        """What time alone brings: late previews, the status, the heartbeat."""
        for channel, (due_ms, build) in list(self._late.items()):
            if due_ms <= now_ms:
                self.show_paced(channel, build)
        if self.status is not None and now_ms - self._status_ms >= STATUS_MS:
            self._status_ms = now_ms
            if self.heard("status"):
                self.show("status", self.status())
        if now_ms - self._heartbeat_ms >= HEARTBEAT_MS:
            self._heartbeat_ms = now_ms
            beat = framed(_encode({"op": "hb", "ts": time.time_ns() // 1_000_000}))
            for client in self._clients.values():
                if client.typed:
                    self.state(client, "hb", beat)

    def dismiss(self, client: Client, why: str) -> None:
        """Say goodbye and close; never waits."""
        self.closed[why] = self.closed.get(why, 0) + 1
        self.leave(client)
        bye = framed(_encode({"op": "bye", "why": why, "retry_ms": 1_500}))
        client.wire.finish(_CLOSE_CODES[why], bye)

    def close(self) -> None:
        """The program stops: send what is queued, then say so to everybody."""
        self.flush()
        for client in list(self._clients.values()):
            self.dismiss(client, "shutdown")

    async def run(self) -> None:
        """Flush when there is something to send, at most every `FLUSH_MS`, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), FLUSH_MS * 5 / 1_000)
            self._woken.clear()
            self.flush()
            await asyncio.sleep(FLUSH_MS / 1_000)
