"""An order book by price, and whether it may be believed.

takes   snapshots and changes as int64 columns, bids first, with their update ids or a checksum
gives   best prices and levels while it is valid; nothing while it is building or invalid
never   guesses: one missing update, one wrong checksum or crossed prices, and there is no price

Binance's rule: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
("How to manage a local order book correctly").
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import NamedTuple

import numpy as np

from candlewick.feeds import levels
from candlewick.feeds.levels import Shelf
from candlewick.model.columns import Ints
from candlewick.model.outcome import Quote
from candlewick.model.time import NS_PER_S

LEVELS_MAX = 20_000  # A side; beyond it the levels farthest from the best are forgotten.
WAITING_MAX = 1_000  # Changes kept while a snapshot is fetched (100 s); then dropped, ask again.
ASKS_MAX = 6  # Snapshots of one book in a minute.
ASKS_WITHIN_NS = 60 * NS_PER_S
RESTART_IDS = 1_000_000_000  # Ids that fall back by so much are a new sequence, not an old message.


class Standing(Enum):
    """Whether a book may be read."""

    BUILDING = "building"
    VALID = "valid"
    INVALID = "invalid"


class Change(NamedTuple):
    """Absolute sizes at prices, bids first; `first_id` and `last_id` are the venue's update ids."""

    first_id: int
    last_id: int
    at_ns: int
    prices: Ints
    sizes: Ints
    bids: int


class Hole(NamedTuple):
    """Updates `first_id` to `last_id` never came; what lies on both sides of them in time."""

    first_id: int
    last_id: int
    after_ns: int
    before_ns: int


