"""One sample's orientation, modes and spectrum: Eqs. (3.1), (1.1)-(1.5), (10.1), (10.2)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import streams
from ..kernels._jit import inlined, kernel
from ..kernels.elementary import exp
from ..kernels.half import to_half
from ..kernels.lineshape import add_sticks, extent
from ..kernels.normal import fill_normals, normal_pair
from ..kernels.philox import between, philox
from ..kernels.tensor import (
    averaged_intensity,
    quaternion_to_matrix,
    rotate,
    scattered_intensity,
)
from ..kernels.transforms import roll, standardise
from .orientation import AVERAGED, draw_orientation
from .outputs import Outputs
from .tables import Modes, Settings

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_EPS = np.float32(1e-12)
_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)


class LineScratch(NamedTuple):
    """Working memory for one spectrum at a time."""

    normals: F32
    line: F32
    rolled: F32
    mode_normals: F32
    position: F64
    intensity: F64
    fwhm: F64
    quaternion: F64
    matrix: F64
    tensor: F64


@kernel
def line_scratch(n_points: int, n_modes: int) -> LineScratch:
    """Return working memory for spectra of L points from at most M modes."""
    return LineScratch(
        np.empty((n_points + 3) // 4 * 4, np.float32),
        np.empty(n_points, np.float32),
        np.empty(n_points, np.float32),
        np.empty((n_modes + 63) // 64 * 64, np.float32),
        np.empty(n_modes, np.float64),
        np.empty(n_modes, np.float64),
        np.empty(n_modes, np.float64),
        np.empty(4, np.float64),
        np.empty((3, 3), np.float64),
        np.empty((3, 3), np.float64),
    )


@kernel
def draw_modes(
    row: int, index: int, modes: Modes, settings: Settings, work: LineScratch, out: Outputs
) -> int:
    """Draw orientation, shifts, widths and intensities of one sample; return its mode count.

    Fills ``work.position`` (cm^-1), ``work.intensity`` (Angstrom^4/amu times the Stokes factor, and
    of a mixture times the fraction) and ``work.fwhm`` (cm^-1), species after species, and the row's
    sticks, tensors and parameters.
    """
    w0, w1, _, _ = philox(0, index, 0, settings.seed, streams.SHIFT)
    normal, _ = normal_pair(w0, w1)
    shift = settings.shift_cm1 * np.float64(normal)
    w0, _, _, _ = philox(0, index, 0, settings.seed, streams.WIDTH)
    width = between(settings.width[0], settings.width[1], w0)
    out.shift[row] = shift
    out.width[row] = width
    at = 0
    for c in range(out.n_components[row]):
        at = _draw_component(row, index, c, at, shift, width, modes, settings, work, out)
    for c in range(out.n_components[row], out.component.shape[1]):
        out.quaternion[row, c] = _ZERO
        if settings.tensors:
            out.tensors[row, c] = _ZERO
        if settings.sticks:
            out.n_modes[row, c] = 0
            out.position[row, c] = _ZERO
            out.stick_intensity[row, c] = _ZERO
    return at


@kernel
def _draw_component(
    row: int, index: int, c: int, at: int, shift: float, width: float, modes: Modes,
    settings: Settings, work: LineScratch, out: Outputs,
) -> int:  # fmt: skip
    """Draw the modes of species ``c`` of a sample into ``work`` from place ``at`` on."""
    species = out.component[row, c]
    draw_orientation(index, c, modes.frame[species], settings, work.quaternion)
    quaternion_to_matrix(work.quaternion, work.matrix)
    for k in range(4):
        out.quaternion[row, c, k] = work.quaternion[k]
    first = modes.first[species]
    count = modes.first[species + 1] - first
    # whole vectors of draws, as many as this species needs: others do not matter
    normals = work.mode_normals[: (count + 63) // 64 * 64]
    fill_normals(normals, index, c, settings.seed, streams.MODE_SHIFT)
    for m in range(count):
        own = settings.mode_shift_cm1 * np.float64(normals[modes.partner[first + m]])
        work.position[at + m] = modes.frequency[first + m] + shift + own
        work.fwhm[at + m] = modes.fwhm[first + m] * width
    fill_normals(normals, index, c, settings.seed, streams.INTENSITY)
    total = 0.0
    for m in range(count):
        tensor = modes.tensor[first + m]
        if settings.orientation == AVERAGED:
            strength = averaged_intensity(tensor, settings.incident, settings.scattered)
            lab = tensor
        else:
            rotate(tensor, work.matrix, work.tensor)
            strength = scattered_intensity(work.tensor, settings.incident, settings.scattered)
            lab = work.tensor
        normal = np.float64(normals[modes.partner[first + m]])
        jitter = exp(np.float32(settings.intensity * normal))
        work.intensity[at + m] = strength * modes.factor[first + m] * np.float64(jitter)
        total += work.intensity[at + m]
        if settings.tensors:
            for i in range(3):
                for j in range(3):
                    out.tensors[row, c, m, i, j] = lab[i, j]
    if settings.tensors:
        out.tensors[row, c, count:] = _ZERO
    if settings.mixed:
        scale = float(out.fraction[row, c])
        if settings.of_signal:
            scale = scale / total if total > 0.0 else 0.0
        for m in range(at, at + count):
            work.intensity[m] *= scale
    if settings.sticks:
        out.n_modes[row, c] = count
        for m in range(out.position.shape[2]):
            out.position[row, c, m] = work.position[at + m] if m < count else 0.0
            out.stick_intensity[row, c, m] = work.intensity[at + m] if m < count else 0.0
    return at + count


@inlined
def ranged(value: np.float32, symmetric: bool) -> np.float32:
    """Return a value of [0, 1] as it is, or in [-1, 1] by Eq. (10.1)."""
    return standardise(value, _HALF, _HALF) if symmetric else value


@kernel
def draw_spectrum(
    row: int, index: int, count: int, settings: Settings, work: LineScratch, out: Outputs
) -> None:
    """Write the spectrum of one sample from its ``count`` modes in ``work``.

    Bands are summed and scaled to a peak of 1, rolled if asked, noise is added, and the result is
    min-max scaled: Eqs. (1.2), (10.2), (1.5).
    """
    line = work.line
    line[:] = _ZERO
    add_sticks(
        line,
        settings.start_cm1,
        settings.step_cm1,
        work.position[:count],
        work.intensity[:count],
        work.fwhm[:count],
        settings.profile,
        settings.mixing,
    )
    _, peak = extent(line)
    scale = _ONE / peak if peak > _ZERO else _ZERO
    bins = 0
    if settings.roll_bins > 0:
        word, _, _, _ = philox(0, index, 0, settings.seed, streams.ROLL)
        bins = int(np.int64(word) % (2 * settings.roll_bins + 1)) - settings.roll_bins
        roll(line, bins, work.rolled)
        line = work.rolled
    out.roll[row] = bins

    word, _, _, _ = philox(0, index, 0, settings.seed, streams.SPECTRUM_NOISE_LEVEL)
    level = np.float32(between(settings.spectrum_noise[0], settings.spectrum_noise[1], word))
    out.spectrum_noise[row] = level
    n_points = line.shape[0]
    if level > _ZERO:
        fill_normals(work.normals, index, 0, settings.seed, streams.SPECTRUM_NOISE)
    else:
        work.normals[:] = _ZERO
    for k in range(n_points):
        line[k] = line[k] * scale + level * work.normals[k]
    low, high = extent(line)
    scale = _ONE / (high - low + _EPS)
    if out.half_spectra.shape[0] > 0:
        for k in range(n_points):
            value = min((line[k] - low) * scale, _ONE)
            out.half_spectra[row, k] = to_half(ranged(value, settings.symmetric))
    else:
        for k in range(n_points):
            value = min((line[k] - low) * scale, _ONE)
            out.spectra[row, k] = ranged(value, settings.symmetric)
