"""The page in a real Chromium, on the real program with its built-in exchange.

takes   the running programs and the pages of `conftest.py`
gives   what a person would see: candles that move, keys that work, honest words about the data
never   reads the page's insides: only its text, roles, labels and `data-field` marks
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest

if not os.environ.get("CI"):
    pytest.importorskip("playwright")
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

MOVE_MS_MAX = 15_000
RETURN_MS_MAX = 30_000


def close_of(page: Page) -> Locator:
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
    expect(ribbon).to_contain_text("prices are not real")
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


def test_the_theme_is_the_systems_first_and_then_the_readers(opened: Callable[..., Page]) -> None:
    page = opened(scheme="light")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark theme").click()
    expect(root).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize(("width", "height"), [(360, 740), (390, 844), (844, 390), (1024, 700)])
def test_nothing_is_wider_than_the_screen(
    opened: Callable[..., Page], width: int, height: int
) -> None:
    page = opened(width=width, height=height)
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


def test_a_hole_in_a_recording_is_marked_and_found_from_the_ledger(desk: Any, player: Any) -> None:
    page = desk.open(player)
    expect(page.locator("[data-field=source]")).to_have_text("TAPE")
    ledger = page.get_by_role("list", name="Gap ledger").get_by_role("button")
    expect(ledger).to_have_count(1)
    expect(ledger).to_contain_text("60 trades missing, ids 1900–1959")
    expect(ledger).to_contain_text("open")
    expect(page.locator("[data-field=holes]")).to_have_text(re.compile(r": [1-9]"))
    ledger.click()
    expect(page.locator(".legend .flaw")).to_contain_text("gap")
    expect(page.locator(".legend .when")).to_contain_text("01:22")


def test_an_alert_is_pushed_spoken_and_leads_to_its_bar(desk: Any, program: Any) -> None:
    page = desk.open(program)
    program.spike()
    alerts = page.get_by_role("region", name=re.compile("^Alerts")).get_by_role("button")
    expect(alerts.first).to_contain_text("rose 6", timeout=MOVE_MS_MAX)
    expect(page.get_by_role("alert")).to_contain_text("LOW alert, BTC/USDT on test")
    alerts.first.click()
    expect(page.locator(".market .venue")).to_have_text("test")
    expect(page.locator(".legend .why")).to_contain_text("rose 6")


HIDE = """hidden => {
  Object.defineProperty(document, 'visibilityState', {
    configurable: true, get: () => hidden ? 'hidden' : 'visible',
  });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_a_hidden_tab_lets_go_of_the_socket_and_takes_it_up_again(
    opened: Callable[..., Page],
) -> None:
    page = opened()
    page.evaluate(HIDE, True)
    link = page.locator("[data-field=link]")
    expect(link).to_contain_text("paused", timeout=MOVE_MS_MAX)
    with page.expect_websocket():
        page.evaluate(HIDE, False)
    expect(link).to_contain_text("connected")
    moved(page, 2)


def test_a_stall_is_shown_with_its_age_and_ends_by_itself(desk: Any, program: Any) -> None:
    desk.pardons.append("WebSocket")
    page = desk.open(program)
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


def test_the_page_comes_back_with_the_server(desk: Any, program: Any) -> None:
    desk.pardons.append("ERR_CONNECTION_REFUSED")
    page = desk.open(program)
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    banner = page.locator("[data-field=banner]")
    expect(banner).not_to_be_visible()
    program.stop()
    expect(banner).to_contain_text("Connection to Candlewick lost", timeout=MOVE_MS_MAX)
    expect(banner).to_contain_text("old")
    program.launch()
    program.wait()
    expect(banner).not_to_be_visible(timeout=RETURN_MS_MAX)
    moved(page, 2)
    assert loads == []
