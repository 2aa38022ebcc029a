"""A candle that moved by more than a fixed share of its open.

takes   open, close    integers of one instrument; their ratio is all that matters
gives   value          |close / open - 1| in per cent, and the highest limit that it reached
        severity       LOW above `low_pct`, MEDIUM from `medium_pct`, HIGH from `high_pct`
never   rounds: exactly 5 % is not above 5 %, exactly 7 % is MEDIUM, exactly 10 % is HIGH

A move is judged as it is found, so a rule without memory: a revision is simply judged again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from candlewick.errors import UsageError
from candlewick.kernel import Array, kernel, record
from candlewick.model.words import beside

KINDS = ("PRICE_SPIKE", "PRICE_DROP")
DEFAULTS: dict[str, float] = {"low_pct": 5.0, "medium_pct": 7.0, "high_pct": 10.0}
VERSION = 1
HEAD = record(low="i8", medium="i8", high="i8")  # Millionths of the open.
SLOT = record(window="i8")  # The contract asks for one; nothing is kept.

_MILLION = 1_000_000
_PER_PCT = 10_000
_PCT_MAX = 100_000  # So that a limit in millionths stays under 2**30 and a product under 2**63.
_HALF_BITS = 32
_HALF_MASK = 2**32 - 1


def start(heads: Array, slots: Array, settings: Mapping[str, float]) -> None:
    """Raises UsageError: limits that do not rise, or are finer than 0.0001 %."""
    limits = [settings[name] for name in DEFAULTS]
    if not 0 < limits[0] < limits[1] < limits[2] <= _PCT_MAX:
        raise UsageError(
            f"anomalies: low_pct, medium_pct, high_pct are {limits}, expected rising, "
            f"above 0 and up to {_PCT_MAX}"
        )
    for name, limit in zip(heads.dtype.names or (), limits, strict=True):
        millionths = round(limit * _PER_PCT)
        if abs(millionths - limit * _PER_PCT) > 1e-6:
            raise UsageError(f"anomalies: {name}_pct is {limit}, expected steps of 0.0001")
        heads[name] = millionths


def words(row: Any, rose: str, span: str) -> str:
    """`rose 6.12 % in the minute from 12:34Z, limit 5 %`"""
    value, limit = float(row["value"]), float(row["limit"])
    return f"{rose} {beside(value, limit)} % {span}, limit {limit:g} %"


@kernel
def _compare(move, open_, limit):  # type: ignore[no-untyped-def]
    """The sign of move / open - limit / 1,000,000, by products cut into halves of 32 bits."""
    high = (move >> _HALF_BITS) * _MILLION
    low = (move & _HALF_MASK) * _MILLION
    other_high = (open_ >> _HALF_BITS) * limit
    other_low = (open_ & _HALF_MASK) * limit
    high += low >> _HALF_BITS
    other_high += other_low >> _HALF_BITS
    if high == other_high:
        high, other_high = low & _HALF_MASK, other_low & _HALF_MASK
    return 1 if high > other_high else (-1 if high < other_high else 0)


@kernel
def scan(  # type: ignore[no-untyped-def]
    heads, slots, series, windows, open_, close, trades, verdicts
):
    """Judge each row into `verdicts`; severity 0 where there is nothing to say."""
    for row in range(len(series)):
        head = heads[series[row]]
        if open_[row] <= 0 or close[row] <= 0:
            continue
        change = close[row] - open_[row]
        move = abs(change)
        if _compare(move, open_[row], head.low) <= 0:
            continue
        out = verdicts[row]
        out.severity, limit = 1, head.low
        if _compare(move, open_[row], head.high) >= 0:
            out.severity, limit = 3, head.high
        elif _compare(move, open_[row], head.medium) >= 0:
            out.severity, limit = 2, head.medium
        out.kind = 0 if change > 0 else 1
        out.value = move / open_[row] * 100.0
        out.limit = limit / _PER_PCT
