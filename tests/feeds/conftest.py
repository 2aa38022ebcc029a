"""Captures as frames, and a plain reading of them to compare with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from candlewick.model.outcome import Frame

Line = tuple[dict[str, Any], Frame]


def read_bytes(path: Path) -> bytes:
    raw = path.read_bytes()
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().stream_reader(raw).read()
    return raw


@pytest.fixture(scope="session")
def lines(shared_data: Path) -> Callable[[str], list[Line]]:
    """The lines of a capture, each with its frame; arrival times are left out where `seen=0`."""

    def load(name: str) -> list[Line]:
        found = []
        for line in read_bytes(shared_data / name).splitlines():
            told = json.loads(line)
            seen_ns = told.get("ts_ns") or int((told.get("ts") or 0) * 1_000_000_000)
            raw = (told["raw"] or "").encode()
            frame = Frame(raw, seen_ns, told.get("dir") or "in", told.get("url") or "")
            found.append((told, frame))
        return found

    return load


@pytest.fixture(scope="session")
def body(shared_data: Path) -> Callable[[str], bytes]:
    """A whole file."""
    return lambda name: read_bytes(shared_data / name)
