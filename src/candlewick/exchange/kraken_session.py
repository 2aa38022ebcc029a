"""Kraken's WebSocket v2: channels of a stretch of time, and one connection's subscriptions.

takes   windows of exchange time; messages of a client with the time they came
gives   frames in order: one acknowledgement a symbol, then the snapshot, then updates
never   keeps a book: an update is the difference of two ticks, its checksum that of the later
source  docs.kraken.com/api/docs/websocket-v2; recorded acknowledgements, refusals and frames
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from candlewick.exchange import books, draws, path
from candlewick.exchange import kraken_frames as frames
from candlewick.exchange.answers import Closing, Window, floor_to, message
from candlewick.exchange.bars import Bar
from candlewick.exchange.books import Levels
from candlewick.exchange.market import MINUTE_NS, Market
from candlewick.exchange.path import TICK_NS
from candlewick.model.instruments import Instrument
from candlewick.model.time import NS_PER_S

_CHANNELS = ("trade", "book", "ticker", "ohlc")
_DEPTHS = (10, 25, 100)
_INTERVALS_MIN = (1, 5, 15, 30, 60)
_TRIGGERS = ("trades", "bbo")
_SNAPSHOT_TRADES = 50
_SNAPSHOT_CANDLES, _SNAPSHOT_MINUTES = 12, 600
_SYMBOLS_MAX = 1_024
_HEARTBEAT_NS = NS_PER_S
_DAY_SAMPLE = 20_000
_OHLC_WARNING = ["timestamp is deprecated, use interval_begin"]


class Wish(NamedTuple):
    """One subscription: `detail` is the depth, the interval or the trigger."""

    channel: str
    symbol: str
    detail: int | str = 0


class KrakenChannels:
    """The frames of every subscription, one window after the other."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self.instruments = {s.instrument.native: s.instrument for s in market.symbols}
        self._window = Window(0, 0)
        self._written: dict[Wish, list[bytes]] = {}
        self._day = lru_cache(maxsize=64)(self._make_day)

    def advance(self, window: Window) -> None:
        """From now on `frames` tells of this window, and snapshots of its end."""
        self._window = window
        self._written.clear()

    def frames(self, wish: Wish) -> list[bytes]:
        """The updates of a subscription in the window."""
        if wish not in self._written:
            instrument = self.instruments[wish.symbol]
            match wish.channel:
                case "trade":
                    said = self._trades(instrument)
                case "book":
                    said = self._books(instrument, int(wish.detail))
                case "ticker":
                    said = self._tickers(instrument, wish.detail == "bbo")
                case _:
                    said = self._candles(instrument, int(wish.detail))
            self._written[wish] = said
        return self._written[wish]

    def snapshot(self, wish: Wish) -> bytes:
        """What stands at the end of the window; the next window's updates follow from it."""
        instrument = self.instruments[wish.symbol]
        end_ns = self._window.to_ns
        match wish.channel:
            case "trade":
                last = self._market.last_id_at(wish.symbol, end_ns - 1)
                rows = self._market.trades_from_id(
                    wish.symbol, last - _SNAPSHOT_TRADES + 1, _SNAPSHOT_TRADES, end_ns - 1
                )
                return frames.trades(instrument, rows, snapshot=True)
            case "book":
                tick_ns = (-(-end_ns // TICK_NS) - 1) * TICK_NS
                book, depth = self._market.book_at(wish.symbol, tick_ns), int(wish.detail)
                bids, asks = (Levels(s.price[:depth], s.size[:depth]) for s in book[1:])
                crc = frames.checksum(book)
                return frames.book(instrument, bids, asks, crc, tick_ns, snapshot=True)
            case "ticker":
                return self._ticker(instrument, end_ns, snapshot=True)
            case _:
                return self._candle_snapshot(instrument, int(wish.detail), end_ns)

    def _trades(self, instrument: Instrument) -> list[bytes]:
        rows = self._market.trades_between(instrument.symbol, *self._window)
        return [frames.trades(instrument, rows)] if len(rows) else []

    def _books(self, instrument: Instrument, depth: int) -> list[bytes]:
        said = []
        for tick in range(*(-(-edge // TICK_NS) for edge in self._window)):
            before, after = (
                self._market.book_at(instrument.symbol, t * TICK_NS) for t in (tick - 1, tick)
            )
            bids = books.changes(before.bids, after.bids, 1, depth)
            asks = books.changes(before.asks, after.asks, -1, depth)
            if len(bids.price) or len(asks.price):
                crc = frames.checksum(after)
                said.append(frames.book(instrument, bids, asks, crc, tick * TICK_NS))
        return said

    def _tickers(self, instrument: Instrument, on_touch: bool) -> list[bytes]:
        name, (from_ns, to_ns) = instrument.symbol, self._window
        moved = on_touch and self._market.touch_at(name, from_ns) != self._market.touch_at(
            name, to_ns
        )
        if moved or len(self._market.trades_between(name, from_ns, to_ns)):
            return [self._ticker(instrument, to_ns, snapshot=False)]
        return []

    def _ticker(self, instrument: Instrument, at_ns: int, snapshot: bool) -> bytes:
        """Touch and last price are exact, the figures of the day as `_make_day` says."""
        name = instrument.symbol
        book, last = self._market.book_at(name, at_ns), self._market.last_trade_at(name, at_ns - 1)
        price = int(last.price[0]) if len(last) else int(book.bids.price[0])
        volume, mean, low, high, before = self._day(name, at_ns // MINUTE_NS)
        day = (volume, mean, min(low, price), max(high, price), before)
        return frames.ticker(instrument, book, price, day, snapshot)

    def _make_day(self, name: str, minute: int) -> tuple[int, int, int, int, int]:
        """Volume, mean, low, high and first price of the day before a minute, without its trades:
        prices are the path's at whole minutes, the volume is the number of trades times the mean
        of the last sizes."""
        listed, at_ns = self._market.symbol(name), minute * MINUTE_NS
        offsets = path.whole_minutes(
            listed.character, minute - np.arange(path.MINUTES_A_DAY, -1, -1)
        )
        whole = draws.exp(offsets) * listed.price * 10.0**listed.instrument.price_decimals
        last_id = self._market.last_id_at(name, at_ns)
        count = last_id - self._market.last_id_at(name, at_ns - path.MINUTES_A_DAY * MINUTE_NS)
        first = last_id - min(count, _DAY_SAMPLE) + 1
        sample = self._market.trades_from_id(name, first, _DAY_SAMPLE, at_ns)
        mean_size = float(sample.size.mean()) if len(sample) else 0.0
        low, high, mean = float(whole.min()), float(whole.max()), float(whole.mean())
        return round(count * mean_size), round(mean), int(low), int(high), round(float(whole[0]))

    def _candles(self, instrument: Instrument, interval_min: int) -> list[bytes]:
        rows = self._market.trades_between(instrument.symbol, *self._window)
        step_ns = interval_min * MINUTE_NS
        opens_ns = np.unique(rows.at_ns // step_ns) * step_ns
        said = []
        for open_ns in opens_ns.tolist():
            upto_ns = self._window.to_ns
            bar = self._market.bar(instrument.symbol, open_ns, interval_min * 60, upto_ns)
            if bar is not None:
                said.append(frames.ohlc(instrument, interval_min, [bar], upto_ns, snapshot=False))
        return said

    def _candle_snapshot(self, instrument: Instrument, interval_min: int, end_ns: int) -> bytes:
        """The last candles that have trades, the open one included."""
        step_ns, found = interval_min * MINUTE_NS, list[Bar]()
        count = min(_SNAPSHOT_CANDLES, _SNAPSHOT_MINUTES // interval_min)
        last_ns = floor_to(end_ns - 1, interval_min * 60)
        for open_ns in range(last_ns - (count - 1) * step_ns, last_ns + 1, step_ns):
            bar = self._market.bar(instrument.symbol, open_ns, interval_min * 60, end_ns)
            if bar is not None:
                found.append(bar)
        return frames.ohlc(instrument, interval_min, found, end_ns, snapshot=True)


class KrakenSession:
    """One connection to `/v2`."""

    ping_every_s: float | None = None  # Kraken sends heartbeats instead.
    pong_wait_s = 60.0

    def __init__(self, channels: KrakenChannels, connection_id: int, now_ns: int) -> None:
        self._channels = channels
        self._wishes: dict[Wish, None] = {}
        self._connection_id, self._said_ns = connection_id, now_ns
        self.closing: Closing | None = None

    def greeting(self) -> list[bytes]:
        """The status of the exchange."""
        return [frames.status(self._connection_id)]

    def spoken(self, now_ns: int) -> None:
        """Kraken does not count messages."""

    def received(self, raw: bytes, now_ns: int) -> list[bytes]:
        """The answers to one message."""
        asked = message(raw)
        if asked is None:
            return [frames.refused("", None, "Malformed request", now_ns)]
        method, req_id, params = asked.get("method"), asked.get("req_id"), asked.get("params")
        req_id = req_id if isinstance(req_id, int) else None
        if method == "ping":
            return [frames.pong(req_id, now_ns)]
        if method not in ("subscribe", "unsubscribe") or not isinstance(params, dict):
            return [frames.refused(str(method)[:40], req_id, "Unsupported event", now_ns)]
        return self._asked(method, req_id, params, now_ns)

    def due(self, window: Window) -> list[bytes]:
        """The frames of a window, or a heartbeat after a second of silence."""
        said: list[bytes] = []
        for wish in self._wishes:
            said += self._channels.frames(wish)
        if not said and self._wishes and window.to_ns - self._said_ns >= _HEARTBEAT_NS:
            said.append(frames.HEARTBEAT)
        if said:
            self._said_ns = window.to_ns
        return said

    def _asked(
        self, method: str, req_id: int | None, params: dict[str, Any], now_ns: int
    ) -> list[bytes]:
        """Acknowledge symbol by symbol; snapshots follow their acknowledgement."""
        channel, names = params.get("channel"), params.get("symbol", [])
        if channel == "instrument":
            result: dict[str, Any] = {"channel": "instrument"}
            if method == "unsubscribe":
                return [frames.acknowledged(method, req_id, result, now_ns)]
            result |= {
                "snapshot": True,
                "warnings": ["tick_size is deprecated, use price_increment"],
            }
            listed = list(self._channels.instruments.values())
            return [
                frames.acknowledged(method, req_id, result, now_ns),
                frames.instruments(listed),
            ]
        if channel not in _CHANNELS or not isinstance(names, list) or not names:
            return [frames.refused(method, req_id, "Channel or symbol field invalid", now_ns)]
        said: list[bytes] = []
        for name in names[:_SYMBOLS_MAX]:
            said += self._asked_one(method, req_id, str(channel), str(name), params, now_ns)
        return said

    def _asked_one(
        self,
        method: str,
        req_id: int | None,
        channel: str,
        name: str,
        params: dict[str, Any],
        now_ns: int,
    ) -> list[bytes]:
        if name not in self._channels.instruments:
            reason = f"Currency pair not supported {name[:40]}"
            return [frames.refused(method, req_id, reason, now_ns, name[:40])]
        key, allowed = {
            "book": ("depth", _DEPTHS),
            "ohlc": ("interval", _INTERVALS_MIN),
            "ticker": ("event_trigger", _TRIGGERS),
            "trade": ("", ()),
        }[channel]
        result: dict[str, Any] = {"channel": channel, "symbol": name}
        wish = Wish(channel, name)
        if key:
            detail = params.get(key, allowed[0])
            if detail not in allowed:
                return [frames.refused(method, req_id, f"Invalid {key}", now_ns, name)]
            wish, result = Wish(channel, name, detail), result | {key: detail}
        if method == "unsubscribe":
            if wish not in self._wishes:
                return [frames.refused(method, req_id, "Subscription not found", now_ns, name)]
            del self._wishes[wish]
            return [frames.acknowledged(method, req_id, result, now_ns)]
        if wish in self._wishes:
            return [frames.refused(method, req_id, "Already subscribed", now_ns, name)]
        self._wishes[wish] = None
        wanted = params.get("snapshot", True) is not False
        result |= {"snapshot": wanted} | ({"warnings": _OHLC_WARNING} if channel == "ohlc" else {})
        said = [frames.acknowledged(method, req_id, result, now_ns)]
        return [*said, self._channels.snapshot(wish)] if wanted else said
