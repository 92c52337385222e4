"""Where the atoms of molecules are, and which way: means and principal axes.

From +, -, *, / and sqrt alone, in a fixed order, so that the choice among equivalent axes of a
symmetric molecule is the same on every machine.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import kernel

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_SWEEPS = 32


@kernel
def centre(position: F64, first: I64, out: F64) -> None:
    """Fill ``out`` with atoms from the mean of their species.

    ``position`` and ``out`` have shape (atoms, 3); ``first`` is the first atom of each species and
    the end, shape (K + 1,).
    """
    for k in range(first.shape[0] - 1):
        for axis in range(3):
            total = 0.0
            for i in range(first[k], first[k + 1]):
                total += position[i, axis]
            mean = total / (first[k + 1] - first[k])
            for i in range(first[k], first[k + 1]):
                out[i, axis] = position[i, axis] - mean


@kernel
def principal_moments(position: F64, first: I64, moments: F64, axes: F64) -> None:
    """Diagonalise the second moments of the atoms of each species, each of equal weight.

    ``position`` is from their means; ``moments`` has shape (K, 3), ``axes`` (K, 3, 3): its rows are
    the axes, in the order of the moments. Jacobi rotations.
    """
    second = np.empty((3, 3))
    for k in range(first.shape[0] - 1):
        for i in range(3):
            for j in range(3):
                total = 0.0
                for one in range(first[k], first[k + 1]):
                    total += position[one, i] * position[one, j]
                second[i, j] = total
                axes[k, i, j] = 1.0 if i == j else 0.0
        for _ in range(_SWEEPS):
            _rotate_pair(second, axes[k], 0, 1)
            _rotate_pair(second, axes[k], 0, 2)
            _rotate_pair(second, axes[k], 1, 2)
        for i in range(3):
            moments[k, i] = second[i, i]


@kernel
def _rotate_pair(matrix: F64, axes: F64, p: int, q: int) -> None:
    """Turn rows and columns p and q of a symmetric matrix so that element pq is 0; rows of axes."""
    if matrix[p, q] == 0.0:
        return
    theta = (matrix[q, q] - matrix[p, p]) / (2.0 * matrix[p, q])
    t = (1.0 if theta >= 0 else -1.0) / (abs(theta) + math.sqrt(theta * theta + 1.0))
    c = 1.0 / math.sqrt(t * t + 1.0)
    s = t * c
    for k in range(3):
        a, b = matrix[k, p], matrix[k, q]
        matrix[k, p], matrix[k, q] = c * a - s * b, s * a + c * b
    for k in range(3):
        a, b = matrix[p, k], matrix[q, k]
        matrix[p, k], matrix[q, k] = c * a - s * b, s * a + c * b
        a, b = axes[p, k], axes[q, k]
        axes[p, k], axes[q, k] = c * a - s * b, s * a + c * b
