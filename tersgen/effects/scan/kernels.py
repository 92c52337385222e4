"""What happens to a map while a tip scans it: lines are float32, shape (H, W); x runs over rows."""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ONE = np.float32(1.0)


@kernel
def move_lines(image: F32, rows: F64, columns: F64, out: F32) -> None:
    """Write the image with line x taken at (x + rows[x], y + columns[x]), bilinear, edges repeated.

    ``rows`` and ``columns`` have shape (H,), pixel.
    """
    height, width = image.shape
    mixed = np.empty(width + 1, np.float32)
    for x in range(height):
        place = min(max(x + rows[x], 0.0), height - 1.0)
        top = min(int(place), max(0, height - 2))
        down = np.float32(place - top)
        up = _ONE - down
        upper, lower = image[top], image[min(top + 1, height - 1)]
        for y in range(width):
            mixed[y] = upper[y] * up + lower[y] * down
        mixed[width] = mixed[width - 1]
        move = min(max(columns[x], -1.0 * width), 1.0 * width)
        whole = int(np.floor(move))
        right = np.float32(move - whole)
        left = _ONE - right
        # before the first and behind the last of these both neighbours are one and the same pixel
        first, last = max(0, -whole), min(width, width - whole)
        count = max(0, last - first)
        line = out[x]
        for y in range(first):
            line[y] = mixed[0]
        for y in range(last, width):
            line[y] = mixed[width - 1]
        inner = line[first : first + count]
        one, other = mixed[first + whole :], mixed[first + whole + 1 :]
        for y in range(count):
            inner[y] = one[y] * left + other[y] * right


@kernel
def dim(image: F32, first: int, n_pixels: int, factor: np.float32) -> None:
    """Multiply a run of pixels in scan order, line after line, by a factor."""
    height, width = image.shape
    for pixel in range(first, min(first + n_pixels, height * width)):
        image[pixel // width, pixel % width] *= factor
