"""What every codec must agree on: which kinds there are, what their columns may hold.

takes   columns, and the instruments and names that give their numbers a meaning elsewhere
gives   a `Batch` that stands alone; `PeerError` for one that nobody could have meant
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from candlewick.errors import PeerError, UsageError
from candlewick.model.columns import (
    GAP_HOW,
    GAP_KINDS,
    Anomalies,
    BookChanges,
    Candles,
    Column,
    Columns,
    Coverage,
    Gaps,
    Indicators,
    Signals,
    Trades,
)
from candlewick.model.instruments import Instrument, Instruments, canonical

# The place in this tuple plus one is the kind's number on the wire; new ones go to the end.
KINDS: tuple[type[Columns], ...] = (
    Trades,
    BookChanges,
    Candles,
    Indicators,
    Signals,
    Anomalies,
    Gaps,
)
NAMED = {Indicators: "name", Anomalies: "kind"}  # Columns that index the batch's names.
CODES: dict[type[Columns], dict[str, range]] = {
    Trades: {"side": range(-1, 2)},
    BookChanges: {"side": range(-1, 2)},
    Candles: {"final": range(2), "coverage": range(sum(Coverage) + 1)},
    Indicators: {},
    Signals: {"side": range(-1, 2)},
    Anomalies: {"severity": range(1, 4)},
    Gaps: {"kind": range(len(GAP_KINDS)), "how": range(len(GAP_HOW))},
}
BYTES_MAX = 64 * 2**20
_DECIMALS_MAX = 18
_TEXT_MAX = 64

Lookup: TypeAlias = Instruments | Mapping[int, Instrument]


class Batch(NamedTuple):
    """Columns with the instruments behind their series, by the sender's numbers, and the names."""

    columns: Columns
    instruments: dict[int, Instrument]
    names: tuple[str, ...]


def check_size(raw: bytes) -> None:
    """Raises PeerError: more bytes than any batch of ours."""
    if len(raw) > BYTES_MAX:
        raise PeerError("too_large", f"batch of {len(raw)} bytes, expected up to {BYTES_MAX}")


def check_instrument(instrument: Instrument) -> Instrument:
    """Raises PeerError: an instrument that could not have been declared."""
    try:
        proper = canonical(instrument.symbol) == instrument.symbol
    except UsageError:
        proper = False
    if not (
        proper
        and instrument.series >= 0
        and 0 < len(instrument.venue) <= _TEXT_MAX
        and len(instrument.native) <= _TEXT_MAX
        and 0 <= instrument.price_decimals <= _DECIMALS_MAX
        and 0 <= instrument.size_decimals <= _DECIMALS_MAX
        and instrument.tick > 0
        and instrument.lot > 0
    ):
        raise PeerError("bad_instrument", f"batch of an impossible instrument: {instrument}"[:400])
    return instrument


def by_series(instruments: list[Instrument]) -> dict[int, Instrument]:
    """Raises PeerError: two meanings of one number."""
    table = {instrument.series: instrument for instrument in instruments}
    if len(table) != len(instruments):
        raise PeerError("bad_instrument", "batch with two instruments of one series")
    return table


def check_numbers(columns: Columns, names: tuple[str, ...]) -> None:
    """Raises PeerError: an index without a name, or an interval or revision that cannot be."""
    for name, low, high in (
        (NAMED.get(type(columns), ""), 0, len(names) - 1),
        ("interval_s", 1, 86_400),
        ("revision", 0, 2**31),
    ):
        if name in columns.DTYPES and len(columns):
            check_range(columns.column(name), low, high, name)


def check_range(column: Column, low: int, high: int, name: str) -> None:
    found = (int(column.min()), int(column.max()))
    if found[0] < low or found[1] > high:
        raise PeerError("bad_code", f"batch with {name} {found}, expected {low} to {high}")


def unknown_series(series: int) -> PeerError:
    return PeerError("unknown_series", f"batch with a row of series {series}, not among its own")
