"""Binance's market streams: what is published in a stretch of time, and who has asked for it.

`BinanceStreams` writes each stream's frames once a window, however many connections want them;
`BinanceSession` is one connection: its streams, its wrapping, its limits.

takes   windows of exchange time; messages of a client with the time they came
gives   frames in order
never   sends to a connection that sent more than five messages in a second: 1008
source  binance-spot-api-docs, web-socket-streams.md; recorded combined streams
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import lru_cache

import msgspec

from candlewick.exchange import binance_frames as frames
from candlewick.exchange import books
from candlewick.exchange.answers import Closing, Query, Window, flat_bar, floor_to, message
from candlewick.exchange.binance_rest import INTERVALS_S
from candlewick.exchange.books import Book
from candlewick.exchange.market import Market
from candlewick.exchange.path import TICK_NS
from candlewick.model.columns import Trades
from candlewick.model.instruments import Instrument
from candlewick.model.time import NS_PER_MS, NS_PER_S

STREAMS_MAX = 1_024
MESSAGES_A_SECOND_MAX = 5
PING_EVERY_S, PONG_WAIT_S, LIFE_S = 20.0, 60.0, 86_400.0
_STREAM_INTERVAL_S_MAX = 3_600
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS")


class BinanceStreams:
    """The frames of every stream, one window after the other."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._natives = {s.instrument.native.lower(): s.instrument for s in market.symbols}
        self._window = Window(0, 0)
        self._written: dict[tuple[str, bool], list[bytes]] = {}
        self._depth_said: dict[str, tuple[int, int]] = {}  # Next tick and last update id said.
        self._stream = lru_cache(maxsize=4 * STREAMS_MAX)(self._find)

    def advance(self, window: Window) -> None:
        """From now on `frames` tells of this window."""
        self._window = window
        self._written.clear()

    def frames(self, stream: str, wrapped: bool) -> list[bytes]:
        """A stream's frames of the window; none for a stream that does not exist."""
        key = stream, wrapped
        if key not in self._written:
            if wrapped:
                plain = self.frames(stream, False)
                self._written[key] = [frames.combined(stream, payload) for payload in plain]
            else:
                write = self._stream(stream)
                self._written[key] = write() if write else []
        return self._written[key]

    def _find(self, stream: str) -> Callable[[], list[bytes]] | None:
        """The writer of a stream; None where Binance, too, would say nothing for ever."""
        native, _, channel = stream.partition("@")
        instrument = self._natives.get(native)
        if instrument is None:
            return None
        interval = channel.removeprefix("kline_")
        if channel != interval and INTERVALS_S.get(interval, 10**9) <= _STREAM_INTERVAL_S_MAX:
            return lambda: self._klines(instrument, interval)
        writers: dict[str, Callable[[Instrument], list[bytes]]] = {
            "trade": self._trades,
            "aggTrade": self._agg_trades,
            "bookTicker": self._book_tickers,
            "depth@100ms": self._depths,
        }
        write = writers.get(channel)
        return None if write is None else lambda: write(instrument)

    def _rows(self, instrument: Instrument) -> Trades:
        return self._market.trades_between(instrument.symbol, *self._window)

    def _trades(self, instrument: Instrument) -> list[bytes]:
        return frames.trades(instrument, self._rows(instrument), self._window.to_ns // NS_PER_MS)

    def _agg_trades(self, instrument: Instrument) -> list[bytes]:
        sent_ms = self._window.to_ns // NS_PER_MS
        return frames.agg_trades(instrument, self._rows(instrument), sent_ms)

    def _ticks(self) -> range:
        return range(-(-self._window.from_ns // TICK_NS), -(-self._window.to_ns // TICK_NS))

    def _book_pair(self, instrument: Instrument, tick: int) -> tuple[Book, Book]:
        before, after = (
            self._market.book_at(instrument.symbol, t * TICK_NS) for t in (tick - 1, tick)
        )
        return before, after

    def _book_tickers(self, instrument: Instrument) -> list[bytes]:
        said = []
        for tick in self._ticks():
            before, after = self._book_pair(instrument, tick)
            if _touch(before) != _touch(after):
                update_id = self._market.book_update_id(tick)
                said.append(frames.book_ticker(instrument, after, update_id))
        return said

    def _depths(self, instrument: Instrument) -> list[bytes]:
        """One event for every tick in which something changed; `U` follows the last `u` said."""
        ticks, said = self._ticks(), []
        expected, last = self._depth_said.get(instrument.native, (-1, 0))
        if ticks and expected != ticks[0]:
            last = self._market.book_update_id(ticks[0] - 1)
        for tick in ticks:
            before, after = self._book_pair(instrument, tick)
            bids = books.changes(before.bids, after.bids, 1)
            asks = books.changes(before.asks, after.asks, -1)
            if len(bids.price) or len(asks.price):
                update_id, sent_ms = self._market.book_update_id(tick), tick * TICK_NS // NS_PER_MS
                said.append(
                    frames.depth_update(instrument, last + 1, update_id, bids, asks, sent_ms)
                )
                last = update_id
        if ticks:
            self._depth_said[instrument.native] = ticks[-1] + 1, last
        return said

    def _klines(self, instrument: Instrument, interval: str) -> list[bytes]:
        """The open candle once a second while it trades, and each candle once when it closes."""
        name, length_s, said = instrument.symbol, INTERVALS_S[interval], []
        first, last = (-(-edge // NS_PER_S) for edge in self._window)
        for second in range(first, last):
            at_ns = second * NS_PER_S
            closed = second % length_s == 0
            if not closed and not len(self._market.trades_between(name, at_ns - NS_PER_S, at_ns)):
                continue
            open_ns = floor_to(at_ns - 1, length_s)
            bar = self._market.bar(name, open_ns, length_s, at_ns)
            said.append(
                frames.kline(
                    instrument,
                    interval,
                    length_s * 1_000,
                    bar or flat_bar(self._market, name, open_ns),
                    closed,
                    at_ns // NS_PER_MS,
                )
            )
        return said


def _touch(book: Book) -> tuple[int, ...]:
    return tuple(int(column[0]) for side in (book.bids, book.asks) for column in side)


class BinanceSession:
    """One connection to `/ws`, `/ws/<stream>` or `/stream?streams=a/b`."""

    ping_every_s: float | None = PING_EVERY_S
    pong_wait_s = PONG_WAIT_S

    def __init__(self, streams: BinanceStreams, path: str, query: Query, now_ns: int) -> None:
        self._streams = streams
        self._wrapped = path.startswith("/stream")
        named = query.get("streams", "") if self._wrapped else path.removeprefix("/ws")
        self._names = dict.fromkeys(name for name in named.split("/") if name)
        self._came_ns: deque[int] = deque(maxlen=MESSAGES_A_SECOND_MAX + 1)
        self._ends_ns = now_ns + int(LIFE_S * NS_PER_S)
        self.closing: Closing | None = None
        if len(self._names) > STREAMS_MAX:
            self.closing = Closing(1008, "Too many streams")

    def greeting(self) -> list[bytes]:
        """Binance says nothing on connect."""
        return []

    def spoken(self, now_ns: int) -> None:
        """Count any incoming message, pings and pongs included."""
        self._came_ns.append(now_ns)
        full = len(self._came_ns) == self._came_ns.maxlen
        if full and now_ns - self._came_ns[0] < NS_PER_S:
            self.closing = Closing(1008, "Too many requests")

    def received(self, raw: bytes, now_ns: int) -> list[bytes]:
        """The answer to one message."""
        self.spoken(now_ns)
        asked = message(raw)
        if asked is None:
            return [_refused(3, "Invalid JSON: expected value at line 1 column 1", None)]
        method, number = asked.get("method"), asked.get("id")
        if not (number is None or isinstance(number, int | str)):
            return [_refused(2, "Invalid request: request ID must be an unsigned integer", None)]
        if method not in _METHODS:
            expected = ", ".join(f"`{name}`" for name in _METHODS)
            return [
                _refused(
                    2,
                    f"Invalid request: unknown variant `{str(method)[:40]}`, "
                    f"expected one of {expected}",
                    number,
                )
            ]
        if method == "LIST_SUBSCRIPTIONS":
            return [msgspec.json.encode({"result": list(self._names), "id": number})]
        names = asked.get("params", [])
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            return [_refused(2, "Invalid request: params must be an array of strings", number)]
        if method == "UNSUBSCRIBE":
            for name in names:
                self._names.pop(name, None)
        else:
            wanted = self._names | dict.fromkeys(names)
            if len(wanted) > STREAMS_MAX:
                return [_refused(2, "Invalid request: too many parameters", number)]
            self._names = wanted
        return [msgspec.json.encode({"result": None, "id": number})]

    def due(self, window: Window) -> list[bytes]:
        """The frames of a window (the one that the streams were advanced to)."""
        if window.to_ns >= self._ends_ns:
            self.closing = Closing(1001, "24 hours")
        said: list[bytes] = []
        for name in self._names:
            said += self._streams.frames(name, self._wrapped)
        return said


def _refused(code: int, text: str, number: int | str | None) -> bytes:
    return msgspec.json.encode({"code": code, "msg": text, "id": number})
