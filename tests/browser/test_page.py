"""The page in a real Chromium, on the real program with its built-in exchange.

takes   the built page in src/candlewick/static, Chromium, a free port on loopback
gives   what a person would see: candles that move, keys that work, honest words about the data
never   reads the page's insides: only its text, roles, labels and `data-field` marks
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
from collections.abc import Iterator
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api") if not os.environ.get("CI") else None
if sync_api is None:
    from playwright import sync_api

Browser = sync_api.Browser
Page = sync_api.Page
expect = sync_api.expect

pytestmark = pytest.mark.browser

START_S_MAX = 60.0
STOP_S_MAX = 10.0
MOVE_MS_MAX = 15_000
RETURN_MS_MAX = 30_000
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

    def __init__(self, repo: Path, data_dir: Path, *source: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._repo = repo
        self._data_dir = data_dir
        self._source = source
        self._log = data_dir.parent / "up.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        command = [sys.executable, "-m", "candlewick", "up", "--source", *self._source]
        command += ["--port", str(self.port), "--data-dir", str(self._data_dir), "--no-open"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._repo, stdout=log, stderr=log)
        until_s = time.monotonic() + START_S_MAX
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until_s:
                tail = self._log.read_text("utf-8", "replace")[-2_000:]
                pytest.fail(f"candlewick up does not serve {self.url}api/v1/symbols:\n{tail}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        """Whether it serves and its feeds have said which markets they have."""
        try:
            with urllib.request.urlopen(f"{self.url}api/v1/symbols", timeout=2) as answer:
                return b"BTC/USDT" in answer.read()
        except OSError:
            return False

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

    def suspend(self) -> None:
        assert self._process is not None, "not started"
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None, "not started"
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def program(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    built = (repo / "src" / "candlewick" / "static" / "index.html").is_file()
    require(built, "the page is not built: make build, or npm ci && npm run build in web/")
    found = Program(repo, tmp_path_factory.mktemp("browser") / "data", "built-in")
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    usual = Path("/usr/bin/chromium")
    path = str(usual) if usual.exists() else shutil.which("chromium")
    require(path, "no Chromium: expected /usr/bin/chromium, or chromium on PATH")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Complaints(list[str]):
    """What the browser's console says against a page."""

    def follow(self, page: Page) -> None:
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.append(f"exception: {error}"))

    def _heard(self, message: sync_api.ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.append(f"{message.type}: {message.text}")


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


def opened(
    browser: Browser,
    program: Program,
    complaints: Complaints,
    *,
    width: int = 1440,
    height: int = 900,
    scheme: str = "dark",
) -> Page:
    """A page of its own, loaded, with its first candle."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    complaints.follow(page)
    page.goto(program.url)
    expect(close_of(page)).to_have_text(re.compile(r"\d"), timeout=MOVE_MS_MAX)
    return page


@pytest.fixture(scope="module")
def desk(browser: Browser, program: Program) -> Iterator[tuple[Page, Complaints]]:
    """One desktop page for the tests that leave it as they found it, but for its market."""
    complaints = Complaints()
    found = opened(browser, program, complaints)
    yield found, complaints
    found.context.close()


@pytest.fixture
def page(desk: tuple[Page, Complaints]) -> Iterator[Page]:
    """The desktop page; a test passes only if its console stayed clean."""
    found, complaints = desk
    yield found
    heard, complaints[:] = list(complaints), []
    assert heard == []


def close_of(page: Page) -> sync_api.Locator:
    """The close of the bar in the legend: the forming one while no crosshair is on the chart."""
    return page.locator("[data-field=close]")


def moved(page: Page, times: int) -> None:
    """Wait until the forming candle's close has changed so many times."""
    for _ in range(times):
        now = close_of(page).inner_text()
        expect(close_of(page)).not_to_have_text(now, timeout=MOVE_MS_MAX)


def ring(page: Page) -> bool:
    """Whether what has the focus shows it."""
    return bool(page.evaluate("getComputedStyle(document.activeElement).outlineStyle !== 'none'"))


def test_candles_move_without_a_reload(page: Page) -> None:
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    moved(page, 3)
    assert loads == []
    expect(page.locator(".forming")).to_contain_text("forming")


def test_the_policy_forbids_inline_code_and_the_page_needs_none(page: Page) -> None:
    policy = page.request.get(page.url).headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    canvases = page.locator("section[aria-label='Price chart'] canvas")
    assert canvases.count() > 0
    expect(page.get_by_title("Charting by TradingView")).to_be_visible()


def test_the_source_is_called_simulated(page: Page) -> None:
    ribbon = page.get_by_label("Feed health")
    expect(ribbon.locator("[data-field=source]")).to_have_text("SIMULATED")
    expect(ribbon).to_contain_text("not a real market")
    expect(page).to_have_title(re.compile("SIMULATED"))


def test_the_age_of_the_data_is_shown_and_young(page: Page) -> None:
    age = page.locator("[data-field=age]")
    expect(age).to_contain_text(re.compile(r"\d s"))
    expect(age).to_have_attribute("data-level", "good")
    for fact in ("lag", "reconnects", "peer errors"):
        expect(page.get_by_label("Feed health")).to_contain_text(fact)


def test_digits_switch_the_interval(page: Page) -> None:
    intervals = page.get_by_role("group", name="Candle interval")
    for key, name in (("2", "5m"), ("4", "1h"), ("1", "1m")):
        page.keyboard.press(key)
        chosen = intervals.get_by_role("button", name=name, exact=True)
        expect(chosen).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_role("heading", level=1)).to_contain_text(name)
        expect(close_of(page)).to_have_text(re.compile(r"\d"), timeout=MOVE_MS_MAX)


