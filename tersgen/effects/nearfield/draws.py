"""What is drawn for each near-field map: its modes, the dipole of the tip, light of the metal."""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.crosssection import anti_stokes_ratio
from ...numeric.elementary import exp
from ...random import streams
from ...random.normal import fill_normals
from ...random.philox import between, philox
from ..bands.frequency_errors import MOST_FAMILIES, draw_family_errors
from ..plasmon.kernels import fill_light, mode_gain
from .dipole import fill_direction
from .table import NearModes, NearNumbers

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@kernel
def drawn(interval: F64, index: int, seed: int, stream: int) -> float:
    """Return a value uniform in ``interval`` (low, high)."""
    word, _, _, _ = philox(0, index, 0, seed, stream)
    return between(interval[0], interval[1], word)


@kernel
def draw_near_modes(
    index: int, component: int, seed: int, label: int, all_shift: np.float32,
    all_width: np.float32, plasmon: F64, modes: NearModes, near: NearNumbers, room: F32,
    position: F64, fwhm: F64, weight: F64, anti_weight: F64,
) -> None:  # fmt: skip
    """Draw position, width and weight of each mode; modes of the spectrum are the same there.

    Parameters
    ----------
    index, component, seed, label
        Sample, number of the species in it, seed, species.
    all_shift, all_width
        Shift of the whole spectrum, cm^-1, and factor on all widths.
    plasmon
        Its parameters, shape (6,); empty without one.
    modes, near
        Tables.
    room
        Working memory for normal deviates.
    position, fwhm, weight, anti_weight
        Filled: shift and width in cm^-1, and the factors on the squared amplitude of the Stokes
        band and of the anti-Stokes band, 0 without any.
    """
    first = modes.first_mode[label]
    count = modes.first_mode[label + 1] - first
    width = np.float64(all_width)
    normals = room[: (count + 63) // 64 * 64]
    for bright in (True, False):
        stream = streams.MODE_SHIFT if bright else streams.DARK_SHIFT
        fill_normals(normals, index, component, seed, stream)
        for m in range(count):
            place = modes.bright[first + m]
            if (place >= 0) == bright:
                normal = np.float64(normals[place if bright else modes.dark[first + m]])
                shift = np.float64(all_shift) + modes.shift.own[first + m] * normal
                position[m] = modes.frequency[first + m] + shift
                fwhm[m] = modes.fwhm[first + m] * width
        stream = streams.INTENSITY if bright else streams.DARK_INTENSITY
        fill_normals(normals, index, component, seed, stream)
        for m in range(count):
            place = modes.bright[first + m]
            if (place >= 0) == bright:
                normal = np.float64(normals[place if bright else modes.dark[first + m]])
                jitter = exp(np.float32(near.intensity * normal))
                weight[m] = modes.factor[first + m] * np.float64(jitter)
    if near.uncertain_frequencies:
        errors = np.empty(MOST_FAMILIES, np.float64)
        draw_family_errors(errors, index, component, seed)
        for m in range(count):
            position[m] += modes.shift.common[first + m] * errors[modes.shift.family[first + m]]
    for m in range(count):
        shift, anti = position[m], 0.0
        if near.anti_stokes:
            anti = weight[m] * anti_stokes_ratio(
                max(shift, 0.0), near.laser_cm1, near.temperature_k, near.detection
            )
        if plasmon.shape[0] > 0:
            weight[m] *= mode_gain(shift, plasmon, near.laser_nm, near.power)
            anti *= mode_gain(-shift, plasmon, near.laser_nm, near.power)
        anti_weight[m] = anti


@kernel
def draw_dipole(
    index: int, seed: int, height: float, near: NearNumbers, moment: F64, direction: F32
) -> float:
    """Draw direction and radius; write the moment, and return the radius.

    Its field is 1 below it, at the height of the highest atom, if it is along z.
    """
    w0, w1, w2, _ = philox(0, index, 0, seed, streams.TIP_DIPOLE)
    radius = between(near.radius[0], near.radius[1], w0)
    tilt = between(near.tilt[0], near.tilt[1], w1)
    azimuth = between(near.azimuth[0], near.azimuth[1], w2)
    fill_direction(tilt, azimuth, moment)
    distance = height + radius
    for k in range(3):
        direction[k] = moment[k]
        moment[k] *= 0.5 * distance * distance * distance
    return radius


@kernel
def add_light(plasmon: F64, near: NearNumbers, cube: F32) -> None:
    """Add the metal's light to each pixel of a cube, (pixels, channels), over its largest value."""
    n_channels = cube.shape[1]
    shifts, curve = np.empty(n_channels, np.float64), np.empty(n_channels, np.float64)
    for c in range(n_channels):
        shifts[c] = 0.5 * (near.channels[c, 0] + near.channels[c, 1])
    fill_light(plasmon, near.temperature_k, near.power, shifts, curve)
    largest = np.float64(cube.max())
    for p in range(cube.shape[0]):
        for c in range(n_channels):
            cube[p, c] += np.float32(largest * curve[c])
