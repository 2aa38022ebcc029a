"""Candles to columns.  One indicator per file; the file name is its name.

takes   an entry of the configuration: `sma_20`, `macd_12_26_9`, `vwap`
gives   which file computes it, with which parameters, and what its outputs are called
never   needs a list: to add one, write `name.py` with STATE, TAKES, GIVES, VERSION, start and scan.
        Nothing else: it is found here, and `tests/laws/` holds it to the laws of every kernel
"""

from __future__ import annotations

import difflib
import inspect
import math
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np

from candlewick.errors import UsageError

PERIOD_MIN, PERIOD_MAX = 1, 10_000
_NOT_INDICATORS = {"panel"}
_WHOLE = re.compile(r"\d{1,6}\Z", re.ASCII)
_NUMBER = re.compile(r"\d{1,6}(\.\d{1,6})?\Z", re.ASCII)


class Indicator(Protocol):
    """What an indicator's file has (see `candlewick/kernel.py`)."""

    STATE: np.dtype[Any]
    TAKES: tuple[str, ...]
    GIVES: tuple[str, ...]
    VERSION: int
    start: Callable[..., int]
    scan: Callable[..., None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One configured indicator: `file` computes it with `parameters`."""

    name: str
    file: str
    parameters: Mapping[str, int | float]

    @property
    def indicator(self) -> Indicator:
        return load(self.file)

    @property
    def outputs(self) -> list[str]:
        """The first output is the entry itself, further ones are `entry_output`.

        >>> parse("macd_12_26_9").outputs
        ['macd_12_26_9', 'macd_12_26_9_signal', 'macd_12_26_9_histogram']
        """
        return [self.name, *(f"{self.name}_{output}" for output in self.indicator.GIVES[1:])]


def names() -> list[str]:
    """Every indicator there is, by its file's name.

    >>> "rsi" in names(), "panel" in names()
    (True, False)
    """
    return sorted(
        found.name
        for found in pkgutil.iter_modules(__path__)
        if not found.name.startswith("_") and found.name not in _NOT_INDICATORS
    )


def load(file: str) -> Indicator:
    """The module of an indicator."""
    return cast(Indicator, import_module(f"{__name__}.{file}"))


def parse(text: str) -> Entry:
    """An entry of the configuration; without parameters, the customary ones.

    >>> parse("macd_12_26_9").parameters
    {'fast': 12, 'slow': 26, 'signal': 9}
    >>> parse("rsi").parameters
    {'period': 14}

    Raises:
        UsageError: unknown name, another number of parameters, or one out of range.
    """
    file, *given = text.split("_")
    if file not in names():
        near = difflib.get_close_matches(file, names(), n=1, cutoff=0.0)
        raise UsageError(
            f"indicator {text[:40]!r}: unknown name {file[:40]!r}; did you mean {near[0]!r}? "
            f"There are {', '.join(names())}"
        )
    indicator = load(file)
    wanted = list(inspect.signature(indicator.start).parameters.values())[1:]
    if given and len(given) != len(wanted):
        form = "_".join([file, *(f"<{p.name}>" for p in wanted)])
        usual = "_".join([file, *(f"{p.default:g}" for p in wanted)])
        raise UsageError(
            f"indicator {text[:40]!r}: found {len(given)} parameters, expected {len(wanted)}; "
            f"write {form}, for instance {usual}"
        )
    limits = getattr(indicator, "LIMITS", {})
    parameters = {p.name: p.default for p in wanted}
    for parameter, digits in zip(wanted, given, strict=False):
        low, high = limits.get(parameter.name, (PERIOD_MIN, PERIOD_MAX))
        parameters[parameter.name] = _number(text, parameter, digits, low, high)
    indicator.start(np.zeros(1, indicator.STATE), **parameters)  # Has it a complaint of its own?
    return Entry(text, file, parameters)


def _number(
    text: str, parameter: inspect.Parameter, digits: str, low: float, high: float
) -> int | float:
    """One parameter; whole where its default is whole, else it may have a fraction."""
    whole = isinstance(parameter.default, int)
    plain = (_WHOLE if whole else _NUMBER).match(digits)
    value = math.nan if plain is None else int(digits) if whole else float(digits)
    if not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise UsageError(
            f"indicator {text[:40]!r}: {parameter.name} is {digits[:20]!r}, "
            f"expected {kind} from {low} to {high}, for instance {parameter.default:g}"
        )
    return value
