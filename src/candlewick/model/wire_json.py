"""Batches to JSON text and back: the same rows for people and for topics of few messages.

takes   what `wire.encode` takes
gives   {"batch": "trades", "instruments": [...], "names": [...], "rows": [{...}, ...]}
never   passes a price or a size through a float: they are exact decimal text, and numbers of any
        length are read digit by digit

A row has the columns by name, with these differences: times are RFC 3339 text (`at_ns` is
`at_time`), quote_hi and quote_lo are one `quote_volume`, codes are words, NaN is null and infinity
the text "inf" or "-inf".  An index into the names is the name itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import numpy as np

from candlewick.errors import PeerError, UsageError
from candlewick.model.batches import (
    KINDS,
    NAMED,
    Batch,
    Lookup,
    by_series,
    check_instrument,
    check_numbers,
    check_size,
    unknown_series,
)
from candlewick.model.columns import (
    GAP_HOW,
    GAP_KINDS,
    Anomalies,
    BookChanges,
    Candles,
    Columns,
    Coverage,
    Gaps,
    Signals,
    Trades,
)
from candlewick.model.instruments import Instrument
from candlewick.model.money import join_128, to_text
from candlewick.model.time import from_rfc3339, to_rfc3339

JSON = "application/json"  # The content type.

_KIND_WORDS = ("trades", "book_changes", "candles", "indicators", "signals", "anomalies", "gaps")
_PRICES = ("price", "open", "high", "low", "close")
_SIZES = ("size", "volume", "taker_buy")
_WORDS: dict[tuple[type[Columns], str], dict[int, str]] = {
    (Trades, "side"): {-1: "sell", 0: "unknown", 1: "buy"},
    (BookChanges, "side"): {-1: "ask", 0: "unknown", 1: "bid"},
    (Signals, "side"): {-1: "SELL", 0: "HOLD", 1: "BUY"},
    (Anomalies, "severity"): {1: "LOW", 2: "MEDIUM", 3: "HIGH"},
    (Gaps, "kind"): dict(enumerate(GAP_KINDS)),
    (Gaps, "how"): dict(enumerate(GAP_HOW)),
    (Candles, "coverage"): {c: Coverage(c).words() for c in range(sum(Coverage) + 1)},
}
_DIGITS_MAX = 60  # Of the longest exact sum, with room; more is hostile.


class _Market(msgspec.Struct, forbid_unknown_fields=True):
    """An instrument of the dictionary."""

    series: int
    venue: str
    symbol: str
    native: str
    price_decimals: int
    size_decimals: int
    tick: int
    lot: int


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    batch: str
    instruments: list[_Market]
    names: list[str]
    rows: msgspec.Raw


class _Codec(NamedTuple):
    """How one value of a row is written and read; `market` is the row's instrument."""

    key: str
    type_: Any
    write: Callable[[Any, Instrument, Sequence[str]], Any]
    read: Callable[[Any, Instrument, Sequence[str]], Any]


def encode_json(columns: Columns, instruments: Lookup, names: Sequence[str] = ()) -> bytes:
    """See `wire.encode`.

    Raises:
        UsageError: a name column without its names.
    """
    kind = type(columns)
    if kind in NAMED and len(columns) and not names:
        raise UsageError(f"encoding {kind.__name__}: pass the names that its rows index")
    codecs, known = _CODECS[kind], {}
    rows = []
    for record in _merged(columns):
        series = record[0]
        if series not in known:
            known[series] = instruments[series]
        market = known[series]
        rows.append({c.key: c.write(v, market, names) for c, v in zip(codecs, record, strict=True)})
    return msgspec.json.encode(
        {
            "batch": _KIND_WORDS[KINDS.index(kind)],
            "instruments": [
                {name: getattr(known[s], name) for name in _Market.__struct_fields__}
                for s in sorted(known)
            ],
            "names": list(names),
            "rows": rows,
        }
    )


def decode_json(raw: bytes) -> Batch:
    """See `wire.decode`; the columns are the caller's own.

    Raises:
        PeerError: as `wire.decode`, and `bad_json`, `bad_number`, `bad_time`, `too_fine`.
    """
    check_size(raw)
    try:
        envelope = msgspec.json.decode(raw, type=_Envelope)
        if envelope.batch not in _KIND_WORDS:
            raise PeerError("unknown_kind", f"batch of kind {envelope.batch[:40]!r}")
        kind = KINDS[_KIND_WORDS.index(envelope.batch)]
        rows = msgspec.json.decode(envelope.rows, type=_ROWS[kind])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PeerError(
            "bad_json", f"batch that is no such JSON ({error}): {raw[:80]!r}"
        ) from error
    instruments = by_series(
        [check_instrument(Instrument(**msgspec.structs.asdict(m))) for m in envelope.instruments]
    )
    codecs, names = _CODECS[kind], tuple(envelope.names)
    values = []
    for row in rows:
        market = instruments.get(row.series)
        if market is None:
            raise unknown_series(row.series)
        values.append([c.read(getattr(row, c.key), market, names) for c in codecs])
    columns = _split(kind, values)
    check_numbers(columns, names)
    return Batch(columns, instruments, names)


