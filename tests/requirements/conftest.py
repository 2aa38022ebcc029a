"""What the checks of docs/requirements.md start from: crafted tapes, and one running program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from candlewick.config import Settings
from candlewick.model.time import NS_PER_S, to_rfc3339
from candlewick.runs.replay import run_replay

START_NS = 1_760_000_040 * NS_PER_S  # The beginning of a minute.

Trade = tuple[float, int, float, float]  # Seconds after the start, id, price, size.
Tape = Callable[..., dict[str, Any]]


def frame(trades: Sequence[Trade], side: str = "buy") -> str:
    """Trades as Kraken v2 sends them."""
    rows = [
        {
            "symbol": "BTC/USD",
            "side": side,
            "price": price,
            "qty": size,
            "ord_type": "limit",
            "trade_id": id_,
            "timestamp": to_rfc3339(START_NS + round(at_s * NS_PER_S)),
        }
        for at_s, id_, price, size in trades
    ]
    return json.dumps({"channel": "trade", "type": "update", "data": rows})


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    """`tape(trades)`: a frame for each, through the whole program into `tmp_path / "stored"`."""
    taken = 0

    def play(
        trades: Sequence[Trade] = (),
        *,
        raw: Sequence[str] = (),
        to: str = "stored",
        **settings: Any,
    ) -> dict[str, Any]:
        nonlocal taken
        taken += 1
        path = tmp_path / f"{taken}.jsonl"
        lines = [*raw, *(frame([trade]) for trade in trades)]
        path.write_text("".join(f"{line}\n" for line in lines))
        found = Settings(data_dir=tmp_path / to, **settings)
        return run_replay(found, [path], "kraken", "max", (), lambda _: None)

    return play


class Program:
    """A running `candlewick up` on the built-in market."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "stored"
        self.environ = os.environ | {
            "CANDLEWICK__BUILTIN__TRADES_PER_S": "6",
            "CANDLEWICK__LOG__LEVEL": "warning",
        }
        command = [sys.executable, "-m", "candlewick", "up", "--source", "built-in", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(self.data_dir)],
            env=self.environ,
            stdout=subprocess.DEVNULL,
        )

    @property
    def address(self) -> str:
        return (self.data_dir / "local.url").read_text("ascii").strip()

    @property
    def socket(self) -> str:
        return f"ws{self.address.removeprefix('http')}/ws"

    def text(self, path: str) -> tuple[str, dict[str, str]]:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            return answer.read().decode(), {k.lower(): v for k, v in answer.headers.items()}

    def get(self, path: str) -> Any:
        return json.loads(self.text(path)[0])

    def command(self, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "candlewick.cli", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return json.loads(done.stdout)

    def ready(self) -> bool:
        try:
            states = [feed["state"] for feed in self.get("/api/v1/status")["feeds"]]
            return states == ["live", "live"]
        except OSError:
            return False


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    found = Program(tmp_path_factory.mktemp("requirements"))
    try:
        until_s = time.monotonic() + 120
        while not found.ready():
            assert found.process.poll() is None, "the program ended by itself"
            assert time.monotonic() < until_s, "its feeds were not live within 120 s"
            time.sleep(0.2)
        yield found
    finally:
        found.process.terminate()
        assert found.process.wait(30) == 0
