"""Claims of every answer, of errors, health, documents and pages."""

from __future__ import annotations

import asyncio
import json as plain_json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.shell.serving import (
    World,
    add_candles,
    traded,
)

from candlewick.model.instruments import Instrument
from candlewick.shell.api.access import WHO, Who
from candlewick.shell.api.serve import listening
from candlewick.shell.database import FILE_NAME


@pytest.fixture
def world(tmp_path: Path, listing: tuple[Instrument, ...]) -> Iterator[World]:
    with World(tmp_path / "rows", listing, tmp_path / "static") as made:
        yield made


def test_data_routes_say_how_long_the_query_took_also_to_head(
    world: World, market: Callable[..., Any]
) -> None:
    traded(world, market)
    rooms = [
        path.partition(" ")[2].replace("{symbol:path}", "btc") for path in WHO if "/api/v1/" in path
    ]
    data = [path for path in rooms if not path.endswith("test-spike")]
    assert len(data) == 10
    for method in ("GET", "HEAD"):
        for answer in world.get_all([(method, path, {}) for path in data]):
            assert answer.status_code == 200, answer.url
            assert float(answer.headers["x-query-time-ms"]) >= 0
            assert (answer.content == b"") is (method == "HEAD")


def test_every_answer_has_the_security_headers_and_no_inline_is_allowed(world: World) -> None:
    paths = (
        "/",
        "/docs",
        "/ws/test",
        "/health",
        "/api/v1/symbols",
        "/nope",
        "/api/v1/latest/x",
        "/pages/docs.js",
    )
    for answer in world.get_all([("GET", path, {}) for path in paths]):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answer.headers


@pytest.mark.parametrize("page", ["/", "/docs", "/ws/test"])
def test_our_own_pages_need_nothing_inline_and_nothing_from_elsewhere(
    world: World, page: str
) -> None:
    answer = world.get(page)
    assert answer.headers["content-type"].startswith("text/html")
    text = answer.text
    for forbidden in (
        "<style",
        "<script>",
        " style=",
        "onclick",
        "javascript:",
        "http://",
        "https://",
    ):
        assert forbidden not in text
    for asset in ("/pages/pages.css", "/pages/docs.js", "/pages/ws-test.js"):
        if asset in text:
            assert world.get(asset).status_code == 200


def test_the_socket_test_page_has_its_buttons(world: World) -> None:
    text = world.get("/ws/test").text
    assert 'id="connect"' in text
    assert 'id="disconnect"' in text


