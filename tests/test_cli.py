"""The command line: what is printed where, with which exit code, and how quickly help comes."""

from __future__ import annotations

import json
import os
import socket
import stat
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from candlewick.errors import UsageError
from candlewick.model.columns import Candles, Gaps, Trades
from candlewick.model.instruments import Instrument
from candlewick.model.outcome import Outcome
from candlewick.shell import database, instance, schema
from candlewick.shell.store import Store

Run = Callable[..., subprocess.CompletedProcess[str]]

MINUTE = 60_000_000_000
AT = 1_700_000_040_000_000_000
BTC = Instrument("binance", "BTC/USDT", "BTCUSDT", 2, 5, tick=1, lot=1, series=0)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("gaps", "--json")`: the program in a folder of its own, without our environment."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith("CANDLEWICK")}

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


# --- help and errors ------------------------------------------------------------------------------

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


# --- settings -------------------------------------------------------------------------------------


def test_show_tells_where_each_value_came_from(run: Run, tmp_path: Path) -> None:
    (tmp_path / "candlewick.toml").write_text("[api]\nport = 9000\n")
    found = json.loads(run("config", "show", "--origin", "--json", CANDLEWICK__QUOTE="EUR").stdout)
    assert found["api.port"] == {"value": 9000, "origin": "candlewick.toml"}
    assert found["quote"] == {"value": "EUR", "origin": "CANDLEWICK__QUOTE"}
    assert found["api.host"] == {"value": "127.0.0.1", "origin": "default"}
    assert json.loads(run("config", "show", "--json").stdout)["api.port"] == 9000
    line = next(
        x for x in run("config", "show", "--origin").stdout.splitlines() if x.startswith("api.port")
    )
    assert line.split() == ["api.port", "9000", "candlewick.toml"]


def test_check_finds_a_mistyped_key_in_file_and_environment(run: Run, tmp_path: Path) -> None:
    assert "the defaults" in run("config", "check").stdout
    said = "config: unknown key 'api.prot'; did you mean 'api.port'?"
    assert said in run("config", "check", code=2, CANDLEWICK__API__PROT="1").stderr
    (tmp_path / "candlewick.toml").write_text("[api]\nprot = 1\n")
    answer = json.loads(run("config", "check", "--json", code=2).stdout)
    assert answer == {"ok": False, "problems": [f"{said} (in candlewick.toml)"]}


def test_the_schema_is_a_json_schema_that_forbids_unknown_keys(run: Run) -> None:
    found = json.loads(run("config", "schema").stdout)
    assert found["additionalProperties"] is False
    assert found["properties"]["env"]["enum"] == ["development", "production"]


# --- stored rows ----------------------------------------------------------------------------------


def test_gaps_prints_the_ledger(run: Run, stored: Path) -> None:
    assert json.loads(run("gaps", "--data-dir", str(stored), "--json").stdout) == [
        {
            "venue": "binance",
            "symbol": "BTC/USDT",
            "kind": "trades",
            "first_id": 3,
            "last_id": 3,
            "missing": 1,
            "after": "2023-11-14T22:14:00.002Z",
            "before": "2023-11-14T22:14:00.003Z",
            "seen_at": "2023-11-14T22:14:00.004Z",
            "repaired_at": None,
            "how": None,
        }
    ]
    heading, row = run("gaps", "-d", str(stored), "-s", "btcusdt").stdout.splitlines()
    assert heading.split()[:5] == ["venue", "symbol", "kind", "first_id", "last_id"]
    assert row.split()[:5] == ["binance", "BTC/USDT", "trades", "3", "3"]
    assert json.loads(run("gaps", "-d", str(stored), "--json", "--kind", "late").stdout) == []
    assert "holds no ETH" in run("gaps", "-d", str(stored), "-s", "ETH", code=2).stderr


def test_export_prints_exact_rows_to_stdout_and_nothing_else(run: Run, stored: Path) -> None:
    ask = ("--data-dir", str(stored), "--symbol", "BTC/USDT")
    done = run("export", "candles", *ask, "--interval", "1m", "--format", "csv")
    assert done.stdout.splitlines() == [
        "open_time,open,high,low,close,volume,quote_volume,taker_buy_volume,trades,"
        "first_trade_id,last_trade_id,revision,final,coverage",
        "2023-11-14T22:14:00Z,60000,60000.5,59999.99,59999.99,0.20004,12002.4999997,0.00004,3,"
        "1,4,0,true,partial|gap",
    ]
    assert done.stderr == ""
    trades = json.loads(run("export", "trades", *ask, "--json").stdout)
    assert [(row["id"], row["price"]) for row in trades] == [
        (1, "60000"),
        (2, "60000.5"),
        (4, "59999.99"),
    ]
    lines = run("export", "trades", *ask, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == trades
    span = ("--start", "2023-11-14T22:14:00.002Z", "--end", "2023-11-14T22:14:00.003Z")
    assert [r["id"] for r in json.loads(run("export", "trades", *ask, *span, "--json").stdout)] == [
        2
    ]
    assert json.loads(run("export", "trades", *ask, "--start", "2024-01-01", "--json").stdout) == []
    assert "expected a form like" in run("export", "trades", *ask, "--end", "soon", code=2).stderr
    assert "candles" in run("export", "everything", *ask, code=2).stderr


def test_export_to_a_file_is_whole_or_not_there(run: Run, stored: Path, tmp_path: Path) -> None:
    ask = ("export", "trades", "--data-dir", str(stored), "--symbol", "BTC/USDT")
    done = run(*ask, "--out", "rows.csv", "--json")
    assert json.loads(done.stdout) == {"rows": 3, "file": "rows.csv"}
    assert (tmp_path / "rows.csv").read_bytes() == run(*ask).stdout.encode()
    assert "--out" in run(*ask, "--out", "missing/rows.csv", code=2).stderr
    run("export", "trades", "-d", str(stored), "-s", "ETH", "--out", "no.csv", code=2)
    assert sorted(path.name for path in tmp_path.glob("*.csv*")) == ["rows.csv"]


def test_verify_ends_with_1_when_a_promise_is_broken(run: Run, stored: Path) -> None:
    kept = json.loads(run("verify", "--data-dir", str(stored), "--json").stdout)
    assert kept["ok"] is True
    assert {"trade_ids", "candle_fold"} <= {finding["name"] for finding in kept["findings"]}
    link = database.connect(stored)
    link.execute("DELETE FROM trades WHERE id = 2")
    link.close()
    found = json.loads(run("verify", "--data-dir", str(stored), "--json", code=1).stdout)
    broken = [finding["name"] for finding in found["findings"] if not finding["ok"]]
    assert {"trade_ids", "candle_fold"} <= set(broken)
    assert "BROKEN" in run("verify", "--data-dir", str(stored), code=1).stdout


def test_symbols_are_eight_or_more_and_those_of_the_store(run: Run, stored: Path) -> None:
    found = json.loads(run("symbols", "--json", "-d", str(stored), "--venue", "binance").stdout)
    assert len(found) >= 8
    by_symbol = {row["symbol"]: row for row in found}
    assert by_symbol["BTC/USDT"]["native"] == "BTCUSDT"
    assert (by_symbol["BTC/USDT"]["stored"], by_symbol["ETH/USDT"]["stored"]) == (True, False)
    only = json.loads(
        run(
            "symbols", "--json", "-d", str(stored), "--venue", "binance", CANDLEWICK__SYMBOLS="sol"
        ).stdout
    )
    assert [(row["symbol"], row["configured"]) for row in only] == [
        ("BTC/USDT", False),
        ("SOL/USDT", True),
    ]


def test_migrating_a_store_that_is_up_to_date_changes_nothing(run: Run, stored: Path) -> None:
    now = len(schema.steps())
    answer = json.loads(run("db", "migrate", "--data-dir", str(stored), "--json").stdout)
    assert answer == {"from": now, "to": now}
    with Store.open(stored):
        assert "in use by process" in run("db", "migrate", "-d", str(stored), code=2).stderr


# --- the installation -----------------------------------------------------------------------------


def hops(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    return {hop["name"]: hop for hop in json.loads(done.stdout)["hops"]}


def doctor(run: Run, *arguments: str, **environ: str) -> dict[str, dict[str, str]]:
    """Every hop; the page may or may not be built here, so it decides the exit code."""
    built = (Path(instance.__file__).parents[1] / "static" / "index.html").is_file()
    port = {"CANDLEWICK__API__PORT": "0", **environ}
    return hops(run("doctor", "--json", *arguments, code=0 if built else 1, **port))


def test_doctor_names_every_hop(run: Run, stored: Path) -> None:
    found = doctor(run, "-d", str(stored))
    assert list(found) == [
        "settings", "python", "data directory", "disk", "lock", "schema", "store", "clock", "port",
        "dashboard",
    ]  # fmt: skip
    assert {hop["state"] for name, hop in found.items() if name != "dashboard"} <= {"ok", "note"}
    fresh = doctor(run, "-d", "fresh")
    assert "will be made" in fresh["data directory"]["found"]


def test_doctor_finds_what_is_wrong_and_says_what_to_do(
    run: Run, stored: Path, tmp_path: Path
) -> None:
    assert (
        "api.prot"
        in hops(run("doctor", "--json", code=1, CANDLEWICK__API__PROT="1"))["settings"]["found"]
    )
    with Store.open(stored):
        assert f"in use by process {os.getpid()}" in doctor(run, "-d", str(stored))["lock"]["found"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = hops(run("doctor", "--json", "-d", str(stored), code=1, CANDLEWICK__API__PORT=port))
        assert found["port"]["state"] == "bad"
        assert "--port" in found["port"]["advice"]
    link = database.connect(stored)
    link.execute("PRAGMA user_version = 99")
    link.close()
    found = hops(run("doctor", "--json", "-d", str(stored), code=1))
    assert found["schema"]["advice"] == "use the newer Candlewick"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / database.FILE_NAME).write_bytes(b"not a database " * 500)
    found = hops(run("doctor", "--json", "-d", "other", code=1))
    assert {found["schema"]["state"], found["store"]["state"]} == {"bad"}


def test_version_and_bench_outside_a_checkout(run: Run) -> None:
    found = json.loads(run("version", "--json").stdout)
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert run("version").stdout.startswith(f"candlewick {found['candlewick']} (Python ")


# --- a running instance ---------------------------------------------------------------------------


class Peer(BaseHTTPRequestHandler):
    """Whatever listens on the port: it answers as `answers` says and notes what it was asked."""

    answers: dict[str, tuple[int, bytes]]
    asked: list[tuple[str, str, str | None, bytes]]

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, self.headers.get(instance.TOKEN_HEADER), body))
        code, text = self.answers.get(self.path, (404, b"{}"))
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def peer() -> Iterator[tuple[str, type[Peer]]]:
    answering = type("Answering", (Peer,), {"answers": {}, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answering
    server.shutdown()
    thread.join()
    server.server_close()


STATUS = {
    "version": "0.1.0",
    "source": "built-in",
    "source_reason": "no venue answered within 3 s",
    "started_at": "2026-01-01T00:00:00Z",
    "feeds": [{"venue": "kraken", "state": "live", "lag_ms": 1.5, "frames": 12}],
}


def test_status_says_clearly_that_no_instance_runs(run: Run) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        done = run("status", "--url", url, "--json", code=1)
        assert json.loads(done.stdout) == {"running": False, "url": url}
        assert f"no instance answers at {url}; start one with `candlewick up`" in done.stderr


def test_status_finds_the_instance_of_a_data_directory(
    run: Run, tmp_path: Path, peer: tuple[str, type[Peer]]
) -> None:
    url, answering = peer
    answering.answers[instance.STATUS_PATH] = (200, json.dumps(STATUS).encode())
    token = instance.announce(tmp_path, url)
    assert len(token) >= 40
    mode = (tmp_path / instance.TOKEN_NAME).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    done = run("status", "-d", str(tmp_path), "--json", HTTP_PROXY="http://127.0.0.1:1")
    assert json.loads(done.stdout) == {"running": True, "url": url, **STATUS}
    text = run("status", "-d", str(tmp_path)).stdout
    assert "source built-in" in text
    assert "no venue answered within 3 s" in text
    instance.forget(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [b"<html>", b"[]", b"", b"[" * 100_000, b"\xff"])
def test_something_else_on_the_port_is_named_as_such(
    run: Run, peer: tuple[str, type[Peer]], text: bytes
) -> None:
    url, answering = peer
    answering.answers[instance.STATUS_PATH] = (200, text)
    assert "something else than Candlewick" in run("status", "--url", url, code=2).stderr


def test_a_test_spike_carries_the_local_token_and_a_refusal_is_told(
    run: Run, tmp_path: Path, peer: tuple[str, type[Peer]]
) -> None:
    url, answering = peer
    answering.answers[instance.STATUS_PATH] = (200, json.dumps(STATUS).encode())
    answering.answers[instance.SPIKE_PATH] = (200, b'{"symbol":"BTC/USDT","from":"1","to":"2"}')
    ask = ("test-spike", "--symbol", "btc", "--pct", "6", "-d", str(tmp_path))
    assert "local.token is not there" in run(*ask, "--url", url, code=2).stderr
    token = instance.announce(tmp_path, url)
    answer = json.loads(run(*ask, "--json").stdout)
    assert answer == {"symbol": "BTC/USDT", "from": "1", "to": "2"}
    method, path, sent, body = answering.asked[-1]
    assert (method, path, sent) == ("POST", instance.SPIKE_PATH, token)
    assert json.loads(body) == {"symbol": "BTC/USDT", "pct": 6.0}
    answering.answers[instance.SPIKE_PATH] = (409, b'{"detail":"the source is live"}')
    done = run(*ask, code=2)
    assert "answered 409: the source is live" in done.stderr
    assert token not in done.stderr


def test_the_token_never_leaves_this_machine() -> None:
    for url in ("http://192.0.2.1:8080", "http://example.test"):
        with pytest.raises(UsageError, match="on this machine"):
            instance.ask(url, instance.SPIKE_PATH, {}, "token")
