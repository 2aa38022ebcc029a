"""One trade a call gives what a batch gives, to the last bit of rows and state."""

from __future__ import annotations

import numpy as np
import pytest

from candlewick.candles.bars import Bars
from candlewick.model.columns import Candles, Events
from tests.candles import worlds

INTERVALS_S = [60, 300, 900]


def stepped(bars: Bars, events: Events) -> tuple[list[Candles], list[int], int]:
    """Every event by itself; the rows, the late ones and how many took the short way."""
    parts, late, short = [], [], 0
    columns = (events.series, events.kind, events.id, events.at_ns, events.price, events.size)
    for row, numbers in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        found = bars.step(*numbers)
        if found is None:
            short += 1
            continue
        parts.append(found[0])
        late += [row] * len(found[1])
    return parts, late, short


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shuffle_s", [0.0, 3.0, 400.0])
def test_steps_equal_one_scan(seed: int, shuffle_s: float) -> None:
    events = worlds.stream(seed, 3000, shuffle_s=shuffle_s)
    whole = Bars(worlds.instruments(3), INTERVALS_S)
    single = Bars(worlds.instruments(3), INTERVALS_S)
    rows, late = whole.scan(events)
    parts, found_late, short = stepped(single, events)
    assert Candles.concat([Candles.empty(), *parts]).same_as(rows)
    assert found_late == late.tolist()
    assert single.touched == whole.touched
    assert [single.save(k) for k in range(3)] == [whole.save(k) for k in range(3)]
    assert short > 500 or shuffle_s > 0, "the short way was hardly taken: nothing was tested"


def test_steps_and_scans_may_take_turns() -> None:
    events = worlds.stream(11, 3000)
    whole, mixed = (Bars(worlds.instruments(3), INTERVALS_S) for _ in range(2))
    rows, _ = whole.scan(events)
    parts = []
    for at in range(0, 3000, 100):
        part = events.take(slice(at, at + 100))
        parts += stepped(mixed, part)[0] if at % 200 else [mixed.scan(part)[0]]
    assert Candles.concat([Candles.empty(), *parts]).same_as(rows)
    assert [mixed.save(k) for k in range(3)] == [whole.save(k) for k in range(3)]


def test_a_symbol_that_came_later_is_stepped_too() -> None:
    """The arrays move when they grow: the step must not use the old ones."""
    registry = worlds.instruments(1)
    bars, twin = Bars(registry, INTERVALS_S), Bars(worlds.instruments(9), INTERVALS_S)
    events = worlds.stream(5, 2000, series=9)
    first = events.take(events.series == 0)
    for one in (bars, twin):
        stepped(one, first)
    for other in list(worlds.instruments(9))[1:]:
        registry.declare(other)
    rest = events.take(events.series != 0)
    for one in (bars, twin):
        stepped(one, rest)
    assert [bars.save(k) for k in range(9)] == [twin.save(k) for k in range(9)]
    assert np.all([len(bars.save(k)) for k in range(9)])
