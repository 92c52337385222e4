"""One sample's near-field map and cube, Eqs. (2.6) and (2.7): a tile of pixels at a time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import streams
from ..kernels._jit import kernel
from ..kernels.elementary import exp
from ..kernels.half import to_half
from ..kernels.nearfield import (
    TILE,
    fill_features,
    fill_tensor_row,
    lorentzian_share,
    multiply_tile,
    n_features,
    padded,
    square_tile,
)
from ..kernels.normal import fill_normals, normal_pair
from ..kernels.philox import between, philox
from ..kernels.tensor import quaternion_to_matrix, rotate
from ..kernels.transforms import add_noise_clipped
from .neartables import NearModes, NearSettings
from .orientation import draw_orientation
from .outputs import Outputs
from .spectrum import ranged
from .tables import Modes, Settings

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ZERO = np.float32(0.0)


class NearScratch(NamedTuple):
    """Working memory for one map or cube at a time."""

    quaternion: F64
    matrix: F64
    tensor: F64
    width: F64
    tip_x: F32
    tip_y: F32
    atoms: F32
    position: F64
    fwhm: F64
    weight: F64
    normals: F32
    noise: F32
    features: F32
    amplitudes: F32
    channels: F32
    bands: F32
    """Maps before scaling, shape (C, pixels)."""
    cube: F32
    """A cube before scaling, shape (pixels, channels)."""


@kernel
def near_scratch(n_atoms: int, n_modes: int, near: NearSettings) -> NearScratch:
    """Return working memory for molecules of at most N atoms and M modes."""
    n_pixels = near.n_rows * near.n_columns
    n_bands = near.bands.shape[0]
    n_channels = near.channels.shape[0]
    line = max(n_pixels if near.maps else 0, near.n_columns * n_channels)
    return NearScratch(
        np.empty(4, np.float64),
        np.empty((3, 3), np.float64),
        np.empty((3, 3), np.float64),
        np.empty(3, np.float64),
        np.empty(TILE, np.float32),
        np.empty(TILE, np.float32),
        np.empty((n_atoms, 3), np.float32),
        np.empty(n_modes, np.float64),
        np.empty(n_modes, np.float64),
        np.empty(n_modes, np.float64),
        np.empty((n_modes + 63) // 64 * 64, np.float32),
        np.empty((line + 3) // 4 * 4, np.float32),
        np.empty(padded(n_features(n_atoms, near.field)) * TILE, np.float32),
        np.empty(padded(n_modes) * TILE, np.float32),
        np.empty(padded(max(n_bands, n_channels)) * TILE, np.float32),
        np.empty((n_bands, n_pixels), np.float32),
        np.empty((n_pixels if near.cube else 0, n_channels), np.float32),
    )


@kernel
def _drawn(interval: F64, index: int, seed: int, stream: int) -> float:
    """Return a value uniform in ``interval`` (low, high)."""
    word, _, _, _ = philox(0, index, 0, seed, stream)
    return between(interval[0], interval[1], word)


@kernel
def _draw_near_modes(
    row: int, index: int, modes: NearModes, settings: Settings, work: NearScratch, out: Outputs
) -> None:
    """Draw position, width and weight of each mode; a mode of the spectrum as it is there."""
    label = out.label[row]
    first = modes.first_mode[label]
    count = modes.first_mode[label + 1] - first
    width = np.float64(out.width[row])
    normals = work.normals[: (count + 63) // 64 * 64]
    for bright in (True, False):
        stream = streams.MODE_SHIFT if bright else streams.DARK_SHIFT
        fill_normals(normals, index, 0, settings.seed, stream)
        for m in range(count):
            place = modes.bright[first + m]
            if (place >= 0) == bright:
                normal = np.float64(normals[place if bright else modes.dark[first + m]])
                shift = np.float64(out.shift[row]) + settings.mode_shift_cm1 * normal
                work.position[m] = modes.frequency[first + m] + shift
                work.fwhm[m] = modes.fwhm[first + m] * width
        stream = streams.INTENSITY if bright else streams.DARK_INTENSITY
        fill_normals(normals, index, 0, settings.seed, stream)
        for m in range(count):
            place = modes.bright[first + m]
            if (place >= 0) == bright:
                normal = np.float64(normals[place if bright else modes.dark[first + m]])
                jitter = exp(np.float32(settings.intensity * normal))
                work.weight[m] = modes.factor[first + m] * np.float64(jitter)


@kernel
def _turn_molecule(
    label: int, matrix: F64, modes: NearModes, near: NearSettings, work: NearScratch
) -> tuple[F32, float]:
    """Turn atoms and their tensors; return the tensors' matrix and the height of the top atom."""
    first = modes.first_atom[label]
    n_atoms = modes.first_atom[label + 1] - first
    n_modes = modes.first_mode[label + 1] - modes.first_mode[label]
    top = -1e30
    for i in range(n_atoms):
        r = modes.position[first + i]
        for k in range(3):
            work.atoms[i, k] = matrix[k, 0] * r[0] + matrix[k, 1] * r[1] + matrix[k, 2] * r[2]
        top = max(top, np.float64(work.atoms[i, 2]))
    left = np.zeros((padded(n_modes), padded(n_features(n_atoms, near.field))), np.float32)
    share = modes.first_share[label]
    for m in range(n_modes):
        for i in range(n_atoms):
            rotate(modes.share[share + m * n_atoms + i], matrix, work.tensor)
            fill_tensor_row(left[m], i, work.tensor, near.field)
    return left, top


