"""WS-10: the page is pushed to; it does not ask again and again for what it shows."""

from __future__ import annotations

import os
import shutil

import pytest
from tests.requirements.conftest import Program

if not os.environ.get("CI"):
    pytest.importorskip("playwright")
from playwright.sync_api import expect, sync_playwright

pytestmark = [pytest.mark.proc, pytest.mark.browser]

SETTLE_MS, WATCH_MS = 6_000, 4_000


def test_a_page_that_has_loaded_lives_on_the_socket(program: Program) -> None:
    """Also with a market that has no feed: the venue `test` after a test-spike."""
    chromium = shutil.which("chromium")
    if chromium is None and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed")
    program.command("test-spike", "-s", "BTC", "-d", str(program.data_dir), "--json")
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(program.address)
        expect(page.locator("[data-field=close]")).not_to_be_empty(timeout=15_000)
        page.wait_for_timeout(SETTLE_MS)
        asked.clear()
        before = page.locator("body").inner_text()
        page.wait_for_timeout(WATCH_MS)
        assert page.locator("body").inner_text() != before
        browser.close()
    again = [url for url in asked if "/api/" in url]
    assert [url for url in again if "/symbols" in url or "/alerts" in url] == []
    assert len(again) < 10, again
