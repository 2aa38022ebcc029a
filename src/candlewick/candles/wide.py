"""128-bit sums inside compiled kernels.

A price times a size passes 2^63 at ordinary values (61,837 at 8 decimals times 2 at 8 decimals),
so a quote volume is two words: signed high, unsigned low.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _multiply_wide(_typing: Any, a: Any, b: Any) -> Any:
    """Two non-negative int64 to `(high: int64, low: uint64)` of their product: one instruction."""
    pair: Any = types.Tuple((types.int64, types.uint64))  # type: ignore[no-untyped-call]

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        low = builder.trunc(product, ir.IntType(64))
        high = builder.trunc(builder.lshr(product, wide(64)), ir.IntType(64))
        return context.make_tuple(builder, sig.return_type, (high, low))

    return pair(types.int64, types.int64), generate


multiply_wide: Any = intrinsic(_multiply_wide)
