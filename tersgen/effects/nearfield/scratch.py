"""Working memory of the near-field kernels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from .kernels import GRID, TILE, n_features, padded
from .table import NearNumbers

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


class NearScratch(NamedTuple):
    """Working memory for one map or cube at a time."""

    matrix: F64
    frame: F64
    """From the molecule to the laboratory, for tensors: with the image dipole, if it has one."""
    moment: F64
    share: F64
    tensor: F64
    width: F64
    tip_x: F32
    tip_y: F32
    atoms: F32
    position: F64
    fwhm: F64
    weight: F64
    anti_weight: F64
    """Weight of the anti-Stokes band of each mode."""
    normals: F32
    noise: F32
    features: F32
    imaginary: F32
    squares: F32
    amplitudes: F32
    sums: F32
    channels: F32
    bands: F32
    """Maps before scaling, shape (C, pixels)."""
    cube: F32
    """A cube before scaling, shape (pixels, channels)."""


@kernel
def near_scratch(n_atoms: int, n_modes: int, near: NearNumbers) -> NearScratch:
    """Return working memory for molecules of at most N atoms and M modes."""
    n_pixels = near.n_rows * near.n_columns
    n_bands = near.bands.shape[0]
    n_channels = near.channels.shape[0]
    line = max(n_pixels if near.maps else 0, near.n_columns * n_channels)
    is_complex = near.field == GRID and near.grid.is_complex
    n_second = padded(n_features(n_atoms, near.field)) if near.field == GRID else 0
    return NearScratch(
        np.empty((3, 3), np.float64),
        np.empty((3, 3), np.float64),
        np.empty(3, np.float64),
        np.empty((3, 3), np.float64),
        np.empty((3, 3), np.float64),
        np.empty(3, np.float64),
        np.empty(TILE, np.float32),
        np.empty(TILE, np.float32),
        np.empty((n_atoms, 3), np.float32),
        np.empty(n_modes, np.float64),
        np.empty(n_modes, np.float64),
        np.empty(n_modes, np.float64),
        np.empty(n_modes, np.float64),
        np.empty((n_modes + 63) // 64 * 64, np.float32),
        np.empty((line + 3) // 4 * 4, np.float32),
        np.empty(padded(n_features(n_atoms, near.field)) * TILE, np.float32),
        np.empty(n_second * TILE, np.float32),
        np.empty((padded(n_modes) if is_complex else 0) * TILE, np.float32),
        np.empty(padded(n_modes) * TILE, np.float32),
        np.empty(4 * TILE, np.float32),
        np.empty(padded(max(n_bands, n_channels)) * TILE, np.float32),
        np.empty((n_bands, n_pixels), np.float32),
        np.empty((n_pixels if near.cube else 0, n_channels), np.float32),
    )
