"""A Kraken v2 book: cut to its depth, and held to its checksum at every message.

takes   levels as integers, with the digits as they were written where no precision is declared
gives   a `BookState` that is valid only while every checksum agreed
never   believes a message without a checksum

Checksum: CRC32 of the ten best asks from low to high, then bids from high to low, each the digits
of price and size without point and leading zeros.
https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

from candlewick.feeds.batch import Batch, GapRow
from candlewick.feeds.book import Asking, BookState, Change
from candlewick.feeds.roster import Roster
from candlewick.model.instruments import Instrument

CHECKED_LEVELS = 10
_HOLES_MAX = 64  # Of a book, that its next snapshot repairs; older ones stay open in the ledger.
DEPTHS = (10, 25, 100, 500, 1000)  # That can be subscribed.


class Message(NamedTuple):
    """One entry of a book frame.  `digits` has the text for the checksum of each level."""

    change: Change
    digits: list[str]
    checksum: int | None


def digits(text: str) -> str:
    """A number's part of the checksum.

    >>> digits("0.00503000"), digits("45285.2")
    ('503000', '452852')
    """
    return text.replace(".", "").lstrip("0")


def checksum(asks: list[str], bids: list[str]) -> int:
    """CRC32 over the digits of levels, best first."""
    return crc32("".join([*asks[:CHECKED_LEVELS], *bids[:CHECKED_LEVELS]]).encode())


class CheckedBook:
    """Levels, the digits of each as written, and the verdict of the last checksum.

    `powers` are the powers of ten between the integers and the declared precision, none while the
    venue has declared none: then the digits of each level are kept as they were written.
    """

    __slots__ = ("_written", "asking", "book", "holes", "powers")

    def __init__(self, series: int) -> None:
        self.book = BookState(series)
        self.asking = Asking()
        self.holes: list[GapRow] = []
        self.powers: tuple[int, int] | None = None
        self._written: tuple[dict[int, str], dict[int, str]] = ({}, {})

    def snapshot(self, message: Message) -> None:
        """Begin anew; the depth is that of the subscription, or else the snapshot's own."""
        longest = max(message.change.bids, len(message.change.prices) - message.change.bids)
        if not self.book.depth or self.book.depth < longest:
            self.book.depth = next((d for d in DEPTHS if d >= longest), longest)
        self._written[0].clear()
        self._written[1].clear()
        self._write(message)
        if self.book.replace(message.change):
            self._judge(message.checksum)

    def change(self, message: Message) -> None:
        """Apply an update to a valid book."""
        self._write(message)
        if self.book.change(message.change):
            self._judge(message.checksum)

    def _write(self, message: Message) -> None:
        if self.powers is not None:
            return
        bids = message.change.bids
        for row, (price, text) in enumerate(
            zip(message.change.prices.tolist(), message.digits, strict=True)
        ):
            self._written[0 if row < bids else 1][price] = text
        for side, written in enumerate(self._written):
            if len(written) > 4 * self.book.depth:
                kept = {price for price, _ in self.book.side(side, self.book.depth)}
                kept.update(message.change.prices.tolist())
                for price in [p for p in written if p not in kept]:
                    del written[price]

    def _judge(self, expected: int | None) -> None:
        if expected is None:
            self.book.invalidate("without a checksum")
            return
        found = checksum(self._texts(1), self._texts(0))
        if found != expected:
            self.book.invalidate(f"checksum is {found}, the venue says {expected}")

    def _texts(self, side: int) -> list[str]:
        best = self.book.side(side, CHECKED_LEVELS)
        if self.powers is None:
            return [self._written[side][price] for price, _ in best]
        price_power, size_power = self.powers
        return [f"{price // price_power}{size // size_power}" for price, size in best]


class CheckedBooks:
    """Checked books by series; `depths` is what acknowledgements confirmed, by native symbol."""

    __slots__ = ("_books", "_roster", "depths")

    def __init__(self, roster: Roster) -> None:
        self.depths: dict[str, int] = {}
        self._roster = roster
        self._books: dict[int, CheckedBook] = {}

    def get(self, series: int) -> BookState | None:
        found = self._books.get(series)
        return found.book if found else None

    def message(
        self, instrument: Instrument, told: Message, snapshot: bool, seen_ns: int, batch: Batch
    ) -> None:
        """Apply one entry of a book frame; what is wrong with it goes to the ledger."""
        series, at_ns = instrument.series, told.change.at_ns
        book = self._books.get(series)
        if book is None:
            book = self._books[series] = CheckedBook(series)
        before_ns, checked = book.book.at_ns, snapshot or book.book.valid
        self._declared(book, instrument)
        if snapshot:
            book.book.depth = self.depths.get(instrument.native, book.book.depth)
            book.asking.open = False
            book.snapshot(told)
        elif checked:
            book.change(told)
        if book.book.valid:
            batch.moved.add(series)
            batch.book_whole(book.holes, at_ns)
            return
        if checked:
            hole = batch.book_hole(series, at_ns, at_ns, before_ns, at_ns, seen_ns or at_ns)
            book.holes = [*book.holes[1 - _HOLES_MAX :], hole]
            book.asking.open = False
        if book.asking.ask(at_ns):
            batch.want("resubscribe", instrument)

    def _declared(self, book: CheckedBook, instrument: Instrument) -> None:
        listed = self._roster.listed(instrument.native)
        if listed is None or book.powers is not None:
            return
        price_shift = instrument.price_decimals - listed.price_decimals
        size_shift = instrument.size_decimals - listed.size_decimals
        if price_shift >= 0 and size_shift >= 0:
            book.powers = (10**price_shift, 10**size_shift)
