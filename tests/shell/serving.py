"""A whole program without feeds: a real store, reader, hub and server around a seeded market."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from candlewick.config import Settings
from candlewick.errors import UsageError
from candlewick.model.columns import Candles, Indicators, Signals
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.outcome import Outcome
from candlewick.shell.api.app import create_app
from candlewick.shell.api.serve import listening
from candlewick.shell.hub import Hub
from candlewick.shell.live import Live
from candlewick.shell.metrics import Metrics
from candlewick.shell.reader import Reader
from candlewick.shell.store import Store

STARTED_NS = 1_700_000_000_000_000_000
T0 = 1_700_000_040 * 10**9  # The beginning of a minute.
MINUTE_NS = 60 * 10**9
KINDS = ("PRICE_SPIKE", "PRICE_DROP")
NAMES = ("sma_2", "rsi_14")
TOKEN = "this-run's-token-0123456789"


class Operator:
    """The running program's side of `test-spike`."""

    def __init__(self) -> None:
        self.local_token = TOKEN
        self.asked: list[tuple[str, float]] = []

    async def test_spike(self, symbol: str, pct: float) -> dict[str, Any]:
        if symbol == "DOGE/USDT":
            raise UsageError("DOGE/USDT is not traded on the built-in exchange")
        self.asked.append((symbol, pct))
        return {"symbol": symbol, "pct": pct}


class World:
    """Use as a context manager; `batch` does what the program does with an outcome."""

    def __init__(
        self, data_dir: Path, listing: tuple[Instrument, ...], static: Path, **settings: Any
    ) -> None:
        self.settings = Settings(data_dir=data_dir, **settings)
        self.instruments = Instruments()
        for one in listing:
            self.instruments.declare(one)
        self.store = Store.open(data_dir, indicator_names=NAMES, anomaly_kinds=KINDS)
        self.store.save_instruments(self.instruments)
        self.reader = Reader(data_dir)
        self.live = Live(self.instruments, STARTED_NS, NAMES, self.settings.env)
        for one in listing:
            self.live.feed(one.venue)
        self.hub = Hub(self.instruments)
        self.metrics = Metrics(self.hub.fanout, self.live)
        self.operator = Operator()
        self.static = static

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.store.close()

    def batch(
        self, outcome: Outcome, ticks: dict[int, tuple[int, int, float]] | None = None
    ) -> None:
        self.store.commit(outcome, instruments=self.instruments)
        self.live.apply(outcome, ticks or {})
        self.hub.publish(outcome, self.live)

    def app(self) -> Any:
        return create_app(
            self.settings,
            self.reader,
            self.live,
            self.hub,
            self.instruments,
            self.operator,
            self.metrics,
            static=self.static,
        )

    @contextlib.asynccontextmanager
    async def up(self) -> AsyncIterator[str]:
        """Serve on a free port; gives `127.0.0.1:<port>`."""
        async with listening(self.app(), "127.0.0.1", 0) as server:
            yield f"127.0.0.1:{server.port}"

    def get(self, path: str, method: str = "GET", **more: Any) -> httpx2.Response:
        """One request to a server of its own."""
        return self.get_all([(method, path, more)])[0]

    def get_all(self, asked: list[tuple[str, str, dict[str, Any]]]) -> list[httpx2.Response]:
        async def run() -> list[httpx2.Response]:
            async with (
                self.up() as host,
                httpx2.AsyncClient(base_url=f"http://{host}", trust_env=False) as client,
            ):
                return [await client.request(m, p, **more) for m, p, more in asked]

        return asyncio.run(run())


def opened(
    series: int, interval_s: int, open_ns: int, close: int, *, final: int = 0, revision: int = 0
) -> tuple[Any, ...]:
    """A row of `Candles` of a few trades."""
    return (
        series, interval_s, open_ns, close - 5, close + 10, close - 10, close, 1_000, 400, 0,
        1_000 * close, 3, 7, 9, revision, final, 0,
    )  # fmt: skip


def preview(row: tuple[Any, ...], sma: float = 1.5) -> Outcome:
    """An outcome that only moves an open candle."""
    values = [(*row[:3], 0, sma, 0), (*row[:3], 1, float("nan"), 0)]
    return Outcome(
        previews=Candles.from_rows([row]), preview_indicators=Indicators.from_rows(values)
    )


def closed(row: tuple[Any, ...], sma: float = 1.5) -> Outcome:
    """An outcome that closes a candle."""
    return Outcome(
        candles=Candles.from_rows([row]),
        indicators=Indicators.from_rows([(*row[:3], 0, sma, row[14])]),
    )


def json(raw: bytes | str) -> Any:
    return msgspec.json.decode(raw)


def traded(world: World, market: Callable[..., Any]) -> World:
    """The world after 600 trades, five of them missing, and what followed from them."""
    outcome = market(7, {0: range(1_100, 1_105)}).outcome(300)
    trades = outcome.trades
    newest = zip(trades.id[:5], trades.at_ns[:5], trades.price[:5], strict=True)
    outcome.signals = Signals.from_rows(
        [(0, int(i), int(at), 1, int(p), 59_000.125, 0.0005) for i, at, p in newest]
    )
    ticks = {0: (1, int(trades.price[299]), 60_000.5), 1: (0, 1, math.nan)}
    world.batch(outcome, ticks)
    return world


def add_candles(world: World, count: int) -> None:
    """Closed minutes of the first series from `T0` on, each with an indicator."""
    rows = [opened(0, 60, T0 + at * MINUTE_NS, 100 + at, final=1) for at in range(count)]
    values = [(0, 60, T0 + at * MINUTE_NS, 0, float(at), 0) for at in range(count)]
    world.batch(Outcome(candles=Candles.from_rows(rows), indicators=Indicators.from_rows(values)))