@kernel
def _mixing(edges: F64, count: int, work: NearScratch) -> F32:
    """Return each mode's weight in each channel, shape (channels, modes), both padded: Eq. (2.7).

    ``edges`` has shape (channels, 2), cm^-1.
    """
    weights = np.zeros((padded(edges.shape[0]), padded(count)), np.float32)
    for c in range(edges.shape[0]):
        for m in range(count):
            share = lorentzian_share(edges[c, 0], edges[c, 1], work.position[m], work.fwhm[m])
            weights[c, m] = work.weight[m] * share
    return weights


@kernel
def _largest(values: F32, first: np.float32) -> np.float32:
    for k in range(values.shape[0]):
        first = max(first, values[k])
    return first


@kernel
def _fill_tiles(
    label: int,
    left: F32,
    tip_z: float,
    apex_x: float,
    apex_y: float,
    modes: NearModes,
    near: NearSettings,
    work: NearScratch,
) -> None:
    """Fill the maps and the cube before scaling, and noise and offset apart."""
    n_atoms = modes.first_atom[label + 1] - modes.first_atom[label]
    n_modes = modes.first_mode[label + 1] - modes.first_mode[label]
    atoms = work.atoms[:n_atoms]
    n_bands, n_channels = work.bands.shape[0], work.cube.shape[1]
    of_bands = _mixing(near.bands, n_modes, work)
    of_channels = _mixing(near.channels, n_modes, work)
    features = work.features[: left.shape[1] * TILE]
    amplitudes = work.amplitudes[: left.shape[0] * TILE]
    features[n_features(n_atoms, near.field) * TILE :] = _ZERO
    n_pixels = near.n_rows * near.n_columns
    for start in range(0, n_pixels, TILE):
        used = min(TILE, n_pixels - start)
        for p in range(TILE):
            pixel = min(start + p, n_pixels - 1)
            x, y = pixel // near.n_columns, pixel % near.n_columns
            work.tip_x[p] = apex_x + (x - 0.5 * (near.n_rows - 1)) * near.pixel[0]
            work.tip_y[p] = apex_y + (y - 0.5 * (near.n_columns - 1)) * near.pixel[1]
        fill_features(features, atoms, work.tip_x, work.tip_y, tip_z, work.width, near.field)
        multiply_tile(left, features, amplitudes)
        square_tile(amplitudes)
        if near.maps:
            channels = work.channels[: of_bands.shape[0] * TILE]
            multiply_tile(of_bands, amplitudes, channels)
            for c in range(n_bands):
                work.bands[c, start : start + used] = channels[c * TILE : c * TILE + used]
        if near.cube:
            channels = work.channels[: of_channels.shape[0] * TILE]
            multiply_tile(of_channels, amplitudes, channels)
            for p in range(used):
                spectrum = work.cube[start + p]
                for c in range(n_channels):
                    spectrum[c] = channels[c * TILE + p]


@kernel
def _scale(values: F32, amplitude: np.float32) -> np.float32:
    """Return the factor that brings the largest of some values, at least 0, to ``amplitude``."""
    peak = _largest(values, _ZERO)
    return amplitude / peak if peak > _ZERO else _ZERO


