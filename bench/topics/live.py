"""From the built-in exchange's socket to a WebSocket client of the page, 2,000 trades a second."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil

from bench.topic import Bound, Case, Numbers, Topic
from candlewick.shell import instance

TRADES_PER_S = 2_000
_WARM_S = 5.0
_START_S_MAX = 60.0
_STOP_S_MAX = 30.0


class _Price(msgspec.Struct):
    """A flat frame: the newest trade of a symbol, with the exchange's time of it."""

    symbol: str
    venue: str
    timestamp: int


def _started(folder: Path) -> subprocess.Popen[bytes]:
    settings = {
        "SOURCE": "built-in", "BUILTIN__TRADES_PER_S": str(TRADES_PER_S), "API__PORT": "0",
        "DATA_DIR": str(folder), "FEEDS__HISTORY_ROWS_MAX": "0", "LOG__LEVEL": "error",
    }  # fmt: skip
    environment = dict(os.environ) | {f"CANDLEWICK__{k}": v for k, v in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "candlewick", "up"], env=environment, cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


async def _url(folder: Path, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + _START_S_MAX
    while time.monotonic() < until:
        assert process.poll() is None, "the instance ended at its start"
        if (folder / instance.URL_NAME).exists():
            return (folder / instance.URL_NAME).read_text("ascii").strip()
        await asyncio.sleep(0.02)
    raise AssertionError(f"no instance after {_START_S_MAX:g} s")


Heard = tuple[tuple[str, str, int], int]


async def _heard(url: str, seconds: float) -> tuple[float, list[Heard]]:
    """When the first frame came; of each frame venue, symbol, time of its trade, and when it
    came."""
    from websockets.asyncio.client import connect

    read, heard = msgspec.json.Decoder(_Price).decode, list[Heard]()
    first_s = 0.0
    async with connect(url.replace("http", "ws", 1) + "/ws", compression=None) as socket:
        until = float("inf")
        warm = float("inf")
        while time.monotonic() < until:
            message = await asyncio.wait_for(socket.recv(), _START_S_MAX)
            now_ns = time.time_ns()
            if until == float("inf"):
                first_s = time.monotonic()
                warm, until = first_s + _WARM_S, first_s + _WARM_S + seconds
            if time.monotonic() >= warm:
                row = read(message)
                heard.append(((row.venue, row.symbol, row.timestamp), now_ns))
    return first_s, heard


def _ages_ms(path: Path, heard: list[Heard]) -> tuple[list[float], list[float]]:
    """How long ago the trade of each frame had come from the socket (of several in a millisecond
    the first), and how long ago it had happened; both in order of size."""
    link = sqlite3.connect(path)
    rows = link.execute(
        "SELECT venue, replace(symbol, '/', ''), at_ns / 1000000, min(seen_ns) "
        "FROM trades JOIN instruments USING (series) GROUP BY 1, 2, 3"
    )
    seen = {(venue, symbol, at_ms): seen_ns for venue, symbol, at_ms, seen_ns in rows}
    link.close()
    return (
        sorted((now_ns - seen[key]) / 1e6 for key, now_ns in heard),
        sorted(now_ns / 1e6 - key[2] for key, now_ns in heard),
    )


def _counted(path: Path) -> tuple[int, int, int]:
    """Trades stored, ids missing among them, holes listed."""
    link = sqlite3.connect(path)
    rows = link.execute(
        "SELECT count(*), max(id) - min(id) + 1 FROM trades JOIN instruments USING (series) "
        "GROUP BY series"
    ).fetchall()
    (holes,) = link.execute("SELECT count(*) FROM gaps WHERE repaired_ns = 0").fetchone()
    link.close()
    return sum(row[0] for row in rows), sum(row[1] - row[0] for row in rows), int(holes)


async def _measured(folder: Path, seconds: float) -> Numbers:
    begun_s = time.monotonic()
    process = _started(folder)
    try:
        url = await _url(folder, process)
        up_s = time.monotonic() - begun_s
        first_s, heard = await _heard(url, seconds)
        seen = psutil.Process(process.pid)
        used = seen.cpu_times()
        alive_s = time.monotonic() - begun_s
        resident_mb = seen.memory_info().rss / 1e6
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_STOP_S_MAX)
    stored, lost, holes = _counted(_store(folder))
    ages_ms, whole_ms = _ages_ms(_store(folder), heard)
    return {
        "frames": len(ages_ms),
        "p50_ms": round(_share(ages_ms, 0.50), 2),
        "p99_ms": round(_share(ages_ms, 0.99), 2),
        "max_ms": round(ages_ms[-1], 2),
        "exchange_p50_ms": round(_share(whole_ms, 0.50), 2),
        "exchange_p99_ms": round(_share(whole_ms, 0.99), 2),
        "trades": stored,
        "lost": lost + holes,
        "rss_mb": round(resident_mb, 1),
        "cores": round((used.user + used.system) / alive_s, 3),
        "up_s": round(up_s, 2),
        "first_s": round(first_s - begun_s, 2),
    }


def _store(folder: Path) -> Path:
    (found,) = folder.rglob("candlewick.sqlite")
    return found


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _live(size: int) -> Numbers:
    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(_measured(Path(name), size / TRADES_PER_S))


_CASE = "candlewick up, one client"
TOPIC = Topic(
    title="Socket to a WebSocket client, 2,000 trades a second",
    cases=(Case(_CASE, _live),),
    goals=(
        Bound(_CASE, "p99_ms", at_most=50.0),
        Bound(_CASE, "lost", at_most=0),
        Bound(_CASE, "first_s", at_most=5.0),
    ),
    size=20 * TRADES_PER_S,
    tiny=TRADES_PER_S,
    unit="p99_ms",
    also=("p50_ms", "exchange_p50_ms", "exchange_p99_ms", "lost", "rss_mb", "cores", "first_s"),
    notes=(
        "Milliseconds from a trade's arrival at our socket to the client having read the frame "
        "that carries its price, our batch of 20 ms included; and from the exchange's time of the "
        "trade, which adds the built-in exchange's own turn of 20 ms. "
        "The exchange runs in the same process as everything else; no history is fetched first. "
        "Lost: ids missing in the store plus holes listed and not repaired. First: seconds from "
        "the command to the first frame.",
    ),
)
