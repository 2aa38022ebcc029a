"""The JSON codec: exact decimal text both ways, and hard to fool."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.errors import PeerError, UsageError
from candlewick.model.batches import KINDS, Batch
from candlewick.model.columns import Candles, Columns, Indicators, Trades
from candlewick.model.instruments import Instruments
from candlewick.model.wire import decode_json, encode_json

Strategies = Callable[[type[Columns]], st.SearchStrategy[Batch]]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_every_kind_round_trips(
    batches: Strategies, kind: type[Columns], draw: st.DataObject
) -> None:
    """To the last bit but for the kind of NaN, of which JSON has one: null."""
    batch = draw.draw(batches(kind))
    raw = encode_json(*batch)
    again = decode_json(raw)
    assert type(again.columns) is kind
    for name in kind.DTYPES:
        ours, mine = again.columns.column(name), batch.columns.column(name)
        assert ours.dtype == mine.dtype
        assert np.array_equal(ours, mine, equal_nan=ours.dtype.kind == "f"), name
    assert (again.instruments, again.names) == (batch.instruments, batch.names)
    assert encode_json(*again) == raw
    json.loads(raw)


def test_the_text_is_the_whole_expected_text(registry: Instruments, trades: Trades) -> None:
    assert json.loads(encode_json(trades, registry)) == {
        "batch": "trades",
        "instruments": [
            {"series": 0, "venue": "binance", "symbol": "BTC/USDT", "native": "BTCUSDT",
             "price_decimals": 2, "size_decimals": 5, "tick": 1, "lot": 1},
            {"series": 1, "venue": "kraken", "symbol": "ETH/EUR", "native": "ETH/EUR",
             "price_decimals": 2, "size_decimals": 8, "tick": 5, "lot": 10},
        ],
        "names": [],
        "rows": [
            {"series": 0, "id": 11, "at_time": "1970-01-01T00:00:01.500Z",
             "seen_time": "1970-01-01T00:00:01.600Z", "price": "61837.63", "size": "0.27625",
             "side": "buy"},
            {"series": 1, "id": 12, "at_time": "1970-01-01T00:00:02Z",
             "seen_time": "1970-01-01T00:00:00Z", "price": "3124", "size": "1", "side": "sell"},
            {"series": 0, "id": 12, "at_time": "1970-01-01T00:00:02.000000001Z",
             "seen_time": "1970-01-01T00:00:02.000000002Z", "price": "61837", "size": "0.00001",
             "side": "unknown"},
        ],
    }  # fmt: skip


def test_a_candle_has_its_quote_volume_in_one_number_and_its_flags_in_words(
    registry: Instruments,
) -> None:
    candle = Candles.from_rows([(1, 60, 0, 1, 2, 1, 2, 300_000_000, 0, 5, 1, 9, 3, 4, 1, 1, 2 | 8)])
    row = json.loads(encode_json(candle, registry))["rows"][0]
    assert row["quote_volume"] == "9223372036.8547758081"
    assert (row["coverage"], row["final"], row["volume"]) == ("gap|revised", True, "3")


def test_missing_values_are_null_and_names_are_words(registry: Instruments) -> None:
    values = Indicators.from_rows(
        [(0, 60, 0, 1, np.nan, 0), (0, 60, 0, 0, -np.inf, 0), (0, 60, 0, 0, -0.0, 0)]
    )
    text = encode_json(values, registry, ("sma_20", "ema_12"))
    rows = json.loads(text)["rows"]
    assert [(row["name"], row["value"]) for row in rows] == [
        ("ema_12", None), ("sma_20", "-inf"), ("sma_20", -0.0),
    ]  # fmt: skip
    assert decode_json(text).columns.same_as(values)
    with pytest.raises(UsageError, match="names"):
        encode_json(values, registry)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ('"61837.63"', 6_183_763),
        ("61837.63", 6_183_763),
        ('"61837.6300000"', 6_183_763),
        ("6e4", 6_000_000),
        ("92233720368547758.07", 2**63 - 1),
        ('"-92233720368547758.08"', -(2**63)),
        ("0", 0),
    ],
)
def test_a_price_may_come_as_text_or_as_a_number_and_passes_no_float(
    registry: Instruments, trades: Trades, text: str, units: int
) -> None:
    raw = encode_json(trades.take(slice(0, 1)), registry).replace(b'"61837.63"', text.encode())
    assert decode_json(raw).columns.column("price").tolist() == [units]


@pytest.mark.parametrize(
    ("found", "replacement", "reason"),
    [
        ('"61837.63"', '"61837.631"', "too_fine"),
        ('"61837.63"', '"NaN"', "bad_number"),
        ('"61837.63"', '"Infinity"', "bad_number"),
        ('"61837.63"', '"1e400"', "too_large"),
        ('"61837.63"', '"1e-400"', "too_fine"),
        ('"61837.63"', "1" * 70, "too_large"),
        ('"61837.63"', "92233720368547758.08", "too_large"),
        ('"61837.63"', "null", "bad_json"),
        ('"61837.63"', '"abc"', "bad_json"),
        ('"id":11', '"id":9223372036854775808', "too_large"),
        ('"id":11', '"id":11.5', "bad_json"),
        ('"buy"', '"purchase"', "bad_code"),
        ('"1970-01-01T00:00:01.500Z"', '"1970-01-01 00:00:01"', "bad_time"),
        ('"1970-01-01T00:00:01.500Z"', '"9999-01-01T00:00:00Z"', "bad_time"),
        ('"series":0,"id"', '"series":1,"id"', "unknown_series"),
        ('"series":0,"id"', '"series":99999999999,"id"', "unknown_series"),
        ('"batch":"trades"', '"batch":"tirades"', "unknown_kind"),
        ('"batch":"trades"', '"batch":"candles"', "bad_json"),
        ('"tick":1', '"tick":0', "bad_instrument"),
        ('"names":[]', '"names":[],"more":1', "bad_json"),
    ],
)
def test_text_that_nobody_could_mean_is_refused(
    registry: Instruments, trades: Trades, found: str, replacement: str, reason: str
) -> None:
    raw = encode_json(trades.take(slice(0, 1)), registry)
    assert raw.count(found.encode()) == 1
    with pytest.raises(PeerError) as refused:
        decode_json(raw.replace(found.encode(), replacement.encode()))
    assert refused.value.reason == reason


def test_truncated_text_is_refused_at_every_length(registry: Instruments, trades: Trades) -> None:
    raw = encode_json(trades, registry)
    for length in range(len(raw)):
        with pytest.raises(PeerError):
            decode_json(raw[:length])


JSONS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(raw=st.binary(max_size=60) | JSONS.map(lambda value: json.dumps(value).encode()))
def test_any_other_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(PeerError):
        decode_json(raw)


@settings(max_examples=150, deadline=None)
@given(where=st.sampled_from(["price", "id", "at_time", "side", "series"]), value=JSONS)
def test_any_value_in_a_row_is_read_or_refused(
    registry: Instruments, trades: Trades, where: str, value: Any
) -> None:
    batch = json.loads(encode_json(trades, registry))
    batch["rows"][1][where] = value
    try:
        columns = decode_json(json.dumps(batch).encode()).columns
    except PeerError:
        return
    assert len(columns) == 3
