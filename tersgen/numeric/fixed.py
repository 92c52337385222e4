"""Fixed-point values: rounded from float32 as they are stored, and decoded as rows are copied."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._jit import kernel
from ._stores import fence, store_past_cache

F32 = NDArray[np.float32]

_PIECE = 64
"""Values that are decoded at once, and then stored past the cache."""
_ZERO, _HALF = np.float32(0.0), np.float32(0.5)


@kernel
def round_values(
    values: F32, inverse: np.float32, shift: np.float32, missing: int, out: NDArray[Any]
) -> None:
    """Store ``floor(value * inverse + shift)``, kept within 0 and missing - 1.

    Parameters
    ----------
    values
        float32, shape (n,); NaN becomes ``missing``.
    inverse
        1 / scale.
    shift
        zero + 1/2.
    missing
        Integer that stands for a missing value.
    out
        uint8 or uint16, shape (n,).
    """
    top = np.float32(missing) - _HALF
    for k in range(values.shape[0]):
        value = values[k]
        steps = min(max(value * inverse + shift, _ZERO), top)
        out[k] = np.int32(steps) if value == value else np.int32(missing)


@kernel
def decode_rows(
    source: NDArray[Any], take: NDArray[np.intp], target: F32, put: NDArray[np.intp],
    scale: np.float32, zero: int, missing: int,
) -> None:  # fmt: skip
    """Decode row ``take[k]`` of ``source`` into row ``put[k]`` of ``target`` for every k.

    Parameters
    ----------
    source
        uint8 or uint16, shape (rows, L).
    target
        float32, shape (rows, L), contiguous.
    scale, zero, missing
        See :class:`~tersgen.schema.fixed_point.FixedPoint`.

    Numbers of rows are not checked. Values go past the cache, as in ``rows.copy_rows``.
    """
    length = source.shape[1]
    piece = np.empty(_PIECE, np.float32)
    pairs = piece.view(np.uint64)
    nothing = np.float32(np.nan)
    for k in range(take.shape[0]):
        line, room = source[take[k]], target[put[k]]
        whole = 0
        if length % 2 == 0:
            words = room.view(np.uint64)
            whole = length // _PIECE * _PIECE
            for first in range(0, whole, _PIECE):
                for j in range(_PIECE):
                    stored = np.int32(line[first + j])
                    value = np.float32(stored - np.int32(zero)) * scale
                    piece[j] = nothing if stored == missing else value
                for j in range(_PIECE // 2):
                    store_past_cache(words, first // 2 + j, pairs[j])
        for j in range(whole, length):
            stored = np.int32(line[j])
            value = np.float32(stored - np.int32(zero)) * scale
            room[j] = nothing if stored == missing else value
    fence()
