"""Claims of what `/ws` refuses, and that it stays civil: hostile messages, limits, origins."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.shell.serving import World, json
from tests.shell.talking import answer, ask, silent, through
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from candlewick.model.columns import Gaps
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Outcome
from candlewick.shell.api import talk

M = 60 * 10**9
CANDLES = "candles:binance:BTC/USDT:1m"


@pytest.fixture
def world(tmp_path: Path, listing: tuple[Instrument, ...]) -> Iterator[World]:
    origins = ("https://desk.example:8443",)
    with World(tmp_path / "rows", listing, tmp_path, api={"origins": origins}) as made:
        yield made


def test_a_sub_is_followed_whole_or_not_at_all(world: World) -> None:
    async def check(host: str) -> None:
        async with connect(f"ws://{host}/ws") as ws:
            for bad, code in (
                ("candles:binance:NOPE:1m", "unknown_symbol"),
                ("candles:nasdaq:BTC/USDT:1m", "unknown_symbol"),
                ("candles:binance:BTC/USDT:7m", "unknown_interval"),
                ("candles:binance:BTC/USDT", "unknown_channel"),
                ("books", "unknown_channel"),
                ("", "unknown_channel"),
                ("<img src=x onerror=alert(1)>", "unknown_channel"),
            ):
                row = await ask(ws, op="sub", id=1, ch=["gaps", bad])
                assert (row["op"], row["id"], row["code"]) == ("err", 1, code)
            world.batch(Outcome(gaps=Gaps.from_rows([(1, 0, 5, 9, 3, 1, 2, 5, 0, 0)])))
            assert await silent(ws)

    through(world, check)


HOSTILE = [
    "",
    "{",
    "null",
    "[]",
    "7",
    '"sub"',
    "{}",
    '{"op":1}',
    '{"op":"sub","ch":"alerts"}',
    '{"op":"sub","ch":[1]}',
    '{"op":"sub","id":{"a":1}}',
    '{"op":"sub","id":"' + "x" * 65 + '"}',
    "[" * 30_000,
    '{"op":' + "[" * 30_000,
    '{"x":' + "[" * 20_000 + "]" * 20_000 + ',"op":"nonsense"}',
    '{"op":"sub","id":1e400}',
    '{"op":"\\ud800"}',
    b"\xff\xfe\x00",
    b"\x00" * 1_000,
]


def test_a_hostile_message_gets_an_err_and_the_connection_stays(world: World) -> None:
    async def check(host: str) -> None:
        for message in HOSTILE:
            async with connect(f"ws://{host}/ws") as ws:
                await ws.send(message)
                row = await answer(ws)
                assert row["op"] == "err", message[:40]
                assert row["code"] in ("bad_message", "unknown_op"), message[:40]
                assert await ask(ws, op="ping", id=3) == {"op": "pong", "id": 3}

    through(world, check)


def test_a_message_over_the_limit_ends_the_connection(world: World) -> None:
    async def check(host: str) -> None:
        async with connect(f"ws://{host}/ws") as ws:
            await ws.send("x" * (talk.MESSAGE_BYTES_MAX + 1))
            with pytest.raises(ConnectionClosed):
                await answer(ws)
            assert ws.close_code == 1009
        async with connect(f"ws://{host}/ws") as ws:
            padded = '{"op":"ping","x":"'
            padded += "x" * (talk.MESSAGE_BYTES_MAX - len(padded) - 2) + '"}'
            await ws.send(padded)
            assert (await answer(ws))["op"] == "pong"

    through(world, check)


def test_more_messages_than_the_limit_are_refused_and_few_errs_come(world: World) -> None:
    async def check(host: str) -> None:
        async with connect(f"ws://{host}/ws") as ws:
            for number in range(500):
                await ws.send(f'{{"op":"ping","id":{number}}}')
            rows: list[Any] = []
            with contextlib.suppress(TimeoutError):
                while True:
                    rows.append(await answer(ws, 0.4))
            pongs = [row for row in rows if row["op"] == "pong"]
            errs = [row for row in rows if row["op"] == "err"]
            assert talk.MESSAGES_PER_S_MAX <= len(pongs) <= 2 * talk.MESSAGES_PER_S_MAX
            assert {row["code"] for row in errs} == {"rate"}
            assert len(errs) < 100
            assert await ask(ws, op="ping", id="later") == {"op": "pong", "id": "later"}

    through(world, check)


def test_no_client_has_more_channels_than_the_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk, "CHANNELS_MAX", 3)

    async def check(host: str) -> None:
        async with connect(f"ws://{host}/ws") as ws:
            assert (await ask(ws, op="sub", id=1, ch=["gaps", "alerts"]))["op"] == "ack"
            assert (await ask(ws, op="sub", id=2, ch=["gaps", "alerts"]))["op"] == "ack"
            row = await ask(ws, op="sub", id=3, ch=["prices", "status"])
            assert (row["op"], row["code"]) == ("err", "too_many")

    through(world, check)


def test_only_our_pages_and_the_named_ones_may_connect(world: World) -> None:
    foreign = ["https://desk.example", "https://evil.example", "null", "file://", ""]
    foreign += ["http://127.0.0.1.evil.example", "https://desk.example:8443.evil.example"]

    async def check(host: str) -> None:
        for origin in (None, f"http://{host}", "https://desk.example:8443"):
            async with connect(f"ws://{host}/ws", additional_headers=_origin(origin)) as ws:
                assert await ask(ws, op="ping", id=1)
        for origin in (*foreign, f"http://evil.example@{host}", f"http://{host}.evil.example"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://{host}/ws", additional_headers=_origin(origin))
            assert refused.value.response.status_code == 403, origin
            assert json(refused.value.response.body)["code"] == "foreign_origin"

    through(world, check)


def _origin(origin: str | None) -> dict[str, str]:
    return {} if origin is None else {"Origin": origin}


def test_a_rebound_host_is_refused_before_it_is_answered(world: World) -> None:
    async def check(host: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(
                f"ws://rebound.example:{host.rpartition(':')[2]}/ws",
                host="127.0.0.1",
                proxy=None,
            )
        assert refused.value.response.status_code == 400

    through(world, check)
