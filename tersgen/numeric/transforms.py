"""Transforms of finished samples: Eqs. (2.2)-(2.4) on maps, (10.1)-(10.3) on any array.

Maps are float32, shape (H, W); x runs over rows, y over columns. ``out`` never overlaps the input.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._jit import inlined, kernel
from .elementary import exp

F32 = NDArray[np.float32]
_REACH_SIGMA = 4.0
_ZERO = np.float32(0.0)
_ONE_STEP: Any = np.int64(1)  # no literal: for each the kernel would be compiled anew


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
def _sum_taps(source: F32, weights: F32, step: int, out: F32) -> None:
    """Write sum_n weights[n] source[k + n step] of an odd number of weights, in the order of n.

    One or three of them in the first pass, four in each further one.
    """
    n_taps, length = weights.shape[0], out.shape[0]
    w0 = weights[0]
    done = n_taps % 4
    if done == 1:
        for k in range(length):
            out[k] = _ZERO + w0 * source[k]
    else:
        w1, w2 = weights[1], weights[2]
        s1, s2 = source[step:], source[2 * step :]
        for k in range(length):
            out[k] = ((_ZERO + w0 * source[k]) + w1 * s1[k]) + w2 * s2[k]
    for n in range(done, n_taps, 4):
        w0, w1, w2, w3 = weights[n], weights[n + 1], weights[n + 2], weights[n + 3]
        s0, s1 = source[n * step :], source[(n + 1) * step :]
        s2, s3 = source[(n + 2) * step :], source[(n + 3) * step :]
        for k in range(length):
            out[k] = (((out[k] + w0 * s0[k]) + w1 * s1[k]) + w2 * s2[k]) + w3 * s3[k]


@inlined
def _copy(source: F32, out: F32) -> None:
    """Copy a line; an assignment of slices looks for overlaps first and is slower."""
    for k in range(out.shape[0]):
        out[k] = source[k]


@kernel
def blur(image: F32, weights: F32, scratch: F32) -> None:
    """Blur a map in place, rows then columns: Eq. (2.4). Edge pixels are repeated outwards.

    ``scratch`` has the shape of ``image``; ``weights`` has shape (2 r + 1,) and sums to 1. With the
    edges padded, a shift along either axis is one shift of the whole image in memory.
    """
    height, width = image.shape
    radius = weights.shape[0] // 2
    long = width + 2 * radius
    padded = np.empty((height + 2 * radius) * long, np.float32)
    tall = padded[: (height + 2 * radius) * width]
    _copy(image.reshape(image.size), tall[radius * width : (radius + height) * width])
    for x in range(radius):
        _copy(image[0], tall[x * width : (x + 1) * width])
        _copy(image[height - 1], tall[(radius + height + x) * width :][:width])
    _sum_taps(tall, weights, width, scratch.reshape(scratch.size))
    for x in range(height):
        line, source = padded[x * long : (x + 1) * long], scratch[x]
        first, last = source[0], source[width - 1]
        for y in range(radius):
            line[y] = first
            line[radius + width + y] = last
        _copy(source, line[radius : radius + width])
    sums = np.empty((height, long), np.float32)
    _sum_taps(padded, weights, _ONE_STEP, sums.reshape(sums.size)[: height * long - 2 * radius])
    for x in range(height):
        _copy(sums[x], image[x])


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
