"""Claims of what may be asked over HTTP: symbols, spans, pages, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.shell.serving import (
    MINUTE_NS,
    T0,
    World,
    add_candles,
    closed,
    opened,
    traded,
)

from candlewick.model.instruments import Instrument
from candlewick.model.time import to_rfc3339


@pytest.fixture
def world(tmp_path: Path, listing: tuple[Instrument, ...]) -> Iterator[World]:
    with World(tmp_path / "rows", listing, tmp_path / "static") as made:
        yield made


SPELLED = [
    "BTCUSDT",
    "BTC-USDT",
    "BTC%2FUSDT",
    "btc",
    "btcusdt",
    "btc_usdt",
    "BTC/USDT",
    "XBT",
    "xbt-usdt",
    "BTC%2fusdt",
]
OF_SYMBOL = ("history", "latest", "historical", "indicators", "signals", "alerts")
UNKNOWN = [
    "NOPE",
    "BTCEUR",
    "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "..%2F..%2Fetc%2Fpasswd",
    "%00",
    "'%20OR%201=1--",
    "%F0%9F%92%A9",
    "A" * 60,
]
BAD = [
    *("limit=0", "limit=1001", "limit=x", "limit=1e2", "limit=", "limit=-1"),
    *("interval=7m", "interval=", "interval=1y", "interval=60", "interval=" + "1" * 11),
    *("start=yesterday", "start=2023-11-14T22:14:00", "start=-5", "start=" + "9" * 20, "start="),
    *("end=NaN", "end=2023-13-01T00:00:00Z", "end=" + "1" * 41, "start=%00"),
    *("order=up", "order=", "cursor=x", "cursor=lAA8w88Xl51NX75IAA", "cursor=%F0%9F%92%A9"),
    *("cursor=" + "A" * 301, "venue=" + "x" * 41),
]


def test_any_spelling_of_a_symbol_is_understood_everywhere(
    world: World, market: Callable[..., Any]
) -> None:
    traded(world, market)
    asked = [f"/api/v1/{room}/{spelled}" for room in OF_SYMBOL for spelled in SPELLED]
    asked += [f"/historical/{spelled}" for spelled in SPELLED]
    asked += [f"/historical?symbol={spelled}" for spelled in SPELLED]
    for answer in world.get_all([("GET", path, {}) for path in asked]):
        assert answer.status_code == 200, answer.url
        body = answer.json()
        rows = body if isinstance(body, list) else body.get("data", [body])
        assert rows, answer.url
        assert {row.get("symbol", "BTC/USDT") for row in rows} == {"BTC/USDT"}, answer.url


def test_an_unknown_symbol_is_a_404_that_names_the_known_ones(world: World) -> None:
    asked = [f"/api/v1/{room}/{spelled}" for room in OF_SYMBOL for spelled in UNKNOWN]
    for answer in world.get_all([("GET", path, {}) for path in asked]):
        assert answer.status_code == 404, answer.url
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        body = answer.json()
        assert (body["code"], body["known"]) == ("unknown_symbol", ["BTC/USDT", "ETH/EUR"])
        assert len(body["trace_id"]) == 16


def test_bad_input_is_a_422_that_names_it(world: World) -> None:
    asked = [("GET", f"/api/v1/historical/btc?{query}", {}) for query in BAD]
    for query, answer in zip(BAD, world.get_all(asked), strict=True):
        assert answer.status_code == 422, query
        assert answer.headers["content-type"] == "application/problem+json"
        assert query.partition("=")[0] in answer.json()["detail"], query


def test_an_unknown_indicator_is_a_422_that_names_the_known_ones(world: World) -> None:
    answer = world.get("/api/v1/indicators/btc?names=sma_2,magic")
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_indicator")
    assert "sma_2, rsi_14" in answer.json()["detail"]


def test_start_is_inside_and_end_is_not_in_ms_and_in_rfc3339(world: World) -> None:
    add_candles(world, 10)
    start, end = T0 + 2 * MINUTE_NS, T0 + 5 * MINUTE_NS
    for low, high in (
        (start // 10**6, end // 10**6),
        (to_rfc3339(start), to_rfc3339(end)),
        ("2023-11-14T23:16:00%2B01:00", "2023-11-14T22:19:00Z"),
        ("2023-11-14T23:16:00+01:00", "2023-11-14T22:19:00.000001-00:00"),
    ):
        rows = world.get(f"/api/v1/historical/btc?start={low}&end={high}").json()["data"]
        expected = 4 if str(high).endswith("1-00:00") else 3
        assert [row["ts"] * 10**6 for row in rows] == [
            start + at * MINUTE_NS for at in range(expected)
        ]


@pytest.mark.parametrize("room", ["historical", "indicators"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_are_whole_without_duplicates_while_rows_come_in(
    world: World, room: str, order: str
) -> None:
    add_candles(world, 25)

    async def walk() -> list[list[int]]:
        pages: list[list[int]] = []
        async with (
            world.up() as host,
            httpx2.AsyncClient(base_url=f"http://{host}", trust_env=False) as client,
        ):
            query = {"limit": 7, "order": order, "interval": "1m"}
            while True:
                body = (await client.get(f"/api/v1/{room}/BTC", params=query)).json()
                pages.append([row["ts"] for row in body["data"]])
                assert body["has_more"] is (body["next"] is not None)
                if not body["has_more"]:
                    return pages
                query["cursor"] = body["next"]
                if len(pages) == 1:  # Rows on both sides of the page come and are revised.
                    at = 30 if order == "desc" else -30
                    world.batch(closed(opened(0, 60, T0 + at * MINUTE_NS, 1_000, final=1)))
                    world.batch(closed(opened(0, 60, T0 + 3 * MINUTE_NS, 999, final=1, revision=1)))

    pages = asyncio.run(walk())
    walked = [ts for page in pages for ts in page]
    expected = [(T0 + at * MINUTE_NS) // 10**6 for at in range(25)]
    assert walked == (expected if order == "asc" else expected[::-1])
    assert [len(page) for page in pages] == [7, 7, 7, 4]


def test_a_cursor_of_another_question_is_refused(world: World) -> None:
    add_candles(world, 5)
    cursor = world.get("/api/v1/historical/btc?limit=2").json()["next"]
    for path in ("btc?order=desc", "btc?interval=5m", "eth"):
        joint = "&" if "?" in path else "?"
        answer = world.get(f"/api/v1/historical/{path}{joint}cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")
