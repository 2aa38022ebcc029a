"""Binance's public REST calls over the seeded market, with its weights and its refusals.

takes   a path, a query and the time
gives   the answer as Binance would give it: body, status, `X-MBX-USED-WEIGHT-1M`
never   lets more than the weight limit through in a minute: 429 with Retry-After
source  binance-spot-api-docs, rest-api.md and errors.md; recorded answers
"""

from __future__ import annotations

from collections.abc import Callable

from candlewick.exchange import binance_frames as frames
from candlewick.exchange.answers import Answer, Query, candles, floor_to, rows_max
from candlewick.exchange.market import OPENED_NS, Market
from candlewick.exchange.path import TICK_NS
from candlewick.model.instruments import Instrument
from candlewick.model.time import NS_PER_MS, NS_PER_S

INTERVALS_S = {
    "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "2h": 7_200,
    "4h": 14_400, "6h": 21_600, "8h": 28_800, "12h": 43_200, "1d": 86_400,
}  # fmt: skip
_ROWS_MAX, _ROWS = 1_000, 500
_DEPTH_MAX, _DEPTH = 5_000, 100
_DIGITS_MAX = 18
_CONTENT = ("Content-Type", "application/json;charset=UTF-8")


class _Refusal(Exception):
    """An answer with Binance's code and words, status 400."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.body = frames.error(code, message)


class BinanceRest:
    """The calls of one client address."""

    def __init__(self, market: Market, weight_a_minute: int = frames.WEIGHT_A_MINUTE) -> None:
        self._market = market
        self._weight_max, self._minute, self._used = weight_a_minute, 0, 0
        self._natives = {s.instrument.native: s.instrument for s in market.symbols}
        self._calls: dict[str, tuple[int, Callable[[Query, int], bytes]]] = {
            "/api/v3/ping": (1, lambda query, now_ns: b"{}"),
            "/api/v3/time": (1, lambda query, now_ns: b'{"serverTime":%d}' % (now_ns // NS_PER_MS)),
            "/api/v3/exchangeInfo": (20, self._exchange_info),
            "/api/v3/trades": (25, self._trades),
            "/api/v3/historicalTrades": (25, self._trades),
            "/api/v3/aggTrades": (4, self._agg_trades),
            "/api/v3/klines": (2, self._klines),
            "/api/v3/depth": (5, self._depth),
        }

    def answer(self, path: str, query: Query, now_ns: int) -> Answer:
        """One call."""
        if path not in self._calls:
            return Answer(404, b"", (_CONTENT,))
        weight, call = self._calls[path]
        if path == "/api/v3/depth":
            weight = _depth_weight(query.get("limit", ""))
        minute, past_ns = divmod(now_ns, 60 * NS_PER_S)
        if minute != self._minute:
            self._minute, self._used = minute, 0
        self._used += weight
        headers = (_CONTENT, ("X-MBX-USED-WEIGHT-1M", str(self._used)))
        if self._used > self._weight_max:
            wait = ("Retry-After", str(60 - past_ns // NS_PER_S))
            return Answer(429, self._too_much(), (*headers, wait))
        try:
            return Answer(200, call(query, now_ns), headers)
        except _Refusal as refusal:
            return Answer(400, refusal.body, headers)

    def _too_much(self) -> bytes:
        return frames.error(
            -1003,
            f"Too much request weight used; current limit is {self._weight_max} request weight "
            "per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
        )

    def _exchange_info(self, query: Query, now_ns: int) -> bytes:
        names = query.get("symbols", "").strip("[]").replace('"', "")
        wanted = [query["symbol"]] if "symbol" in query else names.split(",") if names else []
        found = [self._known(name) for name in wanted] or list(self._natives.values())
        return frames.exchange_info(found, now_ns // NS_PER_MS)

    def _trades(self, query: Query, now_ns: int) -> bytes:
        instrument = self._asked(query)
        limit = _number(query, "limit", _ROWS, _ROWS_MAX)
        newest = self._market.last_id_at(instrument.symbol, now_ns) - limit + 1
        first = _number(query, "fromId", newest)
        rows = self._market.trades_from_id(instrument.symbol, first, limit, now_ns)
        return frames.rest_trades(instrument, rows)

    def _agg_trades(self, query: Query, now_ns: int) -> bytes:
        instrument = self._asked(query)
        limit = _number(query, "limit", _ROWS, _ROWS_MAX)
        upto_ns = min(now_ns, _time_ns(query, "endTime", now_ns) + NS_PER_MS - 1)
        newest = self._market.last_id_at(instrument.symbol, upto_ns) - limit + 1
        if "startTime" in query:
            start_ns = min(_time_ns(query, "startTime", 0), now_ns)
            newest = self._market.last_id_at(instrument.symbol, start_ns - 1) + 1
        first = _number(query, "fromId", newest)
        rows = self._market.trades_from_id(instrument.symbol, first, limit, upto_ns)
        return frames.rest_agg_trades(instrument, rows)

    def _klines(self, query: Query, now_ns: int) -> bytes:
        instrument = self._asked(query)
        interval_s = INTERVALS_S.get(query.get("interval", ""))
        if interval_s is None:
            raise _Refusal(-1120, "Invalid interval.")
        step_ns = interval_s * NS_PER_S
        count = rows_max(_number(query, "limit", _ROWS, _ROWS_MAX), interval_s)
        last_ns = floor_to(min(now_ns, _time_ns(query, "endTime", now_ns)), interval_s)
        first_ns = last_ns - (count - 1) * step_ns
        if "startTime" in query:
            asked_ns = max(_time_ns(query, "startTime", 0), OPENED_NS)
            first_ns = -(-asked_ns // step_ns) * step_ns
            last_ns = min(last_ns, first_ns + (count - 1) * step_ns)
        opens_ns = range(max(first_ns, OPENED_NS), last_ns + 1, step_ns)
        rows = candles(self._market, instrument.symbol, opens_ns, interval_s, now_ns)
        return frames.rest_klines(instrument, interval_s * 1_000, rows)

    def _depth(self, query: Query, now_ns: int) -> bytes:
        instrument = self._asked(query)
        limit = _number(query, "limit", _DEPTH, _DEPTH_MAX)
        book = self._market.book_at(instrument.symbol, now_ns)
        update_id = self._market.book_update_id(now_ns // TICK_NS)
        return frames.rest_depth(instrument, update_id, book, limit)

    def _asked(self, query: Query) -> Instrument:
        if not query.get("symbol"):
            raise _Refusal(
                -1102,
                "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
            )
        return self._known(query["symbol"])

    def _known(self, native: str) -> Instrument:
        if native not in self._natives:
            raise _Refusal(-1121, "Invalid symbol.")
        return self._natives[native]


def _depth_weight(limit: str) -> int:
    depth = int(limit) if limit.isascii() and limit.isdigit() else _DEPTH
    return next(w for upto, w in ((100, 5), (500, 25), (1_000, 50), (10**9, 250)) if depth <= upto)


def _number(query: Query, name: str, default: int, most: int | None = None) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise _Refusal(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        )
    number = int(text)
    if most is not None and number < 1:
        raise _Refusal(-1130, f"Data sent for parameter '{name}' is not valid.")
    return number if most is None else min(number, most)


def _time_ns(query: Query, name: str, default_ns: int) -> int:
    return _number(query, name, default_ns // NS_PER_MS) * NS_PER_MS
