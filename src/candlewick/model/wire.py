"""Batches to Protobuf bytes and back; the schema for everybody is `candlewick.proto`.

takes   columns; the registry that knows their series; the names that a name column indexes
gives   bytes that stand alone, and from bytes a `Batch` whose columns are read-only views of them
never   walks over rows in Python, nor copies or converts a column that it reads

On the wire a packed `repeated sfixed64` is one run of little-endian numbers with its length before
it: the same bytes as a field of type `bytes`.  So the private twin below declares every column as
`bytes`, one message for all kinds, and NumPy reads each as it lies.  The submessages of the
dictionary are `bytes` to it too, decoded once and remembered.
Source: https://protobuf.dev/programming-guides/encoding/#packed

A sender may split a packed field into several runs; no library does so by itself, and here it is
refused: the last run is shorter than the other columns.

JSON, the alternative, is `encode_json` and `decode_json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from candlewick.errors import PeerError, UsageError
from candlewick.model.batches import (
    CODES,
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
from candlewick.model.columns import Columns
from candlewick.model.instruments import Instrument
from candlewick.model.wire_json import JSON, decode_json, encode_json

__all__ = ["JSON", "PROTOBUF", "Batch", "decode", "decode_json", "encode", "encode_json"]

PROTOBUF = "application/x-protobuf"  # The content type of `encode`; that of `encode_json` is JSON.
FIRST_COLUMN = 8  # Field numbers of columns start here, in the order of DTYPES.

_FIELD = descriptor_pb2.FieldDescriptorProto
_INSTRUMENT_FIELDS = (
    ("series", _FIELD.TYPE_INT32),
    ("venue", _FIELD.TYPE_STRING),
    ("symbol", _FIELD.TYPE_STRING),
    ("native", _FIELD.TYPE_STRING),
    ("price_decimals", _FIELD.TYPE_INT32),
    ("size_decimals", _FIELD.TYPE_INT32),
    ("tick", _FIELD.TYPE_INT64),
    ("lot", _FIELD.TYPE_INT64),
)
_COLUMN_FIELDS = tuple(f"c{n}" for n in range(max(len(kind.DTYPES) for kind in KINDS)))


def _twin() -> tuple[Any, Any]:
    """The message classes of our side: an instrument, and a batch of any kind."""
    file = descriptor_pb2.FileDescriptorProto(
        name="candlewick_twin.proto", package="candlewick.twin", syntax="proto3"
    )
    one, many = _FIELD.LABEL_OPTIONAL, _FIELD.LABEL_REPEATED
    instrument = file.message_type.add(name="Instrument")
    for number, (name, type_) in enumerate(_INSTRUMENT_FIELDS, 1):
        instrument.field.add(name=name, number=number, type=type_, label=one)
    batch = file.message_type.add(name="Batch")
    batch.field.add(name="batch", number=1, type=_FIELD.TYPE_INT32, label=one)
    batch.field.add(name="instruments", number=2, type=_FIELD.TYPE_BYTES, label=many)
    batch.field.add(name="names", number=3, type=_FIELD.TYPE_STRING, label=many)
    batch.oneof_decl.add(name="_rows")
    batch.field.add(
        name="rows",
        number=4,
        type=_FIELD.TYPE_UINT32,
        label=one,
        proto3_optional=True,
        oneof_index=0,
    )
    for number, name in enumerate(_COLUMN_FIELDS, FIRST_COLUMN):
        batch.field.add(name=name, number=number, type=_FIELD.TYPE_BYTES, label=one)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return tuple(  # type: ignore[return-value]
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"candlewick.twin.{name}"))
        for name in ("Instrument", "Batch")
    )


_Instrument, _Batch = _twin()
_NUMBERS = {kind: number for number, kind in enumerate(KINDS, 1)}


def _layout(kind: type[Columns]) -> tuple[tuple[str, str, np.dtype[Any], bytes | None], ...]:
    """(column, twin field, dtype on the wire, bytes that it may hold) of each column."""
    return tuple(
        (
            name,
            field,
            np.dtype(f"<{dtype}"),
            bytes(c & 255 for c in CODES[kind][name]) if name in CODES[kind] else None,
        )
        for (name, dtype), field in zip(kind.DTYPES.items(), _COLUMN_FIELDS, strict=False)
    )


_LAYOUTS = {kind: _layout(kind) for kind in KINDS}


def encode(columns: Columns, instruments: Lookup, names: Sequence[str] = ()) -> bytes:
    """The bytes of a batch, of the message in `candlewick.proto` that is named as its kind.

    Args:
        names: what the column `name` of Indicators or `kind` of Anomalies indexes.

    Raises:
        UsageError: a name column without its names.
    """
    kind = type(columns)
    if kind in NAMED and len(columns) and not names:
        raise UsageError(f"encoding {kind.__name__}: pass the names that its rows index")
    fields: dict[str, Any] = {
        field: np.ascontiguousarray(columns.column(name), dtype).tobytes()
        for name, field, dtype, _ in _LAYOUTS[kind]
    }
    known = [
        _packed(instruments[series]) for series in _distinct(fields["c0"], columns.column("series"))
    ]
    raw: bytes = _Batch(
        batch=_NUMBERS[kind], instruments=known, names=names, rows=len(columns), **fields
    ).SerializeToString()
    return raw


def decode(raw: bytes) -> Batch:
    """A batch from bytes, whoever wrote them.

    Raises:
        PeerError: `truncated`, `ragged`, `unknown_kind`, `unknown_series`, `bad_code`,
            `bad_instrument`, `too_large`.
    """
    check_size(raw)
    try:
        found = _Batch.FromString(raw)
    except message.DecodeError as error:
        raise PeerError("truncated", f"batch that is no Protobuf message: {raw[:40]!r}") from error
    if not 1 <= found.batch <= len(KINDS):
        raise PeerError("unknown_kind", f"batch of kind {found.batch}, expected 1 to {len(KINDS)}")
    kind = KINDS[found.batch - 1]
    rows = found.rows
    if rows == 0 and not found.HasField("rows"):
        raise PeerError("truncated", f"batch that does not say how many rows it has: {raw[:40]!r}")
    arrays = []
    for name, field, dtype, codes in _LAYOUTS[kind]:
        column = getattr(found, field)
        if len(column) != rows * dtype.itemsize:
            raise PeerError(
                "ragged", f"batch of {rows} rows with {len(column)} bytes of {name}: {raw[:40]!r}"
            )
        if codes is not None and (wrong := column.translate(None, codes)):
            raise PeerError("bad_code", f"batch with {name} {wrong[:8]!r}, expected of {codes!r}")
        arrays.append(np.frombuffer(column, dtype))
    columns, names = kind(*arrays), tuple(found.names)
    instruments = by_series([_unpacked(packed) for packed in found.instruments])
    for series in _distinct(found.c0, columns.column("series")):
        if series not in instruments:
            raise unknown_series(series)
    check_numbers(columns, names)
    return Batch(columns, instruments, names)


def _distinct(packed: bytes, series: Any) -> list[int]:
    """The series of a batch, rising; mostly there is one, which comparing bytes tells at once."""
    if packed == packed[:4] * len(series):
        return [int(series[0])] if packed else []
    distinct: list[int] = np.unique(series).tolist()
    return distinct


@lru_cache(maxsize=4096)
def _packed(instrument: Instrument) -> bytes:
    packed: bytes = _Instrument(
        **{name: getattr(instrument, name) for name, _ in _INSTRUMENT_FIELDS}
    ).SerializeToString()
    return packed


@lru_cache(maxsize=4096)
def _unpacked(packed: bytes) -> Instrument:
    try:
        found = _Instrument.FromString(packed)
    except message.DecodeError as error:
        raise PeerError("truncated", f"batch with a broken instrument: {packed[:80]!r}") from error
    return check_instrument(
        Instrument(**{name: getattr(found, name) for name, _ in _INSTRUMENT_FIELDS})
    )
