"""The server inside the program's own loop: bound first, stopped with grace, no signals of its own.

takes   the app and where to listen
gives   its port as soon as it listens
never   takes SIGINT or SIGTERM away from the program, or waits longer than `STOP_S_MAX` at the end
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI

from candlewick.errors import UsageError
from candlewick.shell.api.access import refuse_unsafe
from candlewick.shell.api.talk import MESSAGE_BYTES_MAX
from candlewick.shell.api.wire import SocketWire

STOP_S_MAX = 4
START_S_MAX = 10.0
BACKLOG_MAX = 2_048
PING_S = 20.0


class _Quiet(uvicorn.Server):
    """uvicorn without its signal handlers: the program has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listening(NamedTuple):
    """A server at work: where, and the task that ends when it does."""

    port: int
    running: asyncio.Task[None]


@contextlib.asynccontextmanager
async def listening(app: FastAPI, host: str, port: int) -> AsyncIterator[Listening]:
    """Serve while the block runs; port 0 is any free one, and the answer says which.

    Raises:
        UsageError: the address is not free or not ours, or production on an open address.
    """
    refuse_unsafe(app.state.env, host)
    bound = _bound(host, port)
    server = _Quiet(_config(app))
    running = asyncio.create_task(server.serve(sockets=[bound]), name="api")
    try:
        async with asyncio.timeout(START_S_MAX):
            while not server.started and not running.done():
                await asyncio.sleep(0.005)
        if running.done():
            await running
        yield Listening(bound.getsockname()[1], running)
    finally:
        app.state.fanout.close()
        server.should_exit = True
        await asyncio.shield(running)


async def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve until cancelled; then say goodbye to every client and stop."""
    async with listening(app, host, port) as server:
        await asyncio.shield(server.running)


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ws=SocketWire,
        ws_per_message_deflate=False,
        ws_max_size=MESSAGE_BYTES_MAX,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        backlog=BACKLOG_MAX,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_S_MAX,
    )


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        remedy = "choose another with api.port"
        if error.errno != errno.EADDRINUSE:
            remedy = "set api.host to an address of this machine, and api.port to one that is free"
        raise UsageError(
            f"cannot listen on {host}:{port} ({error.strerror or error}); {remedy}"
        ) from error
    listener.setblocking(False)
    return listener
