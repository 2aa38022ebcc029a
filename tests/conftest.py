"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repo() -> Path:
    return REPO


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recorded frames and reference values beside the checkout; must be there in CI."""
    found = REPO.parent / "shared" / "data"
    if not found.is_dir():
        reason = "recorded exchange data is expected at ../shared/data"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


_skipped: list[str] = []


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped.append(str(report.nodeid))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped:
        _skipped.append(str(report.nodeid))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing is skipped: what could not be tried has not been shown."""
    if os.environ.get("CI") and _skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("CI") and _skipped:
        terminalreporter.write_line(f"skipped in CI, which counts as failed: {_skipped}", red=True)
