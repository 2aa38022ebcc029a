"""Every indicator there is obeys every law, and every law has been seen to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from candlewick import indicators, kernel
from candlewick.errors import VersionError
from tests.laws import broken, laws
from tests.laws.kernels import UNWRITTEN, KernelMachine, crash, flat, tape
from tests.laws.twins import TWINS, twin_of

LAWS = [laws.split, laws.restart, laws.replay, laws.isolation, laws.warmth]

# Beside the customary parameters: the smallest, odd ones, and one longer than most batches.
OTHERS = {
    "sma": ["sma_1", "sma_2", "sma_3", "sma_150"],
    "ema": ["ema_1", "ema_2", "ema_150"],
    "rsi": ["rsi_1", "rsi_2", "rsi_60"],
    "macd": ["macd_1_2_1", "macd_7_14_9", "macd_3_50_30"],
    "bollinger": ["bollinger_1_2", "bollinger_2_1", "bollinger_150_2.5"],
    "atr": ["atr_1", "atr_2", "atr_60"],
    "vwap": ["vwap_0", "vwap_3600"],
}
ENTRIES = [entry for name in indicators.names() for entry in [name, *OTHERS.get(name, [])]]
TAPES = {
    "walk": lambda: tape(1200, seed=7),
    "tiny": lambda: tape(900, seed=8, level=1e-8),
    "huge": lambda: tape(900, seed=9, level=1e9),
    "flat": lambda: flat(800, 0.1),
    "crash": lambda: crash(1600),
}


def maker(entry: str) -> Callable[[], KernelMachine]:
    parsed = indicators.parse(entry)
    return lambda: KernelMachine(parsed.indicator, dict(parsed.parameters))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("entry", ENTRIES)
def test_every_indicator_obeys_every_law(entry: str, law: laws.Law) -> None:
    law(maker(entry), tape(1200, seed=7))


@pytest.mark.parametrize("world", TAPES)
@pytest.mark.parametrize("entry", ENTRIES)
def test_every_indicator_agrees_with_its_twin(entry: str, world: str) -> None:
    parsed = indicators.parse(entry)
    naive = twin_of(parsed.file)
    laws.twin(maker(entry), TAPES[world](), lambda rows: naive(rows, **parsed.parameters))


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_row_is_answered(entry: str) -> None:
    out = maker(entry)().feed(tape(500, seed=3))
    for name in indicators.parse(entry).indicator.GIVES:
        assert not (out[name] == UNWRITTEN).any()


@pytest.mark.parametrize("file", indicators.names())
def test_a_snapshot_of_another_version_or_parameters_is_refused(file: str) -> None:
    parsed = indicators.parse(file)
    machine = maker(file)()
    blob = machine.save(0)
    arrays = machine._arrays(0)
    for version, parameters in ((99, parsed.parameters), (1, {"period": 77})):
        with pytest.raises(VersionError, match="law: snapshot is"):
            kernel.load(blob, "law", version, parameters, arrays)
    with pytest.raises(VersionError, match="damaged"):
        machine.load(0, blob[:-1])


def test_every_indicator_has_a_twin_and_every_twin_an_indicator() -> None:
    assert sorted(TWINS) == indicators.names()


def test_an_indicator_without_a_twin_fails() -> None:
    with pytest.raises(LookupError, match="no twin"):
        twin_of("invented")


def broken_maker(fault: type[broken.Sound]) -> Callable[[], KernelMachine]:
    return lambda: KernelMachine(fault(), {})


def naive_mean(rows: laws.Table) -> laws.Table:
    table = np.zeros(len(rows), [("mean", "f8"), ("scale", "f8")])
    table["mean"] = twin_of("sma")(rows, broken.PERIOD)["sma"]
    return table


def twin_law(make: laws.Make, rows: laws.Table) -> None:
    laws.twin(make, rows, naive_mean)


@pytest.mark.parametrize("law", [*LAWS, twin_law], ids=lambda law: law.__name__)
def test_the_sound_kernel_passes_so_what_fails_below_is_the_fault(law: laws.Law) -> None:
    law(broken_maker(broken.Sound), tape(400, seed=5))


FAULTS: list[tuple[Any, type[broken.Sound], str]] = [
    (laws.split, broken.DropsLastRow, "split: batches of one"),
    (laws.split, broken.SumsByBatch, "split: batches of one"),
    (laws.split, broken.StateByBatch, "ends in another state"),
    (laws.split, broken.HidesState, "split"),
    (laws.restart, broken.ForgetsInSnapshot, "restart: at row"),
    (laws.restart, broken.HidesState, "restart: at row"),
    (laws.restart, broken.DropsLastRow, "restart: at row"),
    (laws.replay, broken.HidesState, "replay: mean of row"),
    (laws.replay, broken.Random, "replay: mean of row"),
    (laws.isolation, broken.LeaksBetweenSeries, "isolation: mean of row|isolation: series"),
    (laws.isolation, broken.ForgetsInSnapshot, "isolation: series"),
    (laws.warmth, broken.CoolsDown, "NaN after it was warm"),
    (laws.warmth, broken.NeverWarm, "never warms up"),
    (laws.warmth, broken.Infinite, "is infinite"),
    (twin_law, broken.WarmTooEarly, "twin: mean of series 0: row 0"),
    (twin_law, broken.DropsLastRow, "twin: mean of series"),
]


@pytest.mark.parametrize(
    ("law", "fault", "says"), FAULTS, ids=[f"{a.__name__}-{b.__name__}" for a, b, _ in FAULTS]
)
def test_each_law_catches_the_kernel_that_breaks_it(
    law: laws.Law, fault: type[broken.Sound], says: str
) -> None:
    with pytest.raises(laws.LawBroken, match=says):
        law(broken_maker(fault), tape(400, seed=5))


def test_the_twin_law_catches_a_running_sum_that_drifts() -> None:
    with pytest.raises(laws.LawBroken, match="twin: mean"):
        twin_law(broken_maker(broken.Drifts), crash(1600))


def test_every_law_is_seen_to_fail() -> None:
    """A law added to the list needs a kernel that breaks it."""
    assert {law.__name__ for law in (*LAWS, twin_law)} == {law.__name__ for law, _, _ in FAULTS}


def test_every_broken_kernel_is_tried() -> None:
    faults = {
        name for name, thing in vars(broken).items()
        if isinstance(thing, type) and issubclass(thing, broken.Sound) and thing is not broken.Sound
    }  # fmt: skip
    assert faults == {fault.__name__ for _, fault, _ in FAULTS} | {"Drifts"}