@kernel
def draw_near(
    row: int,
    index: int,
    bright: Modes,
    modes: NearModes,
    settings: Settings,
    near: NearSettings,
    work: NearScratch,
    out: Outputs,
) -> None:
    """Write map and cube of one sample, whose spectrum's parameters are drawn already."""
    seed = settings.seed
    label = out.label[row]
    draw_orientation(index, 0, bright.frame[label], settings, work.quaternion)
    quaternion_to_matrix(work.quaternion, work.matrix)
    _draw_near_modes(row, index, modes, settings, work, out)
    left, top = _turn_molecule(label, work.matrix, modes, near, work)

    height = _drawn(near.height, index, seed, streams.TIP_HEIGHT)
    width = _drawn(near.width, index, seed, streams.TIP_WIDTH)
    level = np.float32(_drawn(settings.map_noise, index, seed, streams.MAP_NOISE_LEVEL))
    offset = np.float32(_drawn(settings.background, index, seed, streams.BACKGROUND))
    amplitude = np.float32(_drawn(settings.amplitude, index, seed, streams.AMPLITUDE))
    w0, w1, _, _ = philox(0, index, 0, seed, streams.APEX)
    a, b = normal_pair(w0, w1)
    apex_x, apex_y = near.apex * np.float64(a), near.apex * np.float64(b)
    for k in range(3):
        work.width[k] = width * near.aspect[k]
    out.tip_height[row] = height
    out.tip_width[row] = width
    out.apex[row, 0] = apex_x
    out.apex[row, 1] = apex_y
    out.map_noise[row] = level
    out.background[row] = offset

    _fill_tiles(label, left, top + height, apex_x, apex_y, modes, near, work)
    if level <= _ZERO:
        work.noise[:] = _ZERO
    n_pixels = near.n_rows * near.n_columns
    if near.maps:
        scale = _scale(work.bands.reshape(work.bands.size), amplitude)
        out.map_scale[row] = scale
        for c in range(work.bands.shape[0]):
            if level > _ZERO:
                noise = work.noise[: (n_pixels + 3) // 4 * 4]
                fill_normals(noise, index, c, seed, streams.MAP_NOISE)
            values = work.bands[c]
            if out.half_maps.shape[0] > 0:
                half = out.half_maps[row, c].reshape(n_pixels)
                _finish_half(values, scale, offset, level, work.noise, settings.symmetric, half)
            else:
                full = out.maps[row, c].reshape(n_pixels)
                _finish(values, scale, offset, level, work.noise, settings.symmetric, full)
    if near.cube:
        scale = _scale(work.cube.reshape(work.cube.size), amplitude)
        out.cube_scale[row] = scale
        n_line = near.n_columns * near.channels.shape[0]
        for x in range(near.n_rows):
            if level > _ZERO:
                noise = work.noise[: (n_line + 3) // 4 * 4]
                fill_normals(noise, index, x, seed, streams.CUBE_NOISE)
            values = work.cube[x * near.n_columns : (x + 1) * near.n_columns].reshape(n_line)
            if out.half_cube.shape[0] > 0:
                half = out.half_cube[row, x].reshape(n_line)
                _finish_half(values, scale, offset, level, work.noise, settings.symmetric, half)
            else:
                full = out.cube[row, x].reshape(n_line)
                _finish(values, scale, offset, level, work.noise, settings.symmetric, full)


@kernel
def _finish_half(
    values: F32,
    scale: np.float32,
    offset: np.float32,
    level: np.float32,
    noise: F32,
    symmetric: bool,
    out: NDArray[np.uint16],
) -> None:
    """Write clip(scale x value + b + noise, 0, 1) as float16, in the range asked for."""
    for k in range(out.shape[0]):
        value = add_noise_clipped(values[k] * scale + offset, level * noise[k])
        out[k] = to_half(ranged(value, symmetric))


@kernel
def _finish(
    values: F32,
    scale: np.float32,
    offset: np.float32,
    level: np.float32,
    noise: F32,
    symmetric: bool,
    out: F32,
) -> None:
    """Write clip(scale x value + b + noise, 0, 1) as float32, in the range asked for."""
    for k in range(out.shape[0]):
        value = add_noise_clipped(values[k] * scale + offset, level * noise[k])
        out[k] = ranged(value, symmetric)


@kernel
def fill_near_rows(
    first: int,
    last: int,
    start: int,
    bright: Modes,
    modes: NearModes,
    settings: Settings,
    near: NearSettings,
    out: Outputs,
) -> None:
    """Fill maps and cubes of rows ``first`` to ``last``; row 0 is sample ``start``. No GIL.

    The other fields of those rows, and their parameters, are filled before.
    """
    n_atoms, n_modes = 1, 1
    for label in range(modes.first_mode.shape[0] - 1):
        n_atoms = max(n_atoms, modes.first_atom[label + 1] - modes.first_atom[label])
        n_modes = max(n_modes, modes.first_mode[label + 1] - modes.first_mode[label])
    work = near_scratch(n_atoms, n_modes, near)
    for row in range(first, last):
        draw_near(row, start + row, bright, modes, settings, near, work, out)
