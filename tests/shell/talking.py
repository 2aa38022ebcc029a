"""A client's side of a conversation with a served world."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from tests.shell.serving import World, json
from websockets.asyncio.client import ClientConnection

from candlewick.model.columns import Trades
from candlewick.model.outcome import Outcome


def through(world: World, talk_: Callable[[str], Awaitable[None]]) -> None:
    async def run() -> None:
        async with world.up() as host, asyncio.timeout(30):
            await talk_(host)

    asyncio.run(run())


def trade(series: int, id_: int, price: int) -> Outcome:
    at_ns = 1_700_000_000_123_000_000 + id_ * 1_000_000
    return Outcome(trades=Trades.from_rows([(series, id_, at_ns, at_ns + 5, price, 3, 1)]))


async def answer(ws: ClientConnection, seconds: float = 5.0) -> Any:
    async with asyncio.timeout(seconds):
        return json(await ws.recv())


async def silent(ws: ClientConnection, seconds: float = 0.2) -> bool:
    try:
        await answer(ws, seconds)
    except TimeoutError:
        return True
    return False


async def ask(ws: ClientConnection, **fields: Any) -> Any:
    """Send one message and give its answer, past what else comes."""
    await ws.send(msgspec.json.encode(fields).decode())
    while True:
        row = await answer(ws)
        if row.get("op") in ("ack", "err", "pong"):
            return row
