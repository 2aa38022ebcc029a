"""Chromium, and two running programs to look at: the built-in exchange and a damaged recording.

takes   the built page in src/candlewick/static, Chromium, free ports on loopback
gives   `program`, `player` (both of the type `Program`) and `opened`, which opens pages on them
never   passes a test whose page had something to say on its console
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

START_S_MAX = 90.0
FIRST_CANDLE = "api/v1/latest/BTCUSDT?interval=1m"
STOP_S_MAX = 10.0
FIRST_MS_MAX = 15_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


def require(found: object, reason: str) -> None:
    """Skip with a reason; in CI what is missing is a failure."""
    if found:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class Program:
    """`candlewick up` on one source, with one port and one data directory for its life."""

    def __init__(self, repo: Path, room: Path, *source: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        room.mkdir()
        self.url = f"http://127.0.0.1:{port}/"
        self._repo = repo
        self._data_dir = room / "data"
        self._log = room / "up.log"
        self._command = [sys.executable, "-m", "candlewick", "up", "--source", *source]
        self._command += ["--port", str(port), "--data-dir", str(self._data_dir), "--no-open"]
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self._repo, stdout=log, stderr=log)

    def wait(self) -> None:
        """Until it serves a candle; the first start on a machine compiles the kernels."""
        assert self._process is not None, "not launched"
        until_s = time.monotonic() + START_S_MAX
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until_s:
                tail = self._log.read_text("utf-8", "replace")[-2_000:]
                pytest.fail(f"candlewick up does not serve {self.url}{FIRST_CANDLE}:\n{tail}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}{FIRST_CANDLE}", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def spike(self) -> None:
        """Let the running program see a jump of 6 % in a minute of a market of its own."""
        command = [sys.executable, "-m", "candlewick", "test-spike", "--symbol", "BTC/USDT"]
        command += ["--pct", "6", "--data-dir", str(self._data_dir), "--json"]
        subprocess.run(command, cwd=self._repo, check=True, capture_output=True, timeout=60)

    def suspend(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "not launched"
        self._process.send_signal(number)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S_MAX)


def record(file: Path) -> None:
    """An hour of one market with 60 trades cut out of it: ids 1900 to 1959, from 01:22:30 on."""
    begin_ms, step_ms = 1_763_600_400_000, 1_500
    with file.open("w", encoding="utf-8") as lines:
        for number in [*range(1, 900), *range(960, 2_400)]:
            at_ms = begin_ms + number * step_ms
            trade = {"e": "trade", "E": at_ms, "s": "BTCUSDT", "t": 1_000 + number}
            trade |= {"p": f"{95_000 + number % 97}.25", "q": "0.01", "T": at_ms}
            trade |= {"m": number % 3 == 0, "M": True}
            frame = {"ts_ns": at_ms * 1_000_000, "dir": "in", "conn": 1, "raw": json.dumps(trade)}
            frame["url"] = "wss://stream.binance.com:9443/ws/btcusdt@trade"
            lines.write(json.dumps(frame) + "\n")


@pytest.fixture(scope="module")
def programs(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Program]]:
    """Both programs of a module, launched together: most of a start is waiting."""
    built = (repo / "src" / "candlewick" / "static" / "index.html").is_file()
    require(built, "the page is not built: make build, or npm ci && npm run build in web/")
    room = tmp_path_factory.mktemp("browser")
    tape = room / "hour.jsonl"
    record(tape)
    found = [
        Program(repo, room / "simulated", "built-in"),
        Program(repo, room / "recorded", "tape", "--tape", str(tape)),
    ]
    try:
        for one in found:
            one.launch()
        yield found
    finally:
        for one in found:
            one.stop()


@pytest.fixture(scope="module")
def program(programs: list[Program]) -> Program:
    """The built-in exchange, trading."""
    programs[0].wait()
    return programs[0]


@pytest.fixture(scope="module")
def player(programs: list[Program]) -> Program:
    """The recording with a hole in it."""
    programs[1].wait()
    return programs[1]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    usual = Path("/usr/bin/chromium")
    path = str(usual) if usual.exists() else shutil.which("chromium")
    require(path, "no Chromium: expected /usr/bin/chromium, or chromium on PATH")
    if not os.environ.get("CI"):
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Desk:
    """Pages of one browser and what their consoles say against them.

    `pardons` are patterns of complaints that a test brings about on purpose.
    """

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self._heard: list[str] = []
        self.pardons: list[str] = []

    def open(
        self, program: Program, *, width: int = 1440, height: int = 900, scheme: str = "dark"
    ) -> Any:
        """A page of its own, loaded, with its first candle."""
        from playwright.sync_api import expect

        size = {"width": width, "height": height}
        context = self._browser.new_context(viewport=size, color_scheme=scheme)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._heard.append(f"exception: {error}"))
        page.goto(program.url)
        first = page.locator("[data-field=close]")
        expect(first).to_have_text(re.compile(r"\d"), timeout=FIRST_MS_MAX)
        return page

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self._heard.append(f"{message.type}: {message.text}")

    def complaints(self) -> list[str]:
        """What was said since the last time, without what is pardoned."""
        heard, self._heard = self._heard, []
        return [text for text in heard if not any(re.search(p, text) for p in self.pardons)]

    def clear(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def desk(browser: Any) -> Iterator[Desk]:
    found = Desk(browser)
    yield found
    found.clear()
    assert found.complaints() == []


@pytest.fixture
def opened(desk: Desk, program: Program) -> Callable[..., Any]:
    """Opens a page of its own on the built-in exchange."""
    return lambda **how: desk.open(program, **how)


@pytest.fixture(scope="module")
def _shared(browser: Any, program: Program) -> Iterator[tuple[Desk, Any]]:
    desk = Desk(browser)
    yield desk, desk.open(program)
    desk.clear()


@pytest.fixture
def page(_shared: tuple[Desk, Any]) -> Iterator[Any]:
    """One desktop page for the tests that leave it as they found it, but for its market."""
    desk, found = _shared
    yield found
    assert desk.complaints() == []
