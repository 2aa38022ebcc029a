"""Batches as NumPy columns: one frozen class a kind, every column one-dimensional and equally long.

Prices and sizes are int64 in the instrument's decimals, times int64 nanoseconds UTC.
A batch of one and a batch of a million are the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Column: TypeAlias = npt.NDArray[Any]


class Side(IntEnum):
    """Who crossed the spread."""

    SELL = -1
    UNKNOWN = 0
    BUY = 1


class Kind(IntEnum):
    """What an event row is; the three sides are trades, the rest is about time and holes."""

    SELL = -1
    UNKNOWN = 0
    BUY = 1
    TICK = 2  # The feed's clock has reached `at_ns`; `series` is any series of that feed.
    GAP = 3  # Trades are missing after `at_ns` and before `price` (a time here, in ns).
    HEAL = 4  # The same span is whole again.
    HOLD = 5  # History of this series follows: until RELEASE it runs on its own clock,
    RELEASE = 6  # and from here on its venue's clock closes its bars again.


class Coverage(IntFlag):
    """What is known against a candle; 0 is complete."""

    COMPLETE = 0
    PARTIAL = 1  # Its beginning was not observed.
    GAP = 2  # Trades inside it are known to be missing.
    BACKFILLED = 4  # A hole in it was filled later.
    REVISED = 8  # It changed after it was final.

    def words(self) -> str:
        """`complete`, or the flags joined: `gap|revised`."""
        return (
            "|".join(flag.name.lower() for flag in Coverage if flag and flag in self and flag.name)
            or "complete"
        )


def _layout(text: str) -> dict[str, str]:
    """Column types in order: `"i4: series i8: id at_ns"`."""
    types: dict[str, str] = {}
    current = ""
    for word in text.split():
        if word.endswith(":"):
            current = word[:-1]
        else:
            types[word] = current
    return types


_EMPTY: dict[str, Any] = {}  # One batch without rows a kind, by its name.


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What every kind of batch can do."""

    DTYPES: ClassVar[dict[str, str]] = {}

    def __len__(self) -> int:
        for name in self.DTYPES:
            return len(self.column(name))
        return 0

    def column(self, name: str) -> Column:
        column: Column = getattr(self, name)
        return column

    def as_dict(self) -> dict[str, Column]:
        return {name: self.column(name) for name in self.DTYPES}

    def take(self, rows: slice | npt.NDArray[Any]) -> Self:
        """The rows of a slice, a boolean mask or an index array."""
        return type(self)(**{name: self.column(name)[rows] for name in self.DTYPES})

    def same_as(self, other: Self) -> bool:
        """Equal to the last bit, NaN included."""
        return all(
            self.column(n).tobytes() == np.asarray(other.column(n), self.DTYPES[n]).tobytes()
            for n in self.DTYPES
        )

    def records(self) -> npt.NDArray[Any]:
        """One structured array, for printing, sorting and comparing."""
        table = np.empty(len(self), np.dtype(list(self.DTYPES.items())))
        for name in self.DTYPES:
            table[name] = self.column(name)
        return table

    @classmethod
    def of(cls, source: npt.NDArray[Any] | dict[str, Any]) -> Self:
        """From a structured array (its fields, as views) or from lists by name."""
        names = source.dtype.names or () if isinstance(source, np.ndarray) else tuple(source)
        missing = [name for name in cls.DTYPES if name not in names]
        assert not missing, f"{cls.__name__} without {missing}"
        return cls(**{name: np.asarray(source[name], dtype) for name, dtype in cls.DTYPES.items()})

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[Any]]) -> Self:
        """From row tuples in the order of the columns; small batches and tests."""
        if not rows:
            return cls.empty()
        columns = list(zip(*rows, strict=True))
        return cls(
            **{
                name: np.array(column, dtype)
                for (name, dtype), column in zip(cls.DTYPES.items(), columns, strict=True)
            }
        )

    @classmethod
    def empty(cls) -> Self:
        """Always the same one: most batches yield nothing of most kinds."""
        found: Self | None = _EMPTY.get(cls.__name__)
        if found is None:
            columns = {name: np.empty(0, dtype) for name, dtype in cls.DTYPES.items()}
            found = _EMPTY[cls.__name__] = cls(**columns)
        return found

    @classmethod
    def concat(cls, parts: Iterable[Self]) -> Self:
        whole = [part for part in parts if len(part)]
        if not whole:
            return cls.empty()
        if len(whole) == 1:
            return whole[0]
        return cls(
            **{
                n: np.concatenate([np.empty(0, d), *(p.column(n) for p in whole)])
                for n, d in cls.DTYPES.items()
            }
        )


