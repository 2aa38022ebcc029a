"""What the two venues' calls and connections have in common.

takes   requests and messages as text, with the exchange's time
gives   answers and frames as bytes, for the shell to send
never   opens a socket, reads a clock
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from candlewick.exchange.bars import Bar
from candlewick.exchange.market import Market
from candlewick.model.time import NS_PER_S

Query = Mapping[str, str]
CANDLE_MINUTES_MAX = 3_000  # Most minutes of trades that one REST answer folds; fewer rows then.


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Window(NamedTuple):
    """The stretch of exchange time that is published in one go: `from_ns <= t < to_ns`."""

    from_ns: int
    to_ns: int


class Closing(NamedTuple):
    """Why the exchange ends a connection."""

    code: int
    reason: str


def message(raw: bytes) -> dict[str, Any] | None:
    """A client's JSON object; None for anything else."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def flat_bar(market: Market, name: str, open_ns: int) -> Bar:
    """The candle of a time without trades, at the last price before it."""
    last = market.last_trade_at(name, open_ns - 1)
    price = int(last.price[0]) if len(last) else market.touch_at(name, open_ns)[0]
    return Bar(open_ns, price, price, price, price, 0, 0, 0, 0, 0, -1, -1)


def candles(market: Market, name: str, opens_ns: range, interval_s: int, now_ns: int) -> list[Bar]:
    """One bar for every open time, flat where nothing traded."""
    rows: list[Bar] = []
    for open_ns in opens_ns:
        bar = market.bar(name, open_ns, interval_s, now_ns)
        if bar is None:
            close = rows[-1].close if rows else flat_bar(market, name, open_ns).close
            bar = Bar(open_ns, close, close, close, close, 0, 0, 0, 0, 0, -1, -1)
        rows.append(bar)
    return rows


def rows_max(wanted: int, interval_s: int) -> int:
    """How many candles one answer may hold."""
    return max(1, min(wanted, CANDLE_MINUTES_MAX * 60 // interval_s))


def floor_to(at_ns: int, interval_s: int) -> int:
    """The open time of the candle that a moment is in."""
    return at_ns - at_ns % (interval_s * NS_PER_S)
