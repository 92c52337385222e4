"""Masks of atoms and bonds on the pixels of a map: Eq. (2.8).

A pixel has 1 or 0, or 2^-(d/R)^2, by the distance d of its centre from a point (an atom) or from a
line (a bond). Lengths are in Angstrom; x runs along rows' axis, y along columns', from the frame's
centre. Images are float16, passed as their ``uint16`` view.
"""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...numeric.elementary import exp
from ...numeric.half import to_half

F64 = NDArray[np.float64]

DISC, GAUSSIAN = 0, 1
REACH = 4.0
"""A Gaussian is 0 beyond so many radii, where it is 2^-16."""

_LN2 = 0.6931471805599453
_HALF_ONE = np.uint16(0x3C00)


@inlined
def nearest_pixel(place: float, pixel: float, count: int) -> int:
    """Return the pixel of ``count`` in whose middle, or before it, a place lies; 0 or the last."""
    number = np.floor(place / pixel + 0.5 * (count - 1))
    return int(min(max(number, 0.0), count - 1.0))


@kernel
def paint_line(
    image: NDArray[np.uint16],
    a_x: float,
    a_y: float,
    b_x: float,
    b_y: float,
    radius: float,
    shape: int,
    pixel: F64,
) -> None:
    """Raise an image to the profile of the line from a to b, or of a point where they are one.

    Parameters
    ----------
    image
        Bits of float16 of at least 0, shape (H, W).
    a_x, a_y, b_x, b_y
        Ends from the frame's centre, Angstrom.
    radius
        R, above 0, Angstrom.
    shape
        DISC: 1 within R. GAUSSIAN: 2^-(d/R)^2.
    pixel
        Distance of two pixels along rows' and columns' axes, shape (2,), Angstrom.
    """
    n_rows, n_columns = image.shape
    reach = radius if shape == DISC else REACH * radius
    along_x, along_y = b_x - a_x, b_y - a_y
    squared_length = along_x * along_x + along_y * along_y
    first_row = nearest_pixel(min(a_x, b_x) - reach, pixel[0], n_rows)
    last_row = nearest_pixel(max(a_x, b_x) + reach, pixel[0], n_rows)
    first_column = nearest_pixel(min(a_y, b_y) - reach, pixel[1], n_columns)
    last_column = nearest_pixel(max(a_y, b_y) + reach, pixel[1], n_columns)
    for row in range(first_row, last_row + 1):
        x = (row - 0.5 * (n_rows - 1)) * pixel[0] - a_x
        for column in range(first_column, last_column + 1):
            y = (column - 0.5 * (n_columns - 1)) * pixel[1] - a_y
            share = 0.0
            if squared_length > 0.0:
                share = min(max((x * along_x + y * along_y) / squared_length, 0.0), 1.0)
            off_x, off_y = x - share * along_x, y - share * along_y
            squared = off_x * off_x + off_y * off_y
            if squared <= reach * reach:
                bits = _HALF_ONE
                if shape == GAUSSIAN:
                    bits = to_half(exp(np.float32(-_LN2 * squared / (radius * radius))))
                # bits of float16 of at least 0 are ordered as the numbers are
                image[row, column] = max(image[row, column], bits)
