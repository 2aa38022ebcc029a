"""Trades, books and candles as Kraken writes them: WebSocket v2 and the public REST calls.

takes   an instrument, columns or bars in its integers, the time of sending in nanoseconds
gives   bytes of one frame each, or the `result` of a REST answer
never   formats a float: numbers carry the pair's precision, as the checksum needs it
source  recorded frames of 2024 to 2026; docs.kraken.com/api/docs/websocket-v2
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

import msgspec

from candlewick.exchange.bars import Bar
from candlewick.exchange.books import Book, Levels
from candlewick.exchange.decimals import fixed, micro_time, nano_time
from candlewick.model.columns import Side, Trades
from candlewick.model.instruments import Instrument
from candlewick.model.time import NS_PER_S, NS_PER_US

HEARTBEAT = b'{"channel":"heartbeat"}'
_CHECKSUM_DEPTH = 10
_REST_PLACES = 5
_TO_ALTNAME = {"BTC": "XBT", "DOGE": "XDG"}
_LEGACY = {"XBT": "XXBT", "ETH": "XETH", "XRP": "XXRP", "LTC": "XLTC", "XDG": "XXDG", "USD": "ZUSD"}


def status(connection_id: int) -> bytes:
    """The greeting of a connection."""
    return (
        '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online"'
        f',"api_version":"v2","connection_id":{connection_id},"upcoming_maintenance":[]'
        ',"emergency":[]}]}'
    ).encode()


def acknowledged(method: str, req_id: int | None, result: dict[str, Any], now_ns: int) -> bytes:
    """One acknowledgement; keys in the order of the alphabet, as recorded."""
    answer: dict[str, Any] = {"method": method}
    if req_id is not None:
        answer["req_id"] = req_id
    return _timed(answer | {"result": dict(sorted(result.items())), "success": True}, now_ns)


def refused(
    method: str, req_id: int | None, reason: str, now_ns: int, symbol: str | None = None
) -> bytes:
    """One refusal; `symbol` where it is about one."""
    answer: dict[str, Any] = {"error": reason, "method": method}
    if req_id is not None:
        answer["req_id"] = req_id
    answer["success"] = False
    if symbol is not None:
        answer["symbol"] = symbol
    return _timed(answer, now_ns)


def pong(req_id: int | None, now_ns: int) -> bytes:
    """The answer to the application's ping."""
    return _timed({"method": "pong"} | ({} if req_id is None else {"req_id": req_id}), now_ns)


def _timed(answer: dict[str, Any], now_ns: int) -> bytes:
    out_ns = now_ns + 48 * NS_PER_US
    return msgspec.json.encode(
        answer | {"time_in": micro_time(now_ns), "time_out": micro_time(out_ns)}
    )


def trades(instrument: Instrument, rows: Trades, snapshot: bool = False) -> bytes:
    """One `trade` frame of any number of trades of a pair."""
    columns = (c.tolist() for c in (rows.id, rows.at_ns, rows.price, rows.size, rows.side))
    entries = ",".join(
        f'{{"symbol":"{instrument.native}","side":"{_side(side)}"'
        f',"price":{fixed(price, instrument.price_decimals, instrument.price_decimals)}'
        f',"qty":{fixed(size, instrument.size_decimals, 8)},"ord_type":"{_order_kind(number)}"'
        f',"trade_id":{number},"timestamp":"{micro_time(at_ns)}"}}'
        for number, at_ns, price, size, side in zip(*columns, strict=True)
    )
    kind = "snapshot" if snapshot else "update"
    return f'{{"channel":"trade","type":"{kind}","data":[{entries}]}}'.encode()


def _side(side: int) -> str:
    return "buy" if side == Side.BUY else "sell"


def _order_kind(trade_id: int) -> str:
    """The taker's order kind; the market does not say, so about a third are called limit."""
    return "limit" if trade_id * 2_654_435_761 % 2**32 < 2**32 // 3 else "market"


def checksum(book: Book) -> int:
    """CRC32 over the ten best asks, then bids: price and size digits without point and zeros.

    Integers in the pair's own decimals are just these digits.
    """
    digits = "".join(
        f"{price}{size}"
        for side in (book.asks, book.bids)
        for price, size in zip(
            side.price[:_CHECKSUM_DEPTH].tolist(), side.size[:_CHECKSUM_DEPTH].tolist(), strict=True
        )
    )
    return crc32(digits.encode())


