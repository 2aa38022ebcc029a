"""All indicators of a batch in one call: crossing from Python into compiled code costs more than
an indicator does, so it is crossed once.

takes   a table of instances: where the compiled `scan` is, its state, its columns, its outputs
gives   `run`, which calls each `scan` as Python would, row by row of the table
never   owns memory: whoever fills the table keeps the arrays alive and in place
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.extending import intrinsic
from numba.np import arrayobj

from candlewick.kernel import Array, kernel

COLUMNS = ("open_ns", "open", "high", "low", "close", "volume")
TAKES_MAX = 5
_FIXED = 12  # How many numbers describe a call before its columns do.

# A row of the table: `address` is the compiled scan; `head`, `window` are addresses of a state of
# `slots` series; `row` and `gives` say which outputs are its own; after `takes` come the columns.
# Plain integers, because numba looks at the type of a record array for longer than we compute.
ADDRESS, HEAD, ITEM_BYTES, WINDOW, WIDTH, SLOTS, ROW, GIVES, TAKES = range(9)
CALL_WIDTH = TAKES + 1 + TAKES_MAX

_INTS = types.Array(types.int64, 1, "C")
_FLOATS = types.Array(types.float64, 1, "C")
_TABLE = types.Array(types.float64, 2, "C")
_BYTES = types.Array(types.uint8, 1, "C")  # To a call, an array of records looks the same.
_WORD_BYTES = 8
_arrays: Any = arrayobj


def address_of(scan: Any, state: np.dtype[Any], takes: tuple[str, ...]) -> int:
    """Where the machine code of a `scan` is; compiles it, or loads it from numba's cache."""
    assert 1 <= len(takes) <= TAKES_MAX, f"a kernel takes 1 to {TAKES_MAX} columns, not {takes}"
    columns = [_INTS if column == "open_ns" else _FLOATS for column in takes]
    head = types.Array(from_dtype(state), 1, "C")
    arguments = (head, _TABLE, _INTS, _INTS, *columns, _TABLE)
    scan.compile(arguments)
    compiled = scan.overloads[arguments]
    name = compiled.fndesc.llvm_cfunc_wrapper_name
    address: int = compiled.library.get_pointer_to_function(name)
    return address


def _typed(typingctx: Any, numbers: Any) -> tuple[Any, Any]:
    """Numba's hook for `_call(numbers)`: the numbers of `_FIXED`, then a place for each column."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (
            address, head, item_bytes, window, width, slots, series, ends, runs, out, gives, rows,
            *columns,
        ) = (builder.extract_value(args[0], k) for k in range(numbers.count))  # fmt: skip
        word = ir.Constant(item_bytes.type, _WORD_BYTES)

        def array(kind: Any, place: Any, item: Any, *shape: Any) -> Any:
            """A contiguous array over borrowed memory."""
            borrowed = _arrays.make_array(kind)(context, builder)
            strides = [builder.mul(item, shape[1]), item] if len(shape) == 2 else [item]
            data = builder.inttoptr(place, context.get_data_type(kind.dtype).as_pointer())
            _arrays.populate_array(borrowed, data, list(shape), strides, item, meminfo=None)
            return borrowed._getvalue()

        values = [
            array(_BYTES, head, item_bytes, slots),
            array(_TABLE, window, word, slots, width),
            array(_INTS, series, word, runs),
            array(_INTS, ends, word, runs),
            *(array(_FLOATS, place, word, rows) for place in columns),
            array(_TABLE, out, word, gives, rows),
        ]
        kind = ir.FunctionType(context.get_value_type(types.none), [v.type for v in values])
        builder.call(builder.inttoptr(address, kind.as_pointer()), values)
        return context.get_dummy_value()

    assert all(number == types.int64 for number in numbers)
    return types.void(numbers), codegen


_call: Any = intrinsic(_typed)


@kernel
def _place(column, open_ns, candles):  # type: ignore[no-untyped-def]
    """The address of a column: `open_ns`, or a row of the candles' table."""
    if column == 0:
        return np.int64(open_ns.ctypes.data)
    return np.int64(candles.ctypes.data) + (column - 1) * candles.shape[1] * _WORD_BYTES


@kernel
def run(calls, runs, open_ns, candles, out):  # type: ignore[no-untyped-def]
    """Every instance over the same rows.

    takes   calls       int64 [instances, CALL_WIDTH], see `described`
            runs        int64 [2, runs]: the series of a run of rows, and the row where it ends
            open_ns     int64 [rows]
            candles     float64 [open high low close volume, rows]
    gives   out         float64 [outputs, rows]
    """
    rows = len(open_ns)
    series, ends = np.int64(runs[0].ctypes.data), np.int64(runs[1].ctypes.data)
    results = np.int64(out.ctypes.data)
    for k in range(len(calls)):
        call = calls[k]
        fixed = (
            call[ADDRESS], call[HEAD], call[ITEM_BYTES], call[WINDOW], call[WIDTH], call[SLOTS],
            series, ends, runs.shape[1],
            results + call[ROW] * rows * _WORD_BYTES, call[GIVES], rows,
        )  # fmt: skip
        takes = call[TAKES]
        a = _place(call[TAKES + 1], open_ns, candles)
        b = _place(call[TAKES + 2], open_ns, candles)
        c = _place(call[TAKES + 3], open_ns, candles)
        d = _place(call[TAKES + 4], open_ns, candles)
        e = _place(call[TAKES + 5], open_ns, candles)
        if takes == 1:
            _call((*fixed, a))
        elif takes == 2:
            _call((*fixed, a, b))
        elif takes == 3:
            _call((*fixed, a, b, c))
        elif takes == 4:
            _call((*fixed, a, b, c, d))
        else:
            _call((*fixed, a, b, c, d, e))


def described(
    address: int, head: Array, window: Array, row: int, gives: int, takes: tuple[str, ...]
) -> list[int]:
    """One row of the table."""
    columns = [COLUMNS.index(column) for column in takes]
    return [
        address, head.ctypes.data, head.itemsize, window.ctypes.data, window.shape[1], len(head),
        row, gives, len(takes), *columns, *[0] * (TAKES_MAX - len(columns)),
    ]  # fmt: skip
