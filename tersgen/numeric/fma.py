"""Fused multiply-add of float32 numbers: a b + c, rounded once, the same bits on every machine.

IEEE 754 defines the result, so an instruction (x86-64-v3, arm64) and the C library (elsewhere, ten
times slower) agree to the last bit. LLVM fuses nothing by itself without ``fastmath``: only what
is written as ``fma`` is fused.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload


def fma(a: np.float32, b: np.float32, c: np.float32) -> np.float32:
    """Return a b + c of float32 numbers, rounded once.

    Without Numba: the product is exact in float64, and the sum is rounded to odd, so that the last
    rounding cannot be the second one at a tie (S. Boldo and G. Melquiond, IEEE Trans. Comput. 57,
    462 (2008)).
    """
    product, addend = np.float64(a) * np.float64(b), np.float64(c)
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)
    bits = total.view(np.int64)
    if error != 0.0 and bits & 1 == 0:
        away = (error > 0.0) == (total > 0.0)
        total = np.int64(bits + (1 if away else -1)).view(np.float64)
    return np.float32(total)


@intrinsic  # type: ignore[untyped-decorator]
def _instruction(_typing: Any, a: Any, b: Any, c: Any) -> Any:  # noqa: ARG001
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


@overload(fma, strict=False)  # type: ignore[untyped-decorator]
def _compiled(a: Any, b: Any, c: Any) -> Any:  # noqa: ARG001
    return lambda a, b, c: _instruction(a, b, c)
