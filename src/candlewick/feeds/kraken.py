"""Kraken spot, WebSocket v2: trades, checked books, quotes.

takes   v2 frames, and REST `Trades` and `AssetPairs` answers
gives   `Decoded`; trade ids run without a gap per pair, so `continuity.py` can check them
never   opens a socket; keeps a part of a frame of which another part is bad

A trade snapshot is trade rows like an update: continuity removes what was known.  One bad trade in
a frame refuses the whole frame.  Quotes come from a pair's book where it has one, else from its
ticker.  Book messages have no sequence: a wrong checksum is one missing update, and its id in the
ledger is the message's exchange time in ns.  Private and other channels, and answers to methods,
count as control; a refusal is an honest answer, so it is control with a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, TypeVar

import numpy as np

from candlewick.errors import PeerError
from candlewick.feeds import kraken_wire as wire
from candlewick.feeds.batch import Batch, checked_ns, clock
from candlewick.feeds.book import LEVELS_MAX, BookState, Change
from candlewick.feeds.decoded import Decoded, Feed, Notice
from candlewick.feeds.frames import amount, checked, identity, positive, read
from candlewick.feeds.kraken_book import CheckedBooks, Message, digits
from candlewick.feeds.roster import Roster
from candlewick.model.columns import Events, Kind
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.money import to_units
from candlewick.model.outcome import Frame, Quote
from candlewick.model.time import from_rfc3339

_SIDES = {"buy": Kind.BUY, "sell": Kind.SELL, "b": Kind.BUY, "s": Kind.SELL}
Scale = tuple[int, int]  # Price and size decimals.
Traded = tuple[int, int, int, int, int, int]
T = TypeVar("T")


class Decoder:
    """See `decoded.Decoder`."""

    def __init__(self, instruments: Instruments) -> None:
        self._roster = Roster(wire.VENUE, instruments, wire.WIDEST, wire.ROOM)
        self._clock = clock()
        self._books = CheckedBooks(self._roster)
        self._first_series = -1  # Any series: a heartbeat tells the time of the whole feed.

    def book(self, series: int) -> BookState | None:
        """The book of a series, if it was subscribed."""
        return self._books.get(series)

    def admit(self, native: str) -> Instrument:
        """The instrument of a symbol that is subscribed."""
        return self._admit([native])[native]

    def decode(self, frames: Sequence[Frame]) -> Decoded:
        """Read frames in their order; never raises for what they hold."""
        batch = Batch(wire.VENUE, self._clock)
        counts = batch.counts
        counts["frames"] = len(frames)
        for frame in frames:
            if frame.origin in ("connect", "out"):
                counts["control_frames"] += 1
                continue
            try:
                kind = "data_frames" if self._read(frame, batch) else "control_frames"
                counts[kind] += 1
            except PeerError as error:
                batch.refuse(frame, error)
        for series in batch.moved:
            book = self.book(series)
            if book is not None and (best := book.best()) is not None:
                batch.quotes[series] = best
        return batch.decoded(Events.from_rows(batch.rows))

    def _read(self, frame: Frame, batch: Batch) -> bool:
        """Read one frame; true where it was data.

        Raises:
            PeerError: it cannot be what the venue promised; nothing of it was kept.
        """
        raw = checked(frame.raw)
        if raw.startswith(b'{"channel":"trade"'):
            whole = read(wire.TRADE_FRAME, raw)
            if whole.channel == "trade":
                return self._trades(whole.data, frame, batch)
        envelope = read(wire.ENVELOPE, raw)
        if envelope.channel:
            reader = self._channels.get(envelope.channel)
            return reader(self, envelope, frame, batch) if reader else False
        if envelope.method:
            return self._answer(envelope, batch)
        if bytes(envelope.error)[:1] == b"[":
            return self._rest(envelope, frame, batch)
        if frame.origin == "http":
            return False
        raise PeerError("unknown_message", f"no known key in {raw[:60]!r}")

    # Instruments.

    def _scale(self, native: str) -> Scale:
        known = self._roster.find(native)
        return (known.price_decimals, known.size_decimals) if known else wire.WIDEST

    def _admit(self, natives: Iterable[str]) -> dict[str, Instrument]:
        found = self._roster.admit_all(natives)
        if self._first_series < 0 and found:
            self._first_series = next(iter(found.values())).series
        return found

    def _scaled(
        self, natives: Iterable[str], parse: Callable[[], list[T]]
    ) -> tuple[dict[str, Instrument], list[T]]:
        """The instruments of a frame, and what `parse` makes of it in their decimals.

        Symbols never seen are admitted only after the frame was found good: a bad frame must not
        leave a series behind.
        """
        names = dict.fromkeys(natives)
        parsed = parse()
        before = [self._scale(name) for name in names]
        instruments = self._admit(names)
        if [self._scale(name) for name in names] != before:
            parsed = parse()
        return instruments, parsed

    # Channels.

    def _trade(self, envelope: wire.Envelope, frame: Frame, batch: Batch) -> bool:
        return self._trades(read(wire.TRADES, envelope.data), frame, batch)

    def _trades(self, trades: list[wire.Trade], frame: Frame, batch: Batch) -> bool:
        seen_ns = frame.seen_ns

        def parse() -> list[Traded]:
            return [
                (
                    _SIDES[t.side].value,
                    identity(t.trade_id, "trade_id"),
                    checked_ns(from_rfc3339(t.timestamp), seen_ns),
                    seen_ns,
                    positive(wire.number(t.price), self._scale(t.symbol)[0], "price"),
                    positive(wire.number(t.qty), self._scale(t.symbol)[1], "size"),
                )
                for t in trades
            ]

        instruments, rows = self._scaled([t.symbol for t in trades], parse)
        batch.trades(
            [(instruments[t.symbol].series, *row) for t, row in zip(trades, rows, strict=True)]
        )
        return True

    def _book(self, envelope: wire.Envelope, frame: Frame, batch: Batch) -> bool:
        entries = read(wire.BOOKS, envelope.data)
        if envelope.type not in ("snapshot", "update"):
            raise PeerError("wrong_type", f"book of type {envelope.type[:40]!r}")
        now_ns = max(frame.seen_ns or int(self._clock[0]), 0)
        times = [self._told_ns(e.timestamp, frame) or now_ns for e in entries]

        def parse() -> list[Message]:
            return [
                message(entry, at_ns, self._scale(entry.symbol))
                for entry, at_ns in zip(entries, times, strict=True)
            ]

        instruments, messages = self._scaled([e.symbol for e in entries], parse)
        for entry, told in zip(entries, messages, strict=True):
            instrument = instruments[entry.symbol]
            if entry.timestamp:
                batch.tick(instrument.series, told.change.at_ns, frame.seen_ns)
            self._books.message(instrument, told, envelope.type == "snapshot", frame.seen_ns, batch)
        return True

    def _told_ns(self, timestamp: str, frame: Frame) -> int:
        return checked_ns(from_rfc3339(timestamp), frame.seen_ns) if timestamp else 0

    def _ticker(self, envelope: wire.Envelope, frame: Frame, batch: Batch) -> bool:
        """Best prices; zeros mean an empty side, so there is no quote and nothing is told."""
        tickers = read(wire.TICKERS, envelope.data)

        def parse() -> list[tuple[int, int, int, int]]:
            return [
                (
                    amount(wire.number(t.bid), self._scale(t.symbol)[0], "price"),
                    amount(wire.number(t.bid_qty), self._scale(t.symbol)[1]),
                    amount(wire.number(t.ask), self._scale(t.symbol)[0], "price"),
                    amount(wire.number(t.ask_qty), self._scale(t.symbol)[1]),
                )
                for t in tickers
            ]

        times = [
            self._told_ns(t.timestamp, frame) if bid and ask else 0
            for t, (bid, _, ask, _) in zip(tickers, parse(), strict=True)
        ]
        instruments, prices = self._scaled([t.symbol for t in tickers], parse)
        now_ns = max(frame.seen_ns or int(self._clock[0]), 0)
        for t, quoted, at_ns in zip(tickers, prices, times, strict=True):
            series = instruments[t.symbol].series
            if at_ns:
                batch.tick(series, at_ns, frame.seen_ns)
            if quoted[0] and quoted[2] and self._books.get(series) is None:
                batch.quotes[series] = Quote(series, *quoted, at_ns or now_ns)
        return True

    def _ohlc(self, envelope: wire.Envelope, frame: Frame, batch: Batch) -> bool:
        """Candles are made here from trades; the venue's own only tell its time."""
        bars = read(wire.BARS, envelope.data)
        at_ns = self._told_ns(envelope.timestamp, frame)

        def parse() -> list[int]:
            return [
                positive(wire.number(price), self._scale(bar.symbol)[0], "price")
                for bar in bars
                for price in (bar.open, bar.high, bar.low, bar.close)
                if from_rfc3339(bar.interval_begin) >= 0
            ]

        instruments, _ = self._scaled([bar.symbol for bar in bars], parse)
        if at_ns and bars:
            batch.tick(instruments[bars[0].symbol].series, at_ns, frame.seen_ns)
        return True

    def _instrument(self, envelope: wire.Envelope, frame: Frame, batch: Batch) -> bool:
        told = wire.listing(read(wire.LISTING, envelope.data))
        batch.notices += [Notice("listing", text) for text in self._roster.listing(told)]
        return True

    def _status(self, envelope: wire.Envelope, frame: Frame, batch: Batch) -> bool:
        statuses = read(wire.STATUSES, envelope.data)
        batch.notices += [Notice("status", status.system[:200]) for status in statuses]
        return False

    def _heartbeat(self, envelope: wire.Envelope, frame: Frame, batch: Batch) -> bool:
        """It carries no time; that it arrived is the only one there is."""
        if frame.seen_ns > 0 and self._first_series >= 0:
            batch.tick(self._first_series, frame.seen_ns, frame.seen_ns)
        return False

    _channels: ClassVar[dict[str, Callable[[Decoder, wire.Envelope, Frame, Batch], bool]]] = {
        "trade": _trade,
        "book": _book,
        "ticker": _ticker,
        "ohlc": _ohlc,
        "instrument": _instrument,
        "status": _status,
        "heartbeat": _heartbeat,
    }

    # Answers.

    def _answer(self, envelope: wire.Envelope, batch: Batch) -> bool:
        """To a method of ours; a confirmed book subscription tells its depth."""
        if envelope.success is False:
            text = f"{envelope.method} {envelope.symbol}: {bytes(envelope.error).decode()}"
            batch.notices.append(Notice("refused", text[:200]))
        elif envelope.method == "subscribe" and bytes(envelope.result)[:1] == b"{":
            told = read(wire.SUBSCRIBED, envelope.result)
            if told.channel == "book" and told.depth > 0:
                self._books.depths[told.symbol] = told.depth
        return False

    def _rest(self, envelope: wire.Envelope, frame: Frame, batch: Batch) -> bool:
        errors = read(wire.LIST, envelope.error)
        if errors:
            batch.notices.append(Notice("error", bytes(envelope.error)[:200].decode()))
        if errors or bytes(envelope.result)[:1] != b"{":
            return False
        result = read(wire.RESULT, envelope.result)
        told = wire.asset_pairs(result)
        if told:
            batch.notices += [Notice("listing", text) for text in self._roster.listing(told)]
            if "pair=" in frame.url:
                self._admit([instrument.native for instrument in told])
            return True
        symbol, trades = wire.rest_trades(result)
        if not trades:
            return False

        def parse() -> list[Traded]:
            return rest_rows(trades, self._scale(symbol), frame.seen_ns)

        instruments, rows = self._scaled([symbol], parse)
        batch.trades([(instruments[symbol].series, *row) for row in rows])
        return True


