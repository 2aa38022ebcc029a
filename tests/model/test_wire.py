"""The Protobuf codec: lossless, readable by everybody, without a copy, and hard to fool."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.errors import PeerError, UsageError
from candlewick.model.batches import BYTES_MAX, KINDS, Batch
from candlewick.model.columns import Anomalies, Candles, Columns, Indicators, Trades
from candlewick.model.instruments import Instruments
from candlewick.model.wire import FIRST_COLUMN, decode, encode

Strategies = Callable[[type[Columns]], st.SearchStrategy[Batch]]
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
WIRE_TYPES = {"i4": "TYPE_SFIXED32", "i8": "TYPE_SFIXED64", "u8": "TYPE_FIXED64",
              "f8": "TYPE_DOUBLE", "i1": "TYPE_BYTES", "u1": "TYPE_BYTES"}  # fmt: skip


@EVERY_KIND
@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_every_kind_round_trips_to_the_last_bit(
    batches: Strategies, kind: type[Columns], draw: st.DataObject
) -> None:
    batch = draw.draw(batches(kind))
    again = decode(encode(*batch))
    assert type(again.columns) is kind
    assert again.columns.same_as(batch.columns)
    assert (again.instruments, again.names) == (batch.instruments, batch.names)


@EVERY_KIND
@settings(max_examples=25, deadline=None)
@given(draw=st.data())
def test_the_published_schema_reads_our_bytes_and_writes_bytes_that_we_read(
    batches: Strategies, published: ModuleType, kind: type[Columns], draw: st.DataObject
) -> None:
    batch = draw.draw(batches(kind))
    theirs = getattr(published, kind.__name__).FromString(encode(*batch))
    assert theirs.batch == KINDS.index(kind) + 1
    for name, dtype in kind.DTYPES.items():
        found = getattr(theirs, name)
        column = np.frombuffer(found, dtype) if isinstance(found, bytes) else np.array(found, dtype)
        assert column.tobytes() == batch.columns.column(name).tobytes(), name
    assert list(theirs.names) == list(batch.names)
    assert [(i.series, i.venue, i.symbol, i.native, i.price_decimals, i.size_decimals, i.tick,
             i.lot) for i in theirs.instruments] == [
        (i.series, i.venue, i.symbol, i.native, i.price_decimals, i.size_decimals, i.tick, i.lot)
        for i in batch.instruments.values()
    ]  # fmt: skip

    written = getattr(published, kind.__name__)(
        batch=theirs.batch, names=batch.names, rows=len(batch.columns)
    )
    for instrument in theirs.instruments:
        written.instruments.add().CopyFrom(instrument)
    for name in kind.DTYPES:
        column = batch.columns.column(name)
        setattr(written, name, column.tobytes()) if column.itemsize == 1 else getattr(
            written, name
        ).extend(column.tolist())
    again = decode(written.SerializeToString())
    for name in kind.DTYPES:
        ours, mine = again.columns.column(name), batch.columns.column(name)
        assert np.array_equal(ours, mine, equal_nan=ours.dtype.kind == "f"), name
    assert again.instruments == batch.instruments


@EVERY_KIND
def test_the_published_schema_has_every_column_at_its_number(
    published: ModuleType, kind: type[Columns]
) -> None:
    message = getattr(published, kind.__name__).DESCRIPTOR
    assert message.full_name == f"candlewick.v1.{kind.__name__}"
    columns = {f.number: f for f in message.fields if f.number >= FIRST_COLUMN}
    assert [columns[number].name for number in sorted(columns)] == list(kind.DTYPES)
    assert sorted(columns) == list(range(FIRST_COLUMN, FIRST_COLUMN + len(kind.DTYPES)))
    for name, dtype in kind.DTYPES.items():
        field = message.fields_by_name[name]
        assert field.type == getattr(field, WIRE_TYPES[dtype]), name
        assert field.is_packed == (np.dtype(dtype).itemsize > 1), name
    assert [message.fields_by_number[number].name for number in (1, 2, 3, 4)] == [
        "batch", "instruments", "names", "rows",
    ]  # fmt: skip


def test_the_published_enum_numbers_the_kinds(published: ModuleType) -> None:
    words = [
        "".join(f"_{c}" if c.isupper() and n else c for n, c in enumerate(kind.__name__)).upper()
        for kind in KINDS
    ]
    assert dict(published.Batch.items()) == {
        "BATCH_UNSPECIFIED": 0,
        **{f"BATCH_{word}": number for number, word in enumerate(words, 1)},
    }


def test_columns_are_read_only_views_of_the_message(registry: Instruments, trades: Trades) -> None:
    """Nothing between the bytes of a field and the column: the array's memory is the bytes."""
    columns = decode(encode(trades, registry)).columns
    for name in columns.DTYPES:
        column = columns.column(name)
        assert isinstance(column.base, bytes)
        assert np.shares_memory(column, np.frombuffer(column.base, column.dtype))
        assert column.base == column.tobytes()
        assert not column.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        columns.column("price")[0] = 1


def test_a_column_that_is_a_stride_of_records_is_encoded_as_its_values(
    registry: Instruments, trades: Trades
) -> None:
    assert encode(Trades.of(trades.records()), registry) == encode(trades, registry)


