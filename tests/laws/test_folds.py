"""Every fold of the pure rooms obeys the laws: folds are found by themselves, as kernels are.

A fold is a class with `scan` or `update`, `save`, `load` and `touched`.  One without a machine and
a tape here fails the first test.  That the laws can fail is shown in `test_kernels.py`, and here on
a fold that forgets at the end of each batch.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from candlewick.anomalies.watch import Watch
from candlewick.candles.bars import Bars
from candlewick.feeds.continuity import Continuity
from candlewick.indicators.panel import Panel
from candlewick.model.columns import Candles, Events, Kind, Trades
from candlewick.model.time import NS_PER_S
from candlewick.signals.tick_sma import TickSma
from tests.candles import worlds
from tests.laws import laws

PURE = ("feeds", "candles", "indicators", "signals", "anomalies", "exchange")
SERIES = 3


def folds() -> set[str]:
    found = set()
    for room in PURE:
        folder = import_module(f"candlewick.{room}")
        for module in pkgutil.walk_packages(folder.__path__, f"candlewick.{room}."):
            for name, one in inspect.getmembers(import_module(module.name), inspect.isclass):
                public = set(dir(one)) | set(getattr(one, "__annotations__", ()))
                stateful = {"save", "load"} <= public and bool({"scan", "update"} & public)
                if stateful and one.__module__ == module.name:
                    found.add(name)
    return found


def instruments() -> Any:
    """Each series is a venue of its own: a venue's clock is shared by its symbols on purpose."""
    registry = worlds.instruments(1, "venue0")
    for k in range(1, SERIES):
        for one in worlds.instruments(1, f"venue{k}"):
            registry.declare(one)
    return registry


class BarsMachine:
    def __init__(self) -> None:
        self.fold = Bars(instruments(), [60, 300])
        self.save, self.load = self.fold.save, self.fold.load

    def feed(self, tape: laws.Table) -> laws.Table:
        return self.fold.scan(Events.of(tape))[0].records()


class ContinuityMachine:
    def __init__(self) -> None:
        self.fold = Continuity(instruments())
        self.save, self.load = self.fold.save, self.fold.load

    def feed(self, tape: laws.Table) -> laws.Table:
        return self.fold.scan(Events.of(tape))[0].records()


class LedgerMachine(ContinuityMachine):
    """The other output of the same fold."""

    def feed(self, tape: laws.Table) -> laws.Table:
        return self.fold.scan(Events.of(tape))[1].records()


class TickMachine:
    def __init__(self) -> None:
        self.fold = TickSma(instruments(), period=5, band_pct=0.05)
        self.save, self.load = self.fold.save, self.fold.load

    def feed(self, tape: laws.Table) -> laws.Table:
        return self.fold.scan(Trades.of(tape)).records()


class CandleMachine:
    """Folds over candles."""

    def __init__(self, fold: Any, step: Callable[[Candles], Any]) -> None:
        self.fold, self.step = fold, step
        self.save, self.load = fold.save, fold.load

    def feed(self, tape: laws.Table) -> laws.Table:
        return self.step(Candles.of(tape)).records()


def watch() -> CandleMachine:
    fold = Watch(instruments(), {"low_pct": 0.2, "medium_pct": 0.5, "high_pct": 1.0})
    return CandleMachine(fold, fold.scan)


def panel() -> CandleMachine:
    fold = Panel(instruments(), ["sma_3", "rsi_2", "vwap"], [60, 300], 300.0)
    return CandleMachine(fold, fold.update)


def events() -> laws.Table:
    """Trades with disorder, holes that stay, holes that are filled late, duplicates, ticks."""
    parts = [worlds.stream(6, 900, SERIES, 2500.0, shuffle_s=90.0).records()]
    table = parts[0]
    drop = np.zeros(len(table), bool)
    drop[200:215] = drop[600:620] = True
    late, kept = table[200:205], table[~drop]
    return np.concatenate([kept[:500], late, kept[480:490], kept[500:]])


def trades() -> laws.Table:
    found = events()
    found = found[np.abs(found["kind"]) <= 1]
    table = np.zeros(len(found), [(name, kind) for name, kind in Trades.DTYPES.items()])
    for name in ("series", "id", "at_ns", "seen_ns", "price", "size"):
        table[name] = found[name]
    table["side"] = found["kind"]
    return table


def marks() -> laws.Table:
    """The events, with the marks of holes and repairs that continuity puts among them."""
    whole = Continuity(instruments())
    found = whole.scan(Events.of(events()))[0]
    assert {Kind.GAP, Kind.HEAL} <= set(found.kind.tolist())
    return found.records()


def candles() -> laws.Table:
    return Bars(instruments(), [60, 300]).scan(Events.of(marks()))[0].records()


MACHINES: dict[str, tuple[Callable[[], laws.Machine], Callable[[], laws.Table]]] = {
    "Bars": (BarsMachine, marks),
    "Continuity": (ContinuityMachine, events),
    "Continuity's ledger": (LedgerMachine, events),
    "TickSma": (TickMachine, trades),
    "Watch": (watch, candles),
    "Panel": (panel, candles),
}


def test_every_fold_stands_under_the_laws() -> None:
    assert folds() == {name for name in MACHINES if "'" not in name}


@pytest.mark.parametrize("name", MACHINES)
def test_a_tape_says_something(name: str) -> None:
    make, tape = MACHINES[name]
    assert len(make().feed(tape())) > 5


@pytest.mark.parametrize(
    "law", [laws.split, laws.restart, laws.replay, laws.isolation], ids=lambda law: law.__name__
)
@pytest.mark.parametrize("name", MACHINES)
def test_every_fold_obeys_every_law(name: str, law: laws.Law) -> None:
    make, tape = MACHINES[name]
    law(make, tape())


class Forgetful(BarsMachine):
    """Its state is thrown away at the end of every batch."""

    def feed(self, tape: laws.Table) -> laws.Table:
        found = super().feed(tape)
        self.__init__()  # type: ignore[misc]
        return found


class Leaky(BarsMachine):
    """Every trade goes to the first series too."""

    def feed(self, tape: laws.Table) -> laws.Table:
        both = tape.copy()
        both["series"][both["series"] == 1] = 0
        both["at_ns"] += NS_PER_S
        return super().feed(both)


@pytest.mark.parametrize(("law", "machine"), [(laws.split, Forgetful), (laws.isolation, Leaky)])
def test_a_broken_fold_is_found(law: laws.Law, machine: type[BarsMachine]) -> None:
    with pytest.raises(laws.LawBroken):
        law(machine, marks())
