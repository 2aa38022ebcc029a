"""A running program against the built-in exchange that cuts, resets and falls silent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from candlewick.config import Settings
from candlewick.errors import UsageError
from candlewick.runs.opened import opened
from candlewick.runs.sources import Source, directory, of_exchange, probe
from candlewick.runs.up import Program
from candlewick.shell.builtin import BuiltinExchange
from candlewick.shell.reader import Reader
from candlewick.shell.verify import verify

WAIT_S_MAX = 60.0


def settings(data_dir: Path, **flags: object) -> Settings:
    quiet = {
        "data_dir": data_dir,
        "source": "built-in",
        "api.port": 0,
        "feeds.silence_s_max": 1.0,
        "feeds.reconnect_s_min": 0.05,
        "feeds.reconnect_s_max": 0.2,
        "symbols": ["BTC/USDT", "ETH/USDT", "DOGE/USDT"],
    }
    return Settings.load(flags=quiet | flags, environ={})


async def until(what: str, happened: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WAIT_S_MAX
    while not happened():
        assert time.monotonic() < end_s, f"waited {WAIT_S_MAX} s for: {what}"
        await asyncio.sleep(0.05)


async def running(
    chosen: Settings, exchange: BuiltinExchange, act: Callable[[Program], Awaitable[None]]
) -> None:
    """Run a program, do something to it, stop it in order."""
    source = of_exchange(chosen, exchange, "a test")
    with opened(chosen, chosen.data_dir) as run, Reader(chosen.data_dir) as reader:
        program = Program(chosen, source, run, reader, chosen.data_dir)
        task = asyncio.create_task(program.run())
        try:
            async with asyncio.timeout(4 * WAIT_S_MAX):
                await act(program)
        finally:
            program.stopped.set()
            await task


def reconnects(program: Program) -> int:
    return sum(session.reconnects for session in program.sessions.values())


def all_live(program: Program) -> bool:
    feeds = [program.live.feed(name) for name in ("binance", "kraken")]
    return all(feed.state == "live" for feed in feeds)


def test_cuts_resets_and_silence_leave_no_hole(tmp_path: Path) -> None:
    """After every reconnect the history closes the seam: the ids run on, no gap is open."""
    chosen = settings(tmp_path)

    async def act(program: Program) -> None:
        await until("both feeds live", lambda: all_live(program))
        for fault in ("fin", "reset", "silence"):
            before = reconnects(program)
            if fault == "silence":
                exchange.pause()
            else:
                exchange.cut(fault)  # type: ignore[arg-type]
            await until(f"reconnects after {fault}", lambda: reconnects(program) >= before + 2)  # noqa: B023
            exchange.resume()
            await until("both feeds live again", lambda: all_live(program))
        frames = program.live.feed("binance").frames
        await until("frames go on", lambda: program.live.feed("binance").frames > frames + 20)

    async def scenario() -> None:
        async with exchange:
            await running(chosen, exchange, act)

    exchange = BuiltinExchange(seed=3, trades_per_s=30.0, weight_a_minute=1_000_000)
    asyncio.run(scenario())
    with Reader(tmp_path) as reader:
        assert [str(row) for row in reader.gaps(None, "trades").records()] == []
        for one in reader.instruments():
            ids = reader.trades_since(one.series, 0, 1_000_000).id
            assert len(ids) > 0, one
            assert int(ids[-1]) - int(ids[0]) + 1 == len(ids), one
    assert [finding for finding in verify(tmp_path) if not finding.ok] == []


def test_test_spike_gives_one_alert_of_its_own_venue(tmp_path: Path) -> None:
    chosen = settings(tmp_path, symbols=["BTC/USDT"])
    found = []

    async def act(program: Program) -> None:
        await until("a feed is live", lambda: all_live(program))
        found.append(await program.test_spike("BTC", 6.0))
        found.append(await program.test_spike("BTC", -12.0))
        with pytest.raises(UsageError, match="expected -90 to 900"):
            await program.test_spike("BTC", 5000.0)

    async def scenario() -> None:
        async with BuiltinExchange(seed=3, trades_per_s=10.0) as exchange:
            await running(chosen, exchange, act)

    asyncio.run(scenario())
    kinds = [[(a["kind"], a["severity"]) for a in one["alerts"]] for one in found]
    assert kinds == [[("PRICE_SPIKE", "LOW")], [("PRICE_DROP", "HIGH")]]
    with Reader(tmp_path) as reader:
        venues = {one.series: one.venue for one in reader.instruments()}
        assert {venues[row.series] for row in reader.anomalies()} == {"test"}


def test_auto_takes_a_venue_that_answers_and_else_the_built_in_exchange(tmp_path: Path) -> None:
    """Both addresses are on loopback: one that speaks Binance, one where nobody listens."""

    async def scenario() -> list[tuple[str, str]]:
        found = []
        async with BuiltinExchange(seed=3, trades_per_s=10.0) as exchange:
            ((feed, natives), _) = of_exchange(settings(tmp_path), exchange, "").feeds
            found.append(await probe(feed, natives, 3.0))
        found.append(await probe(feed, natives, 0.5))  # It has stopped.
        return found

    answers, silent = asyncio.run(scenario())
    assert answers == ("live", "binance answers")
    assert silent == ("built-in", "binance did not answer within 0.5 s: simulated market")


def test_simulated_and_real_trades_never_share_a_directory(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    simulated = Source("built-in", "", (), 1.0, 0.0)
    live = Source("live", "", (), 1.0, 0.0)
    assert directory(chosen, simulated) == tmp_path
    assert directory(chosen, live) == tmp_path / "real"
    assert directory(chosen, simulated) == tmp_path