class BookState:
    """Levels of one instrument, market by price, and their standing.

    `depth` is how many levels a side the venue promises (0: all of them).  On a shared `shelf` its
    row is its series.
    """

    __slots__ = ("_row", "_shelf", "_state", "depth", "reason", "series")

    def __init__(self, series: int, depth: int = 0, shelf: Shelf | None = None) -> None:
        self.series = series
        self.depth = depth
        self.reason = "no snapshot yet"
        self._state = Standing.BUILDING
        self._row = 0 if shelf is None else series
        self._shelf = Shelf() if shelf is None else shelf
        self._shelf.room(self._row + 1, 0)

    @property
    def state(self) -> Standing:
        return self._state

    @property
    def valid(self) -> bool:
        return self._state is Standing.VALID

    @property
    def at_ns(self) -> int:
        """Exchange time of the content."""
        return int(self._shelf.heads[self._row, levels.AT_NS])

    def best(self) -> Quote | None:
        """Best bid and ask, or nothing: not valid, or a side is empty."""
        if self._state is not Standing.VALID:
            return None
        bids, asks = self.side(0, 1), self.side(1, 1)
        if not bids or not asks:
            return None
        return Quote(self.series, *bids[0], *asks[0], self.at_ns)

    def levels(self, depth: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Bids from high to low and asks from low to high; empty unless valid."""
        if self._state is not Standing.VALID:
            return [], []
        return self.side(0, depth), self.side(1, depth)

    def side(self, side: int, depth: int) -> list[tuple[int, int]]:
        """The best levels of a side (0 bids, 1 asks) whatever the standing: for the checksum that
        decides about it."""
        shelf, row = self._shelf, self._row
        count = int(shelf.counts[row, side])
        first = max(count - depth, 0)
        keys = shelf.keys[row, side, first:count].tolist()
        sizes = shelf.sizes[row, side, first:count].tolist()
        sign = -1 if side else 1
        return [
            (sign * key, size) for key, size in zip(reversed(keys), reversed(sizes), strict=True)
        ]

    def replace(self, change: Change) -> bool:
        """A snapshot: everything before it is forgotten; false where its prices cross."""
        self._shelf.counts[self._row] = 0
        self._stand(Standing.VALID, "")
        return self.change(_worst_first(change))

    def change(self, change: Change) -> bool:
        """Apply a message to a valid book; false where prices cross, it is invalid then."""
        shelf, row, total = self._shelf, self._row, len(change.prices)
        shelf.room(row + 1, int(shelf.counts[row].max()) + total)
        shelf.heads[row, levels.AT_NS] = change.at_ns
        crossed = levels.change(
            shelf.keys[row], shelf.sizes[row], shelf.counts[row], change.prices, change.sizes,
            change.bids, total, self.depth or LEVELS_MAX,
        )  # fmt: skip
        if crossed:
            self.invalidate("crossed")
        return not crossed

    def invalidate(self, reason: str) -> None:
        """No price from here on, until a snapshot."""
        self._stand(Standing.INVALID, reason)

    def rebuild(self, reason: str) -> None:
        """A snapshot is on its way."""
        self._stand(Standing.BUILDING, reason)
        self._shelf.counts[self._row] = 0

    def _stand(self, state: Standing, reason: str) -> None:
        self._state, self.reason = state, reason
        self._shelf.heads[self._row, levels.LIVE] = state is Standing.VALID


def _worst_first(change: Change) -> Change:
    """Venues list the best level first; the other way round every insertion is at the end."""
    bids = change.bids
    prices = np.concatenate([change.prices[:bids][::-1], change.prices[bids:][::-1]])
    sizes = np.concatenate([change.sizes[:bids][::-1], change.sizes[bids:][::-1]])
    return change._replace(prices=prices, sizes=sizes)


class Asking:
    """How often a snapshot of one book may be asked for: `ASKS_MAX` in a minute of the feed's time,
    so that a venue that never agrees with itself is not asked for ever."""

    __slots__ = ("_asked_ns", "open")

    def __init__(self) -> None:
        self.open = False  # Asked, and not yet answered.
        self._asked_ns: deque[int] = deque(maxlen=ASKS_MAX)

    def ask(self, at_ns: int) -> bool:
        """True where it is to be asked now."""
        asked = self._asked_ns
        if self.open or (len(asked) == ASKS_MAX and at_ns - asked[0] < ASKS_WITHIN_NS):
            return False
        asked.append(at_ns)
        self.open = True
        return True


class SequencedBook:
    """A book whose changes carry consecutive update ids, joined to a snapshot taken elsewhere.

    Changes wait (at most `WAITING_MAX`, then all go and it is asked again) until a snapshot falls
    among them.
    Holes in the run of ids are told whether the book is valid or not.
    """

    __slots__ = ("_shelf", "_stream_ns", "_waiting", "asking", "book")

    def __init__(self, series: int, shelf: Shelf) -> None:
        self.book = BookState(series, 0, shelf)
        self.asking = Asking()
        self._shelf = shelf
        self._stream_ns = 0
        self._waiting: deque[Change] = deque(maxlen=WAITING_MAX)
        self.last_id = self._stream_id = -1

    @property
    def last_id(self) -> int:
        """The last update that is in the book."""
        return int(self._shelf.heads[self.book.series, levels.LAST_ID])

    @last_id.setter
    def last_id(self, last_id: int) -> None:
        self._shelf.heads[self.book.series, levels.LAST_ID] = last_id

    @property
    def _stream_id(self) -> int:
        """The last update that came."""
        return int(self._shelf.heads[self.book.series, levels.STREAM_ID])

    @_stream_id.setter
    def _stream_id(self, stream_id: int) -> None:
        self._shelf.heads[self.book.series, levels.STREAM_ID] = stream_id

    def snapshot(self, change: Change) -> None:
        """Join a snapshot (`last_id` is its update id) to what waits.

        One that is older than the valid book changes nothing; one too old to be joined leaves the
        book building, and another must be asked for.
        """
        if self.book.valid and change.last_id <= self.last_id:
            return
        waiting = [w for w in self._waiting if w.last_id > change.last_id]
        self.asking.open = False
        if waiting and waiting[0].first_id > change.last_id + 1:
            self.book.rebuild(f"snapshot {change.last_id} is older than what followed")
            return
        self.book.replace(change)
        self.last_id = change.last_id
        self._waiting.clear()
        for later in waiting:
            self._apply(later)

    def change(self, change: Change) -> Hole | None:
        """Apply or keep a change; gives the hole before it, where there is one.

        A change that was already contained is dropped; one that overlaps is applied, because
        sizes are absolute.
        """
        if not self.book.valid:
            after_id = self._stream_id if self._stream_id >= 0 else change.first_id - 1
        else:
            after_id = max(self._stream_id, self.last_id)
        after_ns = max(self._stream_ns, self.book.at_ns)
        hole = None
        if change.last_id + RESTART_IDS < after_id:
            hole = Hole(change.first_id, change.last_id, after_ns, change.at_ns)
            self._restart("update ids began anew")
        elif change.last_id <= after_id:
            return None
        elif change.first_id > after_id + 1:
            hole = Hole(after_id + 1, change.first_id - 1, after_ns, change.at_ns)
            self._restart(f"updates {hole.first_id} to {hole.last_id} are missing")
        self._stream_id, self._stream_ns = change.last_id, change.at_ns
        return self._apply(change) or hole

    def crossed(self, first_id: int, last_id: int, at_ns: int) -> Hole:
        """Updates after which prices cross: the book is of no use, as if they had not come."""
        self.book.invalidate("crossed")
        self.asking.open = False
        return Hole(first_id, last_id, at_ns, at_ns)

    def _apply(self, change: Change) -> Hole | None:
        if self.book.valid:
            self.last_id = change.last_id
            if self.book.change(change):
                return None
            return self.crossed(change.first_id, change.last_id, change.at_ns)
        if len(self._waiting) == WAITING_MAX:
            self._waiting.clear()
            self.asking.open = False
        self._waiting.append(change)
        return None

    def _restart(self, reason: str) -> None:
        self.book.invalidate(reason)
        self._waiting.clear()
        self.asking.open = False
