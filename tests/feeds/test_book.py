"""Books: never a price unless valid, equal to a plain twin, one hole resets one book."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

from candlewick.feeds.book import (
    ASKS_MAX,
    LEVELS_MAX,
    RESTART_IDS,
    WAITING_MAX,
    Asking,
    BookState,
    Change,
    Hole,
    SequencedBook,
    Standing,
)
from candlewick.feeds.levels import Shelf

Levels = list[tuple[int, int]]


def change(first: int, last: int, bids: Levels, asks: Levels, at_ns: int = 1) -> Change:
    both = [*bids, *asks]
    prices = np.array([p for p, _ in both], np.int64)
    sizes = np.array([s for _, s in both], np.int64)
    return Change(first, last, at_ns, prices, sizes, len(bids))


class PlainBook:
    """Two dictionaries, sorted whenever somebody asks."""

    def __init__(self) -> None:
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def apply(self, bids: Levels, asks: Levels, depth: int) -> None:
        for side, levels, best_first in zip(self.sides, (bids, asks), (True, False), strict=True):
            for price, size in levels:
                side[price] = size
                if size == 0:
                    del side[price]
            for price in sorted(side, reverse=best_first)[depth:]:
                del side[price]

    def levels(self) -> tuple[Levels, Levels]:
        return sorted(self.sides[0].items(), reverse=True), sorted(self.sides[1].items())


@pytest.mark.parametrize("seed", range(30))
def test_levels_equal_the_plain_twin(seed: int) -> None:
    dice = random.Random(seed)
    depth = dice.choice([0, 10, 25])
    book, plain = BookState(3, depth), PlainBook()
    for turn in range(200):
        bids = [(dice.randrange(1, 500), dice.choice([0, 1, 7])) for _ in range(dice.randrange(9))]
        asks = [(dice.randrange(500, 999), dice.choice([0, 2])) for _ in range(dice.randrange(9))]
        if turn == 0:
            bids, asks = list(dict(bids).items()), list(dict(asks).items())
            book.replace(change(1, 1, bids, asks))
        else:
            book.change(change(1, 1, bids, asks))
        plain.apply(bids, asks, depth or LEVELS_MAX)
        assert book.levels(1000) == plain.levels()
        top = [side[:1] for side in plain.levels()]
        best = book.best()
        if all(top):
            assert best is not None
            assert best[:5] == (3, *top[0][0], *top[1][0])
        else:
            assert best is None


def test_an_invalid_or_building_book_gives_no_price() -> None:
    book = BookState(0)
    assert book.state is Standing.BUILDING
    assert (book.best(), book.levels(5)) == (None, ([], []))
    book.replace(change(1, 1, [(10, 1)], [(11, 1)]))
    assert book.best() is not None
    book.invalidate("said so")
    assert (book.best(), book.levels(5)) == (None, ([], []))
    assert book.reason == "said so"


@pytest.mark.parametrize("bid", [11, 12])
def test_crossed_or_locked_prices_make_it_invalid(bid: int) -> None:
    book = BookState(0)
    book.replace(change(1, 1, [(10, 1)], [(11, 1)]))
    assert not book.change(change(2, 2, [(bid, 1)], []))
    assert (book.state, book.reason) == (Standing.INVALID, "crossed")


def test_more_levels_than_are_kept_forgets_the_worst() -> None:
    book = BookState(0)
    bids = [(p, 1) for p in range(LEVELS_MAX + 50, 0, -1)]
    book.replace(change(1, 1, bids, []))
    book.replace(change(1, 1, bids, [(LEVELS_MAX + 99, 1)]))
    assert len(book.levels(LEVELS_MAX * 2)[0]) == LEVELS_MAX
    assert book.levels(1)[0] == [(LEVELS_MAX + 50, 1)]


def test_a_thousand_level_snapshot_is_cheap() -> None:
    """Best first is the order of every venue; it must not cost a shift of the book per level."""
    bids = [(p, 1) for p in range(100_000, 95_000, -1)]
    asks = [(p, 1) for p in range(100_001, 105_001)]
    snapshot = change(1, 1, bids, asks)
    book = BookState(0)
    book.replace(snapshot)
    begun = time.perf_counter()
    for _ in range(10):
        book.replace(snapshot)
    assert (time.perf_counter() - begun) / 10 < 0.02


# Binance's rule of joining.


def built(last_id: int = 10) -> SequencedBook:
    book = SequencedBook(0, Shelf())
    book.snapshot(change(last_id, last_id, [(100, 1)], [(110, 1)]))
    return book


def test_a_snapshot_joins_the_changes_that_waited() -> None:
    book = SequencedBook(0, Shelf())
    for first, last, price in ((5, 8, 90), (9, 12, 91), (13, 13, 92)):
        assert book.change(change(first, last, [(price, 1)], [])) is None
    assert book.book.state is Standing.BUILDING
    book.snapshot(change(10, 10, [(80, 1)], [(110, 1)]))
    assert book.book.valid
    assert book.book.levels(9)[0] == [(92, 1), (91, 1), (80, 1)]  # 5 to 8 were contained.
    assert book.last_id == 13


def test_a_snapshot_that_is_too_old_leaves_it_building() -> None:
    book = SequencedBook(0, Shelf())
    book.change(change(20, 21, [(90, 1)], []))
    book.asking.ask(1)
    book.snapshot(change(18, 18, [(80, 1)], [(110, 1)]))
    assert book.book.state is Standing.BUILDING
    assert book.asking.ask(2), "it is asked again"
    book.snapshot(change(19, 19, [(80, 1)], [(110, 1)]))
    assert book.book.levels(9)[0] == [(90, 1), (80, 1)]


def test_a_missing_update_makes_it_invalid_and_the_next_snapshot_heals_it() -> None:
    book = built(10)
    assert book.change(change(11, 12, [(101, 1)], [], 5)) is None
    assert book.change(change(15, 16, [(102, 1)], [], 7)) == Hole(13, 14, 5, 7)
    assert book.book.state is Standing.INVALID
    assert "13 to 14" in book.book.reason
    assert book.change(change(17, 17, [(103, 1)], [], 8)) is None
    book.snapshot(change(16, 16, [(50, 1)], [(110, 1)]))
    assert book.book.levels(9)[0] == [(103, 1), (50, 1)]


def test_every_hole_is_told_also_while_no_snapshot_comes() -> None:
    book = built(10)
    assert book.change(change(12, 12, [], [])) is not None
    assert book.change(change(13, 13, [], [])) is None
    assert book.change(change(15, 15, [], [], 9)) == Hole(14, 14, 1, 9)


def test_what_was_contained_is_dropped_and_what_overlaps_is_applied() -> None:
    book = built(10)
    assert book.change(change(8, 10, [(99, 9)], [])) is None
    assert book.book.levels(9)[0] == [(100, 1)]
    assert book.change(change(9, 11, [(99, 9)], [])) is None
    assert book.book.levels(9)[0] == [(100, 1), (99, 9)]


def test_an_older_snapshot_does_not_turn_a_valid_book_back() -> None:
    book = built(10)
    book.change(change(11, 11, [(105, 1)], []))
    book.snapshot(change(10, 10, [(1, 1)], [(2, 1)]))
    assert book.book.levels(1)[0] == [(105, 1)]


def test_update_ids_that_begin_anew_make_it_invalid() -> None:
    book = built(10 + 2 * RESTART_IDS)
    assert book.change(change(5, 6, [], [])) == Hole(5, 6, 1, 1)
    assert book.book.state is Standing.INVALID


def test_waiting_changes_are_bounded_and_then_it_is_asked_again() -> None:
    book = SequencedBook(0, Shelf())
    assert book.asking.ask(0)
    for i in range(WAITING_MAX):
        book.change(change(i, i, [(50, 1)], []))
    assert not book.asking.ask(1)
    book.change(change(WAITING_MAX, WAITING_MAX, [(51, 1)], []))
    assert book.asking.ask(2)
    book.snapshot(change(WAITING_MAX - 1, WAITING_MAX - 1, [(50, 1)], [(60, 1)]))
    assert book.book.levels(1)[0] == [(51, 1)]


def test_asking_is_bounded_by_the_minute() -> None:
    asking = Asking()
    asked = 0
    for second in range(120):
        asking.open = False
        asked += asking.ask(second * 1_000_000_000)
    assert asked == 2 * ASKS_MAX
