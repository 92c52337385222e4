"""The arrays that the sampling kernels write, and the table of them that users see."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


class Outputs(NamedTuple):
    """Arrays of n rows; float16 arrays are passed as their ``uint16`` view.

    Arrays of fields that are switched off have no rows. Modes are those of up to S species, 1
    unless samples are mixtures.
    """

    label: NDArray[np.int32]
    component: NDArray[np.int32]
    """Species of each row, shape (n, S); memory shared with ``label`` if S is 1."""
    fraction: NDArray[np.float32]
    n_components: NDArray[np.int32]
    half_spectra: NDArray[np.uint16]
    spectra: NDArray[np.float32]
    half_maps: NDArray[np.uint16]
    maps: NDArray[np.float32]
    half_cube: NDArray[np.uint16]
    cube: NDArray[np.float32]
    position: NDArray[np.float32]
    stick_intensity: NDArray[np.float32]
    n_modes: NDArray[np.int32]
    tensors: NDArray[np.float32]
    quaternion: NDArray[np.float32]
    shift: NDArray[np.float32]
    width: NDArray[np.float32]
    roll: NDArray[np.int32]
    spectrum_noise: NDArray[np.float32]
    hotspots: NDArray[np.float32]
    angle: NDArray[np.float32]
    move: NDArray[np.float32]
    background: NDArray[np.float32]
    map_noise: NDArray[np.float32]
    symmetry: NDArray[np.int32]
    tip_height: NDArray[np.float32]
    tip_width: NDArray[np.float32]
    apex: NDArray[np.float32]
    map_scale: NDArray[np.float32]
    cube_scale: NDArray[np.float32]
    instrument: NDArray[np.float32]
    scan: NDArray[np.float32]
    half_masks: NDArray[np.uint16]
    half_bonds: NDArray[np.uint16]
    atom_position: NDArray[np.float32]
    atom_number: NDArray[np.int32]
    n_atoms: NDArray[np.int32]