def test_a_market_is_found_by_typing(page: Page) -> None:
    field = page.get_by_role("combobox", name="Market")
    page.keyboard.press("/")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    page.keyboard.press("Escape")
    expect(field).not_to_be_visible()
    page.keyboard.press("e")
    expect(field).to_have_value("e")
    field.press_sequentially("th")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("ETH/")
    moved(page, 1)


def test_help_opens_and_closes_by_key(page: Page) -> None:
    keys = page.get_by_role("dialog", name="Keys and settings")
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    page.keyboard.press("1")  # The keys of the page rest while a dialog is open.
    expect(keys).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).not_to_be_visible()


def test_every_control_is_reached_by_tab_and_shows_its_focus(page: Page) -> None:
    reached = set()
    for _ in range(18):
        page.keyboard.press("Tab")
        assert ring(page), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        reached.add(page.evaluate("document.activeElement.textContent.trim().slice(0, 12)"))
    assert {"1m", "1d", "Log", "UTC"} <= reached


def test_arrow_keys_read_the_chart_bar_by_bar(page: Page) -> None:
    chart = page.get_by_label(re.compile("^Candles: "))
    chart.focus()
    page.keyboard.press("ArrowLeft")
    assert ring(page)
    spoken = page.locator("p[aria-live=polite]")
    expect(spoken).to_contain_text(re.compile(r"T\d\d:\d\d:00Z: open .*, close "))
    first = spoken.inner_text()
    page.keyboard.press("ArrowLeft")
    expect(spoken).not_to_have_text(first)


def test_the_theme_is_the_systems_first_and_then_the_readers(
    browser: Browser, program: Program, complaints: Complaints
) -> None:
    page = opened(browser, program, complaints, scheme="light")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark theme").click()
    expect(root).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")
    page.context.close()
    assert complaints == []


