"""Seeded event streams for the laws of the candle fold."""

from __future__ import annotations

from typing import Any

import numpy as np

from candlewick.model.columns import Candles, Events
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.money import join_128
from candlewick.model.time import NS_PER_S

START_NS = 1_700_000_000 * NS_PER_S
_VALUES = ("open", "high", "low", "close", "volume", "taker_buy", "trades", "first_id", "last_id")


def instruments(count: int, venue: str = "binance") -> Instruments:
    registry = Instruments()
    for index in range(count):
        registry.declare(Instrument(venue, f"A{index}/USDT", f"A{index}USDT", 8, 8))
    return registry


def stream(
    seed: int, rows: int, series: int = 3, seconds: float = 2000.0, shuffle_s: float = 0.0
) -> Events:
    """Trades of several series with quiet stretches, ticks between them, times in arrival order."""
    draw = np.random.default_rng(seed)
    steps = draw.exponential(1.0, rows) * draw.choice([0.1, 1.0, 10.0], rows)
    at_ns = START_NS + (np.cumsum(steps) / steps.sum() * seconds * NS_PER_S).astype(np.int64)
    which = draw.choice(series, rows, p=np.arange(series, 0, -1) / (series * (series + 1) / 2))
    kind = draw.choice([-1, 0, 1, 2], rows, p=[0.45, 0.05, 0.4, 0.1])
    ids = np.zeros(rows, np.int64)
    for one in range(series):
        mine = (which == one) & (kind < 2)
        ids[mine] = 1000 * (one + 1) + np.arange(mine.sum())
    price = 10**12 + draw.integers(-(10**10), 10**10, rows)
    events = Events(
        series=which.astype(np.int32),
        kind=kind.astype(np.int8),
        id=ids,
        at_ns=at_ns,
        seen_ns=at_ns + 1,
        price=price,
        size=draw.integers(1, 10**11, rows),
    )
    if shuffle_s:
        late = at_ns + (draw.random(rows) * shuffle_s * NS_PER_S).astype(np.int64)
        late[kind == 2] = at_ns[kind == 2] + int(shuffle_s * NS_PER_S)
        events = events.take(np.argsort(late, kind="stable"))
    return events


def table(parts: list[Candles]) -> dict[tuple[int, int, int], dict[str, Any]]:
    """The last final row of each key, as a store would hold it."""
    found: dict[tuple[int, int, int], dict[str, Any]] = {}
    for candles in parts:
        for row in candles.records():
            if not row["final"]:
                continue
            key = (int(row["series"]), int(row["interval_s"]), int(row["open_ns"]))
            values = {name: int(row[name]) for name in _VALUES}
            values["quote"] = join_128(row["quote_hi"], row["quote_lo"])
            values["revision"] = int(row["revision"])
            values["coverage"] = int(row["coverage"])
            assert key not in found or found[key]["revision"] < values["revision"], key
            found[key] = values
    return found


def values_only(rows: dict[tuple[int, int, int], dict[str, Any]]) -> dict[Any, Any]:
    """Without the history of how a row came about."""
    return {
        key: {n: v for n, v in row.items() if n not in ("revision", "coverage")}
        for key, row in rows.items()
    }
