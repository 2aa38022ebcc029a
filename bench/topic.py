"""What a topic of `topics/` is made of.

takes   cases (functions of a size that give numbers) and goals
gives   `TOPIC`, found by the name of its file
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

Numbers = dict[str, Any]


class NotInstalledError(Exception):
    """A peer that is not here; the table says so."""


@dataclass(frozen=True, slots=True)
class Case:
    """`run(size)` gives at least what the topic's `unit` names; `size_share` of the topic's size
    for the slow, whose figure an item does not depend on how many there are."""

    name: str
    run: Callable[[int], Numbers]
    size_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """The peer's figure over ours, run by run, is at least so much in the median."""

    ours: str
    peer: str
    at_least: float


@dataclass(frozen=True, slots=True)
class Bound:
    """A number of a case that has to stay on one side."""

    case: str
    number: str
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    """`title` and `notes` are for the table; `unit` is the number that it shows."""

    title: str
    cases: tuple[Case, ...]
    goals: tuple[Ratio | Bound, ...] = ()
    size: int = 100_000
    tiny: int = 200
    unit: str = "ns"
    also: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def timed(items: int, work: Callable[[], object], times: int = 3) -> Numbers:
    """The best of some repeats after one that does not count, in ns an item: wall and processor.

    The best, because inside one process only disturbance differs; the median over processes is
    taken later.
    """
    work()
    wall, cpu = [], []
    for _ in range(times):
        wall_0, cpu_0 = time.perf_counter_ns(), time.process_time_ns()
        work()
        wall.append(time.perf_counter_ns() - wall_0)
        cpu.append(time.process_time_ns() - cpu_0)
    return {"ns": round(min(wall) / items, 3), "cpu_ns": round(min(cpu) / items, 3), "items": items}


def fresh(items: int, make: Callable[[], Callable[[], object]], times: int = 3) -> Numbers:
    """As `timed`, for work that uses its state up: `make` gives work with a fresh one."""
    found = []
    for _ in range(times + 1):
        work = make()
        wall_0, cpu_0 = time.perf_counter_ns(), time.process_time_ns()
        work()
        found.append((time.perf_counter_ns() - wall_0, time.process_time_ns() - cpu_0))
    wall, cpu = (min(column) for column in zip(*found[1:], strict=True))
    return {"ns": round(wall / items, 3), "cpu_ns": round(cpu / items, 3), "items": items}


def need(module: str) -> None:
    """Raises NotInstalledError where a peer is absent."""
    if find_spec(module) is None:
        raise NotInstalledError(module)
