"""One accepted connection of the built-in exchange: HTTP/1.1, or WebSocket after an upgrade.

The WebSocket side is `websockets`' own protocol without its sockets, so that everything due in a
turn of the pump goes out in a single write, and a test can cut a connection as it likes.

takes   bytes of a client; frames to send
gives   requests and messages to the exchange, bytes to the socket
never   holds more than `queue_bytes_max` unsent bytes for a client: it is cut, as exchanges do
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import NamedTuple, Protocol, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from candlewick.exchange.answers import Answer, Closing, Window
from candlewick.model.time import NS_PER_MS, NS_PER_S

HEAD_BYTES_MAX = 64 * 1024  # 1,024 stream names fit in a request line.
MESSAGE_BYTES_MAX = 256 * 1024
LINGER_S_MAX = 1.0
_CUT_LINGER = struct.pack("ii", 1, 0)  # Close at once, with a reset.


class Session(Protocol):
    """What one WebSocket connection says and hears; pure, one class a venue."""

    ping_every_s: float | None
    pong_wait_s: float
    closing: Closing | None

    def greeting(self) -> list[bytes]: ...
    def spoken(self, now_ns: int) -> None: ...
    def received(self, raw: bytes, now_ns: int) -> list[bytes]: ...
    def due(self, window: Window) -> list[bytes]: ...


class Target(NamedTuple):
    """What a request asks for."""

    path: str
    query: Mapping[str, str]


class House(NamedTuple):
    """What a connection needs of the exchange."""

    now_ns: Callable[[], int]
    answer: Callable[[Target], Awaitable[Answer]]
    session: Callable[[Target], Session | Answer]
    silent: Callable[[], bool]
    gone: Callable[[Link], None]
    queue_bytes_max: int
    counts: Counter[str]


class Link(asyncio.Protocol):
    """One connection."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._transport: asyncio.Transport | None = None
        self._head = bytearray()
        self._answering: asyncio.Task[None] | None = None
        self._protocol: ServerProtocol | None = None
        self._session: Session | None = None
        self._message = bytearray()
        self._pinged_ns, self._ponged_ns = 0, 0

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has a class of its own.

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answering is not None:
            self._answering.cancel()
        self._session = None
        self._house.gone(self)

    def data_received(self, data: bytes) -> None:
        if self._protocol is not None:
            self._protocol.receive_data(data)
            self._heard()
            return
        self._head += data
        if len(self._head) > HEAD_BYTES_MAX:
            self._respond(Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b""), close=True)
        elif self._answering is None:
            self._next_request()

    def eof_received(self) -> bool:
        if self._protocol is not None:
            self._protocol.receive_eof()
            self._flush()
        return False

    # HTTP

    def _next_request(self) -> None:
        head, end, rest = bytes(self._head).partition(b"\r\n\r\n")
        if not end:
            return
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        pairs = (line.partition(":") for line in lines[1:])
        fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if len(words) != 3 or words[0] != "GET" or fields.get("content-length", "0") != "0":
            self._respond(Answer(HTTPStatus.METHOD_NOT_ALLOWED, b""), close=True)
        elif fields.get("upgrade", "").lower() == "websocket":
            self._protocol = ServerProtocol(max_size=MESSAGE_BYTES_MAX)
            self._protocol.receive_data(bytes(self._head))
            self._head.clear()
            self._heard()
        else:
            self._head = bytearray(rest)
            close = fields.get("connection", "").lower() == "close"
            self._answering = asyncio.get_running_loop().create_task(
                self._answer(target_of(words[1]), close)
            )

    async def _answer(self, target: Target, close: bool) -> None:
        answer = await self._house.answer(target)
        self._answering = None
        self._respond(answer, close)
        if not close and self._head:
            self._next_request()

    def _respond(self, answer: Answer, close: bool) -> None:
        assert self._transport is not None
        fields = [*answer.headers, ("Content-Length", str(len(answer.body)))]
        fields.append(("Connection", "close" if close else "keep-alive"))
        head = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields)
        self._transport.write(head.encode("latin-1") + b"\r\n" + answer.body)
        if close:
            self._end()

    # WebSocket

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self._session is not None and (
            self._protocol is not None and self._protocol.state is OPEN
        )

    def publish(self, window: Window) -> int:
        """Send what is due in a window; how many frames that was."""
        if self._session is None or not self.is_open:
            return 0
        said = self._session.due(window)
        self._say(said)
        self._keep_alive(window.to_ns)
        return len(said)

    def cut(self, kind: str) -> None:
        """End the connection without a word: `fin` closes, `reset` resets."""
        assert self._transport is not None
        if kind == "reset":
            if not self._transport.is_closing():
                sock = self._transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CUT_LINGER)
            self._transport.abort()
        else:
            self._end()

    def close(self, closing: Closing) -> None:
        """End the connection as the WebSocket protocol wants it."""
        if self.is_open and self._protocol is not None:
            self._protocol.send_close(closing.code, closing.reason)
            self._flush()
        self._end()

    def _end(self) -> None:
        """Close once what is written has gone out, or after `LINGER_S_MAX` without it."""
        assert self._transport is not None
        self._transport.close()
        asyncio.get_running_loop().call_later(LINGER_S_MAX, self._transport.abort)

    def _say(self, said: Iterable[bytes]) -> None:
        assert self._protocol is not None
        for payload in said:
            self._protocol.send_text(payload)
        self._flush()

    def _flush(self) -> None:
        """Hand everything that is written to the socket, in one piece; cut a client that lags."""
        assert self._protocol is not None
        assert self._transport is not None
        pieces = self._protocol.data_to_send()
        if not pieces or self._transport.is_closing():
            return
        if not (self._house.silent() and self.is_open):
            self._transport.write(b"".join(pieces))
        if pieces[-1] == b"" or self._protocol.close_expected():
            self._end()
        elif self._transport.get_write_buffer_size() > self._house.queue_bytes_max:
            self._house.counts["cut_slow"] += 1
            self.cut("reset")

    def _heard(self) -> None:
        assert self._protocol is not None
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._upgrade(event)
            elif isinstance(event, Frame) and self._session is not None:
                self._frame(event, self._session)
        self._flush()
        if self._session is not None and self._session.closing and self.is_open:
            self.close(self._session.closing)

    def _upgrade(self, request: Request) -> None:
        assert self._protocol is not None
        response = self._protocol.accept(request)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            found = self._house.session(target_of(request.path))
            if isinstance(found, Answer):
                response = self._protocol.reject(found.status, found.body.decode())
            else:
                self._session = found
        self._protocol.send_response(response)
        if self._session is not None:
            self._pinged_ns = self._ponged_ns = self._house.now_ns()
            self._say(self._session.greeting())

    def _frame(self, frame: Frame, session: Session) -> None:
        now_ns = self._house.now_ns()
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._message += frame.data
            if len(self._message) > MESSAGE_BYTES_MAX:
                session.closing = Closing(1009, "Message too big")
            elif frame.fin:
                raw = bytes(self._message)
                self._message.clear()
                self._say(session.received(raw, now_ns))
            return
        session.spoken(now_ns)
        if frame.opcode is Opcode.PONG:
            self._ponged_ns = now_ns

    def _keep_alive(self, now_ns: int) -> None:
        """Ping as often as the venue does; end a connection that no longer answers or may not."""
        assert self._protocol is not None
        if self._session is None:
            return
        every_s = self._session.ping_every_s
        if every_s is not None:
            if self._ponged_ns < self._pinged_ns - self._session.pong_wait_s * NS_PER_S:
                self._session.closing = Closing(1008, "Pong timeout")
            if now_ns - self._pinged_ns >= every_s * NS_PER_S and self.is_open:
                self._pinged_ns = now_ns
                self._protocol.send_ping(str(now_ns // NS_PER_MS).encode())
                self._flush()
        if self._session is not None and self._session.closing:
            self.close(self._session.closing)


def target_of(text: str) -> Target:
    """A request target's path and query."""
    split = urlsplit(text)
    return Target(unquote(split.path), dict(parse_qsl(split.query, keep_blank_values=True)))
