"""Kraken's public REST calls over the seeded market.

takes   a path, a query and the time
gives   `{"error":[],"result":{...}}`, or the error in the body with status 200, as Kraken does
never   repeats a trade: `since` is exclusive, and no two trades of a pair share a time here
source  docs.kraken.com/api/docs/rest-api; recorded answers of 2025-11-10
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate

import msgspec

from candlewick.exchange import kraken_frames as frames
from candlewick.exchange.answers import Answer, Query, candles, floor_to, rows_max
from candlewick.exchange.decimals import micro_time
from candlewick.exchange.market import OPENED_NS, Market
from candlewick.model.instruments import Instrument
from candlewick.model.time import NS_PER_S

_TRADES_MAX = 1_000
_CANDLES_MAX = 720
_INTERVALS_MIN = (1, 5, 15, 30, 60, 240, 1_440)
_DIGITS_MAX = 19


class _Refusal(Exception):
    """An error in Kraken's words."""


class KrakenRest:
    """The public calls."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._names: dict[str, Instrument] = {}
        for listed in market.symbols:
            i = listed.instrument
            alt = frames.altname(i)
            spellings = (frames.pair_key(i), alt, i.native, f"{i.base}{i.quote}")
            slashed = f"{alt.removesuffix(i.quote)}/{i.quote}"
            self._names |= dict.fromkeys((*spellings, slashed), i)
        self._calls: dict[str, Callable[[Query, int], bytes]] = {
            "/0/public/Time": self._time,
            "/0/public/SystemStatus": self._status,
            "/0/public/AssetPairs": self._pairs,
            "/0/public/Trades": self._trades,
            "/0/public/OHLC": self._ohlc,
        }

    def answer(self, path: str, query: Query, now_ns: int) -> Answer:
        """One call."""
        headers = (("Content-Type", "application/json; charset=utf-8"),)
        call = self._calls.get(path)
        if call is None:
            return Answer(404, b'{"error":["EGeneral:Unknown method"]}', headers)
        try:
            return Answer(200, b'{"error":[],"result":%b}' % call(query, now_ns), headers)
        except _Refusal as refusal:
            return Answer(200, msgspec.json.encode({"error": [str(refusal)]}), headers)

    def _time(self, query: Query, now_ns: int) -> bytes:
        seconds = now_ns // NS_PER_S
        text = formatdate(seconds).replace("-0000", "+0000")
        return msgspec.json.encode({"unixtime": seconds, "rfc1123": text})

    def _status(self, query: Query, now_ns: int) -> bytes:
        from_second = micro_time(now_ns)[:19] + "Z"
        return msgspec.json.encode({"status": "online", "timestamp": from_second})

    def _pairs(self, query: Query, now_ns: int) -> bytes:
        wanted = [self._known(name) for name in query.get("pair", "").split(",") if name]
        return frames.asset_pairs(wanted or [s.instrument for s in self._market.symbols])

    def _trades(self, query: Query, now_ns: int) -> bytes:
        instrument = self._known(query.get("pair", ""))
        count = min(max(_number(query, "count", _TRADES_MAX), 1), _TRADES_MAX)
        newest = self._market.last_id_at(instrument.symbol, now_ns)
        first = newest - count + 1
        since_ns = min(_number(query, "since", now_ns), now_ns)
        if "since" in query:
            first = self._market.last_id_at(instrument.symbol, since_ns) + 1
        rows = self._market.trades_from_id(instrument.symbol, first, count, now_ns)
        return frames.rest_trades(instrument, rows, int(rows.at_ns[-1]) if len(rows) else since_ns)

    def _ohlc(self, query: Query, now_ns: int) -> bytes:
        instrument = self._known(query.get("pair", ""))
        interval_min = _number(query, "interval", 1)
        if interval_min not in _INTERVALS_MIN:
            raise _Refusal("EGeneral:Invalid arguments")
        interval_s = interval_min * 60
        step_ns, last_ns = interval_s * NS_PER_S, floor_to(now_ns, interval_s)
        first_ns = last_ns - (rows_max(_CANDLES_MAX, interval_s) - 1) * step_ns
        since_ns = min(_number(query, "since", 0), now_ns // NS_PER_S) * NS_PER_S
        first_ns = max(first_ns, floor_to(since_ns, interval_s) + step_ns, OPENED_NS)
        opens_ns = range(min(first_ns, last_ns), last_ns + 1, step_ns)
        rows = candles(self._market, instrument.symbol, opens_ns, interval_s, now_ns)
        return frames.rest_ohlc(instrument, rows, (last_ns - step_ns) // NS_PER_S)

    def _known(self, name: str) -> Instrument:
        found = self._names.get(name)
        if found is None:
            raise _Refusal("EQuery:Unknown asset pair")
        return found


def _number(query: Query, name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    whole = text.partition(".")[0]
    if not (whole.isascii() and whole.isdigit() and len(whole) <= _DIGITS_MAX):
        raise _Refusal("EGeneral:Invalid arguments")
    return int(whole)
