"""Numbers in sentences: few digits, but never so few that a value reads as the limit it passed."""

from __future__ import annotations

_DIGITS_MAX = 12


def beside(value: float, limit: float, digits: int = 2) -> str:
    """`value` with `digits` decimals, more only where fewer would read as `limit` itself.

    >>> beside(6.1234, 5.0), beside(5.0004, 5.0), beside(5.0, 5.0)
    ('6.12', '5.0004', '5.00')
    """
    for places in range(digits, _DIGITS_MAX):
        text = f"{value:.{places}f}"
        if float(text) != limit:
            return text
    return f"{value:.{digits}f}"
