"""What an instrument does to a spectrum, float32, shape (L,): smooth curves, rays, counts."""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...numeric.elementary import exp
from ...numeric.lineshape import extent

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
_EPS = np.float32(1e-12)
_LONGEST_STRIDE, _LEAST_NODES = 16, 64
RAY_POINTS = 4
"""Points that a cosmic ray reaches over, at most."""


@inlined
def log_between(low: float, span: float, u: np.float32) -> float:
    """Return exp(low + span u): uniform in the logarithm, from the logarithms of the ends."""
    return np.float64(exp(np.float32(low + span * np.float64(u))))


@kernel
def curve_weights(n_points: int) -> F32:
    """Return the weights of four nodes, shape (4, stride), for points from the second to the third.

    They are those of the cubic through the four (Lagrange). Nodes are 16 points apart, or less, so
    that there are 64.
    """
    stride = _LONGEST_STRIDE
    while stride > 1 and n_points < _LEAST_NODES * stride:
        stride //= 2
    weights = np.empty((4, stride), np.float32)
    for j in range(stride):
        t = j / stride
        weights[0, j] = -t * (t - 1.0) * (t - 2.0) / 6.0
        weights[1, j] = (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0
        weights[2, j] = -(t + 1.0) * t * (t - 2.0) / 2.0
        weights[3, j] = (t + 1.0) * t * (t - 1.0) / 6.0
    return weights


@kernel
def interpolate(nodes: F32, weights: F32, curve: F32) -> None:
    """Fill a curve, shape (L,), from nodes, the first of which is one stride before its start."""
    stride = weights.shape[1]
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    for i in range(nodes.shape[0] - 3):
        n0, n1, n2, n3 = nodes[i], nodes[i + 1], nodes[i + 2], nodes[i + 3]
        part = curve[i * stride : (i + 1) * stride]
        for j in range(part.shape[0]):
            part[j] = (n0 * w0[j] + n1 * w1[j]) + (n2 * w2[j] + n3 * w3[j])


@kernel
def fill_curve(curve: F32, bumps: F64, weights: F32) -> None:
    """Fill a smooth curve: the sum of bumps, scaled so that its largest size is 1.

    ``bumps``, shape (B, 3), has weight w, centre c and sigma s of each, w exp(-(x - c)^2/(2 s^2)),
    with x = k/(L - 1) in [0, 1]. They are worked out at nodes and interpolated by
    ``curve_weights(L)``: within 2e-5 of the largest if sigmas are 0.15 or more.
    """
    n_points = curve.shape[0]
    stride = weights.shape[1]
    n_nodes = (n_points - 1) // stride + 4
    nodes = np.zeros(n_nodes, np.float32)
    scale = np.float32(stride / max(1, n_points - 1))
    for b in range(bumps.shape[0]):
        height, middle = np.float32(bumps[b, 0]), np.float32(bumps[b, 1])
        slope = np.float32(-0.5 / (bumps[b, 2] * bumps[b, 2]))
        for k in range(n_nodes):
            x = np.float32(np.int32(k - 1)) * scale - middle
            nodes[k] += height * exp(slope * (x * x))
    interpolate(nodes, weights, curve)
    low, high = extent(curve)
    factor = _ONE / max(max(high, -low), _EPS)
    for k in range(n_points):
        curve[k] *= factor


@kernel
def add_ray(electrons: F32, place: int, height: float, n_points: int, rising: bool) -> None:
    """Add a cosmic ray: ``height`` at a place, and half of what is before at each point behind."""
    value = np.float32(height)
    for k in range(n_points):
        at = place + k if rising else place - k
        if 0 <= at < electrons.shape[0]:
            electrons[at] += value
        value *= np.float32(0.5)


@inlined
def convert(
    electrons: np.float32, gain: np.float32, bias: np.float32, noise: np.float32,
    full_well: np.float32, largest: np.float32,
) -> np.float32:  # fmt: skip
    """Return counts: gain x (electrons up to the full well + read noise) + bias.

    Without a full well it is infinite. With ``largest`` above 0 counts are whole, and clipped to
    0..largest.
    """
    counts = gain * (min(electrons, full_well) + noise) + bias
    whole = min(max(np.float32(np.floor(counts + _HALF)), _ZERO), largest)
    return whole if largest > _ZERO else counts
