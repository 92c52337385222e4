"""Storing a float32 in an array of float32, or of the bits of float16."""

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from .half import to_half


def store(out: NDArray[Any], k: int, value: np.float32) -> None:
    """Do ``out[k] = value``; an array of uint16 gets the bits of the nearest float16."""
    out[k] = to_half(value) if out.dtype == np.uint16 else value


@overload(  # type: ignore[untyped-decorator]
    store, jit_options={"nogil": True, "error_model": "numpy", "forceinline": True}
)
def _compile_store(out: Any, k: Any, value: Any) -> Any:  # noqa: ARG001 - types of one signature
    if out.dtype == types.uint16:

        def store_half(out: Any, k: Any, value: Any) -> None:
            out[k] = to_half(value)

        return store_half

    def store_whole(out: Any, k: Any, value: Any) -> None:
        out[k] = value

    return store_whole
