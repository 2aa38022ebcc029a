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
