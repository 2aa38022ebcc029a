"""Time is integer nanoseconds UTC.  Text in, text out; nobody reads a clock here."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime
from functools import lru_cache

from candlewick.errors import PeerError, UsageError

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000
NEVER_NS = -(2**63)  # "not yet": earlier than every time.
_LAST_NS = 2**63 - 1

_INTERVAL = re.compile(r"(\d{1,5})(s|m|h|d)\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_INTERVAL_S_MAX = 86_400


@lru_cache(maxsize=1024)
def _whole_second_ns(text: str) -> int:
    """`2023-09-25T09:04:31`; cached because thousands of trades share a second."""
    if not text.isascii():  # strptime reads the digits of every script.
        raise PeerError("bad_time", f"{text[:40]!r} is not an RFC 3339 time")
    try:
        parsed = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 the suffix is checked
    except ValueError as error:
        raise PeerError("bad_time", f"{text[:40]!r} is not an RFC 3339 time") from error
    return calendar.timegm(parsed.timetuple()) * NS_PER_S


def from_rfc3339(text: str) -> int:
    """`2023-10-06T17:35:55.440295Z` to nanoseconds; UTC only, as the exchanges write it.

    >>> from_rfc3339("1970-01-01T00:00:01.5Z")
    1500000000

    Raises:
        PeerError: another form, or a time that 64 bits of nanoseconds do not reach (1677 to 2262).
    """
    if len(text) == 20 and text[19] == "Z":
        return _fitting(_whole_second_ns(text[:19]), text)
    fraction = text[20:-1]
    if (
        len(text) < 22
        or text[-1] != "Z"
        or text[19] != "."
        or not (fraction.isdigit() and fraction.isascii())
        or len(fraction) > 9
    ):
        raise PeerError("bad_time", f"{text[:40]!r} is not an RFC 3339 time in UTC")
    return _fitting(_whole_second_ns(text[:19]) + int(fraction.ljust(9, "0")), text)


def _fitting(at_ns: int, text: str) -> int:
    if not NEVER_NS <= at_ns <= _LAST_NS:
        raise PeerError("bad_time", f"{text[:40]!r} does not fit 64 bits of nanoseconds")
    return at_ns


def to_rfc3339(at_ns: int) -> str:
    """The shortest exact text: no fraction for whole seconds, else 3, 6 or 9 digits.

    >>> to_rfc3339(1_500_000_000)
    '1970-01-01T00:00:01.500Z'
    """
    seconds, rest = divmod(at_ns, NS_PER_S)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if rest == 0:
        return f"{text}Z"
    digits = f"{rest:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}Z"


def interval_s(text: str) -> int:
    """`1m` is 60; 1 s to 1 d.

    Raises:
        UsageError: another form, or out of range.
    """
    match = _INTERVAL.match(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 1 <= seconds <= _INTERVAL_S_MAX:
        raise UsageError(f"interval {text!r}: expected 1s to 1d, as in 30s, 1m, 4h, 1d")
    return seconds


def interval_text(seconds: int) -> str:
    """The shortest name: 60 is `1m`, 90 is `90s`.

    >>> interval_text(60), interval_text(90), interval_text(86400)
    ('1m', '90s', '1d')
    """
    for unit in ("d", "h", "m"):
        if seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"
