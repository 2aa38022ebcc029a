"""Claims of `/ws`, made through a real server on loopback by a real client."""

from __future__ import annotations

import asyncio
import socket as sockets
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.shell.serving import World, closed, json, opened, preview
from tests.shell.talking import answer, ask, silent, through, trade
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from candlewick.model.columns import Anomalies, Gaps
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Outcome

M = 60 * 10**9
CANDLES = "candles:binance:BTC/USDT:1m"


@pytest.fixture
def world(tmp_path: Path, listing: tuple[Instrument, ...]) -> Iterator[World]:
    origins = ("https://desk.example:8443",)
    with World(tmp_path / "rows", listing, tmp_path, api={"origins": origins}) as made:
        yield made


def test_a_new_client_gets_the_prices_known_then_each_new_one(world: World) -> None:
    async def check(host: str) -> None:
        world.batch(trade(0, 1, 6_183_763), {0: (1, 6_183_763, 61_800.5)})
        async with connect(f"ws://{host}/ws") as ws:
            first = await answer(ws)
            assert first == {
                "symbol": "BTCUSDT",
                "venue": "binance",
                "price": 61837.63,
                "sma_20": 61800.5,
                "signal": "BUY",
                "timestamp": 1_700_000_000_124,
                "time": "2023-11-14T22:13:20.124Z",
            }
            world.batch(trade(1, 2, 180_050))
            row = await answer(ws)
            assert (row["symbol"], row["price"], row["sma_20"]) == ("ETHEUR", 1800.5, None)

    through(world, check)


def test_a_price_reaches_a_quiet_client_within_fifty_milliseconds(world: World) -> None:
    async def check(host: str) -> None:
        async with connect(f"ws://{host}/ws") as ws:
            await ws.ping()
            took = []
            for id_ in range(20):
                await asyncio.sleep(0.03)
                started_s = time.perf_counter()
                world.batch(trade(0, id_, 100 + id_))
                await answer(ws)
                took.append(time.perf_counter() - started_s)
            assert sorted(took)[10] < 0.05

    through(world, check)


def test_prices_of_one_symbol_are_of_that_symbol_only(world: World) -> None:
    async def check(host: str) -> None:
        for spelled in ("BTCUSDT", "btc", "BTC%2FUSDT", "BTC-USDT"):
            async with connect(f"ws://{host}/ws/prices/{spelled}") as ws:
                await ws.ping()
                world.batch(trade(1, 1, 100))
                world.batch(trade(0, 2, 200))
                assert (await answer(ws))["symbol"] == "BTCUSDT"

    through(world, check)


