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


@inlined
def _add_tap(line: F32, weight: np.float32, source: F32) -> None:
    """Add a weighted line."""
    for y in range(line.shape[0]):
        line[y] += weight * source[y]


@inlined
def _add_taps(line: F32, weights: F32, s0: F32, s1: F32, s2: F32, s3: F32) -> None:
    """Add four weighted lines, one after the other, in one pass."""
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    for y in range(line.shape[0]):
        line[y] = (((line[y] + w0 * s0[y]) + w1 * s1[y]) + w2 * s2[y]) + w3 * s3[y]


@kernel
def blur(image: F32, weights: F32, scratch: F32) -> None:
    """Blur a map in place, rows then columns: Eq. (2.4). Edge pixels are repeated outwards.

    ``scratch`` has the shape of ``image``; ``weights`` has shape (2 r + 1,) and sums to 1.
    """
    height, width = image.shape
    n_taps = weights.shape[0]
    radius = n_taps // 2
    whole = n_taps - n_taps % 4
    last = height - 1
    for x in range(height):
        line = scratch[x]
        line[:] = np.float32(0.0)
        for n in range(0, whole, 4):
            top = x + n - radius
            _add_taps(
                line, weights[n : n + 4],
                image[min(max(top, 0), last)], image[min(max(top + 1, 0), last)],
                image[min(max(top + 2, 0), last)], image[min(max(top + 3, 0), last)],
            )  # fmt: skip
        for n in range(whole, n_taps):
            _add_tap(line, weights[n], image[min(max(x + n - radius, 0), last)])
    padded = np.empty(width + 2 * radius, np.float32)
    for x in range(height):
        padded[:radius] = scratch[x, 0]
        padded[radius : radius + width] = scratch[x]
        padded[radius + width :] = scratch[x, width - 1]
        line = image[x]
        line[:] = np.float32(0.0)
        for n in range(0, whole, 4):
            _add_taps(
                line, weights[n : n + 4],
                padded[n : n + width], padded[n + 1 : n + 1 + width],
                padded[n + 2 : n + 2 + width], padded[n + 3 : n + 3 + width],
            )  # fmt: skip
        for n in range(whole, n_taps):
            _add_tap(line, weights[n], padded[n : n + width])


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
