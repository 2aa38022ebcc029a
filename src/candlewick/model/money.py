"""Decimal text to scaled integers and back, exactly.

takes   text as an exchange writes it: `"61837.63000000"`, `"0.00027625"`, `"1e-7"`, `12`
gives   integers in 10**-decimals; text without trailing zeros; float64 at the door of analytics
never   rounds on the way in: a digit that does not fit is a `PeerError`, not a rounding
"""

from __future__ import annotations

import re

from candlewick.errors import PeerError

INT64_MAX = 2**63 - 1
_EXPONENT_MAX = 40  # Beyond it a number is hostile: 1e400 must not become a 400-digit integer.
_DIGITS_MAX = 40
_NUMBER = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?\Z", re.ASCII)


def to_units(text: str, decimals: int) -> int:
    """`"1.50"` at 2 decimals is 150.

    Raises:
        PeerError: not a plain finite number, more digits than `decimals`, or beyond int64.

    >>> to_units("61837.63000000", 2)
    6183763
    >>> to_units("1e-7", 8)
    10
    """
    whole, dot, fraction = text.partition(".")
    if (
        dot
        and whole.isdigit()
        and fraction.isdigit()
        and text.isascii()
        and len(text) < _DIGITS_MAX
    ):
        places = len(fraction)
        units = int(whole + fraction)
        if places < decimals:
            units *= 10 ** (decimals - places)
        elif places > decimals:
            units, rest = divmod(units, 10 ** (places - decimals))
            if rest:
                raise PeerError("too_fine", f"{text!r} has more than {decimals} decimals")
    else:
        units = _to_units_general(text, decimals)
    if units > INT64_MAX:
        raise PeerError("too_large", f"{text!r} at {decimals} decimals does not fit 64 bits")
    return units


def _to_units_general(text: str, decimals: int) -> int:
    """Signs, exponents and missing parts; rare on the wire, so clarity over speed."""
    match = _NUMBER.match(text) if len(text) < _DIGITS_MAX else None
    if match is None or not (match[2] or match[3]):
        raise PeerError("bad_number", f"{text[:60]!r} is not a decimal number")
    sign, whole, fraction, exponent = match[1], match[2] or "", match[3] or "", int(match[4] or 0)
    digits = int(whole + fraction)
    if digits == 0:
        return 0
    if abs(exponent) > _EXPONENT_MAX:
        raise PeerError("too_large", f"{text!r} is out of any market's range")
    shift = decimals - len(fraction) + exponent
    if shift >= 0:
        units = digits * 10**shift
    else:
        units, rest = divmod(digits, 10**-shift)
        if rest:
            raise PeerError("too_fine", f"{text!r} has more than {decimals} decimals")
    if units > INT64_MAX:
        raise PeerError("too_large", f"{text!r} at {decimals} decimals does not fit 64 bits")
    return -units if sign == "-" else units


def to_text(units: int, decimals: int) -> str:
    """Exact decimal text without trailing zeros.

    >>> to_text(6183763, 2), to_text(150, 2), to_text(-5, 3), to_text(0, 8)
    ('61837.63', '1.5', '-0.005', '0')
    """
    if decimals == 0:
        return str(units)
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(decimals + 1, "0")
    fraction = digits[-decimals:].rstrip("0")
    return f"{sign}{digits[:-decimals]}.{fraction}" if fraction else f"{sign}{digits[:-decimals]}"


def join_128(high: int, low: int) -> int:
    """The integer of a signed high and an unsigned low 64-bit word (see `candles/fold.py`)."""
    return (int(high) << 64) | int(low)
