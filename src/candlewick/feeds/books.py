"""All sequenced books of a venue: their holes in the ledger, and the snapshots they ask for.

takes   changes and snapshots of instruments, and the batch that collects what follows from them
gives   ledger rows (open, then repaired by the next snapshot), wants, the series whose book moved
never   lets one symbol's hole touch another's book
"""

from __future__ import annotations

from candlewick.errors import PeerError
from candlewick.feeds.batch import Batch, GapRow
from candlewick.feeds.book import Change, Hole, SequencedBook
from candlewick.feeds.levels import Shelf
from candlewick.model.instruments import Instrument

_HOLES_MAX = 64  # Of a book, that its next snapshot repairs; older ones stay open in the ledger.


class Books:
    """Sequenced books by series, all on one shelf."""

    __slots__ = ("_books", "_holes", "_instruments", "shelf")

    def __init__(self) -> None:
        self.shelf = Shelf()
        self._books: dict[int, SequencedBook] = {}
        self._holes: dict[int, list[GapRow]] = {}
        self._instruments: dict[int, Instrument] = {}

    def get(self, series: int) -> SequencedBook | None:
        return self._books.get(series)

    def change(self, instrument: Instrument, change: Change, seen_ns: int, batch: Batch) -> None:
        """Apply one diff; a hole before it goes to the ledger."""
        series = instrument.series
        book = self._of(instrument)
        hole = book.change(change)
        if hole is not None:
            self._broken(series, hole, seen_ns or change.at_ns, batch)
        self._after(book, instrument, change.at_ns, batch)

    def crossed(
        self, instrument: Instrument, ids: tuple[int, int], at_ns: int, seen_ns: int, batch: Batch
    ) -> None:
        """The compiled lane applied a diff, and prices cross."""
        book = self._of(instrument)
        hole = book.crossed(*ids, at_ns)
        self._broken(instrument.series, hole, seen_ns or at_ns, batch)
        self._after(book, instrument, at_ns, batch)

    def _broken(self, series: int, hole: Hole, seen_ns: int, batch: Batch) -> None:
        row = batch.book_hole(series, *hole, seen_ns)
        self._holes[series] = [*self._holes.get(series, [])[1 - _HOLES_MAX :], row]

    def snapshot(self, instrument: Instrument, change: Change, batch: Batch) -> None:
        """Join a snapshot; if the book is whole after it, so are its holes."""
        book = self._of(instrument)
        book.snapshot(change)
        if book.book.valid and self._holes.get(instrument.series):
            batch.book_whole(self._holes[instrument.series], change.at_ns)
        self._after(book, instrument, change.at_ns, batch)

    def only_building(self) -> Instrument:
        """The one instrument that waits for a snapshot.

        Raises:
            PeerError: `no_symbol`, none or several do.
        """
        waiting = [series for series, book in self._books.items() if not book.book.valid]
        if len(waiting) != 1:
            raise PeerError(
                "no_symbol", f"a snapshot without a symbol while {len(waiting)} books wait for one"
            )
        return self._instruments[waiting[0]]

    def _of(self, instrument: Instrument) -> SequencedBook:
        book = self._books.get(instrument.series)
        if book is None:
            book = self._books[instrument.series] = SequencedBook(instrument.series, self.shelf)
            self._instruments[instrument.series] = instrument
        return book

    def _after(self, book: SequencedBook, instrument: Instrument, at_ns: int, batch: Batch) -> None:
        if book.book.valid:
            batch.moved.add(instrument.series)
        elif book.asking.ask(at_ns):
            batch.want("depth", instrument)
