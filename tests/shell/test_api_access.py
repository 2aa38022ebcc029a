"""Claims of who may call what: the table, the operator's token, hosts, production, limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.shell.serving import (
    TOKEN,
    World,
)

from candlewick.errors import UsageError
from candlewick.model.instruments import Instrument
from candlewick.shell.api.access import WHO, GuardedRoute, is_loopback
from candlewick.shell.api.serve import listening, serve
from candlewick.shell.api.shield import BODY_BYTES_MAX


@pytest.fixture
def world(tmp_path: Path, listing: tuple[Instrument, ...]) -> Iterator[World]:
    with World(tmp_path / "rows", listing, tmp_path / "static") as made:
        yield made


def test_every_route_has_a_row_and_every_row_a_route(world: World) -> None:
    found = set()
    for route in world.app().routes:
        methods = getattr(route, "methods", None) or {"WS"}
        found |= {f"{method} {route.path}" for method in methods}
        assert isinstance(route, GuardedRoute) or methods == {"WS"}
    assert found == set(WHO)


def test_a_route_without_a_row_cannot_be_made(world: World) -> None:
    app = world.app()
    with pytest.raises(AssertionError, match=r"no row in access\.WHO"):
        app.add_api_route("/secret", lambda: None, methods=["GET"])


def test_a_test_spike_needs_this_runs_token(world: World) -> None:
    body = {"symbol": "BTC/USDT", "pct": 6}
    for wrong in (None, "", "wrong", TOKEN + "x", TOKEN[:-1], TOKEN.upper(), "\xe9".encode()):
        headers = {} if wrong is None else {"X-Candlewick-Local": wrong}
        answer = world.get("/api/v1/test-spike", "POST", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_operator")
    assert world.operator.asked == []
    answer = world.get(
        "/api/v1/test-spike", "POST", json=body, headers={"X-Candlewick-Local": TOKEN}
    )
    assert (answer.status_code, answer.json()) == (200, body)
    assert world.operator.asked == [("BTC/USDT", 6.0)]


def test_the_token_may_come_after_the_app_and_change(world: World) -> None:
    world.operator.local_token = ""
    app = world.app()
    world.operator.local_token = "second"
    headers = {"X-Candlewick-Local": "second"}

    async def ask() -> httpx2.Response:
        async with (
            listening(app, "127.0.0.1", 0) as server,
            httpx2.AsyncClient(trust_env=False) as client,
        ):
            url = f"http://127.0.0.1:{server.port}/api/v1/test-spike"
            return await client.post(url, json={}, headers=headers)

    assert asyncio.run(ask()).status_code == 200


def test_without_a_token_nobody_is_the_operator(world: World) -> None:
    world.operator.local_token = ""
    answer = world.get("/api/v1/test-spike", "POST", json={}, headers={"X-Candlewick-Local": ""})
    assert answer.status_code == 403


def test_a_bad_test_spike_is_refused(world: World) -> None:
    headers = {"X-Candlewick-Local": TOKEN, "Content-Type": "application/json"}
    bodies = [
        (b'{"symbol":"BTC/USDT","pct":1e400}', 422),
        (b'{"symbol":"BTC/USDT","pct":NaN}', 422),
        (b'{"pct":"much"}', 422),
        (b'{"pct":901}', 422),
        (b"", 422),
        (b"{", 422),
        (b"[" * 60_000, 400),
        (b'{"symbol":"DOGE/USDT"}', 409),
        (b"x" * (BODY_BYTES_MAX + 1), 413),
    ]
    asked = [("POST", "/api/v1/test-spike", {"content": b, "headers": headers}) for b, _ in bodies]
    for (body, status), answer in zip(bodies, world.get_all(asked), strict=True):
        assert answer.status_code == status, body[:40]
        assert answer.headers["content-type"] == "application/problem+json"
    assert world.operator.asked == []


def test_a_body_without_a_length_ends_at_the_limit(world: World) -> None:
    async def endless() -> Any:
        for _ in range(200):
            yield b"x" * 1_024

    headers = {"X-Candlewick-Local": TOKEN, "Content-Type": "application/json"}
    answer = world.get("/api/v1/test-spike", "POST", content=endless(), headers=headers)
    assert answer.status_code == 413


def test_only_known_host_names_are_answered(world: World) -> None:
    known = ["localhost", "127.0.0.1", "[::1]:8080", "LOCALHOST:1", "10.1.2.3:8080"]
    foreign = [
        "rebound.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "localhost/x",
    ]
    foreign += ["evil@localhost", "x" * 300, "[::1", "localhost:port", "localhost#", "[::1]x"]
    asked = [("GET", "/api/v1/symbols", {"headers": {"Host": h}}) for h in known + foreign]
    found = dict(zip(known + foreign, world.get_all(asked), strict=True))
    assert {host for host, answer in found.items() if answer.status_code == 200} == set(known)
    assert {found[host].status_code for host in foreign} == {400}


def test_the_hosts_of_configured_origins_are_known(
    tmp_path: Path, listing: tuple[Instrument, ...]
) -> None:
    api = {"origins": ("https://desk.example:8443",)}
    with World(tmp_path / "rows", listing, tmp_path, api=api) as world:
        answer = world.get("/health", headers={"Host": "desk.example:8443"})
        assert answer.status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "desk.example"])
def test_production_does_not_start_on_an_address_that_others_reach(world: World, host: str) -> None:
    app = world.app()
    app.state.env = "production"
    with pytest.raises(UsageError, match=r"no accounts yet"):
        asyncio.run(serve(app, host, 0))


def test_production_answers_market_data_to_this_machine_only(
    tmp_path: Path, listing: tuple[Instrument, ...]
) -> None:
    with World(tmp_path / "rows", listing, tmp_path, env="production") as world:
        assert world.get("/api/v1/symbols").status_code == 200

        async def from_afar(path: str) -> list[dict[str, Any]]:
            said: list[dict[str, Any]] = []

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                said.append(message)

            scope = {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": "GET",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "headers": [(b"host", b"127.0.0.1")],
                "scheme": "http",
                "root_path": "",
                "server": ("127.0.0.1", 80),
                "client": ("203.0.113.9", 5),
            }
            await world.app()(scope, receive, send)
            return said

        assert asyncio.run(from_afar("/api/v1/symbols"))[0]["status"] == 403
        assert asyncio.run(from_afar("/metrics"))[0]["status"] == 403
        assert asyncio.run(from_afar("/healthz"))[0]["status"] == 200


def test_which_addresses_are_this_machines() -> None:
    ours = ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "localhost"]
    others = ["0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "", "::ffff:10.0.0.1"]
    assert [is_loopback(host) for host in ours + others] == [True] * 5 + [False] * 6


def test_an_address_in_use_is_said_with_a_remedy(world: World) -> None:
    async def twice() -> None:
        async with listening(world.app(), "127.0.0.1", 0) as server:
            await serve(world.app(), "127.0.0.1", server.port)

    with pytest.raises(UsageError, match=r"cannot listen on 127\.0\.0\.1:\d+ .*api\.port"):
        asyncio.run(twice())
