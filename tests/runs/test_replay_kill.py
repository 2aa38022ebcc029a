"""kill -9 in the middle of a replay: it goes on where its last transaction ended."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from candlewick.config import Settings
from candlewick.runs.replay import run_replay

pytestmark = pytest.mark.proc

TABLES = (
    "instruments",
    "trades",
    "candles",
    "indicators",
    "signals",
    "anomalies",
    "gaps",
    "states",
)
CAPTURE = "cryptofeed/binance_spot_2021-04-04_btcusdt_ethusdt_dotusdt.jsonl.zst"


def tables(data_dir: Path) -> dict[str, list[Any]]:
    with sqlite3.connect(data_dir / "candlewick.sqlite") as link:
        return {name: sorted(map(repr, link.execute(f"SELECT * FROM {name}"))) for name in TABLES}


def trades(data_dir: Path) -> int:
    try:
        with sqlite3.connect(f"file:{data_dir}/candlewick.sqlite?mode=ro", uri=True) as link:
            return int(link.execute("SELECT count(*) FROM trades").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def test_a_killed_replay_goes_on_and_ends_equal(shared_data: Path, tmp_path: Path) -> None:
    """Also a replay of the finished tape changes no row."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    settings = Settings.load(flags={"data_dir": whole}, environ={})
    told = run_replay(settings, [shared_data / CAPTURE], "binance", "max", (), lambda _: None)
    assert told["trades"] == 1910

    command = [sys.executable, "-m", "candlewick", "replay", str(shared_data / CAPTURE)]
    command += ["--venue", "binance", "--data-dir", str(killed), "--json"]
    draw, rounds = random.Random(2), 0
    while rounds < 6:
        before = trades(killed)
        running = subprocess.Popen([*command, "--speed", "25"], stdout=subprocess.DEVNULL)
        try:
            end_s = time.monotonic() + 60
            while trades(killed) <= before and running.poll() is None:
                assert time.monotonic() < end_s
                time.sleep(0.01)
            time.sleep(draw.random() * 0.3)
        finally:
            running.send_signal(signal.SIGKILL)
        if running.wait(10) == 0:
            break
        rounds += 1
    assert rounds >= 3
    assert 0 < trades(killed) <= 1910
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
    assert tables(killed) == tables(whole)

    again = run_replay(settings, [shared_data / CAPTURE], "binance", "max", (), lambda _: None)
    assert (again["trades"], again["duplicates"]) == (0, 1910)
    assert tables(whole) == tables(killed)
