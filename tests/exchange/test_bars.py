"""Bars are exact integer folds, and folds of folds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.exchange import bars
from candlewick.model.columns import Trades

_ROWS = st.lists(
    st.tuples(st.integers(1, 10**8), st.integers(1, 10**14), st.sampled_from([1, -1])),
    min_size=1,
    max_size=30,
)


def _trades(rows: list[tuple[int, int, int]]) -> Trades:
    return Trades.from_rows([(0, n + 5, n, 0, p, s, d) for n, (p, s, d) in enumerate(rows)])


@settings(max_examples=200, deadline=None)
@given(rows=_ROWS)
def test_a_bar_is_the_plain_fold_in_python_integers(rows: list[tuple[int, int, int]]) -> None:
    bar = bars.fold(60, _trades(rows))
    prices, bought = [p for p, _, _ in rows], [(p, s) for p, s, d in rows if d == 1]
    assert bar == bars.Bar(
        open_ns=60,
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=sum(s for _, s, _ in rows),
        quote=sum(p * s for p, s, _ in rows),
        taker_buy=sum(s for _, s in bought),
        taker_quote=sum(p * s for p, s in bought),
        trades=len(rows),
        first_id=5,
        last_id=4 + len(rows),
    )


@settings(max_examples=100, deadline=None)
@given(rows=_ROWS, cut=st.integers(0, 30))
def test_joined_bars_are_the_bar_of_the_whole(rows: list[tuple[int, int, int]], cut: int) -> None:
    whole = _trades(rows)
    masks = np.arange(len(rows)) < cut, np.arange(len(rows)) >= cut
    parts = [bars.fold(0, whole.take(mask)) for mask in masks]
    assert bars.join(60, [p for p in parts if p]) == bars.fold(60, whole)


def test_nothing_makes_no_bar() -> None:
    assert bars.fold(0, Trades.empty()) is None
    assert bars.join(0, []) is None
