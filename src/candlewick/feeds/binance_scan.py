"""Binance's frequent frames read as bytes, many in one call: the compiled fast lane.

takes   the joined bytes of frames, where each ends, when each was seen, and the known symbols
gives   event rows, best quotes and book levels as int64; which frame stopped it, and why
never   decides that a frame is bad: whatever is not spelled exactly as the exchange spells it (key
        order, no spaces, an unknown symbol, a digit too many) stops the scan untouched, and
        `binance_wire.py` reads that frame the slow and plain way

It is to `binance_wire.py` what a kernel is to its twin; `tests/feeds/` holds them equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from candlewick.feeds import levels
from candlewick.feeds.batch import FUTURE_NS_MAX, MICROSECONDS_FROM, TICK_NS, TIME_NS_MAX
from candlewick.feeds.book import LEVELS_MAX, RESTART_IDS
from candlewick.kernel import kernel

# Why a scan stopped (`found[STOP]`), and what else it found.
ENDED, PLAIN, DEPTH, CROSSED = range(4)
(STOP, ROWS, DATA, CONTROL, QUOTED, SERIES, AT_NS, FIRST_ID, LAST_ID, BIDS, LEVELS) = range(11)
FOUND = 11
SYMBOL_BYTES_MAX = 16
TRADE, AGGREGATE = 1, 2
_DIGITS_MAX = 18  # Always inside int64.
_POWERS = np.array([10**n for n in range(19)], np.int64)


def _bytes(text: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.array(list(text.encode()), np.uint8)


_STREAM, _DATA = _bytes('{"stream":"'), _bytes('","data":')
_E_TRADE, _E_AGGREGATE = _bytes('{"e":"trade","E":'), _bytes('{"e":"aggTrade","E":')
_E_DEPTH, _U = _bytes('{"e":"depthUpdate","E":'), _bytes('{"u":')
_S, _T_ID, _A_ID, _P, _Q = (
    _bytes(',"s":"'), _bytes(',"t":'), _bytes(',"a":'), _bytes(',"p":'), _bytes(',"q":')
)  # fmt: skip
_B_ID, _F_ID, _L_ID, _T = _bytes(',"b":'), _bytes(',"f":'), _bytes(',"l":'), _bytes(',"T":')
_M, _BIG_M, _BIG_B, _BIG_A = _bytes(',"m":'), _bytes(',"M":'), _bytes(',"B":'), _bytes(',"A":')
_FIRST, _LAST = _bytes(',"U":'), _bytes(',"u":')
_TRUE, _FALSE = _bytes("true"), _bytes("false")
_QUOTE, _COMMA, _OPEN, _CLOSE, _DOT, _ZERO = 34, 44, 91, 93, 46, 48


@kernel
def skip(text: Any, at: int, end: int, word: Any) -> int:
    """The place after `word`, or -1; like all readers here it passes an earlier -1 on."""
    if at < 0 or at + len(word) > end:
        return -1
    for i in range(len(word)):
        if text[at + i] != word[i]:
            return -1
    return at + len(word)


@kernel
def whole(text: Any, at: int, end: int) -> tuple[int, int]:
    """A JSON integer without sign: (value, place after it)."""
    value, start = 0, at
    if at < 0:
        return 0, -1
    while at < end and 48 <= text[at] <= 57:
        value = value * 10 + (text[at] - _ZERO)
        at += 1
        if at - start > _DIGITS_MAX:
            return 0, -1
    if at == start or (text[start] == _ZERO and at - start > 1):
        return 0, -1
    return value, at


@kernel
def decimal(text: Any, at: int, end: int, decimals: int) -> tuple[int, int]:
    """A quoted decimal in units of 10**-decimals: (units, place after the closing quote)."""
    if at < 0 or at >= end or text[at] != _QUOTE:
        return 0, -1
    at += 1
    start, units, dot = at, 0, -1
    while at < end and text[at] != _QUOTE:
        if text[at] == _DOT and dot < 0 and at > start:
            dot = at
        elif 48 <= text[at] <= 57 and at - start <= _DIGITS_MAX:
            units = units * 10 + (text[at] - _ZERO)
        else:
            return 0, -1
        at += 1
    digits = at - start - (1 if dot >= 0 else 0)
    places = at - dot - 1 if dot >= 0 else 0
    if at >= end or digits == 0 or digits > _DIGITS_MAX or (dot >= 0 and places == 0):
        return 0, -1
    if places > decimals:
        power = _POWERS[places - decimals]
        if units % power != 0:
            return 0, -1
        units //= power
    elif places < decimals:
        if digits + decimals - places > _DIGITS_MAX:
            return 0, -1
        units *= _POWERS[decimals - places]
    return units, at + 1


@kernel
def flag(text: Any, at: int, end: int) -> tuple[bool, int]:
    """true or false."""
    after = skip(text, at, end, _TRUE)
    if after >= 0:
        return True, after
    return False, skip(text, at, end, _FALSE)


@kernel
def symbol(text: Any, at: int, end: int, names: Any, series: Any) -> tuple[int, int]:
    """A symbol up to its closing quote: (its series, place after the quote); unknown is -1."""
    low, high, start = np.uint64(0), np.uint64(0), at
    if at < 0:
        return -1, -1
    while at < end and text[at] != _QUOTE:
        if at - start >= SYMBOL_BYTES_MAX:
            return -1, -1
        high = (high << np.uint64(8)) | (low >> np.uint64(56))
        low = (low << np.uint64(8)) | np.uint64(text[at])
        at += 1
    if at >= end or at == start:
        return -1, -1
    found = series[slot(low, high, names, series)]
    return found, (at + 1 if found >= 0 else -1)


@kernel
def slot(low: Any, high: Any, names: Any, series: Any) -> int:
    """Where a symbol is or belongs in the open-addressed table (its length a power of two)."""
    mask = np.uint64(len(series) - 1)
    mixed = (low ^ (high * np.uint64(0x9E3779B97F4A7C15))) * np.uint64(0xBF58476D1CE4E5B9)
    at = (mixed >> np.uint64(32)) & mask
    while series[at] >= 0 and (names[at, 0] != low or names[at, 1] != high):
        at = (at + np.uint64(1)) & mask
    return int(at)


@kernel
def time_ns(epoch: int, seen_ns: int) -> int:
    """Epoch milliseconds or microseconds in nanoseconds; 0 where it cannot be a time."""
    if epoch > TIME_NS_MAX // 1000:
        return 0
    at_ns = epoch * 1000 if epoch >= MICROSECONDS_FROM else epoch * 1_000_000
    if at_ns >= TIME_NS_MAX or (seen_ns > 0 and at_ns > seen_ns + FUTURE_NS_MAX):
        return 0
    return at_ns


@kernel
def trade(
    text: Any, at: int, end: int, names: Any, series: Any, scales: Any
) -> tuple[int, int, int, int, int, int, int, bool]:
    """`trade` or `aggTrade`: (after, source, series, id, price, size, epoch, seller aggressor)."""
    source = TRADE
    after = skip(text, at, end, _E_TRADE)
    if after < 0:
        source = AGGREGATE
        after = skip(text, at, end, _E_AGGREGATE)
    _, after = whole(text, after, end)
    place, after = symbol(text, skip(text, after, end, _S), end, names, series)
    after = skip(text, after, end, _T_ID if source == TRADE else _A_ID)
    trade_id, after = whole(text, after, end)
    after = skip(text, after, end, _P)
    if after < 0:
        return -1, 0, 0, 0, 0, 0, 0, False
    price, after = decimal(text, after, end, scales[place, 0])
    size, after = decimal(text, skip(text, after, end, _Q), end, scales[place, 1])
    # Order ids of both sides in old trades, the span of trade ids in aggregates.
    extra = skip(text, after, end, _B_ID if source == TRADE else _F_ID)
    if extra >= 0:
        _, after = whole(text, extra, end)
        after = skip(text, after, end, _A_ID if source == TRADE else _L_ID)
        _, after = whole(text, after, end)
    elif source == AGGREGATE:
        after = -1
    epoch, after = whole(text, skip(text, after, end, _T), end)
    sells, after = flag(text, skip(text, after, end, _M), end)
    extra = skip(text, after, end, _BIG_M)
    if extra >= 0:
        _, after = flag(text, extra, end)
    if price <= 0 or size <= 0:
        after = -1
    return after, source, place, trade_id, price, size, epoch, sells


@kernel
def book_ticker(
    text: Any, at: int, end: int, names: Any, series: Any, scales: Any
) -> tuple[int, int, int, int, int, int]:
    """`bookTicker`: (after, series, bid, bid size, ask, ask size)."""
    _, at = whole(text, skip(text, at, end, _U), end)
    place, at = symbol(text, skip(text, at, end, _S), end, names, series)
    at = skip(text, at, end, _B_ID)
    if at < 0:
        return -1, 0, 0, 0, 0, 0
    bid, at = decimal(text, at, end, scales[place, 0])
    bid_size, at = decimal(text, skip(text, at, end, _BIG_B), end, scales[place, 1])
    ask, at = decimal(text, skip(text, at, end, _A_ID), end, scales[place, 0])
    ask_size, at = decimal(text, skip(text, at, end, _BIG_A), end, scales[place, 1])
    if bid <= 0 or ask <= 0:
        at = -1
    return at, place, bid, bid_size, ask, ask_size


@kernel
def side(
    text: Any, at: int, end: int, prices: Any, sizes: Any, rows: int, scale: Any
) -> tuple[int, int]:
    """`[["price","size"],...]` appended to the columns: (place after, rows)."""
    if at < 0 or at + 1 >= end or text[at] != _OPEN:
        return -1, rows
    at += 1
    if text[at] == _CLOSE:
        return at + 1, rows
    while True:
        if at >= end or text[at] != _OPEN or rows >= len(prices):
            return -1, rows
        price, at = decimal(text, at + 1, end, scale[0])
        if at < 0 or price <= 0 or at >= end or text[at] != _COMMA:
            return -1, rows
        size, at = decimal(text, at + 1, end, scale[1])
        if at < 0 or at + 1 >= end or text[at] != _CLOSE:
            return -1, rows
        prices[rows] = price
        sizes[rows] = size
        rows += 1
        at += 2
        if text[at - 1] == _CLOSE:
            return at, rows
        if text[at - 1] != _COMMA:
            return -1, rows


@kernel
def depth(
    text: Any, at: int, end: int, names: Any, series: Any, scales: Any, prices: Any, sizes: Any,
    found: Any,
) -> tuple[int, int]:  # fmt: skip
    """`depthUpdate`: (after, epoch); the rest into `found` and the level columns."""
    epoch, at = whole(text, skip(text, at, end, _E_DEPTH), end)
    place, at = symbol(text, skip(text, at, end, _S), end, names, series)
    first_id, at = whole(text, skip(text, at, end, _FIRST), end)
    last_id, at = whole(text, skip(text, at, end, _LAST), end)
    at = skip(text, at, end, _B_ID)
    if at < 0 or first_id > last_id:
        return -1, 0
    at, bids = side(text, at, end, prices, sizes, 0, scales[place])
    at, rows = side(text, skip(text, at, end, _A_ID), end, prices, sizes, bids, scales[place])
    found[SERIES], found[FIRST_ID], found[LAST_ID] = place, first_id, last_id
    found[BIDS], found[LEVELS] = bids, rows
    return at, epoch


@kernel
def finish(text: Any, at: int, end: int, wrapped: bool) -> bool:
    """The object and its wrapper end exactly where the frame does."""
    return (
        at >= 0 and at + (2 if wrapped else 1) == end and (text[at] == 125 and text[end - 1] == 125)
    )


@kernel
def unwrap(text: Any, at: int, end: int) -> tuple[int, bool]:
    """Where the payload begins, and whether it lies in a `/stream` wrapper."""
    after = skip(text, at, end, _STREAM)
    if after < 0:
        return at, False
    while after < end and 33 <= text[after] <= 126 and text[after] != _QUOTE and text[after] != 92:
        after += 1
    return skip(text, after, end, _DATA), True


@kernel
def scan(
    text: Any, ends: Any, seen: Any, frame: int, names: Any, series: Any, scales: Any,
    sources: Any, clock: Any, rows: Any, quotes: Any, prices: Any, sizes: Any, found: Any,
    keys: Any, amounts: Any, counts: Any, heads: Any,
) -> int:  # fmt: skip
    """Read frames from `frame` on; gives the first that needs the caller, or their number.

    Trades and ticks go to `rows` (the seven event columns by row), quotes to `quotes` by series,
    changes of valid books to their shelf; `found` says why it stopped and, at a `depthUpdate` that
    is more than the next change of a valid book, what that held.
    """
    found[STOP] = ENDED
    while frame < len(ends):
        end = ends[frame]
        start = ends[frame - 1] if frame > 0 else 0
        seen_ns = seen[frame]
        at, wrapped = unwrap(text, start, end)
        kind = text[at + 6] if 0 <= at < end - 8 and text[at + 2] == 101 else 0
        if kind == 116 or kind == 97:  # {"e":"t and {"e":"a
            at, source, place, trade_id, price, size, epoch, sells = trade(
                text, at, end, names, series, scales
            )
            at_ns = time_ns(epoch, seen_ns)
            if not finish(text, at, end, wrapped) or at_ns <= 0:
                found[STOP] = PLAIN
                return frame
            if sources[place] == 0:
                sources[place] = source
            if sources[place] != source:
                found[CONTROL] += 1
            else:
                put(rows, found, place, -1 if sells else 1, trade_id, at_ns, seen_ns, price, size)
                clock[0] = max(clock[0], at_ns)
                found[DATA] += 1
        elif kind == 100:  # {"e":"d
            at, epoch = depth(text, at, end, names, series, scales, prices, sizes, found)
            at_ns = time_ns(epoch, seen_ns)
            if not finish(text, at, end, wrapped) or at_ns <= 0:
                found[STOP] = PLAIN
                return frame
            if at_ns >= clock[0] + TICK_NS:
                put(rows, found, found[SERIES], 2, 0, at_ns, seen_ns, 0, 0)
                clock[0] = at_ns
            found[DATA] += 1
            found[AT_NS] = at_ns
            found[STOP] = settle(found, prices, sizes, keys, amounts, counts, heads)
            if found[STOP] != ENDED:
                return frame
        else:
            at, place, bid, bid_size, ask, ask_size = book_ticker(
                text, at, end, names, series, scales
            )
            if not finish(text, at, end, wrapped):
                found[STOP] = PLAIN
                return frame
            quote(quotes, place, bid, bid_size, ask, ask_size, seen_ns if seen_ns > 0 else clock[0])
            found[DATA] += 1
            found[QUOTED] += 1
        frame += 1
    return frame


@kernel
def settle(
    found: Any, prices: Any, sizes: Any, keys: Any, amounts: Any, counts: Any, heads: Any
) -> int:
    """The next change of a valid book is applied here (`book.SequencedBook.change` is the rule);
    anything else stops the scan."""
    place, rows = found[SERIES], found[LEVELS]
    if place >= len(heads) or heads[place, levels.LIVE] == 0:
        return DEPTH
    after_id = max(heads[place, levels.LAST_ID], heads[place, levels.STREAM_ID])
    if found[LAST_ID] <= after_id and found[LAST_ID] + RESTART_IDS >= after_id:
        return ENDED
    room = keys.shape[2] - max(counts[place, 0], counts[place, 1])
    if found[FIRST_ID] > after_id + 1 or found[LAST_ID] <= after_id or rows > room:
        return DEPTH
    heads[place, levels.LAST_ID] = heads[place, levels.STREAM_ID] = found[LAST_ID]
    heads[place, levels.AT_NS] = found[AT_NS]
    heads[place, levels.MOVED] = 1
    found[QUOTED] += 1
    crossed = levels.change(
        keys[place], amounts[place], counts[place], prices, sizes, found[BIDS], rows, LEVELS_MAX
    )
    return CROSSED if crossed else ENDED


@kernel
def put(
    rows: Any, found: Any, series: int, kind: int, trade_id: int, at_ns: int, seen_ns: int,
    price: int, size: int,
) -> None:  # fmt: skip
    """One event row."""
    at = found[ROWS]
    rows[0, at], rows[1, at], rows[2, at], rows[3, at] = series, kind, trade_id, at_ns
    rows[4, at], rows[5, at], rows[6, at] = seen_ns, price, size
    found[ROWS] = at + 1


@kernel
def quote(
    quotes: Any, series: int, bid: int, bid_size: int, ask: int, ask_size: int, at_ns: int
) -> None:
    """The latest quote of a series; the first column says that it came in this batch."""
    row = quotes[series]
    row[0], row[1], row[2], row[3], row[4], row[5] = 1, bid, bid_size, ask, ask_size, at_ns
