"""An indicator over whole columns of one series, and the columns to try it on."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from candlewick.indicators import parse

Columns = dict[str, Any]


def outputs(entry: str, **columns: Any) -> dict[str, Any]:
    """Every output of `sma_20` and so on, by its name in GIVES."""
    parsed = parse(entry)
    indicator = parsed.indicator
    head = np.zeros(1, indicator.STATE)
    window = np.zeros((1, indicator.start(head, **parsed.parameters)))
    taken = [
        np.ascontiguousarray(columns[name], np.int64 if name == "open_ns" else np.float64)
        for name in indicator.TAKES
    ]
    rows = len(taken[0])
    out = np.empty((len(indicator.GIVES), rows))
    indicator.scan(head, window, np.zeros(1, np.int64), np.array([rows]), *taken, out)
    return dict(zip(indicator.GIVES, out, strict=True))


def walk(rows: int, seed: int, level: float = 100.0) -> Columns:
    """Random candles that trade every minute."""
    rng = np.random.default_rng(seed)
    close = level * np.exp(np.cumsum(rng.normal(0.0, 2e-3, rows)))
    start = np.concatenate([close[:1], close[:-1]])
    spread = np.abs(rng.normal(0.0, 1e-3, (2, rows))) * close
    return {
        "open_ns": np.arange(rows) * 60 * 10**9,
        "open": start,
        "high": np.maximum(start, close) + spread[0],
        "low": np.minimum(start, close) - spread[1],
        "close": close,
        "volume": rng.random(rows) * 10.0,
    }


def read_csv(path: Path) -> Columns:
    """Date, open, high, low, close, volume; compressed or not."""
    raw = path.read_bytes()
    if path.suffix == ".zst":
        raw = zstandard.ZstdDecompressor().stream_reader(raw).read()
    rows = list(csv.DictReader(io.StringIO(raw.decode())))
    columns: Columns = {
        name: np.array([float(row[name]) for row in rows])
        for name in ("open", "high", "low", "close", "volume")
    }
    dates = np.array([row["date"] for row in rows], "datetime64[ns]")
    return columns | {"open_ns": dates.astype(np.int64)}
