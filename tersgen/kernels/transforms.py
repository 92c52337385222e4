"""Transforms of finished samples: Eqs. (2.2)-(2.4) on maps, (10.1)-(10.3) on any array.

Maps are float32, shape (H, W); x runs over rows, y over columns. ``out`` never overlaps the input.
"""

import numpy as np
from numpy.typing import NDArray

from ._jit import inlined, kernel
from .elementary import exp

F32 = NDArray[np.float32]
_REACH_SIGMA = 4.0


@kernel
def flip_rows(image: F32, out: F32) -> None:
    """Write I'(x, y) = I(H-1-x, y): Eq. (2.2)."""
    height = image.shape[0]
    for x in range(height):
        for y in range(image.shape[1]):
            out[x, y] = image[height - 1 - x, y]


@kernel
def flip_columns(image: F32, out: F32) -> None:
    """Write I'(x, y) = I(x, W-1-y): Eq. (2.2)."""
    width = image.shape[1]
    for x in range(image.shape[0]):
        for y in range(width):
            out[x, y] = image[x, width - 1 - y]


@kernel
def quarter_turns(image: F32, k: int, out: F32) -> None:
    """Write the image turned counter-clockwise by k quarter turns, as ``numpy.rot90``: Eq. (2.3).

    ``out`` has shape (W, H) for odd k.
    """
    height, width = image.shape
    turns = k % 4
    for x in range(height):
        for y in range(width):
            if turns == 0:
                out[x, y] = image[x, y]
            elif turns == 1:
                out[width - 1 - y, x] = image[x, y]
            elif turns == 2:
                out[height - 1 - x, width - 1 - y] = image[x, y]
            else:
                out[y, height - 1 - x] = image[x, y]


@inlined
def blur_radius(sigma: float) -> int:
    """Return the half-width of the blur's kernel: 4 sigma, rounded up."""
    return int(np.ceil(_REACH_SIGMA * sigma))


@kernel
def blur_weights(sigma: float, weights: F32) -> None:
    """Fill ``weights``, shape (2 r + 1,), with exp(-n^2/(2 sigma^2))/Z, Z their sum: Eq. (2.4)."""
    radius = weights.shape[0] // 2
    slope = np.float32(-0.5 / (sigma * sigma))
    total = np.float32(0.0)
    for n in range(weights.shape[0]):
        x = np.float32(np.int32(n - radius))
        weights[n] = exp(slope * (x * x))
        total += weights[n]
    for n in range(weights.shape[0]):
        weights[n] /= total


@kernel
def blur(image: F32, weights: F32, scratch: F32) -> None:
    """Blur a map in place, rows then columns: Eq. (2.4). Edge pixels are repeated outwards.

    ``scratch`` has the shape of ``image``; ``weights`` has shape (2 r + 1,) and sums to 1.
    """
    height, width = image.shape
    radius = weights.shape[0] // 2
    for x in range(height):
        for y in range(width):
            scratch[x, y] = np.float32(0.0)
        for n in range(weights.shape[0]):
            source = min(max(x + n - radius, 0), height - 1)
            for y in range(width):
                scratch[x, y] += weights[n] * image[source, y]
    for x in range(height):
        for y in range(width):
            total = np.float32(0.0)
            for n in range(weights.shape[0]):
                total += weights[n] * scratch[x, min(max(y + n - radius, 0), width - 1)]
            image[x, y] = total


@inlined
def standardise(value: np.float32, mean: np.float32, deviation: np.float32) -> np.float32:
    """Return (value - mean)/deviation; 0.5 and 0.5 take [0, 1] to [-1, 1]: Eq. (10.1)."""
    return (value - mean) / deviation


@kernel
def roll(values: F32, bins: int, out: F32) -> None:
    """Write the circular roll S~[k] = S[(k - bins) mod L], as ``numpy.roll``: Eq. (10.2)."""
    length = values.shape[0]
    for k in range(length):
        out[k] = values[(k - bins) % length]


@inlined
def add_noise_clipped(value: np.float32, noise: np.float32) -> np.float32:
    """Return clip(value + noise, 0, 1): Eq. (10.3), and the last step of Eq. (2.1)."""
    total = value + noise
    total = np.float32(0.0) if total < np.float32(0.0) else total
    return np.float32(1.0) if total > np.float32(1.0) else total
