"""Rows of bytes copied from one place to another."""

import numpy as np
from numpy.typing import NDArray

from ._jit import kernel
from ._stores import fence, store_past_cache

_LONG = 512
"""Bytes of a row from which on it is not worth a place in the cache."""


@kernel
def _copy_short(
    source: NDArray[np.uint8],
    take: NDArray[np.intp],
    target: NDArray[np.uint8],
    put: NDArray[np.intp],
) -> None:
    for k in range(take.shape[0]):
        line = source[take[k]]
        room = target[put[k]]
        for byte in range(line.shape[0]):
            room[byte] = line[byte]


@kernel
def _copy_long(
    source: NDArray[np.uint64],
    take: NDArray[np.intp],
    target: NDArray[np.uint64],
    put: NDArray[np.intp],
) -> None:
    for k in range(take.shape[0]):
        line = source[take[k]]
        room = target[put[k]]
        for word in range(line.shape[0]):
            store_past_cache(room, word, line[word])
    fence()


def copy_rows(
    source: NDArray[np.uint8],
    take: NDArray[np.intp],
    target: NDArray[np.uint8],
    put: NDArray[np.intp],
) -> None:
    """Copy row ``take[k]`` of ``source`` to row ``put[k]`` of ``target`` for every k.

    Numbers are not checked; both arrays have shape (rows, bytes of a row). Long rows go past the
    cache: they are not looked at before all of their batch is there.
    """
    row_bytes = source.shape[1]
    if row_bytes < _LONG or row_bytes % 8 or source.ctypes.data % 8 or target.ctypes.data % 8:
        _copy_short(source, take, target, put)
    else:
        _copy_long(source.view(np.uint64), take, target.view(np.uint64), put)