def message(entry: wire.Book, at_ns: int, scale: Scale) -> Message:
    """A book entry as integers, with the digits of its levels.

    Raises:
        PeerError: one level is bad; then none counts.
    """
    levels = [*entry.bids, *entry.asks]
    if len(levels) > 2 * LEVELS_MAX:
        raise PeerError("too_many_levels", f"{len(levels)} levels; at most {2 * LEVELS_MAX}")
    texts = [(wire.number(level.price), wire.number(level.qty)) for level in levels]
    prices = [positive(price, scale[0], "price") for price, _ in texts]
    sizes = [amount(size, scale[1]) for _, size in texts]
    change = Change(
        at_ns, at_ns, at_ns, np.array(prices, np.int64), np.array(sizes, np.int64), len(entry.bids)
    )
    return Message(change, [digits(p) + digits(s) for p, s in texts], entry.checksum)


def rest_rows(trades: list[wire.RestTrade], scale: Scale, seen_ns: int) -> list[Traded]:
    """Event rows of a REST list, without their series; its times are exact decimal seconds.

    Raises:
        PeerError: one of them is bad; then none counts.
    """
    return [
        (
            _SIDES[side].value,
            identity(trade_id, "trade id"),
            checked_ns(to_units(wire.number(seconds), 9), seen_ns),
            seen_ns,
            positive(price, scale[0], "price"),
            positive(size, scale[1], "size"),
        )
        for price, size, seconds, side, _, _, trade_id in trades
    ]


