"""Binance spot (and Binance.US, the same frames elsewhere): trades, books, quotes.

takes   raw and combined stream frames, and REST answers as `http` frames
gives   `Decoded`; trade ids run without a gap per symbol, so `continuity.py` can check them
never   opens a socket; uses two sources of trades for one symbol

Of a symbol's `trade` and `aggTrade` streams the one seen first makes the trades, the other counts
as control.  A row of an aggregate has its aggregate id.  `m` true means that the buyer was the
maker: the aggressor sold.  Quotes come from `bookTicker` where a symbol has it, else from its book.
A diff book needs a REST snapshot: the decoder asks for it (`wants`) when the first change comes and
after every hole.  A snapshot without a symbol in its address belongs to the only symbol whose book
is being built.  Lists and objects of other REST calls count as control.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import ClassVar, TypeVar

import numpy as np

from candlewick.errors import PeerError
from candlewick.feeds import binance_rows as rows
from candlewick.feeds import binance_scan as fast
from candlewick.feeds import binance_wire as wire
from candlewick.feeds import levels
from candlewick.feeds.batch import Batch, checked_ns, clock, epoch_ns
from candlewick.feeds.book import BookState, Change
from candlewick.feeds.books import Books
from candlewick.feeds.decoded import Decoded, Feed, Notice
from candlewick.feeds.frames import amount, checked, identity, positive, read
from candlewick.feeds.roster import SYMBOLS_MAX, Roster
from candlewick.kernel import grown
from candlewick.model.columns import Events, Ints
from candlewick.model.instruments import Instrument, Instruments
from candlewick.model.outcome import Frame, Quote

_SLOTS = 2 * SYMBOLS_MAX  # Of the compiled symbol table; at most half full.
_FIRST_SERIES = 16
_RECEIVED = frozenset(("in",))
_raw, _seen_ns, _origin = itemgetter(0), itemgetter(1), itemgetter(2)  # Of a `Frame`, quickly.


T = TypeVar("T")


class Decoder:
    """See `decoded.Decoder`."""

    def __init__(self, instruments: Instruments) -> None:
        self._roster = Roster(wire.VENUE, instruments, wire.WIDEST, wire.ROOM)
        self._clock = clock()
        self._books = Books()
        self._tickers: set[int] = set()
        self._instrument: dict[int, Instrument] = {}
        self._names = np.zeros((_SLOTS, 2), np.uint64)
        self._series = np.full(_SLOTS, -1, np.int64)
        self._scales = np.zeros((_FIRST_SERIES, 2), np.int64)
        self._sources = np.zeros(_FIRST_SERIES, np.int64)
        self._quotes = np.zeros((_FIRST_SERIES, 6), np.int64)
        self._prices = np.zeros(64, np.int64)
        self._sizes = np.zeros(64, np.int64)

    def book(self, series: int) -> BookState | None:
        """The book of a series, if changes of it came."""
        found = self._books.get(series)
        return found.book if found else None

    def decode(self, frames: Sequence[Frame]) -> Decoded:
        """Read frames in their order; never raises for what they hold."""
        batch = Batch(wire.VENUE, self._clock)
        parts: list[Events] = []
        raws = [*map(_raw, frames)]
        if not _RECEIVED.issuperset(map(_origin, frames)):
            raws = [f.raw if f.origin == "in" else b"" for f in frames]
        lengths = np.fromiter(map(len, raws), np.int64, len(raws))
        ends = lengths.cumsum()
        seen = np.fromiter(map(_seen_ns, frames), np.int64, len(raws))
        text = np.frombuffer(b"".join([*raws, b" "]), np.uint8)
        columns = np.empty((7, max(len(raws), 1)), np.int64)
        found = np.zeros(fast.FOUND, np.int64)
        shelf = self._books.shelf
        self._quotes[:, 0] = shelf.heads[:, levels.MOVED] = 0
        longest = int(lengths.max(initial=0))
        if len(self._prices) < longest // 10:  # The shortest level is ["1","1"], of ten bytes.
            self._prices = grown(self._prices, longest // 10)
            self._sizes = grown(self._sizes, longest // 10)
        told = found.tolist()
        at = begun = 0
        while at < len(raws):
            at = fast.scan(
                text, ends, seen, at, self._names, self._series, self._scales, self._sources,
                self._clock, columns, self._quotes, self._prices, self._sizes, found,
                shelf.keys, shelf.sizes, shelf.counts, shelf.heads,
            )  # fmt: skip
            told = found.tolist()
            if told[fast.STOP] in (fast.DEPTH, fast.CROSSED):
                self._fast_depth(told, int(seen[at]), batch)
            elif told[fast.STOP] == fast.PLAIN:
                self._plain(frames[at], batch)
                if batch.rows:
                    parts.append(_events(columns, begun, told[fast.ROWS]))
                    parts.append(Events.from_rows(batch.rows))
                    begun, batch.rows = told[fast.ROWS], []
            at += 1
        parts.append(_events(columns, begun, told[fast.ROWS]))
        batch.counts["frames"] = len(raws)
        batch.counts["data_frames"] += told[fast.DATA]
        batch.counts["control_frames"] += told[fast.CONTROL]
        if told[fast.QUOTED] or batch.quoted or batch.moved:
            self._take_quotes(batch)
        return batch.decoded(Events.concat(parts))

    def _take_quotes(self, batch: Batch) -> None:
        for series in np.flatnonzero(self._quotes[:, 0]).tolist():
            self._tickers.add(series)
            _, bid, bid_size, ask, ask_size, at_ns = self._quotes[series].tolist()
            batch.quotes[series] = Quote(series, bid, bid_size, ask, ask_size, max(at_ns, 0))
        batch.moved.update(np.flatnonzero(self._books.shelf.heads[:, levels.MOVED]).tolist())
        for series in batch.moved:
            book = None if series in self._tickers else self.book(series)
            if book is not None and (best := book.best()) is not None:
                batch.quotes[series] = best

    def admit(self, native: str) -> Instrument:
        """The instrument of a symbol, known to the compiled lane from now on."""
        instrument = self._roster.admit(native)
        series = instrument.series
        if series not in self._instrument:
            self._instrument[series] = instrument
            self._scales = grown(self._scales, series + 1)
            self._sources = grown(self._sources, series + 1)
            self._quotes = grown(self._quotes, series + 1)
            self._scales[series] = instrument.price_decimals, instrument.size_decimals
            name = native.encode()
            if len(name) <= fast.SYMBOL_BYTES_MAX:
                high, low = divmod(int.from_bytes(name, "big"), 1 << 64)
                at = fast.slot(np.uint64(low), np.uint64(high), self._names, self._series)
                self._names[at] = low, high
                self._series[at] = series
        return instrument

    def _fast_depth(self, found: list[int], seen_ns: int, batch: Batch) -> None:
        """A `depthUpdate` that the compiled lane read; its columns are copied, as a book may keep
        them waiting."""
        instrument, at_ns = self._instrument[found[fast.SERIES]], found[fast.AT_NS]
        ids = (found[fast.FIRST_ID], found[fast.LAST_ID])
        if found[fast.STOP] == fast.CROSSED:
            self._books.crossed(instrument, ids, at_ns, seen_ns, batch)
            return
        count = found[fast.LEVELS]
        change = Change(
            *ids,
            at_ns,
            self._prices[:count].copy(),
            self._sizes[:count].copy(),
            found[fast.BIDS],
        )
        self._books.change(instrument, change, seen_ns, batch)

    # The plain lane: one frame, any spelling.

    def _plain(self, frame: Frame, batch: Batch) -> None:
        if frame.origin in ("connect", "out"):
            if frame.origin == "connect":
                self._connected(frame.url)
            batch.counts["control_frames"] += 1
            return
        try:
            if self._read(frame, batch):
                batch.counts["data_frames"] += 1
            else:
                batch.counts["control_frames"] += 1
        except PeerError as error:
            batch.refuse(frame, error)

    def _connected(self, url: str) -> None:
        """The symbols that an address names are known from here on, where they may be."""
        for native, _ in wire.named_streams(url):
            try:
                self.admit(native)
            except PeerError:
                continue

    def _read(self, frame: Frame, batch: Batch) -> bool:
        """Read one frame; true where it was data.

        Raises:
            PeerError: it cannot be what the venue promised; nothing of it was kept.
        """
        raw = checked(frame.raw)
        first = raw.lstrip()[:1]
        if first == b"[":
            return self._read_list(raw, frame, batch)
        if first != b"{" and frame.origin == "http" and raw.strip() == b"null":
            return False
        envelope = read(wire.ENVELOPE, raw)
        payload, stream = raw, envelope.stream
        if stream and bytes(envelope.data):
            payload = bytes(envelope.data)
            envelope = read(wire.ENVELOPE, payload)
        elif named := wire.named_streams(frame.url):
            stream = f"{named[0][0]}@{named[0][1]}" if len(named) == 1 else ""
        if envelope.e:
            reader = self._events.get(envelope.e)
            return reader(self, payload, frame, batch) if reader else False
        if bytes(envelope.lastUpdateId):
            return self._read_snapshot(payload, stream, frame, batch)
        if bytes(envelope.u) or bytes(envelope.B):
            return self._read_book_ticker(payload, frame, batch)
        if bytes(envelope.symbols):
            return self._read_info(payload, frame, batch)
        return self._control(envelope, frame, batch)

    def _control(self, envelope: wire.Envelope, frame: Frame, batch: Batch) -> bool:
        """Answers that carry no market data; an error is an honest answer, so it is told."""
        if bytes(envelope.code) or bytes(envelope.error):
            batch.notices.append(Notice("error", frame.raw[:200].decode()))
        elif not (
            bytes(envelope.result)
            or bytes(envelope.id)
            or bytes(envelope.subscriptionId)
            or bytes(envelope.serverTime)
            or frame.origin == "http"
        ):
            raise PeerError("unknown_message", f"no known key in {frame.raw[:60]!r}")
        return False

    def _read_trade(self, payload: bytes, frame: Frame, batch: Batch) -> bool:
        t = read(wire.TRADE, payload)
        return self._prints(fast.TRADE, t.s, [rows.Print(t.t, t.p, t.q, t.T, t.m)], frame, batch)

    def _read_aggregate(self, payload: bytes, frame: Frame, batch: Batch) -> bool:
        t = read(wire.AGGREGATE, payload)
        return self._prints(
            fast.AGGREGATE, t.s, [rows.Print(t.a, t.p, t.q, t.T, t.m)], frame, batch
        )

    def _read_list(self, raw: bytes, frame: Frame, batch: Batch) -> bool:
        source, prints = rows.rest_prints(raw)
        if not prints:
            return False
        native = wire.asked_symbol(frame.url)
        if not native:
            raise PeerError("no_symbol", "a list of trades, and no symbol in its address")
        return self._prints(source, native, prints, frame, batch)

    def _prints(
        self, source: int, native: str, prints: list[rows.Print], frame: Frame, batch: Batch
    ) -> bool:
        """Trades of one frame; false where they come from the symbol's other source."""
        instrument, read_rows = self._scaled(
            native, lambda scale: rows.print_rows(prints, scale, frame)
        )
        series = instrument.series
        if self._sources[series] == 0:
            self._sources[series] = source
        if self._sources[series] != source:
            return False
        batch.trades([(series, *row) for row in read_rows])
        return True

    def _scaled(self, native: str, parse: Callable[[rows.Scale], T]) -> tuple[Instrument, T]:
        """The instrument of a symbol, and what `parse` makes of the frame in its decimals.

        A symbol never seen is admitted only after the frame was found good: a bad frame must not
        leave a series behind.
        """
        known = self._roster.find(native)
        if known is None:
            parse(wire.WIDEST)
            known = self.admit(native)
        return known, parse((known.price_decimals, known.size_decimals))

    def _read_depth(self, payload: bytes, frame: Frame, batch: Batch) -> bool:
        d = read(wire.DEPTH, payload)
        at_ns = checked_ns(epoch_ns(d.E), frame.seen_ns)
        if identity(d.U, "U") > identity(d.u, "u"):
            raise PeerError("bad_id", f"update ids {d.U} to {d.u} run backwards")
        ids = (d.U, d.u, at_ns)
        instrument, change = self._scaled(d.s, lambda scale: rows.change(ids, d.b, d.a, scale))
        batch.tick(instrument.series, at_ns, frame.seen_ns)
        self._books.change(instrument, change, frame.seen_ns, batch)
        return True

    def _read_snapshot(self, payload: bytes, stream: str, frame: Frame, batch: Batch) -> bool:
        """A REST snapshot joins its book; a partial-depth stream has no ids to join and only shows
        the best prices."""
        snapshot = read(wire.SNAPSHOT, payload)
        named, _, kind = stream.partition("@")
        last_id = identity(snapshot.lastUpdateId, "lastUpdateId")
        at_ns = max(frame.seen_ns or int(self._clock[0]), 0)
        native = wire.asked_symbol(frame.url) or named.upper() or self._books.only_building().native
        ids = (last_id, last_id, at_ns)
        bids, asks = snapshot.bids, snapshot.asks
        instrument, change = self._scaled(native, lambda scale: rows.change(ids, bids, asks, scale))
        series = instrument.series
        if kind and kind != "depthSnapshot":
            top = BookState(series)
            top.replace(change)
            best = top.best()
            if best is not None and series not in self._tickers and self.book(series) is None:
                batch.quotes[series] = best
            return True
        self._books.snapshot(instrument, change, batch)
        return True

    def _read_book_ticker(self, payload: bytes, frame: Frame, batch: Batch) -> bool:
        t = read(wire.BOOK_TICKER, payload)

        def parse(scale: rows.Scale) -> tuple[int, int, int, int]:
            return (
                positive(t.b, scale[0], "price"), amount(t.B, scale[1]),
                positive(t.a, scale[0], "price"), amount(t.A, scale[1]),
            )  # fmt: skip

        identity(t.u, "u")
        instrument, prices = self._scaled(t.s, parse)
        at_ns = frame.seen_ns if frame.seen_ns > 0 else int(self._clock[0])
        self._quotes[instrument.series] = (1, *prices, at_ns)
        batch.quoted = True
        return True

    def _read_kline(self, payload: bytes, frame: Frame, batch: Batch) -> bool:
        """Candles are made here from trades; the venue's own only tell its time."""
        k = read(wire.KLINE, payload)
        return self._clocked(k.s, k.E, (k.k.o, k.k.h, k.k.l, k.k.c), frame, batch)

    def _read_day_ticker(self, payload: bytes, frame: Frame, batch: Batch) -> bool:
        t = read(wire.DAY_TICKER, payload)
        return self._clocked(t.s, t.E, (t.c,), frame, batch)

    def _clocked(
        self, native: str, epoch: int, prices: Sequence[str], frame: Frame, batch: Batch
    ) -> bool:
        at_ns = checked_ns(epoch_ns(epoch), frame.seen_ns)
        instrument, _ = self._scaled(
            native, lambda scale: [positive(price, scale[0], "price") for price in prices]
        )
        batch.tick(instrument.series, at_ns, frame.seen_ns)
        return True

    def _read_shutdown(self, payload: bytes, frame: Frame, batch: Batch) -> bool:
        batch.notices.append(Notice("shutdown", payload[:200].decode()))
        return False

    def _read_info(self, payload: bytes, frame: Frame, batch: Batch) -> bool:
        told = wire.listing(read(wire.INFO, payload))
        batch.notices += [Notice("listing", text) for text in self._roster.listing(told)]
        if wire.asked_by_name(frame.url):
            for instrument in told:
                self.admit(instrument.native)
        return True

    _events: ClassVar[dict[str, Callable[[Decoder, bytes, Frame, Batch], bool]]] = {
        "trade": _read_trade,
        "aggTrade": _read_aggregate,
        "depthUpdate": _read_depth,
        "kline": _read_kline,
        "24hrTicker": _read_day_ticker,
        "serverShutdown": _read_shutdown,
    }


def _events(columns: Ints, first: int, stop: int) -> Events:
    """Rows of the compiled lane; most columns are views, as nobody writes to either again."""
    place, kind, *rest = columns[:, first:stop]
    return Events(place.astype(np.int32), kind.astype(np.int8), *rest)


FEED = Feed(
    name=wire.VENUE,
    ws_url="wss://stream.binance.com:9443",
    rest_url="https://api.binance.com",
    silence_s_max=10.0,
    home_quote="USDT",
    history_by="id",
    connection_s_max=23 * 3600 + 50 * 60,  # It is cut at 24 h.
    symbols_max=wire.SYMBOLS_MAX,
    messages_per_s_max=5.0,
    ping=b"",
    decoder=Decoder,
    native=wire.native,
    connect_url=wire.connect_url,
    subscribe=lambda natives: [],  # The address subscribes.
    resubscribe=lambda native: [],  # A depth snapshot does it.
    instruments_path=wire.instruments_path,
    depth_path=wire.depth_path,
    history_path=wire.history_path,
    history=rows.history,
)