@pytest.mark.parametrize(("width", "height"), [(360, 740), (390, 844), (844, 390), (1024, 700)])
def test_nothing_is_wider_than_the_screen(
    browser: Browser, program: Program, complaints: Complaints, width: int, height: int
) -> None:
    page = opened(browser, program, complaints, width=width, height=height)
    tabs = page.get_by_role("navigation", name="Panels").get_by_role("button")
    assert tabs.count() == 5
    for tab in tabs.all():
        tab.click()
        expect(tab).to_have_attribute("aria-pressed", "true")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide = page.evaluate(
            "[...document.querySelectorAll('button, p, h2')].filter(e => e.checkVisibility() && "
            "!e.closest('.sr-only') && e.getBoundingClientRect().right > innerWidth + 1)"
            ".map(e => e.outerHTML.slice(0, 120))"
        )
        assert wide == []
    for mark in ("source", "age"):
        expect(page.locator(f"[data-field={mark}]")).to_be_in_viewport()
    page.context.close()
    assert complaints == []


def recorded(file: Path) -> None:
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


def test_a_hole_in_a_recording_is_marked_and_found_from_the_ledger(
    browser: Browser, repo: Path, tmp_path: Path, complaints: Complaints
) -> None:
    tape = tmp_path / "hour.jsonl"
    recorded(tape)
    played = Program(repo, tmp_path / "data", "tape", "--tape", str(tape))
    try:
        played.start()
        page = opened(browser, played, complaints)
        expect(page.locator("[data-field=source]")).to_have_text("TAPE")
        ledger = page.get_by_role("list", name="Gap ledger").get_by_role("button")
        expect(ledger).to_have_count(1)
        expect(ledger).to_contain_text("60 trades missing, ids 1900–1959")
        expect(ledger).to_contain_text("open")
        expect(page.locator("[data-field=holes]")).to_have_text(re.compile(r": [1-9]"))
        ledger.click()
        flaw = page.locator(".legend .flaw")
        expect(flaw).to_contain_text("gap")
        expect(page.locator(".legend .when")).to_contain_text("01:22")
        page.context.close()
    finally:
        played.stop()
    assert complaints == []


HIDE = """hidden => {
  Object.defineProperty(document, 'visibilityState', {
    configurable: true, get: () => hidden ? 'hidden' : 'visible',
  });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_a_hidden_tab_lets_go_of_the_socket_and_takes_it_up_again(
    browser: Browser, program: Program, complaints: Complaints
) -> None:
    page = opened(browser, program, complaints)
    page.evaluate(HIDE, True)
    link = page.locator("[data-field=link]")
    expect(link).to_contain_text("paused", timeout=MOVE_MS_MAX)
    with page.expect_websocket():
        page.evaluate(HIDE, False)
    expect(link).to_contain_text("connected")
    moved(page, 2)
    page.context.close()
    assert complaints == []


def test_a_stall_is_shown_with_its_age_and_ends_by_itself(
    browser: Browser, program: Program, complaints: Complaints
) -> None:
    page = opened(browser, program, complaints)
    program.suspend()
    try:
        age = page.locator("[data-field=age]")
        expect(age).to_have_attribute("data-level", "warn", timeout=MOVE_MS_MAX)
        banner = page.locator("[data-field=banner]")
        expect(banner).to_contain_text(re.compile(r"\d s old"), timeout=MOVE_MS_MAX)
    finally:
        program.resume()
    expect(banner).not_to_be_visible(timeout=RETURN_MS_MAX)
    expect(age).to_have_attribute("data-level", "good")
    moved(page, 2)
    page.context.close()
    assert [text for text in complaints if "WebSocket" not in text] == []


def test_the_page_comes_back_with_the_server(
    browser: Browser, program: Program, complaints: Complaints
) -> None:
    page = opened(browser, program, complaints)
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    banner = page.locator("[data-field=banner]")
    expect(banner).not_to_be_visible()
    program.stop()
    expect(banner).to_contain_text("Connection to Candlewick lost", timeout=MOVE_MS_MAX)
    expect(banner).to_contain_text("old")
    program.start()
    expect(banner).not_to_be_visible(timeout=RETURN_MS_MAX)
    moved(page, 2)
    assert loads == []
    page.context.close()
    refused = [text for text in complaints if "ERR_CONNECTION_REFUSED" in text]
    assert [text for text in complaints if text not in refused] == []
