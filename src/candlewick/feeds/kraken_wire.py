"""Kraken's v2 messages as typed shapes, its REST answers, and the addresses to ask.

takes   the bytes of one frame or a part of it
gives   typed messages with every number as the text that was written: the checksum needs its digits
never   keeps state; knows an instrument; passes a number through a float

WebSocket v2: https://docs.kraken.com/api/docs/websocket-v2/trade (also book, ticker, instrument)
Checksum:     https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
REST:         https://docs.kraken.com/api/docs/rest-api/get-recent-trades
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from candlewick.errors import PeerError, UsageError
from candlewick.feeds.frames import read
from candlewick.model.instruments import QUOTES, Instrument, canonical
from candlewick.model.money import to_units

VENUE = "kraken"
WIDEST = (10, 8)
ROOM = (3, 3)
BOOK_DEPTH = 10
HISTORY_ROWS = 1_000
_NOTHING = msgspec.Raw(b"")
_LEGACY_QUOTES = ("USD", "EUR", "GBP", "JPY", "CAD", "AUD", "XBT", "ETH")


class Envelope(msgspec.Struct, gc=False):
    """Every key by which a frame is told from another."""

    channel: str = ""
    type: str = ""
    timestamp: str = ""
    data: msgspec.Raw = _NOTHING
    method: str = ""
    success: bool | None = None
    symbol: str = ""
    error: msgspec.Raw = _NOTHING
    result: msgspec.Raw = _NOTHING


class Trade(msgspec.Struct, gc=False):
    symbol: str
    side: Literal["buy", "sell"]
    price: msgspec.Raw
    qty: msgspec.Raw
    trade_id: int
    timestamp: str


class TradeFrame(msgspec.Struct, gc=False):
    channel: str
    data: list[Trade]


class Level(msgspec.Struct, gc=False):
    price: msgspec.Raw
    qty: msgspec.Raw


class Book(msgspec.Struct, gc=False):
    symbol: str
    bids: list[Level]
    asks: list[Level]
    checksum: int | None = None
    timestamp: str = ""


class Ticker(msgspec.Struct, gc=False):
    symbol: str
    bid: msgspec.Raw
    bid_qty: msgspec.Raw
    ask: msgspec.Raw
    ask_qty: msgspec.Raw
    timestamp: str = ""


class Bar(msgspec.Struct, gc=False):
    symbol: str
    open: msgspec.Raw
    high: msgspec.Raw
    low: msgspec.Raw
    close: msgspec.Raw
    interval_begin: str


class Pair(msgspec.Struct, gc=False):
    symbol: str
    price_precision: int
    qty_precision: int
    price_increment: msgspec.Raw
    qty_increment: msgspec.Raw


class Listing(msgspec.Struct, gc=False):
    pairs: list[Pair]


class Status(msgspec.Struct, gc=False):
    system: str


class Subscribed(msgspec.Struct, gc=False):
    """What an acknowledgement confirms."""

    channel: str = ""
    symbol: str = ""
    depth: int = 0


class AssetPair(msgspec.Struct, gc=False):
    wsname: str
    pair_decimals: int
    lot_decimals: int
    tick_size: str = ""


class PairKey(msgspec.Struct, gc=False):
    wsname: msgspec.Raw = _NOTHING
    pair_decimals: msgspec.Raw = _NOTHING


RestTrade = tuple[str, str, msgspec.Raw, Literal["b", "s"], str, str, int]

ENVELOPE = msgspec.json.Decoder(Envelope)
TRADE_FRAME = msgspec.json.Decoder(TradeFrame)
TRADES = msgspec.json.Decoder(list[Trade])
BOOKS = msgspec.json.Decoder(list[Book])
TICKERS = msgspec.json.Decoder(list[Ticker])
BARS = msgspec.json.Decoder(list[Bar])
LISTING = msgspec.json.Decoder(Listing)
STATUSES = msgspec.json.Decoder(list[Status])
SUBSCRIBED = msgspec.json.Decoder(Subscribed)
RESULT = msgspec.json.Decoder(dict[str, msgspec.Raw])
LIST = msgspec.json.Decoder(list[msgspec.Raw])
PAIR_KEY = msgspec.json.Decoder(PairKey)
ASSET_PAIR = msgspec.json.Decoder(AssetPair)
REST_TRADES = msgspec.json.Decoder(list[RestTrade])


def number(raw: msgspec.Raw) -> str:
    """A JSON number, or one in a string, as it was written.

    >>> number(msgspec.Raw(b"0.00010")), number(msgspec.Raw(b'"45283.5"'))
    ('0.00010', '45283.5')
    """
    text = bytes(raw).decode()
    return text[1:-1] if text[:1] == '"' else text


def listing(message: Listing) -> list[Instrument]:
    """Instruments of an `instrument` snapshot or update; unspellable ones are left."""
    found = []
    for pair in message.pairs:
        steps = (number(pair.price_increment), number(pair.qty_increment))
        found += _instrument(pair.symbol, (pair.price_precision, pair.qty_precision), steps)
    return found


def asset_pairs(result: dict[str, msgspec.Raw]) -> list[Instrument]:
    """Instruments of a REST `AssetPairs` answer; none where it answers something else."""
    found = []
    for raw in result.values():
        if bytes(raw)[:1] != b"{" or not bytes(read(PAIR_KEY, raw).pair_decimals):
            return []
        pair = read(ASSET_PAIR, raw)
        decimals = (pair.pair_decimals, pair.lot_decimals)
        found += _instrument(pair.wsname, decimals, (pair.tick_size, ""))
    return found


def _instrument(name: str, decimals: tuple[int, int], steps: tuple[str, str]) -> list[Instrument]:
    """One, or none where it has no spelling or decimals beyond reason."""
    if not (0 <= decimals[0] <= WIDEST[0] and 0 <= decimals[1] <= WIDEST[1]):
        return []
    try:
        symbol = canonical(name)
        tick, lot = (
            max(to_units(text, places), 1) if text else 1
            for text, places in zip(steps, decimals, strict=True)
        )
    except (PeerError, UsageError):
        return []
    base, _, quote = name.partition("/")
    native = name if base not in ("XBT", "XDG") and quote not in ("XBT", "XDG") else symbol
    return [Instrument(VENUE, symbol, native, *decimals, tick, lot)]


def rest_symbol(key: str) -> str:
    """The v2 symbol of a REST pair key.

    >>> rest_symbol("XXBTZUSD"), rest_symbol("XBTUSDT"), rest_symbol("ADAXBT")
    ('BTC/USD', 'BTC/USDT', 'ADA/BTC')

    Raises:
        PeerError: `unknown_symbol`.
    """
    joined = key
    if "/" not in key:
        if len(key) == 8 and key[0] in "XZ" and key[4] in "XZ" and key[5:] in _LEGACY_QUOTES:
            joined = f"{key[1:4]}/{key[5:]}"
        elif key.endswith("XBT"):
            joined = f"{key[:-3]}/BTC"
        elif not key.endswith(QUOTES):
            raise PeerError("unknown_symbol", f"kraken pair {key[:40]!r} has no known quote")
    try:
        return canonical(joined)
    except UsageError as error:
        raise PeerError("unknown_symbol", f"kraken pair {key[:40]!r} is no symbol") from error


def rest_trades(result: dict[str, msgspec.Raw]) -> tuple[str, list[RestTrade]]:
    """The v2 symbol and the rows of a `Trades` answer; no rows where it answers something else."""
    keys = [key for key in result if key != "last"]
    if len(keys) != 1 or "last" not in result or bytes(result[keys[0]])[:1] != b"[":
        return "", []
    rows = read(LIST, result[keys[0]])
    if not rows or bytes(rows[0])[:2] != b'["':  # Rows of OHLC and Spread begin with a time.
        return "", []
    return rest_symbol(keys[0]), read(REST_TRADES, result[keys[0]])


def _message(method: str, **params: object) -> bytes:
    return msgspec.json.encode({"method": method, "params": params})


def subscribe(natives: Sequence[str]) -> list[bytes]:
    """Trades from now on, and the best levels of the book.

    Without the last fifty trades: the seam is history's, and those of a quiet market can be older
    than any candle that still takes trades.
    """
    symbols = list(natives)
    return [
        _message("subscribe", channel="trade", symbol=symbols, snapshot=False),
        _message("subscribe", channel="book", symbol=symbols, depth=BOOK_DEPTH, snapshot=True),
    ]


def resubscribe(native: str) -> list[bytes]:
    """A fresh snapshot of one book."""
    return [
        _message("unsubscribe", channel="book", symbol=[native], depth=BOOK_DEPTH),
        _message("subscribe", channel="book", symbol=[native], depth=BOOK_DEPTH, snapshot=True),
    ]


def instruments_path(natives: Sequence[str]) -> str:
    return f"/0/public/AssetPairs?pair={','.join(natives)}"


def depth_path(native: str) -> str:
    return f"/0/public/Depth?pair={native}&count=100"


def history_path(native: str, from_id: int, from_ns: int) -> str:
    """Trades from a time on; the venue's list is by time alone.  `since` itself may be left out by
    the venue, so it asks one nanosecond earlier."""
    return f"/0/public/Trades?pair={native}&since={max(from_ns - 1, 0)}&count={HISTORY_ROWS}"
