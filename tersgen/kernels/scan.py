"""What happens to a map while a tip scans it: lines are float32, shape (H, W); x runs over rows."""

import numpy as np
from numpy.typing import NDArray

from ._jit import kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ONE = np.float32(1.0)


@kernel
def move_lines(image: F32, rows: F64, columns: F64, out: F32) -> None:
    """Write the image with line x taken at (x + rows[x], y + columns[x]), bilinear, edges repeated.

    ``rows`` and ``columns`` have shape (H,), pixel.
    """
    height, width = image.shape
    for x in range(height):
        place = min(max(x + rows[x], 0.0), height - 1.0)
        top = min(int(place), max(0, height - 2))
        down = np.float32(place - top)
        below = min(top + 1, height - 1)
        for y in range(width):
            across = min(max(y + columns[x], 0.0), width - 1.0)
            left = min(int(across), max(0, width - 2))
            right = np.float32(across - left)
            beside = min(left + 1, width - 1)
            upper = image[top, left] * (_ONE - right) + image[top, beside] * right
            lower = image[below, left] * (_ONE - right) + image[below, beside] * right
            out[x, y] = upper * (_ONE - down) + lower * down


@kernel
def dim(image: F32, first: int, n_pixels: int, factor: np.float32) -> None:
    """Multiply a run of pixels in scan order, line after line, by a factor."""
    height, width = image.shape
    for pixel in range(first, min(first + n_pixels, height * width)):
        image[pixel // width, pixel % width] *= factor
