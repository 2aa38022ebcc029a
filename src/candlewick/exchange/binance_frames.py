"""Trades, books and candles as Binance spot writes them, key by key.

takes   an instrument, columns or a bar in its integers, the time of sending in milliseconds
gives   bytes of one frame each, or the body of a REST answer
never   formats a float: prices and sizes are text with eight places
source  recorded frames of 2021 and 2024; binance-spot-api-docs, web-socket-streams.md, rest-api.md
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from candlewick.exchange.bars import Bar
from candlewick.exchange.books import Book, Levels
from candlewick.exchange.decimals import fixed
from candlewick.model.columns import Side, Trades
from candlewick.model.instruments import Instrument
from candlewick.model.time import NS_PER_MS

WEIGHT_A_MINUTE = 6_000
_PLACES = 8


def combined(stream: str, payload: bytes) -> bytes:
    """A payload in the wrapping of `/stream`."""
    return b'{"stream":"%b","data":%b}' % (stream.encode(), payload)


def trades(instrument: Instrument, rows: Trades, event_ms: int) -> list[bytes]:
    """One `trade` frame a row."""
    return [
        f'{{"e":"trade","E":{max(event_ms, at_ms)},"s":"{instrument.native}","t":{number}'
        f',"p":"{price}","q":"{size}","T":{at_ms},"m":{maker},"M":true}}'.encode()
        for number, at_ms, price, size, maker, _ in _rows(instrument, rows)
    ]


def agg_trades(instrument: Instrument, rows: Trades, event_ms: int) -> list[bytes]:
    """One `aggTrade` frame a row: here every trade is an aggregate of one, with the same id."""
    return [
        f'{{"e":"aggTrade","E":{max(event_ms, at_ms)},"s":"{instrument.native}","a":{number}'
        f',"p":"{price}","q":"{size}","f":{number},"l":{number},"T":{at_ms},"m":{maker}'
        f',"M":true}}'.encode()
        for number, at_ms, price, size, maker, _ in _rows(instrument, rows)
    ]


def book_ticker(instrument: Instrument, book: Book, update_id: int) -> bytes:
    """The touch of a book."""
    bid, bid_size, ask, ask_size = (
        text for side in (book.bids, book.asks) for text in _levels(instrument, side, 1)[0]
    )
    return (
        f'{{"u":{update_id},"s":"{instrument.native}","b":"{bid}","B":"{bid_size}"'
        f',"a":"{ask}","A":"{ask_size}"}}'
    ).encode()


def depth_update(
    instrument: Instrument, first: int, last: int, bids: Levels, asks: Levels, event_ms: int
) -> bytes:
    """A `depthUpdate` of the update ids `first` to `last`; size 0 removes a level."""
    return (
        f'{{"e":"depthUpdate","E":{event_ms},"s":"{instrument.native}","U":{first},"u":{last}'
        f',"b":{_level_text(instrument, bids)},"a":{_level_text(instrument, asks)}}}'
    ).encode()


def kline(
    instrument: Instrument, interval: str, length_ms: int, bar: Bar, closed: bool, event_ms: int
) -> bytes:
    """A `kline` frame; `closed` marks the last one of its candle."""
    begin_ms = bar.open_ns // NS_PER_MS
    price, size, quote = _scales(instrument)
    return (
        f'{{"e":"kline","E":{event_ms},"s":"{instrument.native}","k":{{"t":{begin_ms}'
        f',"T":{begin_ms + length_ms - 1},"s":"{instrument.native}","i":"{interval}"'
        f',"f":{bar.first_id},"L":{bar.last_id},"o":"{fixed(bar.open, price, _PLACES)}"'
        f',"c":"{fixed(bar.close, price, _PLACES)}","h":"{fixed(bar.high, price, _PLACES)}"'
        f',"l":"{fixed(bar.low, price, _PLACES)}","v":"{fixed(bar.volume, size, _PLACES)}"'
        f',"n":{bar.trades},"x":{"true" if closed else "false"}'
        f',"q":"{fixed(bar.quote, quote, _PLACES)}"'
        f',"V":"{fixed(bar.taker_buy, size, _PLACES)}"'
        f',"Q":"{fixed(bar.taker_quote, quote, _PLACES)}","B":"0"}}}}'
    ).encode()


def rest_trades(instrument: Instrument, rows: Trades) -> bytes:
    """The body of `/api/v3/trades` and `/api/v3/historicalTrades`."""
    body = ",".join(
        f'{{"id":{number},"price":"{price}","qty":"{size}","quoteQty":"{quote}"'
        f',"time":{at_ms},"isBuyerMaker":{maker},"isBestMatch":true}}'
        for number, at_ms, price, size, maker, quote in _rows(instrument, rows)
    )
    return f"[{body}]".encode()


def rest_agg_trades(instrument: Instrument, rows: Trades) -> bytes:
    """The body of `/api/v3/aggTrades`."""
    body = ",".join(
        f'{{"a":{number},"p":"{price}","q":"{size}","f":{number},"l":{number},"T":{at_ms}'
        f',"m":{maker},"M":true}}'
        for number, at_ms, price, size, maker, _ in _rows(instrument, rows)
    )
    return f"[{body}]".encode()


def rest_depth(instrument: Instrument, update_id: int, book: Book, limit: int) -> bytes:
    """The body of `/api/v3/depth`: at most `limit` levels a side."""
    bids, asks = (
        _level_text(instrument, Levels(side.price[:limit], side.size[:limit]))
        for side in (book.bids, book.asks)
    )
    return f'{{"lastUpdateId":{update_id},"bids":{bids},"asks":{asks}}}'.encode()


def rest_klines(instrument: Instrument, length_ms: int, rows: Iterable[Bar]) -> bytes:
    """The body of `/api/v3/klines`."""
    price, size, quote = _scales(instrument)
    body = ",".join(
        f'[{bar.open_ns // NS_PER_MS},"{fixed(bar.open, price, _PLACES)}"'
        f',"{fixed(bar.high, price, _PLACES)}","{fixed(bar.low, price, _PLACES)}"'
        f',"{fixed(bar.close, price, _PLACES)}","{fixed(bar.volume, size, _PLACES)}"'
        f",{bar.open_ns // NS_PER_MS + length_ms - 1}"
        f',"{fixed(bar.quote, quote, _PLACES)}",{bar.trades}'
        f',"{fixed(bar.taker_buy, size, _PLACES)}","{fixed(bar.taker_quote, quote, _PLACES)}","0"]'
        for bar in rows
    )
    return f"[{body}]".encode()


def error(code: int, message: str) -> bytes:
    """The body of a refusal."""
    return msgspec.json.encode({"code": code, "msg": message})


def exchange_info(instruments: Sequence[Instrument], now_ms: int) -> bytes:
    """The body of `/api/v3/exchangeInfo`."""
    limits = (
        ("REQUEST_WEIGHT", "MINUTE", 1, WEIGHT_A_MINUTE),
        ("ORDERS", "SECOND", 10, 100),
        ("ORDERS", "DAY", 1, 200_000),
        ("RAW_REQUESTS", "MINUTE", 5, 61_000),
    )
    return msgspec.json.encode(
        {
            "timezone": "UTC",
            "serverTime": now_ms,
            "rateLimits": [
                {"rateLimitType": kind, "interval": unit, "intervalNum": number, "limit": limit}
                for kind, unit, number, limit in limits
            ],
            "exchangeFilters": [],
            "symbols": [_symbol_info(i) for i in instruments],
        }
    )


def _symbol_info(instrument: Instrument) -> dict[str, Any]:
    """One entry of `symbols`, with the keys and the filters of the recorded answer of 2021."""
    tick = fixed(instrument.tick, instrument.price_decimals, _PLACES)
    lot = fixed(instrument.lot, instrument.size_decimals, _PLACES)
    kinds = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"]
    return {
        "symbol": instrument.native,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": kinds,
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": tick,
                "maxPrice": "1000000.00000000",
                "tickSize": tick,
            },
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": "5",
                "multiplierDown": "0.2",
                "avgPriceMins": 5,
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": lot,
                "maxQty": "9000000.00000000",
                "stepSize": lot,
            },
            {
                "filterType": "MIN_NOTIONAL",
                "minNotional": "5.00000000",
                "applyToMarket": True,
                "avgPriceMins": 5,
            },
            {"filterType": "ICEBERG_PARTS", "limit": 10},
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": "0.00000000",
                "maxQty": "900000.00000000",
                "stepSize": "0.00000000",
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        ],
        "permissions": ["SPOT"],
    }


def _scales(instrument: Instrument) -> tuple[int, int, int]:
    return instrument.price_decimals, instrument.size_decimals, instrument.quote_decimals


def _rows(instrument: Instrument, rows: Trades) -> Iterable[tuple[int, int, str, str, str, str]]:
    """Id, time in ms, price, size, `m` and quote quantity of every trade, as text where text."""
    price_decimals, size_decimals, quote_decimals = _scales(instrument)
    columns = (c.tolist() for c in (rows.id, rows.at_ns, rows.price, rows.size, rows.side))
    for number, at_ns, price, size, side in zip(*columns, strict=True):
        yield (
            number,
            at_ns // NS_PER_MS,
            fixed(price, price_decimals, _PLACES),
            fixed(size, size_decimals, _PLACES),
            "true" if side == Side.SELL else "false",
            fixed(price * size, quote_decimals, _PLACES),
        )


def _levels(instrument: Instrument, side: Levels, depth: int) -> list[tuple[str, str]]:
    price_decimals, size_decimals, _ = _scales(instrument)
    return [
        (fixed(price, price_decimals, _PLACES), fixed(size, size_decimals, _PLACES))
        for price, size in zip(side.price[:depth].tolist(), side.size[:depth].tolist(), strict=True)
    ]


def _level_text(instrument: Instrument, side: Levels) -> str:
    pairs = _levels(instrument, side, len(side.price))
    return "[" + ",".join(f'["{price}","{size}"]' for price, size in pairs) + "]"