def book(
    instrument: Instrument, bids: Levels, asks: Levels, crc: int, at_ns: int, snapshot: bool = False
) -> bytes:
    """A `book` frame: levels of a snapshot, or changes (size 0 removes)."""
    kind = "snapshot" if snapshot else "update"
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{instrument.native}"'
        f',"bids":{_levels(instrument, bids)},"asks":{_levels(instrument, asks)}'
        f',"checksum":{crc},"timestamp":"{micro_time(at_ns)}"}}]}}'
    ).encode()


def _levels(instrument: Instrument, side: Levels) -> str:
    decimals = instrument.price_decimals
    entries = ",".join(
        f'{{"price":{fixed(price, decimals, decimals)}'
        f',"qty":{fixed(size, instrument.size_decimals, 8)}}}'
        for price, size in zip(side.price.tolist(), side.size.tolist(), strict=True)
    )
    return f"[{entries}]"


def ticker(
    instrument: Instrument,
    book: Book,
    last: int,
    day: tuple[int, int, int, int, int],
    snapshot: bool,
) -> bytes:
    """A `ticker` frame; `day` is volume, vwap, low, high and the price a day ago."""
    places, kind = instrument.price_decimals, "snapshot" if snapshot else "update"
    volume, vwap, low, high, before = day
    bid, bid_qty, ask, ask_qty = (
        int(column[0]) for side in (book.bids, book.asks) for column in side
    )
    change_pct = round((last - before) * 10_000 / before)
    return (
        f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{instrument.native}"'
        f',"bid":{fixed(bid, places, places)},"bid_qty":{fixed(bid_qty, 8, 8)}'
        f',"ask":{fixed(ask, places, places)},"ask_qty":{fixed(ask_qty, 8, 8)}'
        f',"last":{fixed(last, places, places)},"volume":{fixed(volume, 8, 8)}'
        f',"vwap":{fixed(vwap, places, places)},"low":{fixed(low, places, places)}'
        f',"high":{fixed(high, places, places)},"change":{fixed(last - before, places, places)}'
        f',"change_pct":{fixed(change_pct, 2, 2)}}}]}}'
    ).encode()


def vwap(bar: Bar) -> int:
    """Volume-weighted price in the instrument's integers, halves up."""
    return (2 * bar.quote + bar.volume) // (2 * bar.volume)


def ohlc(
    instrument: Instrument, interval_min: int, rows: Sequence[Bar], now_ns: int, snapshot: bool
) -> bytes:
    """An `ohlc` frame; `timestamp` (deprecated by Kraken) is the end of the candle."""
    places, kind = instrument.price_decimals, "snapshot" if snapshot else "update"
    entries = ",".join(
        f'{{"symbol":"{instrument.native}","open":{fixed(bar.open, places, places)}'
        f',"high":{fixed(bar.high, places, places)},"low":{fixed(bar.low, places, places)}'
        f',"close":{fixed(bar.close, places, places)},"trades":{bar.trades}'
        f',"volume":{fixed(bar.volume, instrument.size_decimals, 8)}'
        f',"vwap":{fixed(vwap(bar), places, places)}'
        f',"interval_begin":"{nano_time(bar.open_ns)}","interval":{interval_min}'
        f',"timestamp":"{micro_time(bar.open_ns + interval_min * 60 * NS_PER_S)}"}}'
        for bar in rows
    )
    return (
        f'{{"channel":"ohlc","type":"{kind}","timestamp":"{nano_time(now_ns)}","data":[{entries}]}}'
    ).encode()


def instruments(listed: Sequence[Instrument]) -> bytes:
    """The snapshot of the `instrument` channel."""
    names = dict.fromkeys(name for i in listed for name in (i.quote, i.base))
    assets = ",".join(
        f'{{"id":"{name}","status":"enabled","precision":{4 if name == "USD" else 10}'
        f',"precision_display":{2 if name == "USD" else 5},"borrowable":true'
        f',"collateral_value":1.00,"margin_rate":0.020000}}'
        for name in names
    )
    pairs = ",".join(
        f'{{"symbol":"{i.native}","base":"{i.base}","quote":"{i.quote}","status":"online"'
        f',"qty_precision":{i.size_decimals}'
        f',"qty_increment":{fixed(i.lot, i.size_decimals, i.size_decimals)}'
        f',"price_precision":{i.price_decimals},"cost_precision":{max(5, i.price_decimals)}'
        f',"marginable":false,"has_index":true,"cost_min":0.50'
        f',"tick_size":{fixed(i.tick, i.price_decimals, i.price_decimals)}'
        f',"price_increment":{fixed(i.tick, i.price_decimals, i.price_decimals)}'
        f',"qty_min":{fixed(i.lot, i.size_decimals, i.size_decimals)}}}'
        for i in listed
    )
    return (
        '{"channel":"instrument","type":"snapshot","data":{"assets":['
        f'{assets}],"pairs":[{pairs}]}}}}'
    ).encode()


