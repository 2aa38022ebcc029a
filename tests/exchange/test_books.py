"""A book of any tick is there at once, never crossed, and the changes between two are few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.exchange import books
from candlewick.exchange.books import Levels
from candlewick.exchange.market import OPENED_NS, binance_market
from candlewick.exchange.path import TICK_NS

MARKET = binance_market(7, 30.0)
BEGIN_NS = OPENED_NS + 185_765_432 * 1_000_000_000


@pytest.mark.parametrize("name", ["BTC/USDT", "DOGE/USDT", "KAVA/USDT"])
def test_books_are_sorted_full_and_uncrossed(name: str) -> None:
    for tick in range(100):
        at_ns = BEGIN_NS + tick * TICK_NS
        book = MARKET.book_at(name, at_ns)
        bid, ask = MARKET.touch_at(name, at_ns)
        assert (book.bids.price[0], book.asks.price[0]) == (bid, ask)
        assert bid < ask
        assert (np.diff(book.bids.price) < 0).all()
        assert (np.diff(book.asks.price) > 0).all()
        for side in (book.bids, book.asks):
            assert (side.size > 0).all()
            assert len(side.price) >= 100


def test_a_book_is_the_same_for_everybody() -> None:
    mine, other = MARKET.book_at("BTC/USDT", BEGIN_NS), binance_market(7, 30.0)
    theirs = other.book_at("BTC/USDT", BEGIN_NS)
    for a, b in zip(mine[1:], theirs[1:], strict=True):
        assert a.price.tolist() == b.price.tolist()
        assert a.size.tolist() == b.size.tolist()


def test_from_tick_to_tick_a_small_part_changes() -> None:
    counts = []
    for tick in range(1, 50):
        before, after = (
            MARKET.book_at("SOL/USDT", BEGIN_NS + t * TICK_NS) for t in (tick - 1, tick)
        )
        counts.append(len(books.changes(before.bids, after.bids, 1).price))
    assert 0 < np.mean(counts) < 0.15 * len(MARKET.book_at("SOL/USDT", BEGIN_NS).bids.price)


_SIDES = st.dictionaries(st.integers(1, 40), st.integers(1, 5), min_size=1, max_size=25)


def _levels(side: dict[int, int], sign: int) -> Levels:
    prices = sorted(side, key=lambda price: -sign * price)
    return Levels(np.array(prices), np.array([side[p] for p in prices]))


@settings(max_examples=300, deadline=None)
@given(
    before=_SIDES, after=_SIDES, sign=st.sampled_from([1, -1]), depth=st.none() | st.integers(1, 30)
)
def test_changes_turn_one_book_into_the_other(
    before: dict[int, int], after: dict[int, int], sign: int, depth: int | None
) -> None:
    first, last = _levels(before, sign), _levels(after, sign)
    mine = dict(zip(first.price[:depth].tolist(), first.size[:depth].tolist(), strict=True))
    changes = books.changes(first, last, sign, depth)
    for price, size in zip(changes.price.tolist(), changes.size.tolist(), strict=True):
        if size:
            mine[price] = size
        else:
            del mine[price]
    best = sorted(mine, key=lambda price: -sign * price)[:depth]
    assert [(p, mine[p]) for p in best] == list(
        zip(last.price[:depth].tolist(), last.size[:depth].tolist(), strict=True)
    )
