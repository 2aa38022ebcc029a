"""The slow, obvious candle: group the trades of a window, sort by id, look.

takes   all trades of one series as plain tuples, the interval, and the clock at the end
gives   every final bar as a dictionary by open time
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Print(NamedTuple):
    id: int
    at_ns: int
    price: int
    size: int
    side: int


def bars(prints: list[Print], interval_ns: int, clock_ns: int, grace_ns: int) -> dict[int, Any]:
    """Bars from the window of the first trade to the last one that the clock has closed."""
    windows: dict[int, list[Print]] = {}
    for trade in prints:
        windows.setdefault(trade.at_ns // interval_ns * interval_ns, []).append(trade)
    if not windows:
        return {}
    found = {}
    carry = 0
    open_ns = min(windows)
    while open_ns + interval_ns + grace_ns <= clock_ns:
        inside = sorted(windows.get(open_ns, []))
        found[open_ns] = bar(inside, carry)
        carry = found[open_ns]["close"]
        open_ns += interval_ns
    return found


def bar(inside: list[Print], carry: int) -> dict[str, int]:
    prices = [trade.price for trade in inside] or [carry]
    return {
        "open": prices[0],
        "high": max(prices),
        "low": min(prices),
        "close": prices[-1],
        "volume": sum(trade.size for trade in inside),
        "taker_buy": sum(trade.size for trade in inside if trade.side > 0),
        "quote": sum(trade.price * trade.size for trade in inside),
        "trades": len(inside),
        "first_id": inside[0].id if inside else -1,
        "last_id": inside[-1].id if inside else -1,
    }
