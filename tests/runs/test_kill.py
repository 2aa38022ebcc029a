"""kill -9 on a running feed: after every restart the tables are those of an undisturbed run.

The built-in exchange is a pure function of seed and time, so the undisturbed run need not be run:
its tables are computed from the market itself.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from candlewick.errors import VersionError
from candlewick.exchange.market import Market, binance_market, kraken_market
from candlewick.model.columns import Trades
from candlewick.model.time import NS_PER_S
from candlewick.shell.builtin import BINANCE_SHARE
from candlewick.shell.reader import Reader
from candlewick.shell.verify import verify

pytestmark = pytest.mark.proc

ROUNDS = 20
SEED, TRADES_PER_S = 11, 60.0


def start(data_dir: Path) -> subprocess.Popen[bytes]:
    environ = os.environ | {
        "CANDLEWICK__BUILTIN__SEED": str(SEED),
        "CANDLEWICK__BUILTIN__TRADES_PER_S": str(TRADES_PER_S),
        "CANDLEWICK__API__PORT": "0",
        "CANDLEWICK__LOG__LEVEL": "warning",
    }
    command = [sys.executable, "-m", "candlewick", "up", "--source", "built-in"]
    return subprocess.Popen([*command, "--data-dir", str(data_dir), "--no-open"], env=environ)


def stored(data_dir: Path) -> int:
    """How many trades are committed; 0 before the store is there with its tables."""
    if not (data_dir / "candlewick.sqlite").exists():
        return 0
    try:
        with Reader(data_dir) as reader:
            return reader.counts()["trades"]
    except VersionError:  # Just made, not migrated yet.
        return 0


def wait_for_more(data_dir: Path, running: subprocess.Popen[bytes]) -> None:
    before, end_s = stored(data_dir), time.monotonic() + 90
    while stored(data_dir) <= before:
        assert running.poll() is None, "the program ended by itself"
        assert time.monotonic() < end_s, "no trade was stored for 90 s"
        time.sleep(0.02)


def markets() -> dict[str, Market]:
    return {
        "binance": binance_market(SEED, TRADES_PER_S * BINANCE_SHARE),
        "kraken": kraken_market(SEED, TRADES_PER_S * (1.0 - BINANCE_SHARE)),
    }


def content(trades: Trades) -> list[tuple[int, ...]]:
    columns = [trades.column(n).tolist() for n in ("id", "at_ns", "price", "size", "side")]
    return list(zip(*columns, strict=True))


def scaled(trades: Trades, price: int, size: int) -> list[tuple[int, ...]]:
    return [(i, at, p * price, s * size, side) for i, at, p, s, side in content(trades)]


def test_twenty_kills_at_random_times_change_nothing(tmp_path: Path) -> None:
    """Trades are the market's own, without a hole; every candle is their fold; no gap is open."""
    draw = random.Random(5)
    for _ in range(ROUNDS):
        running = start(tmp_path)
        try:
            wait_for_more(tmp_path, running)
            time.sleep(draw.random() * 0.5)
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait(10)
    last = start(tmp_path)
    wait_for_more(tmp_path, last)
    time.sleep(2.0)
    last.send_signal(signal.SIGTERM)
    assert last.wait(30) == 0

    by_venue = markets()
    compared = 0
    with Reader(tmp_path) as reader:
        assert len(reader.gaps(None)) == 0
        for one in reader.instruments():
            market = by_venue[one.venue]
            listed = market.symbol(one.symbol).instrument
            found = reader.trades_since(one.series, 0, 10_000_000)
            until_ns = int(found.at_ns.max()) + 3600 * NS_PER_S
            wanted = market.trades_from_id(one.symbol, int(found.id[0]), len(found), until_ns)
            price = 10 ** (one.price_decimals - listed.price_decimals)
            size = 10 ** (one.size_decimals - listed.size_decimals)
            assert content(found) == scaled(wanted, price, size), one.symbol
            compared += len(found)
            candles = reader.candles(one.series, 60, limit=100_000)
            assert set(candles.revision.tolist()) == {0}, one.symbol
    assert compared > 1000
    assert [finding for finding in verify(tmp_path) if not finding.ok] == []
