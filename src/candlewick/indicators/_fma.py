"""One arithmetic instruction that Python 3.11 lacks: a * b + c, rounded once.

takes   three float64
gives   float64, the same bits on every machine (IEEE 754 says which)
never   left to the compiler to choose: it would fuse in one loop and not in its remainder
why     a recurrence waits for one instruction instead of two, and loses half the rounding
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic


def _typed(typingctx: Any, a: Any, b: Any, c: Any) -> tuple[Any, Any]:
    """Numba's hook: the signature and how to write the instruction."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), codegen


fma: Any = intrinsic(_typed)
