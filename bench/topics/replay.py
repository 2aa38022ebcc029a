"""A recording from disk to committed tables: `candlewick replay` in a fresh process."""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import zstandard

from bench import inputs
from bench.topic import Bound, Case, NotInstalledError, Numbers, Topic
from candlewick.shell.capture import TapeWriter

_WRITTEN_AT_ONCE = 20_000


def _replayed(tape: Path, folder: Path) -> Numbers:
    command = [sys.executable, "-m", "candlewick", "replay", str(tape), "--venue", "binance"]
    command += ["--data-dir", str(folder / "out"), "--json"]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    whole_s = time.perf_counter() - begun
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert found["duplicates"] == found["peer_errors"] == found["gaps"] == 0, found
    return {
        "trades_per_s": found["trades_per_s"],
        "frames_per_s": round(found["frames"] / found["seconds"]),
        "trades": found["trades"],
        "frames": found["frames"],
        "seconds": found["seconds"],
        "whole_s": round(whole_s, 3),
        "whole_cpu_s": round(cpu.ru_utime + cpu.ru_stime, 3),
        "rss_mb": found["rss_mb"],
        "stored": _stored(folder / "out" / "candlewick.sqlite"),
    }


def _stored(path: Path) -> int:
    link = sqlite3.connect(path)
    (count,) = link.execute("SELECT count(*) FROM trades").fetchone()
    link.close()
    return int(count)


def _written(folder: Path, count: int) -> Path:
    tape, frames = folder / "trades.jsonl.zst", inputs.trade_frames(count)
    with TapeWriter(tape) as writer:
        for at in range(0, count, _WRITTEN_AT_ONCE):
            writer.write(frames[at : at + _WRITTEN_AT_ONCE])
    return tape


def _trades_only(size: int) -> Numbers:
    with tempfile.TemporaryDirectory() as name:
        found = _replayed(_written(Path(name), size), Path(name))
        assert found["stored"] == found["trades"] == size, found
        return found


def _mixed(_size: int) -> Numbers:
    if not inputs.recorded():
        raise NotInstalledError("the recorded capture is not beside this checkout")
    with tempfile.TemporaryDirectory() as name:
        found = _replayed(inputs.CAPTURE, Path(name))
        assert found["stored"] == found["trades"]
        return found


def _plain(size: int) -> Numbers:
    """The plain twin: a line, a Decimal, a candle of one minute; 10,000 rows a transaction."""
    with tempfile.TemporaryDirectory() as name:
        tape = _written(Path(name), size)
        begun = time.perf_counter()
        link = sqlite3.connect(Path(name) / "plain.sqlite", isolation_level=None)
        link.execute("PRAGMA journal_mode = WAL")
        link.execute("PRAGMA synchronous = NORMAL")
        link.execute(
            "CREATE TABLE trades (symbol TEXT, id INTEGER, at_ns INTEGER, seen_ns INTEGER, "
            "price TEXT, size TEXT, side INTEGER, PRIMARY KEY (symbol, id)) WITHOUT ROWID"
        )
        bars: dict[tuple[str, int], list[Any]] = {}
        rows: list[tuple[Any, ...]] = []
        with zstandard.open(tape, "rt", encoding="utf-8") as lines:
            for line in lines:
                frame = json.loads(line)
                t = json.loads(frame["raw"])["data"]
                price, amount = Decimal(t["p"]), Decimal(t["q"])
                bar = bars.get((t["s"], t["T"] // 60_000))
                if bar is None:
                    bars[t["s"], t["T"] // 60_000] = [price, price, price, price, amount, 1]
                else:
                    bar[1], bar[2], bar[3] = max(bar[1], price), min(bar[2], price), price
                    bar[4] += amount
                    bar[5] += 1
                rows.append((t["s"], t["t"], t["T"] * 1_000_000, frame["ts_ns"], str(price),
                             str(amount), -1 if t["m"] else 1))  # fmt: skip
                if len(rows) == 10_000:
                    _insert(link, rows)
        _insert(link, rows)
        link.close()
        seconds = time.perf_counter() - begun
    return {"trades_per_s": round(size / seconds), "seconds": round(seconds, 3), "trades": size}


def _insert(link: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    link.execute("BEGIN")
    link.executemany("INSERT OR IGNORE INTO trades VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    link.execute("COMMIT")
    rows.clear()


_LOOPED = "candlewick, trades only"
_RECORDED = "candlewick, as recorded"
TOPIC = Topic(
    title="Replay from disk to committed tables",
    cases=(
        Case(_LOOPED, _trades_only),
        Case(_RECORDED, _mixed),
        Case("plain Python, trades only", _plain, 0.1),
    ),
    goals=(
        Bound(_LOOPED, "trades_per_s", at_least=100_000),
        Bound(_LOOPED, "rss_mb", at_most=400),
        Bound(_RECORDED, "trades_per_s", at_least=100_000),
        Bound(_RECORDED, "rss_mb", at_most=400),
    ),
    size=1_000_000,
    tiny=2_000,
    unit="trades_per_s",
    also=("frames_per_s", "seconds", "whole_s", "rss_mb"),
    notes=(
        "`seconds` is the command's own: from opening the data directory to the last commit. "
        "As recorded: 99,574 frames of one symbol over eleven minutes, of which 19,904 are trades, "
        "73,174 quotes and 6,495 book changes of up to thousands of levels. Trades only: the "
        "capture's trade frames, looped with rising ids and times to a tape of a million, all six "
        "intervals and ten indicators. The plain twin makes one-minute candles and nothing else.",
    ),
)