def test_prices_of_an_unknown_symbol_are_refused_with_the_known_ones(world: World) -> None:
    async def check(host: str) -> None:
        for spelled in ("NOPE", "%3Cscript%3Ealert(1)%3C/script%3E"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://{host}/ws/prices/{spelled}")
            found = refused.value.response
            assert found.status_code == 404
            assert found.headers["content-type"] == "application/problem+json"
            assert json(found.body)["known"] == ["BTC/USDT", "ETH/EUR"]

    through(world, check)


def test_after_a_sub_the_flat_form_stops_and_typed_frames_come(world: World) -> None:
    async def check(host: str) -> None:
        world.batch(preview(opened(0, 60, M, 100), 99.5))
        async with connect(f"ws://{host}/ws") as ws:
            row = await ask(ws, op="sub", id=7, ch=["candles:binance:btcusdt:1m", "alerts"])
            assert row == {"op": "ack", "id": 7, "ch": [CANDLES, "alerts"]}
            snap = await answer(ws)
            assert (snap["ch"], snap["t"], snap["seq"]) == (CANDLES, "snap", 0)
            (candle,) = snap["data"]["candles"]
            assert (candle["final"], candle["close"]) == (False, "1")
            assert candle["indicators"] == {"sma_2": 99.5, "rsi_14": None}
            world.batch(trade(0, 1, 100))
            world.batch(closed(opened(0, 60, M, 105, final=1), 98.25))
            upd = await answer(ws)
            assert (upd["ch"], upd["t"], upd["seq"]) == (CANDLES, "upd", 1)
            assert set(upd["data"]) == set(candle)
            assert (upd["data"]["final"], upd["data"]["indicators"]) == (True, {"sma_2": 98.25})

    through(world, check)


def test_every_channel_carries_its_rows(world: World) -> None:
    async def check(host: str) -> None:
        async with connect(f"ws://{host}/ws") as ws:
            channels = ["alerts", "gaps", "status", "prices"]
            assert (await ask(ws, op="sub", id="a", ch=channels))["ch"] == channels
            status, prices = await answer(ws), await answer(ws)
            assert (status["ch"], status["data"]["clients"]) == ("status", 1)
            assert prices["data"] == {"prices": []}
            world.batch(
                Outcome(
                    anomalies=Anomalies.from_rows([(0, 60, M, 0, 3, 12.5, 10.0, 100, 112)]),
                    gaps=Gaps.from_rows([(1, 0, 5, 9, 3 * M, M, 2 * M, 5, 0, 0)]),
                )
            )
            alert, gap = await answer(ws), await answer(ws)
            assert alert["ch"] == "alerts"
            assert alert["data"]["severity"] == "HIGH"
            assert gap["data"] == {
                "venue": "kraken",
                "symbol": "ETH/EUR",
                "kind": "trades",
                "first_id": 5,
                "last_id": 9,
                "missing": 5,
                "after": "1970-01-01T00:01:00Z",
                "before": "1970-01-01T00:02:00Z",
                "seen_at": "1970-01-01T00:03:00Z",
                "repaired_at": None,
                "how": None,
            }
            world.batch(trade(0, 1, 150))
            assert (await answer(ws))["data"]["price"] == 1.5

    through(world, check)


def test_an_unsub_stops_its_channel_and_keeps_the_others(world: World) -> None:
    async def check(host: str) -> None:
        async with connect(f"ws://{host}/ws") as ws:
            await ask(ws, op="sub", id=1, ch=["gaps", "alerts"])
            assert (await ask(ws, op="unsub", id=2, ch=["gaps"])) == {
                "op": "ack",
                "id": 2,
                "ch": ["gaps"],
            }
            world.batch(Outcome(gaps=Gaps.from_rows([(1, 0, 5, 9, 3, 1, 2, 5, 0, 0)])))
            assert await silent(ws)
            world.batch(
                Outcome(anomalies=Anomalies.from_rows([(0, 60, M, 0, 1, 5.5, 5.0, 100, 105)]))
            )
            assert (await answer(ws))["ch"] == "alerts"

    through(world, check)


def test_three_clients_get_identical_sequences(world: World) -> None:
    async def check(host: str) -> None:
        clients = [await connect(f"ws://{host}/ws") for _ in range(3)]
        for ws in clients:
            await ask(ws, op="sub", id=1, ch=[CANDLES, "gaps"])
            await answer(ws)  # The snapshot.
        heard: list[list[bytes]] = [[], [], []]
        for at in range(40):
            world.batch(closed(opened(0, 60, at * M, 100 + at, final=1)))
            world.batch(Outcome(gaps=Gaps.from_rows([(1, 0, at, at, 3, 1, 2, 1, 0, 0)])))
            if at % 10 == 0:
                await asyncio.sleep(0.03)
        for number, ws in enumerate(clients):
            for _ in range(80):
                async with asyncio.timeout(5):
                    heard[number].append(await ws.recv(decode=False))
            await ws.close()
        assert heard[0] == heard[1] == heard[2]
        seqs = [row["seq"] for row in map(json, heard[0]) if row["ch"] == "gaps"]
        assert seqs == list(range(1, 41))

    through(world, check)


def _deaf(host: str) -> sockets.socket:
    """A client that asks for the gaps and then never reads again."""
    name, _, port = host.rpartition(":")
    deaf = sockets.socket()
    deaf.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
    deaf.connect((name, int(port)))
    deaf.sendall(
        f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answered = b""
    while not answered.endswith(b"\r\n\r\n"):
        answered += deaf.recv(1)
    message = b'{"op":"sub","id":1,"ch":["gaps"]}'
    deaf.sendall(bytes((0x81, 0x80 | len(message))) + bytes(4) + message)  # Masked with zeros.
    return deaf


def test_a_deaf_client_delays_nobody_and_is_sent_away(world: World) -> None:
    async def check(host: str) -> None:
        loop = asyncio.get_running_loop()
        deaf = await loop.run_in_executor(None, _deaf, host)
        async with connect(f"ws://{host}/ws") as ws:
            await ask(ws, op="sub", id=1, ch=["gaps"])
            while len(world.hub.fanout) < 2 or world.hub.fanout.flat_clients():
                await asyncio.sleep(0.01)
            took, id_ = [], 0
            while world.hub.fanout.closed["slow"] == 0 and id_ < 400_000:
                started_s = time.perf_counter()
                for start in range(id_, id_ + 400, 40):
                    rows = [(1, 0, n, n, 3, 1, 2, 1, 0, 0) for n in range(start, start + 40)]
                    world.hub.publish(Outcome(gaps=Gaps.from_rows(rows)), world.live)
                for n in range(400):
                    assert (await answer(ws))["data"]["first_id"] == id_ + n
                took.append(time.perf_counter() - started_s)
                id_ += 400
            assert world.hub.fanout.closed["slow"] == 1
            assert len(world.hub.fanout) == 1
            assert sorted(took)[len(took) // 2] < 0.25
        deaf.close()

    through(world, check)


def test_the_end_of_the_program_is_said_to_every_client(world: World) -> None:
    async def run() -> None:
        async with world.up() as host:
            ws = await connect(f"ws://{host}/ws")
            await ask(ws, op="ping", id=1)
        assert await answer(ws) == {"op": "bye", "why": "shutdown", "retry_ms": 1_500}
        with pytest.raises(ConnectionClosed):
            await answer(ws)
        assert ws.close_code == 1012

    asyncio.run(asyncio.wait_for(run(), 20))


def test_the_connection_count_is_a_metric(world: World) -> None:
    async def check(host: str) -> None:
        async with httpx2.AsyncClient(base_url=f"http://{host}", trust_env=False) as http:

            async def connections() -> str:
                text = (await http.get("/metrics")).text
                (line,) = [one for one in text.splitlines() if one.startswith("ws_connections ")]
                return line.split()[1]

            assert await connections() == "0.0"
            async with connect(f"ws://{host}/ws"), connect(f"ws://{host}/ws"):
                assert await connections() == "2.0"
            async with asyncio.timeout(5):
                while await connections() != "0.0":
                    await asyncio.sleep(0.01)

    through(world, check)