def _merged(columns: Columns) -> list[tuple[Any, ...]]:
    """Rows as tuples, the two words of the quote volume made one integer."""
    lists = {name: column.tolist() for name, column in columns.as_dict().items()}
    if "quote_hi" in lists:
        low = lists.pop("quote_lo")
        lists["quote_hi"] = [join_128(h, w) for h, w in zip(lists["quote_hi"], low, strict=True)]
    return list(zip(*lists.values(), strict=True))


def _split(kind: type[Columns], rows: list[list[Any]]) -> Columns:
    """The inverse of `_merged`."""
    names = [name for name in kind.DTYPES if name != "quote_lo"]
    lists = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    if "quote_hi" in lists:
        whole = lists["quote_hi"]
        lists["quote_hi"] = tuple(total >> 64 for total in whole)
        lists["quote_lo"] = tuple(total & (2**64 - 1) for total in whole)
    return kind(**{n: np.array(lists.get(n, ()), dtype) for n, dtype in kind.DTYPES.items()})


def _units(value: Decimal, decimals: int, bits: int) -> int:
    """An exact integer in 10**-decimals, of so many bits."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise PeerError("bad_number", f"{value} is not a finite number")
    shift = exponent + decimals
    if len(digits) > _DIGITS_MAX or shift > _DIGITS_MAX:
        raise PeerError("too_large", f"a number of {len(digits)} digits, exponent {exponent}")
    units = int("".join(map(str, digits)))
    if shift >= 0:
        units *= 10**shift
    else:
        units, rest = divmod(units, 10 ** min(-shift, 2 * _DIGITS_MAX))
        if rest:
            raise PeerError("too_fine", f"{value} has more than {decimals} decimals")
    units = -units if sign else units
    if not -(2 ** (bits - 1)) <= units < 2 ** (bits - 1):
        raise PeerError("too_large", f"{value} at {decimals} decimals does not fit {bits} bits")
    return units


def _money(key: str, decimals: Callable[[Instrument], int], bits: int = 64) -> _Codec:
    return _Codec(
        key,
        Decimal,
        lambda units, market, _: to_text(units, decimals(market)),
        lambda value, market, _: _units(value, decimals(market), bits),
    )


def _word(key: str, words: dict[int, str]) -> _Codec:
    codes = {word: code for code, word in words.items()}

    def read(word: str, market: Instrument, names: Sequence[str]) -> int:
        if word not in codes:
            raise PeerError("bad_code", f"batch with {key} {word[:40]!r}, expected of {[*codes]}")
        return codes[word]

    return _Codec(key, str, lambda code, market, names: words[code], read)


def _name(key: str) -> _Codec:
    def read(name: str, market: Instrument, names: Sequence[str]) -> int:
        if name not in names:
            raise PeerError("bad_code", f"batch with {key} {name[:40]!r}, not among its names")
        return names.index(name)

    return _Codec(key, str, lambda index, market, names: names[index], read)


def _read_float(value: float | str | None, market: Instrument, names: Sequence[str]) -> float:
    if value is None:
        return math.nan
    if isinstance(value, str) and value not in ("inf", "-inf"):
        raise PeerError("bad_number", f"batch with {value[:40]!r} where a number is expected")
    return float(value)


def _write_float(value: float, market: Instrument, names: Sequence[str]) -> float | str | None:
    if math.isnan(value):
        return None
    return str(value) if math.isinf(value) else value


def _codec(kind: type[Columns], name: str, dtype: str) -> _Codec:
    """By what the column holds."""
    if (kind, name) in _WORDS:
        return _word(name, _WORDS[kind, name])
    if NAMED.get(kind) == name:
        return _name(name)
    if name == "quote_hi":
        return _money("quote_volume", lambda market: market.quote_decimals, 128)
    if name in _PRICES:
        return _money(name, lambda market: market.price_decimals)
    if name in _SIZES:
        return _money(name, lambda market: market.size_decimals)
    if name.endswith("_ns"):
        key = f"{name.removesuffix('_ns')}_time"
        return _Codec(key, str, lambda ns, *_: to_rfc3339(ns), lambda text, *_: from_rfc3339(text))
    if dtype == "f8":
        return _Codec(name, float | str | None, _write_float, _read_float)
    if name == "final":
        return _Codec(name, bool, lambda final, *_: bool(final), lambda final, *_: int(final))
    return _Codec(
        name, int, lambda value, *_: value, lambda value, *_: _bounded(value, name, dtype)
    )


def _bounded(value: int, name: str, dtype: str) -> int:
    limits = np.iinfo(dtype)
    if not limits.min <= value <= limits.max:
        raise PeerError("too_large", f"batch with {name} {value}, beyond {dtype}")
    return value


_CODECS = {
    kind: tuple(
        _codec(kind, name, dtype) for name, dtype in kind.DTYPES.items() if name != "quote_lo"
    )
    for kind in KINDS
}
_ROWS: dict[type[Columns], Any] = {
    kind: list.__class_getitem__(
        msgspec.defstruct(
            f"{kind.__name__}Row", [(c.key, c.type_) for c in codecs], forbid_unknown_fields=True
        )
    )
    for kind, codecs in _CODECS.items()
}
