"""Snapshots: what was saved comes back to the last bit, and what is not ours is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlewick.errors import VersionError
from candlewick.kernel import grown, load, record, save

STATE = record(period="i8", mean="f8", side="i1")


def state() -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    head = np.zeros(2, STATE)
    head["period"], head["mean"], head["side"] = (7, 8), (1.5, np.nan), (-1, 1)
    return {"head": head, "window": np.arange(6).reshape(2, 3)}


def blank() -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {name: np.zeros(array.shape, array.dtype) for name, array in state().items()}


def test_a_state_comes_back_to_the_last_bit() -> None:
    into = blank()
    load(save("sma", 1, {"b": 2, "a": 1}, state()), "sma", 1, {"a": 1, "b": 2}, into)
    for name, array in state().items():
        assert into[name].tobytes() == array.tobytes()


def test_a_view_of_one_series_is_saved_and_loaded_in_place() -> None:
    whole, again = state(), blank()
    rows = slice(1, 2)
    blob = save("sma", 1, {}, {name: array[rows] for name, array in whole.items()})
    load(blob, "sma", 1, {}, {name: array[rows] for name, array in again.items()})
    assert again["window"].tolist() == [[0, 0, 0], [3, 4, 5]]


@pytest.mark.parametrize(
    ("name", "version", "parameters", "what"),
    [
        ("ema", 1, {"period": 7}, "of kernel sma"),
        ("sma", 2, {"period": 7}, "of version 1"),
        ("sma", 1, {"period": 8}, "with parameters"),
    ],
)
def test_another_kernel_version_or_parameter_set_is_refused_by_name(
    name: str, version: int, parameters: dict[str, int], what: str
) -> None:
    into = blank()
    with pytest.raises(VersionError, match=what):
        load(save("sma", 1, {"period": 7}, state()), name, version, parameters, into)
    assert not into["window"].any(), "a refused snapshot must not be half-written"


def test_another_layout_is_refused() -> None:
    blob = save("sma", 1, {}, state())
    for into in (
        blank() | {"window": np.zeros((2, 4), np.int64)},
        blank() | {"window": np.zeros((2, 3), np.float64)},
        blank() | {"head": np.zeros(2, record(period="i8", mean="f8", other="i1"))},
        {"head": blank()["head"]},
    ):
        with pytest.raises(VersionError, match="with layout"):
            load(blob, "sma", 1, {}, into)


def test_a_snapshot_whose_arrays_are_cut_short_is_refused() -> None:
    blob = save("sma", 1, {}, {"window": np.zeros(1, np.int64)})
    assert blob.endswith(bytes([0xC4, 8]) + bytes(8))
    with pytest.raises(VersionError, match="of bytes"):
        load(blob[:-10] + bytes([0xC4, 7]) + bytes(7), "sma", 1, {}, {"window": np.zeros(1, "i8")})


@given(st.integers(0, 300), st.binary(max_size=8))
def test_a_damaged_snapshot_is_refused_or_whole(length: int, tail: bytes) -> None:
    blob = save("sma", 1, {}, state())
    into = blank()
    try:
        load(blob[:length] + tail, "sma", 1, {}, into)
    except VersionError:
        assert not into["window"].any()


@given(st.integers(0, 9), st.integers(0, 40))
def test_growing_keeps_the_rows_and_adds_zeros(rows: int, wanted: int) -> None:
    array = np.arange(1, rows * 2 + 1).reshape(rows, 2)
    bigger = grown(array, wanted)
    assert len(bigger) >= wanted
    assert bigger[:rows].tolist() == array.tolist()
    assert not bigger[rows:].any()