# REST


def altname(instrument: Instrument) -> str:
    """`XBTUSD`: the name of a pair without the slash, with Kraken's own asset names."""
    return f"{_TO_ALTNAME.get(instrument.base, instrument.base)}{instrument.quote}"


def pair_key(instrument: Instrument) -> str:
    """The key of a pair in REST answers: `XXBTZUSD`, `XBTUSDT`, `SOLUSD`."""
    base = _TO_ALTNAME.get(instrument.base, instrument.base)
    old = instrument.quote == "USD" and base in ("XBT", "ETH", "XRP", "LTC")
    return f"{_LEGACY[base]}ZUSD" if old else altname(instrument)


def rest_trades(instrument: Instrument, rows: Trades, last_ns: int) -> bytes:
    """The `result` of `/0/public/Trades`."""
    columns = (c.tolist() for c in (rows.id, rows.at_ns, rows.price, rows.size, rows.side))
    places = max(_REST_PLACES, instrument.price_decimals)
    body = ",".join(
        f'["{fixed(price, instrument.price_decimals, places)}"'
        f',"{fixed(size, instrument.size_decimals, 8)}",{_seconds(at_ns)},"{_side(side)[0]}"'
        f',"{_order_kind(number)[0]}","",{number}]'
        for number, at_ns, price, size, side in zip(*columns, strict=True)
    )
    return f'{{"{pair_key(instrument)}":[{body}],"last":"{last_ns}"}}'.encode()


def _seconds(at_ns: int) -> str:
    """Seconds with microseconds, without trailing zeros."""
    return fixed(at_ns // NS_PER_US, 6, 6).rstrip("0").rstrip(".")


def rest_ohlc(instrument: Instrument, rows: Iterable[Bar], last_s: int) -> bytes:
    """The `result` of `/0/public/OHLC`; a candle without trades has volume and vwap zero."""
    places, entries = instrument.price_decimals, []
    for bar in rows:
        words = "".join(
            f'"{fixed(p, places, places)}",' for p in (bar.open, bar.high, bar.low, bar.close)
        )
        mean = fixed(vwap(bar), places, places) if bar.trades else "0.0"
        volume = fixed(bar.volume, instrument.size_decimals, 8)
        entries.append(f'[{bar.open_ns // NS_PER_S},{words}"{mean}","{volume}",{bar.trades}]')
    return f'{{"{pair_key(instrument)}":[{",".join(entries)}],"last":{last_s}}}'.encode()


def asset_pairs(listed: Sequence[Instrument]) -> bytes:
    """The `result` of `/0/public/AssetPairs`."""
    return msgspec.json.encode({pair_key(i): _pair_info(i) for i in listed})


def _pair_info(instrument: Instrument) -> dict[str, Any]:
    """One pair, with the keys of the recorded answer of 2025."""
    base = _TO_ALTNAME.get(instrument.base, instrument.base)
    smallest = fixed(instrument.lot, instrument.size_decimals, 8)
    return {
        "altname": altname(instrument),
        "wsname": f"{base}/{instrument.quote}",
        "aclass_base": "currency",
        "base": _LEGACY.get(base, base),
        "aclass_quote": "currency",
        "quote": _LEGACY.get(instrument.quote, instrument.quote),
        "lot": "unit",
        "cost_decimals": max(5, instrument.price_decimals),
        "pair_decimals": instrument.price_decimals,
        "lot_decimals": instrument.size_decimals,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.4], [10_000, 0.35]],
        "fees_maker": [[0, 0.25], [10_000, 0.2]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": smallest,
        "costmin": "0.5",
        "tick_size": fixed(instrument.tick, instrument.price_decimals, instrument.price_decimals),
        "status": "online",
        "long_position_limit": 0,
        "short_position_limit": 0,
    }
