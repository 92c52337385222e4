"""Random assignment of rows to parts with exact totals, one row after the other.

Selection sampling: C. T. Fan, M. E. Muller and I. Rezucha, J. Am. Stat. Assoc. 57, 387 (1962);
D. E. Knuth, The Art of Computer Programming, vol. 2, section 3.4.2, algorithm S.
"""

import numpy as np
from numpy.typing import NDArray

from ..numeric._jit import inlined, kernel
from .philox import philox
from .streams import SPLIT

_HALF = np.uint64(32)
_ROWS = 0
_SPECIES = 1


@inlined
def _below(limit: int, index: int, block: int, seed: int) -> np.int64:
    """Return a random integer in [0, limit); its bias is below limit / 2^64."""
    low, high, _, _ = philox(0, index, block, seed, SPLIT)
    word = (np.uint64(high) << _HALF) | np.uint64(low)
    return np.int64(word % np.uint64(limit))


@kernel
def fill_parts(
    parts: NDArray[np.uint8],
    labels: NDArray[np.int32],
    held: NDArray[np.bool_],
    start: int,
    quotas: NDArray[np.int64],
    seed: int,
) -> int:
    """Draw the part of each row from row ``start`` on, and take it off the quotas.

    A row of class c goes to part j with probability ``quotas[c, j] / sum(quotas[c])``, in integers:
    so that when all rows are done every quota is used up, and each way to get there was equally
    likely. What is drawn depends on the row's index and the rows before it, not on blocks.

    Parameters
    ----------
    parts
        Filled with part numbers, shape (n,); rows held out are left as they are.
    labels
        Class of each row, shape (n,), each in [0, K).
    held
        Rows held out, shape (n,).
    start
        Index of the first row.
    quotas
        Rows of each class that each part still has to get, shape (K, S); changed in place.
    seed
        Half of the random key.

    Returns
    -------
    int
        Position of the first row whose class had no quota left, where it stopped; else -1.
    """
    for k in range(labels.shape[0]):
        if held[k]:
            continue
        left = quotas[labels[k]]
        total = 0
        for count in left:
            total += count
        if total <= 0:
            return k
        ticket = _below(total, start + k, _ROWS, seed)
        part = 0
        while ticket >= left[part]:
            ticket -= left[part]
            part += 1
        left[part] -= 1
        parts[k] = part
    return -1


@kernel
def shuffled(n: int, seed: int) -> NDArray[np.int64]:
    """Return the numbers 0 to n - 1 in random order, shape (n,): a Fisher-Yates shuffle."""
    order = np.arange(n)
    for j in range(n - 1, 0, -1):
        other = _below(j + 1, j, _SPECIES, seed)
        order[j], order[other] = order[other], order[j]
    return order
