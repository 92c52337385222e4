"""Rows of bytes copied from one place to another."""

import numpy as np
from numpy.typing import NDArray

from ._jit import kernel
from ._stores import fence, load_word, store_word_past_cache

_LONG = 512
"""Bytes of a row from which on it is not worth a place in the cache."""


@kernel
def copy_rows(
    source: NDArray[np.uint8],
    take: NDArray[np.intp],
    target: NDArray[np.uint8],
    put: NDArray[np.intp],
) -> None:
    """Copy row ``take[k]`` of ``source`` to row ``put[k]`` of ``target`` for every k.

    Numbers are not checked; both arrays are contiguous, of shape (rows, bytes of a row). Long rows
    go past the cache: they are not read before their batch is complete.
    """
    row_bytes = source.shape[1]
    if row_bytes < _LONG or row_bytes % 8 or target.ctypes.data % 8:
        for k in range(take.shape[0]):
            line = source[take[k]]
            room = target[put[k]]
            for byte in range(row_bytes):
                room[byte] = line[byte]
    else:
        for k in range(take.shape[0]):
            line = source[take[k]]
            room = target[put[k]]
            for word in range(row_bytes // 8):
                store_word_past_cache(room, 8 * word, load_word(line, 8 * word))
        fence()
