"""Rows of bytes copied from one place to another."""

import numpy as np
from numpy.typing import NDArray

from ._jit import kernel


@kernel
def copy_rows(
    source: NDArray[np.uint8],
    take: NDArray[np.intp],
    target: NDArray[np.uint8],
    put: NDArray[np.intp],
) -> None:
    """Copy row ``take[k]`` of ``source`` to row ``put[k]`` of ``target`` for every k.

    Numbers are not checked; both arrays have shape (rows, bytes of a row).
    """
    for k in range(take.shape[0]):
        line = source[take[k]]
        room = target[put[k]]
        for byte in range(line.shape[0]):
            room[byte] = line[byte]
