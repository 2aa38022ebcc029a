"""The laws of everything that computes, as functions that raise `LawBroken`.

takes   a way to make a machine (a kernel or a fold with its state), and a tape for it
gives   nothing, or the law that is broken and where
never   knows what the machine computes: `test_kernels.py` brings the row kernels, folds come alike

A tape and an output are structured arrays with a `series` field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Table: TypeAlias = npt.NDArray[Any]


class Machine(Protocol):
    """State and the one function that steps it."""

    def feed(self, tape: Table) -> Table:
        """A batch in, its output rows out."""

    def save(self, series: int) -> bytes:
        """The state of one series."""

    def load(self, series: int, blob: bytes) -> None:
        """Take over a saved state."""


Make: TypeAlias = Callable[[], Machine]
Law: TypeAlias = Callable[[Make, Table], None]


class LawBroken(AssertionError):
    """Which law, and what was seen."""


def split(make: Make, tape: Table) -> None:
    """However a tape is cut into batches, outputs and state are equal to the last bit."""
    whole = make()
    expected = whole.feed(tape)
    for name, cuts in _ways_to_cut(len(tape)):
        machine = make()
        parts = [machine.feed(part) for part in _parts(tape, cuts)]
        _same(expected, np.concatenate(parts), f"split: {name}")
        _same_state(whole, machine, tape, f"split: {name}")


def restart(make: Make, tape: Table) -> None:
    """Stopped anywhere and loaded into a fresh machine, it goes on as if nothing had been."""
    whole = make()
    expected = whole.feed(tape)
    rng = np.random.default_rng(3)
    for cut in [0, 1, len(tape) - 1, *rng.integers(2, len(tape) - 1, 12).tolist()]:
        before = make()
        first = before.feed(tape[:cut])
        saved = [(series, before.save(series)) for series in _series(tape)]
        before.feed(tape[cut:])  # What was saved is a value: it does not change any more.
        after = make()
        for series, blob in saved:
            after.load(series, blob)
        second = after.feed(tape[cut:])
        _same(expected, np.concatenate([first, second]), f"restart: at row {cut}")
        _same_state(whole, after, tape, f"restart: at row {cut}")


def replay(make: Make, tape: Table) -> None:
    """The same tape gives the same bits again, whatever other machines did before."""
    first = make()
    expected = first.feed(tape)
    make().feed(tape[::-1][: len(tape) // 2].copy())
    again = make()
    _same(expected, again.feed(tape), "replay")
    _same_state(first, again, tape, "replay")


def isolation(make: Make, tape: Table) -> None:
    """Series do not leak into each other: alone, each gives the same bits as among the others."""
    together = make()
    expected = together.feed(tape)
    for series in _series(tape):
        alone = make()
        found = alone.feed(tape[tape["series"] == series])
        _same(expected[expected["series"] == series], found, f"isolation: series {series}")
        if together.save(series) != alone.save(series):
            raise LawBroken(f"isolation: series {series} has another state alone")


def warmth(make: Make, tape: Table) -> None:
    """NaN only while warming up: a series that has a value goes on having one; never infinite."""
    out = make().feed(tape)
    for name in _values(out):
        for series in _series(tape):
            column = out[name][out["series"] == series]
            empty = np.isnan(column)
            if np.isinf(column).any():
                raise LawBroken(f"warmth: {name} of series {series} is infinite")
            if empty.all():
                raise LawBroken(f"warmth: {name} of series {series} never warms up")
            if empty[np.argmin(empty) :].any():
                raise LawBroken(f"warmth: {name} of series {series} is NaN after it was warm")


def twin(make: Make, tape: Table, naive: Callable[[Table], Table], loose: float = 1e-9) -> None:
    """The fast one agrees with the slow, obvious one; NaN in the same places.

    Args:
        naive: one series' rows to its outputs, fields as the machine's.
        loose: how far apart, relative to the twin's value or, where values cancel, to the field
            `scale` of its table.
    """
    out = make().feed(tape)
    for series in _series(tape):
        mine = out[out["series"] == series]
        theirs = naive(tape[tape["series"] == series])
        for name in _values(out):
            allowed = loose * np.maximum(np.abs(theirs[name]), theirs["scale"])
            _close(mine[name], theirs[name], allowed, f"twin: {name} of series {series}")


def _close(mine: Table, theirs: Table, allowed: Table, where: str) -> None:
    if (np.isnan(mine) != np.isnan(theirs)).any():
        row = int(np.argmax(np.isnan(mine) != np.isnan(theirs)))
        raise LawBroken(f"{where}: row {row} is {mine[row]}, the twin's {theirs[row]}")
    wrong = np.abs(mine - theirs) > allowed
    if wrong.any():
        row = int(np.argmax(wrong))
        raise LawBroken(f"{where}: row {row} is {mine[row]!r}, the twin's {theirs[row]!r}")


def _ways_to_cut(rows: int) -> Iterator[tuple[str, Sequence[int]]]:
    yield "batches of one", range(1, rows)
    yield "nothing, then all", [0, 0]
    for seed in range(6):
        rng = np.random.default_rng(seed)
        cuts = np.sort(rng.integers(0, rows + 1, int(rng.integers(1, 40)))).tolist()
        yield f"cut at {cuts}", cuts


def _parts(tape: Table, cuts: Sequence[int]) -> Iterator[Table]:
    for begin, end in zip([0, *cuts], [*cuts, len(tape)], strict=True):
        yield tape[begin:end]


def _series(tape: Table) -> list[int]:
    return np.unique(tape["series"]).tolist()


def _values(out: Table) -> list[str]:
    return [name for name in out.dtype.names or () if out.dtype[name] == np.float64]


def _same(expected: Table, found: Table, where: str) -> None:
    if len(expected) != len(found):
        raise LawBroken(f"{where}: {len(found)} rows, expected {len(expected)}")
    for name in expected.dtype.names or ():
        a = np.ascontiguousarray(expected[name]).view(np.uint8).reshape(len(expected), -1)
        b = np.ascontiguousarray(found[name]).view(np.uint8).reshape(len(found), -1)
        differ = (a != b).any(axis=1)
        if differ.any():
            row = int(np.argmax(differ))
            raise LawBroken(
                f"{where}: {name} of row {row} is {found[name][row]!r}, "
                f"expected {expected[name][row]!r}"
            )


def _same_state(expected: Machine, found: Machine, tape: Table, where: str) -> None:
    for series in _series(tape):
        if expected.save(series) != found.save(series):
            raise LawBroken(f"{where}: series {series} ends in another state")
