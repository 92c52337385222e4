"""The image dipole of a molecule in a metal surface, float64."""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel

F64 = NDArray[np.float64]


@kernel
def image_factor(polarizability: F64, distance: float, contrast: float, out: F64) -> None:
    """Write F = (1 - alpha G)^-1 with G = b/(8 d^3) diag(1, 1, 2), Eq. (4.3).

    A dipole p at height d above an image plane is in the field G p of its image. For a diagonal
    alpha, F is diag(f_x, f_y, f_z) with f_z = 1/(1 - alpha_zz b/(4 d^3)) and f_x = 1/(1 - alpha_xx
    b/(8 d^3)).

    Parameters
    ----------
    polarizability
        alpha, shape (3, 3), symmetric, laboratory frame, Angstrom^3.
    distance
        d, Angstrom.
    contrast
        b = (eps - 1)/(eps + 1).
    out
        F, shape (3, 3).
    """
    g = contrast / (8.0 * distance * distance * distance)
    a = np.empty((3, 3), np.float64)
    for i in range(3):
        for j in range(3):
            own = 1.0 if i == j else 0.0
            a[i, j] = own - polarizability[i, j] * (g + g if j == 2 else g)
    for i in range(3):  # the adjugate over the determinant
        for j in range(3):
            r, s, p, q = (j + 1) % 3, (j + 2) % 3, (i + 1) % 3, (i + 2) % 3
            out[i, j] = a[r, p] * a[s, q] - a[r, q] * a[s, p]
    determinant = a[0, 0] * out[0, 0] + a[0, 1] * out[1, 0] + a[0, 2] * out[2, 0]
    for i in range(3):
        for j in range(3):
            out[i, j] /= determinant


@kernel
def turn_with_image(image: F64, matrix: F64, out: F64) -> None:
    """Write F O into ``out``: a tensor R in the frame of O is seen as F O R O^T F^T.

    All are (3, 3), and do not overlap.
    """
    for i in range(3):
        for j in range(3):
            out[i, j] = (image[i, 0] * matrix[0, j] + image[i, 1] * matrix[1, j]) + image[
                i, 2
            ] * matrix[2, j]
