"""Binance's messages as typed shapes, and the addresses to ask.  The plain, authoritative reading.

takes   the bytes of one payload
gives   typed messages with the numbers as written; paths and addresses
never   keeps state; knows an instrument

Streams: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
REST:    https://developers.binance.com/docs/binance-spot-api-docs/rest-api
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

import msgspec

from candlewick.errors import PeerError, UsageError
from candlewick.feeds.roster import step
from candlewick.model.instruments import Instrument, canonical

VENUE = "binance"
WIDEST = (8, 8)
ROOM = (8, 3)  # Prices keep all 8 digits; sizes fewer, so that their sums stay inside int64.
STREAMS = ("trade", "bookTicker", "depth@100ms")
STREAMS_MAX = 1_024  # A connection, by the venue's rule.
SYMBOLS_MAX = STREAMS_MAX // len(STREAMS)
HISTORY_ROWS = 1_000
DEPTH_LEVELS = 1_000
_NOTHING = msgspec.Raw(b"")
_ASKED = re.compile(r"[?&]symbols?=([^&]+)")
_NAMED_STREAM = re.compile(r"(?:/ws/|[/=])([a-z0-9]{2,20})@(\w+)")


class Envelope(msgspec.Struct, gc=False):
    """Every key by which a payload is told from another."""

    stream: str = ""
    data: msgspec.Raw = _NOTHING
    e: str = ""
    E: msgspec.Raw = _NOTHING
    s: msgspec.Raw = _NOTHING
    u: msgspec.Raw = _NOTHING
    B: msgspec.Raw = _NOTHING
    lastUpdateId: msgspec.Raw = _NOTHING  # noqa: N815
    symbols: msgspec.Raw = _NOTHING
    subscriptionId: msgspec.Raw = _NOTHING  # noqa: N815
    serverTime: msgspec.Raw = _NOTHING  # noqa: N815
    result: msgspec.Raw = _NOTHING
    id: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    code: msgspec.Raw = _NOTHING
    msg: msgspec.Raw = _NOTHING


class Trade(msgspec.Struct, gc=False):
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool
    E: int = 0


class Aggregate(msgspec.Struct, gc=False):
    s: str
    a: int
    p: str
    q: str
    T: int
    m: bool
    E: int = 0


class BookTicker(msgspec.Struct, gc=False):
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str


Level = tuple[str, str]


class Depth(msgspec.Struct, gc=False):
    E: int
    s: str
    U: int
    u: int
    b: list[Level]
    a: list[Level]


class Snapshot(msgspec.Struct, gc=False):
    lastUpdateId: int  # noqa: N815
    bids: list[Level]
    asks: list[Level]


class Bar(msgspec.Struct, gc=False):
    t: int
    T: int
    s: str
    i: str
    o: str
    c: str
    h: str
    l: str  # noqa: E741
    v: str
    x: bool


class Kline(msgspec.Struct, gc=False):
    E: int
    s: str
    k: Bar


class DayTicker(msgspec.Struct, gc=False):
    E: int
    s: str
    c: str


class RestTrade(msgspec.Struct, gc=False):
    id: int
    price: str
    qty: str
    time: int
    isBuyerMaker: bool  # noqa: N815


class RestAggregate(msgspec.Struct, gc=False):
    a: int
    p: str
    q: str
    T: int
    m: bool


class Filter(msgspec.Struct, gc=False):
    filterType: str = ""  # noqa: N815
    tickSize: str = ""  # noqa: N815
    stepSize: str = ""  # noqa: N815


class Listed(msgspec.Struct, gc=False):
    symbol: str
    baseAsset: str  # noqa: N815
    quoteAsset: str  # noqa: N815
    filters: list[Filter] = []


class Info(msgspec.Struct, gc=False):
    symbols: list[Listed]


class RestRow(msgspec.Struct, gc=False):
    """What tells the rows of one kind of REST list from another."""

    isBuyerMaker: msgspec.Raw = _NOTHING  # noqa: N815
    a: msgspec.Raw = _NOTHING
    p: msgspec.Raw = _NOTHING


ENVELOPE = msgspec.json.Decoder(Envelope)
TRADE = msgspec.json.Decoder(Trade)
AGGREGATE = msgspec.json.Decoder(Aggregate)
BOOK_TICKER = msgspec.json.Decoder(BookTicker)
DEPTH = msgspec.json.Decoder(Depth)
SNAPSHOT = msgspec.json.Decoder(Snapshot)
KLINE = msgspec.json.Decoder(Kline)
DAY_TICKER = msgspec.json.Decoder(DayTicker)
INFO = msgspec.json.Decoder(Info)
LIST = msgspec.json.Decoder(list[msgspec.Raw])
REST_ROW = msgspec.json.Decoder(RestRow)
REST_TRADES = msgspec.json.Decoder(list[RestTrade])
REST_AGGREGATES = msgspec.json.Decoder(list[RestAggregate])


def listing(info: Info) -> list[Instrument]:
    """Instruments with decimals, tick and lot of their filters; unspellable ones are left."""
    found = []
    for listed in info.symbols:
        tick = lot = ""
        for rule in listed.filters:
            tick = rule.tickSize if rule.filterType == "PRICE_FILTER" else tick
            lot = rule.stepSize if rule.filterType == "LOT_SIZE" else lot
        try:
            price_decimals, tick_units = step(tick)
            size_decimals, lot_units = step(lot)
            symbol = canonical(f"{listed.baseAsset}/{listed.quoteAsset}")
        except (PeerError, UsageError):
            continue  # A filter that is switched off, or a name outside A-Z 0-9: the widest holds.
        found.append(
            Instrument(
                VENUE, symbol, listed.symbol, price_decimals, size_decimals, tick_units, lot_units
            )
        )
    return found


def asked_symbol(url: str) -> str:
    """The symbol in the query of a REST address, or nothing (also where several were asked)."""
    match = _ASKED.search(url)
    text = unquote(match[1]) if match else ""
    return text.upper() if text.isalnum() else ""


def asked_by_name(url: str) -> bool:
    """The address names its symbols, it does not ask for the whole exchange."""
    return _ASKED.search(url) is not None


def named_streams(url: str) -> list[tuple[str, str]]:
    """(native symbol, stream) of a WebSocket address."""
    return [(m[1].upper(), m[2]) for m in _NAMED_STREAM.finditer(url)]


def native(symbol: str) -> str:
    """`BTC/USDT` as `BTCUSDT`."""
    return symbol.replace("/", "")


def connect_url(base: str, natives: Sequence[str]) -> str:
    """The address of a combined stream of everything that is read of these symbols."""
    if len(natives) > SYMBOLS_MAX:
        raise UsageError(f"{len(natives)} symbols on one connection; {VENUE} takes {SYMBOLS_MAX}")
    streams = (f"{n.lower()}@{stream}" for n in natives for stream in STREAMS)
    return f"{base}/stream?streams={'/'.join(streams)}"


def instruments_path(natives: Sequence[str]) -> str:
    names = ",".join(f'"{n}"' for n in natives)
    return f"/api/v3/exchangeInfo?symbols={quote(f'[{names}]')}"


def depth_path(native: str) -> str:
    return f"/api/v3/depth?symbol={native}&limit={DEPTH_LEVELS}"


def history_path(native: str, from_id: int, from_ns: int) -> str:
    """Trades from an id on, or the newest (-1); the venue's list is by id alone."""
    start = f"&fromId={from_id}" if from_id >= 0 else ""
    return f"/api/v3/historicalTrades?symbol={native}{start}&limit={HISTORY_ROWS}"
