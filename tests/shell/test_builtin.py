"""The built-in exchange over loopback, heard by a real WebSocket client and a real HTTP client."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
import pytest
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_to

from candlewick.errors import UsageError
from candlewick.exchange.market import OPENED_NS
from candlewick.model.time import NS_PER_S
from candlewick.shell.builtin import BuiltinExchange

BEGIN_NS = OPENED_NS + 185_765_432 * NS_PER_S


def clock(speed: float = 1.0) -> Callable[[], int]:
    """An exchange's clock that starts at a fixed moment and runs `speed` times as fast."""
    started_ns = time.monotonic_ns()
    return lambda: BEGIN_NS + int((time.monotonic_ns() - started_ns) * speed)


def run(test: Coroutine[Any, Any, None]) -> None:
    """One test in one loop, never longer than half a minute."""
    asyncio.run(asyncio.wait_for(test, 30))


def connect(url: str, **options: Any) -> connect_to:
    """A client whose close does not wait behind frames that nobody reads."""
    return connect_to(url, max_queue=None, **options)


async def hear(ws: ClientConnection, count: int) -> list[Any]:
    return [json.loads(await ws.recv()) for _ in range(count)]


async def get(exchange: BuiltinExchange, path: str, **query: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=exchange.http_url, trust_env=False) as client:
        return await client.get(path, params=query)


async def _trades(ws: ClientConnection, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        told = json.loads(await ws.recv())
        if told.get("e") == "trade":
            found.append(told)
    return found


def test_combined_streams_arrive_wrapped_and_in_order() -> None:
    async def test() -> None:
        names = "btcusdt@trade/ethusdt@bookTicker/btcusdt@depth@100ms"
        async with (
            BuiltinExchange(now_ns=clock(5)) as exchange,
            connect(f"{exchange.ws_url}/stream?streams={names}") as ws,
        ):
            heard = await hear(ws, 300)
        assert {h["stream"] for h in heard} == set(names.split("/"))
        ids = [h["data"]["t"] for h in heard if h["stream"] == "btcusdt@trade"]
        assert ids == list(range(ids[0], ids[0] + len(ids)))

    run(test())


def test_streams_can_be_added_and_removed_on_a_raw_connection() -> None:
    async def test() -> None:
        async with (
            BuiltinExchange(now_ns=clock(5)) as exchange,
            connect(f"{exchange.ws_url}/ws") as ws,
        ):
            await ws.send('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}')
            assert json.loads(await ws.recv()) == {"result": None, "id": 1}
            assert (await hear(ws, 1))[0]["s"] == "BTCUSDT"
            await ws.send('{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":2}')
            while "result" not in json.loads(await ws.recv()):
                pass
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ws.recv(), 0.3)

    run(test())


@pytest.mark.parametrize("kind", ["fin", "reset"])
def test_after_a_cut_the_history_closes_the_hole_by_ids(kind: Any) -> None:
    async def test() -> None:
        async with BuiltinExchange(now_ns=clock(20)) as exchange:
            async with connect(f"{exchange.ws_url}/ws/btcusdt@trade") as ws:
                before = await _trades(ws, 50)
                assert exchange.cut(kind) == 1
                with pytest.raises(websockets.ConnectionClosedError):
                    before += await _trades(ws, 10_000)
            await asyncio.sleep(0.1)
            async with connect(f"{exchange.ws_url}/ws/btcusdt@trade") as ws:
                after = await _trades(ws, 50)
            first, last = before[-1]["t"] + 1, after[0]["t"] - 1
            assert last > first
            answer = await get(
                exchange, "/api/v3/historicalTrades",
                symbol="BTCUSDT", fromId=first, limit=last - first + 1,
            )  # fmt: skip
            ids = [t["t"] for t in before] + [r["id"] for r in answer.json()]
            ids += [t["t"] for t in after]
            assert ids == list(range(ids[0], ids[-1] + 1))

    run(test())


