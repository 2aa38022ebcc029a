"""Help, and what a mistake looks like: quick, short, with a stable exit code."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


COMMANDS = [
    "up", "status", "test-spike", "replay", "gaps", "symbols", "export", "verify", "doctor",
    "bench", "version", "db migrate", "config show", "config check", "config schema",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_speaks_json(run: Run, command: str) -> None:
    assert "--json" in run(*command.split(), "--help").stdout


def test_help_lists_every_command_and_the_exit_codes(run: Run) -> None:
    text = run("--help").stdout
    assert all(command.split()[0] in text for command in COMMANDS)
    assert "0 done, 1 problems found, 2 usage, 3 store, 130 interrupted" in text


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['candlewick', '--help']\n"
        "from candlewick.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, sep=chr(10), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert not loaded & {"numba", "numpy", "fastapi", "pydantic", "rich", "sqlite3", "structlog"}


@pytest.mark.proc
def test_help_takes_little_longer_than_importing_typer() -> None:
    def seconds(*arguments: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        return time.perf_counter() - begun

    pairs = [
        (seconds("-m", "candlewick.cli", "--help"), seconds("-c", "import typer")) for _ in range(7)
    ]
    assert statistics.median(ours / bare for ours, bare in pairs) < 3.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "No such command"),
        (("gaps", "--nonsense"), "No such option"),
        (("replay",), "Missing"),
        (("config", "show", "-c", "missing.toml"), "missing.toml is not there"),
        (("gaps", "--kind", "holes"), "expected one of trades, book, late"),
        (("test-spike", "-s", "BTC/USDT", "--pct", "0"), "--pct is 0.0"),
        (("test-spike", "-s", "$$"), "symbol '$$'"),
        (("status", "--url", "ftp://x"), "expected a form like http://127.0.0.1:8080"),
        (("up", "--source", "nowhere"), "'source' is 'nowhere' (flag --source)"),
        (("up", "--source", "tape"), "tape.files is empty"),
        (("up", "--port", "70000"), "'api.port' is 70000 (flag --port)"),
    ],
)
def test_a_mistake_of_the_caller_is_one_clear_line_and_exit_code_2(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    done = run(*arguments, code=2)
    assert said in done.stderr
    assert done.stdout == ""


def test_a_missing_store_is_exit_code_3_and_names_the_next_step(run: Run) -> None:
    for command in (("gaps",), ("verify",), ("export", "candles", "-s", "BTC"), ("db", "migrate")):
        done = run(*command, "--data-dir", "nowhere", code=3)
        assert "run `candlewick up` or `candlewick replay`" in done.stderr
        assert done.stdout == ""
