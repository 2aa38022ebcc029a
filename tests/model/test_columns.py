"""Batches: every kind keeps its rows through slices, joins, records and back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.model.batches import KINDS, Batch
from candlewick.model.columns import Columns, Coverage, Events, Kind, Side, Trades, trades_of

Strategies = Callable[[type[Columns]], st.SearchStrategy[Batch]]
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@EVERY_KIND
@settings(max_examples=30, deadline=None)
@given(draw=st.data(), cuts=st.lists(st.integers(0, 12), max_size=4))
def test_cut_and_joined_again_it_is_the_same(
    batches: Strategies, kind: type[Columns], draw: st.DataObject, cuts: list[int]
) -> None:
    columns = draw.draw(batches(kind)).columns
    edges = [0, *sorted(min(cut, len(columns)) for cut in cuts), len(columns)]
    joined = kind.concat([columns.take(slice(a, b)) for a, b in pairwise(edges)])
    assert joined.same_as(columns)
    for again in (kind.of(columns.records()), kind.of(columns.as_dict())):
        assert again.same_as(columns)
    rows = [tuple(record) for record in columns.records()]
    assert kind.from_rows(rows).same_as(columns)


@EVERY_KIND
def test_an_empty_batch_has_every_column_in_its_own_type(kind: type[Columns]) -> None:
    for empty in (kind.empty(), kind.concat([])):
        assert len(empty) == 0
        assert {n: c.dtype.str[1:] for n, c in empty.as_dict().items()} == kind.DTYPES


def test_equality_is_to_the_last_bit(trades: Trades) -> None:
    assert trades.same_as(Trades.of(trades.records()))
    for name in Trades.DTYPES:
        changed = {n: column.copy() for n, column in trades.as_dict().items()}
        changed[name][1] += 1
        assert not trades.same_as(Trades.of(changed)), name
    assert not trades.same_as(trades.take(slice(0, 2)))


def test_rows_are_taken_by_slice_mask_and_index(trades: Trades) -> None:
    for rows in (slice(1, 3), np.array([False, True, True]), np.array([1, 2])):
        assert trades.take(rows).id.tolist() == [12, 12]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(AssertionError, match=r"Trades without \['side'\]"):
        Trades.of({name: [1] for name in Trades.DTYPES if name != "side"})


def test_the_trades_among_events_are_the_three_sides() -> None:
    events = Events.from_rows(
        [(0, kind, n, n, n, 5, 5) for n, kind in enumerate([1, 2, -1, 3, 0, 4])]
    )
    trades = trades_of(events)
    assert trades.id.tolist() == [0, 2, 4]
    assert trades.side.tolist() == [Side.BUY, Side.SELL, Side.UNKNOWN]
    only = events.take(np.abs(events.kind) <= Kind.BUY)
    assert trades_of(only).same_as(trades)
    assert np.shares_memory(trades_of(only).price, only.price)


@given(st.integers(0, 15))
def test_coverage_in_words_names_exactly_its_flags(flags: int) -> None:
    words = Coverage(flags).words().split("|")
    if flags == 0:
        assert words == ["complete"]
    else:
        assert sum(Coverage[word.upper()] for word in words) == flags