@dataclass(frozen=True, slots=True, eq=False)
class Events(Columns):
    """What a feed says, in order: trades, and rows about its clock and its holes (see `Kind`)."""

    series: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]
    id: Ints
    at_ns: Ints
    seen_ns: Ints
    price: Ints
    size: Ints

    DTYPES: ClassVar[dict[str, str]] = _layout(
        "i4: series i1: kind i8: id at_ns seen_ns price size"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Trades(Columns):
    """Market trades.  Key: series, id.  `side` is the aggressor's; `seen_ns` 0 where unknown."""

    series: npt.NDArray[np.int32]
    id: Ints
    at_ns: Ints
    seen_ns: Ints
    price: Ints
    size: Ints
    side: npt.NDArray[np.int8]

    DTYPES: ClassVar[dict[str, str]] = _layout(
        "i4: series i8: id at_ns seen_ns price size i1: side"
    )


@dataclass(frozen=True, slots=True, eq=False)
class BookChanges(Columns):
    """Absolute size at a price (0 removes).  Key: series, seq, side, price; `side` BUY is a bid."""

    series: npt.NDArray[np.int32]
    seq: Ints
    at_ns: Ints
    seen_ns: Ints
    side: npt.NDArray[np.int8]
    price: Ints
    size: Ints

    DTYPES: ClassVar[dict[str, str]] = _layout(
        "i4: series i8: seq at_ns seen_ns i1: side i8: price size"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Candles(Columns):
    """Bars.  Key: series, interval_s, open_ns; the highest `revision` holds.

    `quote_hi`/`quote_lo` are the 128-bit sum of price times size (`money.join_128`); `first_id` and
    `last_id` are -1 in a bar without trades; `coverage` is a `Coverage`.
    """

    series: npt.NDArray[np.int32]
    interval_s: npt.NDArray[np.int32]
    open_ns: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    taker_buy: Ints
    quote_hi: Ints
    quote_lo: npt.NDArray[np.uint64]
    trades: Ints
    first_id: Ints
    last_id: Ints
    revision: npt.NDArray[np.int32]
    final: npt.NDArray[np.int8]
    coverage: npt.NDArray[np.uint8]

    DTYPES: ClassVar[dict[str, str]] = _layout(
        "i4: series interval_s i8: open_ns open high low close volume taker_buy quote_hi "
        "u8: quote_lo i8: trades first_id last_id i4: revision i1: final u1: coverage"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Indicators(Columns):
    """Indicator values.  Key: series, interval_s, open_ns, name; `name` is an index into
    `Panel.names`; NaN while warming up, never a guess."""

    series: npt.NDArray[np.int32]
    interval_s: npt.NDArray[np.int32]
    open_ns: Ints
    name: npt.NDArray[np.int32]
    value: Floats
    revision: npt.NDArray[np.int32]

    DTYPES: ClassVar[dict[str, str]] = _layout(
        "i4: series interval_s i8: open_ns i4: name f8: value i4: revision"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Signals(Columns):
    """A recommendation that changed.  Key: series, id (of the trade).

    `side` is 1 BUY, -1 SELL, 0 HOLD; `price` in units; `mean` (quote units) and `band` (a fraction)
    are the inputs that explain it.
    """

    series: npt.NDArray[np.int32]
    id: Ints
    at_ns: Ints
    side: npt.NDArray[np.int8]
    price: Ints
    mean: Floats
    band: Floats

    DTYPES: ClassVar[dict[str, str]] = _layout(
        "i4: series i8: id at_ns i1: side i8: price f8: mean band"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Anomalies(Columns):
    """Alerts, each once.  Key: series, interval_s, open_ns, kind.

    `kind` indexes `anomalies.KINDS`, `severity` is 1 LOW, 2 MEDIUM, 3 HIGH; `value` is what was
    measured and `limit` what it passed, both as the kind's own unit says.
    """

    series: npt.NDArray[np.int32]
    interval_s: npt.NDArray[np.int32]
    open_ns: Ints
    kind: npt.NDArray[np.int32]
    severity: npt.NDArray[np.int8]
    value: Floats
    limit: Floats
    open: Ints
    close: Ints

    DTYPES: ClassVar[dict[str, str]] = _layout(
        "i4: series interval_s i8: open_ns i4: kind i1: severity f8: value limit i8: open close"
    )


def trades_of(events: Events) -> Trades:
    """The trades among the events."""
    rows = np.abs(events.kind) <= 1
    if rows.all():
        return Trades(
            events.series,
            events.id,
            events.at_ns,
            events.seen_ns,
            events.price,
            events.size,
            events.kind,
        )
    e = events.take(rows)
    return Trades(e.series, e.id, e.at_ns, e.seen_ns, e.price, e.size, e.kind)


GAP_KINDS = ("trades", "book", "late")
GAP_HOW = ("", "late", "history")


@dataclass(frozen=True, slots=True, eq=False)
class Gaps(Columns):
    """Rows of the gap ledger.  Key: series, kind, first_id; a later row replaces an earlier one.

    `kind` indexes `GAP_KINDS`: missing trade ids, missing book updates (or a wrong checksum), or a
    trade too late for its candle.  `after_ns` and `before_ns` are the exchange times around the
    hole, `missing` how many ids still are, `repaired_ns` 0 while it is open, `how` indexes
    `GAP_HOW`.
    """

    series: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]
    first_id: Ints
    last_id: Ints
    seen_ns: Ints
    after_ns: Ints
    before_ns: Ints
    missing: Ints
    repaired_ns: Ints
    how: npt.NDArray[np.int8]

    DTYPES: ClassVar[dict[str, str]] = _layout(
        "i4: series i1: kind i8: first_id last_id seen_ns after_ns before_ns missing "
        "repaired_ns i1: how"
    )
