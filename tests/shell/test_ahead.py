"""Reading ahead: the same items, as many as allowed, errors in their place, no thread left."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from candlewick.shell.ahead import ahead


def counted(made: list[int], stop: int, fail_at: int = -1) -> Iterator[int]:
    for number in range(stop):
        if number == fail_at:
            raise ValueError(f"no {number}")
        made.append(number)
        yield number


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("ahead")]


@pytest.mark.parametrize("items_max", [1, 2, 5])
def test_items_come_whole_and_in_order(items_max: int) -> None:
    made: list[int] = []
    assert list(ahead(counted(made, 100), items_max)) == list(range(100))
    assert threads() == []


def test_no_more_than_allowed_are_made_before_they_are_wanted() -> None:
    made: list[int] = []
    items = ahead(counted(made, 100), 2)
    for taken in range(10):
        assert next(items) == taken
        assert len(made) <= taken + 1 + 2
    items.close()  # type: ignore[attr-defined]
    assert len(made) <= 12
    assert threads() == []


def test_an_error_comes_where_its_item_would_have() -> None:
    items = ahead(counted([], 10, fail_at=3), 2)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no 3"):
        next(items)
    assert threads() == []


def test_who_stops_early_leaves_no_thread() -> None:
    items = ahead(counted([], 1_000), 4)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert threads() == []
