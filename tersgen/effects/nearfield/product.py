"""Products of a mode's atom tensors and a tile of field features, without the zeros.

In a planar molecule that lies flat, modes in the plane have no elements xz and yz and the others no
xx, yy, zz and xy, exactly. So half of all products are zeros. Sums run as ``multiply_tile`` has
them, to the bit: over two pairs of features at a time, the pairs first, then onto the sum so far. A
pair that is zero in four rows is left out: it would add a zero, which changes no sum.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from .kernels import TILE, squared

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

_ZERO = np.float32(0.0)
# without a sign, or each index is tried for being counted from the end, in every pass
_1, _2, _3, _4 = np.uint64(TILE), np.uint64(2 * TILE), np.uint64(3 * TILE), np.uint64(4 * TILE)


class Passes(NamedTuple):
    """What a product consists of: passes over a tile, each of two pairs of features."""

    row: I64
    """Rows of the matrix, four of them a group, those with zeros at the same places together."""
    first: I64
    """First pass of each group and the end, shape (groups + 1,)."""
    place: NDArray[np.uint64]
    """Where the features of both pairs begin in a tile, shape (passes, 2)."""
    joined: NDArray[np.bool_]
    """Whether the pairs are added up before they are added to the sum so far, shape (passes,)."""
    factor: F32
    """Elements of the matrix, row by row, shape (passes, 16)."""


@kernel
def _sorted_rows(left: F32) -> I64:
    """Return the rows of a matrix by their number of pairs that are not zero, shape (M,)."""
    n_rows = left.shape[0]
    rows, counts = np.empty(n_rows, np.int64), np.zeros(n_rows, np.int64)
    for m in range(n_rows):
        for k in range(0, left.shape[1], 2):
            counts[m] += int((left[m, k] != _ZERO) | (left[m, k + 1] != _ZERO))
        at = m
        while at > 0 and counts[rows[at - 1]] > counts[m]:
            rows[at] = rows[at - 1]
            at -= 1
        rows[at] = m
    return rows


@kernel
def _is_needed(left: F32, rows: I64, k: int) -> bool:
    """Return whether features k and k + 1 count in any of four rows."""
    needed = False
    for r in range(4):
        needed = needed or left[rows[r], k] != _ZERO or left[rows[r], k + 1] != _ZERO
    return needed


@kernel
def _set_pair(passes: Passes, number: int, pair: int, left: F32, rows: I64, k: int) -> None:
    """Make features k and k + 1 the first or second pair of a pass."""
    passes.place[number, pair] = k * TILE
    for r in range(4):
        passes.factor[number, 4 * r + 2 * pair] = left[rows[r], k]
        passes.factor[number, 4 * r + 2 * pair + 1] = left[rows[r], k + 1]


@kernel
def plan_passes(left: F32) -> Passes:
    """Return the passes of the product of a matrix, shape (M, K), both multiples of four."""
    n_groups, n_inner = left.shape[0] // 4, left.shape[1]
    most = n_groups * (n_inner // 4 + 1)
    passes = Passes(
        _sorted_rows(left), np.zeros(n_groups + 1, np.int64), np.zeros((most, 2), np.uint64),
        np.zeros(most, np.bool_), np.zeros((most, 16), np.float32),
    )  # fmt: skip
    at = 0
    for g in range(n_groups):
        rows = passes.row[4 * g : 4 * g + 4]
        passes.first[g] = at
        waiting = False  # a pass whose second pair is still free
        for k in range(0, n_inner, 4):
            one, other = _is_needed(left, rows, k), _is_needed(left, rows, k + 2)
            if one and other:
                at += int(waiting)
                waiting = False
                _set_pair(passes, at, 0, left, rows, k)
                _set_pair(passes, at, 1, left, rows, k + 2)
                passes.joined[at] = True
                at += 1
            elif one or other:
                _set_pair(passes, at, int(waiting), left, rows, k if one else k + 2)
                at += int(waiting)
                waiting = not waiting
        at += int(waiting)
    passes.first[n_groups] = at
    return passes


@kernel
def multiply_squared(passes: Passes, right: F32, sums: F32, out: F32) -> None:
    """Write the squares of the product by ``right``, (K, TILE), to ``out``, (M, TILE), both flat.

    ``sums`` is working memory for four rows of a tile.
    """
    o, first, place, joined, f = sums, passes.first, passes.place, passes.joined, passes.factor
    for g in range(first.shape[0] - 1):
        for p in range(_4):
            o[p] = _ZERO
        for n in range(first[g], first[g + 1]):
            one, other = place[n, 0], place[n, 1]
            a0, a1, a2, a3 = f[n, 0], f[n, 1], f[n, 2], f[n, 3]
            b0, b1, b2, b3 = f[n, 4], f[n, 5], f[n, 6], f[n, 7]
            c0, c1, c2, c3 = f[n, 8], f[n, 9], f[n, 10], f[n, 11]
            d0, d1, d2, d3 = f[n, 12], f[n, 13], f[n, 14], f[n, 15]
            if joined[n]:
                for p in range(_1):
                    q0, q1 = right[one + p], right[one + _1 + p]
                    q2, q3 = right[other + p], right[other + _1 + p]
                    o[p] += (a0 * q0 + a1 * q1) + (a2 * q2 + a3 * q3)
                    o[_1 + p] += (b0 * q0 + b1 * q1) + (b2 * q2 + b3 * q3)
                    o[_2 + p] += (c0 * q0 + c1 * q1) + (c2 * q2 + c3 * q3)
                    o[_3 + p] += (d0 * q0 + d1 * q1) + (d2 * q2 + d3 * q3)
            else:
                for p in range(_1):
                    q0, q1 = right[one + p], right[one + _1 + p]
                    q2, q3 = right[other + p], right[other + _1 + p]
                    w, x, y, z = o[p], o[_1 + p], o[_2 + p], o[_3 + p]
                    o[p] = (w + (a0 * q0 + a1 * q1)) + (a2 * q2 + a3 * q3)
                    o[_1 + p] = (x + (b0 * q0 + b1 * q1)) + (b2 * q2 + b3 * q3)
                    o[_2 + p] = (y + (c0 * q0 + c1 * q1)) + (c2 * q2 + c3 * q3)
                    o[_3 + p] = (z + (d0 * q0 + d1 * q1)) + (d2 * q2 + d3 * q3)
        for r in range(4):
            source, target = np.uint64(r * TILE), np.uint64(passes.row[4 * g + r] * TILE)
            for p in range(_1):
                out[target + p] = squared(o[source + p])
