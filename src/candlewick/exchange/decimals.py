"""Scaled integers and nanoseconds as the exchanges print them: fixed places, nothing rounded."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from candlewick.model.time import NS_PER_S


def fixed(units: int, decimals: int, places: int) -> str:
    """Exactly `places` digits after the point; `places` is never less than `decimals`.

    >>> fixed(6183763, 2, 8), fixed(-5, 1, 1), fixed(7, 0, 2)
    ('61837.63000000', '-0.5', '7.00')
    """
    sign = "-" if units < 0 else ""
    digits = str(abs(units) * 10 ** (places - decimals)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else sign + digits


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def micro_time(at_ns: int) -> str:
    """RFC 3339 with six digits.

    >>> micro_time(1_500_000_000)
    '1970-01-01T00:00:01.500000Z'
    """
    seconds, rest = divmod(at_ns, NS_PER_S)
    return f"{_second(seconds)}.{rest // 1_000:06d}Z"


def nano_time(at_ns: int) -> str:
    """RFC 3339 with nine digits."""
    seconds, rest = divmod(at_ns, NS_PER_S)
    return f"{_second(seconds)}.{rest:09d}Z"
