"""One trade a call, for who has one at a time: no array crosses from Python, only numbers.

takes   the address of a table that says where the arrays of a `Bars` are; one trade's scalars
gives   1 where the open bar of the series took it, as `sweep.run` does; 0 where nothing was done
        and `Bars.scan` has to look
never   owns memory: `Bars` keeps the arrays alive and the table true
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]
from numba.extending import intrinsic

from candlewick.candles.fold import BAR, add_trade
from candlewick.candles.rungs import CLOCK, SERIES
from candlewick.kernel import Array, brief

_TRADE_MAX = 1  # `columns.Kind`; compiled code cannot read an enum.
_BARS, _STATES, _CLOCKS, _COUNT, _RING = range(5)
_PLACES = 5


def _typed(typingctx: Any, address: Any) -> tuple[Any, Any]:
    """Numba's hook for `_pointer(address)`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), codegen


_pointer: Any = intrinsic(_typed)


@brief
def _take(
    table: int, series: int, kind: int, trade_id: int, at_ns: int, price: int, size: int
) -> int:
    places = carray(_pointer(table), _PLACES, np.int64)
    if np.uint64(series) >= np.uint64(places[_COUNT]) or kind > _TRADE_MAX:
        return 0
    place = np.uint64(series)
    state = carray(_pointer(places[_STATES]), places[_COUNT], SERIES)[place]
    clock = carray(_pointer(places[_CLOCKS]), state.venue + 1, CLOCK)[np.uint64(state.venue)]
    if at_ns < state.from_ns or at_ns >= state.until_ns or at_ns >= clock.due_ns:
        return 0
    if at_ns > clock.now_ns:
        clock.now_ns = at_ns
    bars = carray(_pointer(places[_BARS]), (places[_COUNT], places[_RING]), BAR)
    add_trade(bars[place, np.uint64(state.slot)], trade_id, price, size, kind)
    return 1


def entry() -> Any:
    """The compiled function as Python sees it, without a look at the types of what it is given:
    that look costs more than the work.  Only for callers that give seven integers."""
    numbers = (types.int64,) * 7
    _take.compile(numbers)
    return _take.overloads[numbers].entry_point


def places(bars: Array, states: Array, clocks: Array, count: int) -> Array:
    """The table; its own address is what `entry()` takes."""
    return np.array(
        [bars.ctypes.data, states.ctypes.data, clocks.ctypes.data, count, bars.shape[1]], np.int64
    )
