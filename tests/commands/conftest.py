"""The program as a person starts it, and a small store to look at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from candlewick.model.columns import Candles, Gaps, Trades
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Outcome
from candlewick.shell.store import Store

Run = Callable[..., subprocess.CompletedProcess[str]]

AT = 1_700_000_040_000_000_000
BTC = Instrument("binance", "BTC/USDT", "BTCUSDT", 2, 5, tick=1, lot=1, series=0)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("gaps", "--json")`: the program in a folder of its own, without our environment."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith("CANDLEWICK")}
    # A home of its own, but not without the kernels that this machine has compiled.
    outside.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))

    def started(*arguments: str, code: int = 0, **environ: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "candlewick.cli", *arguments],
            cwd=tmp_path,
            env={**outside, "HOME": str(tmp_path), **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return started


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A data directory with trades 1, 2 and 4, the hole between them, and their candle."""
    trades = [
        (0, 1, AT + 1_000_000, 0, 6_000_000, 1, 1),
        (0, 2, AT + 2_000_000, 0, 6_000_050, 20_000, -1),
        (0, 4, AT + 3_000_000, AT + 4_000_000, 5_999_999, 3, 1),
    ]
    quote = sum(price * size for _, _, _, _, price, size, _ in trades)
    candle = (0, 60, AT, 6_000_000, 6_000_050, 5_999_999, 5_999_999, 20_004, 4, 0, quote)
    gap = (0, 0, 3, 3, AT + 4_000_000, AT + 2_000_000, AT + 3_000_000, 1, 0, 0)
    folder = tmp_path / "stored"
    with Store.open(folder) as store:
        store.commit(
            Outcome(
                trades=Trades.from_rows(trades),
                candles=Candles.from_rows([(*candle, 3, 1, 4, 0, 1, 3)]),
                gaps=Gaps.from_rows([gap]),
            ),
            instruments=[BTC],
        )
    return folder