def test_a_restarted_exchange_goes_on_with_the_same_market() -> None:
    async def test() -> None:
        told, now_ns = [], clock(20)
        for _ in range(2):
            async with (
                BuiltinExchange(seed=3, now_ns=now_ns) as exchange,
                connect(f"{exchange.ws_url}/ws/btcusdt@trade") as ws,
            ):
                told += await _trades(ws, 30)
        async with BuiltinExchange(seed=3, now_ns=now_ns) as exchange:
            answer = await get(
                exchange, "/api/v3/historicalTrades",
                symbol="BTCUSDT", fromId=told[0]["t"], limit=1000,
            )  # fmt: skip
        rows = {r["id"]: (r["price"], r["qty"], r["time"]) for r in answer.json()}
        assert told[30]["t"] > told[29]["t"]
        assert all(rows[t["t"]] == (t["p"], t["q"], t["T"]) for t in told)

    run(test())


def test_a_pause_is_silent_and_its_trades_are_never_sent() -> None:
    async def test() -> None:
        async with (
            BuiltinExchange(now_ns=clock(20)) as exchange,
            connect(f"{exchange.ws_url}/ws/btcusdt@trade", ping_interval=None) as ws,
        ):
            before = await _trades(ws, 20)
            exchange.pause()
            while True:
                try:
                    before.append(json.loads(await asyncio.wait_for(ws.recv(), 0.3)))
                except TimeoutError:
                    break
            await ws.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
            assert (await get(exchange, "/api/v3/ping")).status_code == 200
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ws.recv(), 0.1)
            exchange.resume()
            after = await _trades(ws, 20)
            assert after[0]["t"] > before[-1]["t"] + 1
            ids = [t["t"] for t in after]
            assert ids == list(range(ids[0], ids[0] + 20))

    run(test())


def test_kraken_greets_acknowledges_and_goes_on_from_its_snapshot() -> None:
    async def test() -> None:
        async with (
            BuiltinExchange(now_ns=clock(5)) as exchange,
            connect(f"{exchange.ws_url}/v2") as ws,
        ):
            assert (await hear(ws, 1))[0]["channel"] == "status"
            params = {"channel": "trade", "symbol": ["BTC/USD", "NO/USD"], "snapshot": True}
            await ws.send(json.dumps({"method": "subscribe", "params": params, "req_id": 9}))
            heard = await hear(ws, 12)
            assert [h.get("success") for h in heard[:3]] == [True, None, False]
            ids = [t["trade_id"] for h in heard if h.get("channel") == "trade" for t in h["data"]]
            assert ids == list(range(ids[0], ids[0] + len(ids)))
            assert len(ids) > 50
            await ws.send('{"method":"ping","req_id":101}')
            while (told := json.loads(await ws.recv())).get("method") != "pong":
                pass
            assert told["req_id"] == 101

    run(test())


def test_rest_serves_both_venues_on_one_kept_connection() -> None:
    async def test() -> None:
        async with (
            BuiltinExchange(now_ns=clock()) as exchange,
            httpx2.AsyncClient(base_url=exchange.http_url, trust_env=False) as client,
        ):
            assert (await client.get("/api/v3/ping")).json() == {}
            server_ms = (await client.get("/api/v3/time")).json()["serverTime"]
            assert 0 <= server_ms - BEGIN_NS // 1_000_000 < 30_000
            kraken = await client.get("/0/public/Trades", params={"pair": "BTC/USD", "count": 2})
            assert len(kraken.json()["result"]["XXBTZUSD"]) == 2
            unknown = await client.get("/api/v3/depth", params={"symbol": "NOPE"})
            assert unknown.status_code == 400
            assert unknown.json() == {"code": -1121, "msg": "Invalid symbol."}
            assert (await client.get("/nowhere")).status_code == 404
            assert (await client.post("/api/v3/ping", content=b"x")).status_code == 405

    run(test())


