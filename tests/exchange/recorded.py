"""Real frames to hold ours against, and what their shape is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a capture file, compressed or not."""
    raw = path.read_bytes()
    text = zstandard.ZstdDecompressor().stream_reader(raw).read() if path.suffix == ".zst" else raw
    return (json.loads(line) for line in text.decode().splitlines())


def shape(value: Any) -> Any:
    """Keys in their order and JSON types; a list is its first entry (rows of scalars: all)."""
    if isinstance(value, dict):
        return [(key, shape(entry)) for key, entry in value.items()]
    if isinstance(value, list):
        if value and not isinstance(value[0], dict | list):
            return ["row", *(shape(entry) for entry in value)]
        return ["list", shape(value[0])] if value else ["list"]
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else "text"


def shape_of(raw: str | bytes) -> Any:
    return shape(json.loads(raw))


def numbers(raw: str | bytes) -> Any:
    """JSON with every number as its text, so that digits can be compared."""
    return json.loads(raw, parse_float=str, parse_int=str)