def history(raw: bytes, instrument: Instrument, seen_ns: int) -> Events:
    """The trades of an answer to `FEED.history_path`, rising by id.

    Raises:
        PeerError: it is not such an answer, or it is another pair's.
    """
    envelope = read(wire.ENVELOPE, checked(raw))
    if bytes(envelope.error) not in (b"[]", b"") or bytes(envelope.result)[:1] != b"{":
        raise PeerError("not_history", f"expected a list of trades, found {raw[:60]!r}")
    symbol, trades = wire.rest_trades(read(wire.RESULT, envelope.result))
    if trades and symbol != instrument.symbol:
        raise PeerError("not_history", f"expected trades of {instrument.symbol}, found {symbol}")
    scale = (instrument.price_decimals, instrument.size_decimals)
    rising = sorted(rest_rows(trades, scale, seen_ns), key=lambda row: row[1])
    return Events.from_rows([(instrument.series, *row) for row in rising])


FEED = Feed(
    name=wire.VENUE,
    ws_url="wss://ws.kraken.com/v2",
    rest_url="https://api.kraken.com",
    silence_s_max=10.0,
    home_quote="USD",
    history_by="time",
    connection_s_max=float("inf"),
    symbols_max=100,
    messages_per_s_max=5.0,
    ping=b'{"method":"ping"}',
    decoder=Decoder,
    native=lambda symbol: symbol,  # The v2 names are the canonical ones.
    connect_url=lambda base, natives: base,
    subscribe=wire.subscribe,
    resubscribe=wire.resubscribe,
    instruments_path=wire.instruments_path,
    depth_path=wire.depth_path,
    history_path=wire.history_path,
    history=history,
)
