"""`/ws` and `/ws/prices/{symbol}`: a connection comes, is admitted, talks, and goes.

takes   handshakes that `shield.py` has let through, and what clients say
gives   the newest prices at once, then what `hub.py` publishes, through `fanout.py`
never   sends by itself after the handshake: every frame goes through the client's queue
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from fastapi import FastAPI
from starlette.websockets import WebSocket

from candlewick.shell.api import access, questions
from candlewick.shell.api.problems import Problem, response
from candlewick.shell.api.talk import Talk
from candlewick.shell.api.wire import wire_of
from candlewick.shell.fanout import CLOSE_SLOW, Client
from candlewick.shell.hub import Hub
from candlewick.shell.live import Live


class Sockets:
    """The routes, and what they read from."""

    def __init__(self, hub: Hub, live: Live, intervals_s: tuple[int, ...]) -> None:
        self.hub = hub
        self.live = live
        self.intervals_s = intervals_s

    async def everything(self, websocket: WebSocket) -> None:
        """`/ws`"""
        await self._serve(websocket, None)

    async def prices(self, websocket: WebSocket, symbol: str) -> None:
        """`/ws/prices/{symbol}`"""
        try:
            found = questions.markets(self.live.instruments, symbol, None)
        except Problem as problem:
            await websocket.send_denial_response(response(websocket, problem))
            return
        await self._serve(websocket, [one.series for one in found])

    async def _serve(self, websocket: WebSocket, series: Sequence[int] | None) -> None:
        try:
            row = "WS /ws" if series is None else "WS /ws/prices/{symbol:path}"
            access.admit(websocket, access.WHO[row])
        except Problem as problem:
            await websocket.send_denial_response(response(websocket, problem))
            return
        await websocket.accept()
        client = self.hub.fanout.join(wire_of(websocket.scope), series)
        if client is None:
            await websocket.close(CLOSE_SLOW, "full")
            return
        try:
            self._prices_now(client)
            await self._listen(websocket, client)
        finally:
            self.hub.fanout.leave(client)

    async def _listen(self, websocket: WebSocket, client: Client) -> None:
        talk = Talk(self.hub, self.live, client, self.intervals_s, time.monotonic())
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            talk.heard(message.get("text") or message.get("bytes") or b"", time.monotonic())

    def _prices_now(self, client: Client) -> None:
        """A quiet market shows at once, not with its next trade."""
        for series in range(len(self.live.instruments)):
            row = self.live.price_row(series)
            if row is not None and (client.series is None or series in client.series):
                self.hub.price(client, series, row)

    def install(self, app: FastAPI) -> None:
        app.add_api_websocket_route("/ws", self.everything)
        app.add_api_websocket_route("/ws/prices/{symbol:path}", self.prices)
