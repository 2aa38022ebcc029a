"""The two contracts of everything that computes, and how a state is saved.

**Kernel** (a row in, a row out): one file in a room, e.g. `indicators/rsi.py`, with

    STATE    record(...)     the scalars of one series' state, parameters included
    TAKES    ("close",)      the input columns, among open_ns, open, high, low, close, volume
    GIVES    ("rsi",)        the output columns; the first is named as the entry
    VERSION  1               raised whenever the same input gives another output or state
    start(head, **periods)   writes the parameters into a zeroed state; gives the window's length
    scan(head, window, series, ends, *columns, out)     compiled: run k is `series[k]`, its rows
                             end before `ends[k]`; `out` is float64 [outputs, rows]
    LIMITS   {...}           optional: the range of a parameter, else 1 to 10,000

**Fold** (events in, events out): state and one function, e.g. `candles/bars.py`; a batch of events
in, any number of rows out.

A state is a value: plain NumPy arrays, indexed by series along the first axis.  Copying it is a
checkpoint, its bytes with name, parameters and version are a snapshot.  No kernel reads a clock,
opens a socket or hides memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
from numba import njit

from candlewick.compiled import compiled
from candlewick.errors import VersionError

Array: TypeAlias = npt.NDArray[Any]

kernel: Callable[[Callable[..., Any]], Any] = compiled

# The same for single rows: it keeps Python's lock, whose hand-over would cost more than the work.
brief: Callable[[Callable[..., Any]], Any] = partial(compiled, nogil=False)

# The same, put into the body of its caller: only where a call would cost more than the work.
inlined: Callable[..., Any] = njit(inline="always", error_model="numpy")


def record(**fields: Any) -> np.dtype[Any]:
    """A state record: `record(period="i8", mean="f8", holes=("i8", (16, 2)))`."""
    return np.dtype(
        [(n, *t) if isinstance(t, tuple) else (n, t) for n, t in fields.items()], align=True
    )


def grown(array: Array, rows: int) -> Array:
    """`array` with at least `rows` along its first axis, new ones zero; it doubles, so rarely."""
    if len(array) >= rows:
        return array
    bigger = np.zeros((max(rows, 2 * len(array), 4), *array.shape[1:]), array.dtype)
    bigger[: len(array)] = array
    return bigger


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """One series' state of one kernel, as stored beside the rows that it belongs to."""

    kernel: str
    version: int
    parameters: str
    shapes: list[tuple[str, str, list[int]]]
    data: list[bytes]


def save(
    name: str, version: int, parameters: Mapping[str, Any], arrays: Mapping[str, Array]
) -> bytes:
    """The bytes of a state: little-endian arrays, with what is needed to refuse them elsewhere."""
    whole = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    shapes = [(key, layout(array.dtype), list(array.shape)) for key, array in whole.items()]
    return msgspec.msgpack.encode(
        Snapshot(name, version, stamp(parameters), shapes, [a.tobytes() for a in whole.values()])
    )


def load(
    blob: bytes, name: str, version: int, parameters: Mapping[str, Any], into: Mapping[str, Array]
) -> None:
    """Write a saved state into arrays of the right shape.

    Raises:
        VersionError: of another kernel, version, parameters or layout; rebuild from the store.
    """
    try:
        found = msgspec.msgpack.decode(blob, type=Snapshot)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise VersionError(
            f"{name}: snapshot is damaged ({error}); it will be rebuilt from the store"
        ) from error
    expected = [(key, layout(array.dtype), list(array.shape)) for key, array in into.items()]
    for what, got, want in (
        ("of kernel", found.kernel, name),
        ("of version", found.version, version),
        ("with parameters", found.parameters, stamp(parameters)),
        ("with layout", [tuple(s) for s in found.shapes], [tuple(s) for s in expected]),
        ("of bytes", [len(data) for data in found.data], [a.nbytes for a in into.values()]),
    ):
        if got != want:
            raise VersionError(
                f"{name}: snapshot is {what} {got}, this program has {want}; "
                "it will be rebuilt from the store"
            )
    for array, data in zip(into.values(), found.data, strict=True):
        array[...] = np.frombuffer(data, array.dtype).reshape(array.shape)


def stamp(parameters: Mapping[str, Any]) -> str:
    """Parameters as canonical text."""
    return msgspec.json.encode(dict(sorted(parameters.items()))).decode()


@lru_cache(maxsize=256)
def layout(dtype: np.dtype[Any]) -> str:
    """A short name of a record's layout, so that a changed field is noticed."""
    return (
        dtype.str
        if dtype.names is None
        else hashlib.blake2b(repr(dtype.descr).encode(), digest_size=8).hexdigest()
    )