def test_the_weight_limit_is_told_in_headers() -> None:
    async def test() -> None:
        async with BuiltinExchange(now_ns=clock(), weight_a_minute=30) as exchange:
            first = await get(exchange, "/api/v3/trades", symbol="BTCUSDT", limit=1)
            second = await get(exchange, "/api/v3/trades", symbol="BTCUSDT", limit=1)
        assert (first.status_code, first.headers["x-mbx-used-weight-1m"]) == (200, "25")
        assert second.status_code == 429
        assert 0 < int(second.headers["retry-after"]) <= 60

    run(test())


def test_too_many_messages_close_the_connection_with_1008() -> None:
    async def test() -> None:
        async with (
            BuiltinExchange(now_ns=clock()) as exchange,
            connect(f"{exchange.ws_url}/ws") as ws,
        ):
            for _ in range(7):
                await ws.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await hear(ws, 8)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008

    run(test())


def test_the_server_pings_and_drops_a_client_that_does_not_answer() -> None:
    """By hand over a plain socket, at 200 times the speed: 20 s are 0.1 s, a minute is 0.3 s."""

    async def test() -> None:
        async with BuiltinExchange(now_ns=clock(200)) as exchange:
            reader, writer = await asyncio.open_connection(exchange.host, exchange.port)
            writer.write(
                b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # RFC 6455, section 1.3.
            assert (await reader.readexactly(2))[0] == 0x89  # A ping.
            rest = await reader.read()  # Until the server closes.
            assert b"\x88\x0e\x03\xf0Pong timeout" in rest  # A close frame, 1008.
            writer.close()
            await writer.wait_closed()

    run(test())


def test_a_client_that_answers_pings_stays_connected() -> None:
    async def test() -> None:
        async with (
            BuiltinExchange(now_ns=clock(200)) as exchange,
            connect(f"{exchange.ws_url}/ws/kavausdt@trade") as ws,
        ):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(_trades(ws, 10**6), 1.5)  # Five minutes of the exchange's.
            assert ws.state is websockets.State.OPEN

    run(test())


def test_a_slow_client_is_cut_and_the_others_are_not() -> None:
    async def test() -> None:
        async with BuiltinExchange(
            trades_per_s=3_000, now_ns=clock(5), queue_bytes_max=64 * 1024
        ) as exchange:
            slow = socket.socket()
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect((exchange.host, exchange.port))
            names = "/".join(f"{s}usdt@trade" for s in ("btc", "eth", "sol", "xrp"))
            slow.sendall(
                f"GET /stream?streams={names} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            async with connect(f"{exchange.ws_url}/ws/btcusdt@trade") as quick:
                told = await _trades(quick, 1)
                while exchange.connections > 1:
                    told += await _trades(quick, 100)
                assert exchange.counts["cut_slow"] == 1
                told += await _trades(quick, 100)
            ids = [t["t"] for t in told]
            assert ids == list(range(ids[0], ids[0] + len(ids)))
            slow.close()

    run(test())


def test_half_a_request_and_a_giant_one_do_no_harm() -> None:
    async def test() -> None:
        async with BuiltinExchange(now_ns=clock()) as exchange:
            for raw in (
                b"GET /api/v3/ping HT",
                b"x" * 100_000,
                b"\r\n\r\n",
                b"\x16\x03\x01\r\n\r\n",
            ):
                reader, writer = await asyncio.open_connection(exchange.host, exchange.port)
                writer.write(raw)
                writer.write_eof()
                answer = await reader.read()
                assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
                writer.close()
            assert (await get(exchange, "/api/v3/ping")).status_code == 200

    run(test())


def test_a_taken_port_is_a_usage_error_that_says_what_to_do() -> None:
    async def test() -> None:
        async with BuiltinExchange() as exchange:
            with pytest.raises(UsageError, match=r"builtin\.port = 0"):
                await BuiltinExchange(port=exchange.port).start()

    run(test())


def test_it_stops_with_clients_connected() -> None:
    async def test() -> None:
        exchange = BuiltinExchange(now_ns=clock(5))
        await exchange.start()
        async with connect(f"{exchange.ws_url}/ws/btcusdt@trade") as ws:
            await _trades(ws, 1)
            await exchange.stop()
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await _trades(ws, 10**6)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001

    run(test())
