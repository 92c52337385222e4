"""What an instrument does to a spectrum, float32, shape (L,): smooth curves, rays, counts."""

import numpy as np
from numpy.typing import NDArray

from ._jit import inlined, kernel
from .elementary import exp
from .poisson import LARGEST_INVERTED, poisson_inverted, poisson_normal

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

RAY_POINTS = 4
"""Points that a cosmic ray reaches over, at most."""


@inlined
def log_between(low: float, span: float, u: np.float32) -> float:
    """Return exp(low + span u): uniform in the logarithm, from the logarithms of the ends."""
    return np.float64(exp(np.float32(low + span * np.float64(u))))


@kernel
def add_bump(curve: F32, centre: float, sigma: float, weight: float) -> None:
    """Add weight exp(-(x - centre)^2/(2 sigma^2)) with x = k/(L - 1) in [0, 1]."""
    n_points = curve.shape[0]
    slope = np.float32(-0.5 / (sigma * sigma))
    scale = np.float32(1.0 / max(1, n_points - 1))
    middle, height = np.float32(centre), np.float32(weight)
    for k in range(n_points):
        x = np.float32(np.int32(k)) * scale - middle
        curve[k] += height * exp(slope * (x * x))


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
def count_electrons(mean: float, word: np.uint32, normal: np.float32) -> float:
    """Return a number of electrons of that mean, from a word if it is small, or a normal."""
    if mean <= LARGEST_INVERTED:
        return poisson_inverted(mean, word)
    return poisson_normal(mean, np.float64(normal))


@inlined
def convert(
    electrons: float, gain: float, bias: float, noise: float, full_well: float, largest: float
) -> float:
    """Return counts: gain x (electrons up to the full well + read noise) + bias.

    With ``largest`` above 0 they are whole, and clipped to 0..largest.
    """
    held = min(electrons, full_well) if full_well > 0.0 else electrons
    counts = gain * (held + noise) + bias
    if largest > 0.0:
        counts = min(max(np.floor(counts + 0.5), 0.0), largest)
    return counts