def test_wrong_methods_and_unknown_routes_are_problems(world: World) -> None:
    for method, path, status, code in (
        ("POST", "/api/v1/symbols", 405, "method_not_allowed"),
        ("DELETE", "/api/v1/history/btc", 405, "method_not_allowed"),
        ("PUT", "/", 405, "method_not_allowed"),
        ("GET", "/api/v1/test-spike", 404, "not_found"),
        ("GET", "/api/v2/symbols", 404, "not_found"),
        ("GET", "/<script>alert(1)</script>", 404, "not_found"),
        ("GET", "/static/../../../etc/passwd", 404, "not_found"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404, "not_found"),
        ("GET", "/api/v1/history/%25%0d%0aX-Evil:%201", 404, "not_found"),
    ):
        answer = world.get(path, method)
        assert (answer.status_code, answer.json()["code"]) == (status, code), (method, path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


def test_a_failed_store_is_a_503_with_retry_after_and_nothing_internal(world: World) -> None:
    add_candles(world, 2)
    world.store.close()
    folder = world.settings.data_dir
    (folder / FILE_NAME).write_bytes(b"\x00" * 40_000)
    for answer in world.get_all(
        [("GET", f"/api/v1/{p}/btc", {}) for p in ("historical", "history")]
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "store_failed")
        assert int(answer.headers["retry-after"]) > 0
        assert str(folder) not in answer.text
        assert "sqlite" not in answer.text.lower()


def test_a_fault_of_the_program_is_a_500_without_a_word_about_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WHO, "GET /fault/{secret}", Who.ANYBODY)
    app = world.app()

    async def faulty(secret: str) -> None:
        raise ZeroDivisionError(f"secret {secret}")

    app.add_api_route("/fault/{secret}", faulty, methods=["GET"])
    app.router.routes.insert(0, app.router.routes.pop())  # Before the pages, which take the rest.

    async def ask() -> httpx2.Response:
        async with listening(app, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.port}/fault/hunter2"
            async with httpx2.AsyncClient(trust_env=False) as client:
                return await client.get(url)

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["code"]) == (500, "bug")
    assert "Zero" not in answer.text
    assert "Traceback" not in answer.text
    assert "hunter2" not in answer.json()["detail"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert 'http_requests_total{method="GET",path="/fault/{secret}",status="500"} 1.0' in (
        world.metrics.text().decode()
    )


def test_health_names_what_is_wrong(world: World) -> None:
    assert world.get("/health").json()["status"] == "ok"
    world.live.feed("binance").state = "down"
    world.live.feed("kraken").state = "live"
    assert world.get("/health").status_code == 200
    assert world.get("/readyz").status_code == 200
    world.live.feed("kraken").state, world.live.feed("kraken").reason = "down", "refused"
    answer = world.get("/health")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["feed binance: down", "feed kraken: refused"]
    world.live.feed("kraken").state = "live"
    world.live.store_failure = "the disk is full"
    assert world.get("/health").json()["reasons"] == ["store: the disk is full"]
    assert world.get("/readyz").status_code == 503
    assert world.get("/healthz").status_code == 200


def test_readiness_waits_for_the_first_feed(world: World) -> None:
    answer = world.get("/readyz")
    assert answer.status_code == 503
    assert "no feed has answered yet" in answer.json()["reasons"][0]
    world.live.feed("kraken").state = "live"
    assert world.get("/readyz").status_code == 200


def test_openapi_lists_every_asked_for_path_and_shape(world: World) -> None:
    told = world.get("/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    rooms = ("symbols", "status", "btc", "gaps", "test-spike")
    of_symbol = ("history", "latest", "historical", "indicators", "signals", "alerts")
    wanted = {f"/api/v1/{room}" for room in rooms}
    wanted |= {f"/api/v1/{room}/{{symbol}}" for room in of_symbol}
    wanted |= {"/health", "/metrics", "/version", "/latest", "/historical"}
    assert wanted <= set(told["paths"])
    ids = [one["operationId"] for path in told["paths"].values() for one in path.values()]
    assert len(ids) == len(set(ids))
    text = plain_json.dumps(told)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(told["components"]["schemas"])
    assert told["components"]["schemas"]["CandleRow"]["properties"]["open"] == {"type": "string"}


def test_without_a_build_the_page_says_how_to_make_one(world: World) -> None:
    answer = world.get("/")
    assert answer.status_code == 200
    assert "make web" in answer.text


def test_a_build_is_served_with_hashed_files_kept_for_ever(
    tmp_path: Path, listing: tuple[Instrument, ...]
) -> None:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html><title>dashboard</title>")
    (static / "assets" / "index-4f2a.js").write_text("export {}")
    (static / "icon.svg").write_text("<svg/>")
    (tmp_path / "private.txt").write_text("not yours")
    with World(tmp_path / "rows", listing, static) as world:
        page, asset, icon = world.get_all(
            [("GET", path, {}) for path in ("/", "/assets/index-4f2a.js", "/icon.svg")]
        )
        assert page.text.endswith("<title>dashboard</title>")
        assert page.headers["cache-control"] == "no-cache"
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert asset.headers["content-type"].startswith("text/javascript")
        assert icon.headers["content-type"] == "image/svg+xml"
        again = world.get("/", headers={"If-None-Match": page.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        for path in (
            "/../private.txt",
            "/%2e%2e/private.txt",
            "/assets/../../private.txt",
            "/assets/",
        ):
            assert world.get(path).status_code == 404


def test_reads_do_not_block_the_loop(world: World) -> None:
    """While a query waits for the store, health is answered."""
    add_candles(world, 3)

    async def run() -> None:
        async with (
            world.up() as host,
            httpx2.AsyncClient(base_url=f"http://{host}", trust_env=False) as client,
        ):
            with world.reader._turn:  # As a long query would.
                waiting = asyncio.create_task(client.get("/api/v1/historical/btc"))
                await asyncio.sleep(0.05)
                for _ in range(20):
                    assert (await client.get("/health")).status_code == 200
                assert not waiting.done()
            assert (await waiting).status_code == 200

    asyncio.run(asyncio.wait_for(run(), 20))