def test_only_the_instruments_of_the_rows_travel(registry: Instruments, trades: Trades) -> None:
    assert list(decode(encode(trades, registry)).instruments) == [0, 1]
    assert list(decode(encode(trades.take(slice(1, 2)), registry)).instruments) == [1]
    assert decode(encode(Trades.empty(), registry)).instruments == {}


@pytest.mark.parametrize("kind", [Indicators, Anomalies])
def test_a_name_column_without_names_is_our_callers_mistake(
    registry: Instruments, kind: type[Columns]
) -> None:
    with pytest.raises(UsageError, match="names"):
        encode(kind.from_rows([[0] * len(kind.DTYPES)]), registry)


def spoiled(published: ModuleType, raw: bytes, **columns: Any) -> bytes:
    """The batch with some fields of another value."""
    message = published.Trades.FromString(raw)
    for name, value in columns.items():
        message.ClearField(name)
        if isinstance(value, list):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)
    raw = message.SerializeToString()
    assert isinstance(raw, bytes)
    return raw


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"price": [1, 2]}, "ragged"),
        ({"price": [1, 2, 3, 4]}, "ragged"),
        ({"series": []}, "ragged"),
        ({"series": [0, 0]}, "ragged"),
        ({"side": b"\x01\x01"}, "ragged"),
        ({"side": b"\x01\x02\x00"}, "bad_code"),
        ({"side": b"\x01\xfe\x00"}, "bad_code"),
        ({"series": [0, 1, 2]}, "unknown_series"),
        ({"series": [0, 1, -1]}, "unknown_series"),
        ({"instruments": []}, "unknown_series"),
        ({"rows": 2}, "ragged"),
        ({"rows": 0}, "ragged"),
        ({"batch": 0}, "unknown_kind"),
        ({"batch": 8}, "unknown_kind"),
        ({"batch": -1}, "unknown_kind"),
        ({"batch": 3}, "ragged"),
    ],
)
def test_a_batch_that_nobody_could_mean_is_refused(
    registry: Instruments, trades: Trades, published: ModuleType,
    columns: dict[str, Any], reason: str,
) -> None:  # fmt: skip
    with pytest.raises(PeerError) as refused:
        decode(spoiled(published, encode(trades, registry), **columns))
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "field",
    [
        {"symbol": "BTCUSDT"},
        {"symbol": "btc/usdt"},
        {"symbol": "<script>/USD"},
        {"venue": ""},
        {"venue": "x" * 65},
        {"price_decimals": 19},
        {"size_decimals": -1},
        {"tick": 0},
        {"series": -1},
        {"series": 1},
    ],
)
def test_an_impossible_instrument_is_refused(
    registry: Instruments, trades: Trades, published: ModuleType, field: dict[str, Any]
) -> None:
    message = published.Trades.FromString(encode(trades, registry))
    for name, value in field.items():
        setattr(message.instruments[0], name, value)
    with pytest.raises(PeerError) as refused:
        decode(message.SerializeToString())
    assert refused.value.reason == "bad_instrument"


def test_numbers_beyond_their_meaning_are_refused(registry: Instruments) -> None:
    row = {name: [0] for name in Candles.DTYPES}
    for name, value in (("interval_s", 0), ("interval_s", 86_401), ("revision", -1),
                        ("final", 2), ("coverage", 16)):  # fmt: skip
        candle = Candles.of(row | {"interval_s": [60]} | {name: [value]})
        with pytest.raises(PeerError, match=name):
            decode(encode(candle, registry))
    values = Indicators.from_rows([(0, 60, 0, 2, math.nan, 0)])
    with pytest.raises(PeerError, match="name"):
        decode(encode(values, registry, ("sma_20", "ema_12")))
    alert = Anomalies.from_rows([(0, 60, 0, 0, 4, 1.0, 1.0, 1, 2)])
    with pytest.raises(PeerError, match="severity"):
        decode(encode(alert, registry, ("PRICE_SPIKE",)))


def test_a_truncated_batch_is_refused_at_every_length(
    registry: Instruments, trades: Trades
) -> None:
    raw = encode(trades, registry)
    for length in range(len(raw)):
        with pytest.raises(PeerError):
            decode(raw[:length])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_are_a_batch_or_a_peer_error_never_a_crash(
    batches: Strategies, draw: st.DataObject
) -> None:
    kind = draw.draw(st.sampled_from(KINDS))
    raw = bytearray(encode(*draw.draw(batches(kind))))
    for place, byte in draw.draw(
        st.lists(st.tuples(st.integers(0, max(len(raw) - 1, 0)), st.integers(0, 255)), max_size=4)
    ):
        raw[place] = byte
    try:
        batch = decode(bytes(raw))
    except PeerError:
        return
    assert len({len(column) for column in batch.columns.as_dict().values()}) == 1


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_empty(raw: bytes) -> None:
    with contextlib.suppress(PeerError):
        assert len(decode(raw).columns) == 0


def test_a_batch_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(PeerError) as refused:
        decode(bytes(BYTES_MAX + 1))
    assert refused.value.reason == "too_large"
