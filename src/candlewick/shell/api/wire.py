"""uvicorn's WebSocket protocol, opened a hand's breadth: ready frames go straight to the socket.

takes   text frames that `fanout.framed` made, once for all clients
gives   one write a client and flush, how much of it is still waiting, and a close that ends
never   touches the compression or masking of frames: the server has both off

uvicorn's own `send` frames each message again for each client and waits when one is slow.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from candlewick.shell.fanout import CLOSE_AWAY

EXTENSION = "candlewick.wire"
# What the operating system keeps for a client that reads slowly; its own limit is megabytes.
SEND_BYTES_MAX = 256 * 1024
FINISH_S_MAX = 2.0  # How long the other side may take to answer a close.


class SocketWire(WebSocketsSansIOProtocol):
    """One connection; itself the `fanout.Wire` that its application finds in the scope."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            # The application starts with the next turn of the loop, so it sees this.
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[EXTENSION] = self
            own = self.transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES_MAX)

    def waiting(self) -> int:
        return self.transport.get_write_buffer_size()

    def write(self, frames: bytes) -> None:
        if self._open():
            self.transport.write(frames)

    def finish(self, code: int, frames: bytes) -> None:
        if self._open():
            self.conn.send_close(code)
            self.transport.write(frames + b"".join(self.conn.data_to_send()))
            self.close_sent = True
            if self.read_paused:  # The other side's close has to be heard.
                self.read_paused = False
                self.transport.resume_reading()
        if self.close_timer is None and not self.disconnected:
            self.close_timer = self.loop.call_later(FINISH_S_MAX, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """uvicorn waits for the buffer to drain; whoever missed a ping does not drain it."""
        super().keepalive_timeout()
        self.transport.abort()

    def shutdown(self) -> None:
        if self.handshake_complete and not self.close_sent:
            self.finish(CLOSE_AWAY, b"")
        elif self.disconnected or self.waiting() == 0:
            super().shutdown()
        else:
            self.transport.abort()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """A client that left without reading what it was sent must not keep its socket."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(FINISH_S_MAX, self.transport.abort)

    def _open(self) -> bool:
        return not (self.disconnected or self.close_sent or self.transport.is_closing())


def wire_of(scope: Scope) -> SocketWire:
    """The wire under an accepted connection; only `serve` puts one there."""
    wire = scope.get("extensions", {}).get(EXTENSION)
    assert isinstance(wire, SocketWire), "the app's sockets need candlewick.shell.api.serve.serve"
    return wire
