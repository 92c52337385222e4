"""One sample's spectrum as an instrument records it; see ``schema/instrument.py``."""

from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import streams
from ..kernels._jit import kernel
from ..kernels.half import to_half
from ..kernels.instrument import (
    RAY_POINTS,
    add_ray,
    convert,
    curve_weights,
    fill_curve,
    log_between,
)
from ..kernels.lineshape import extent
from ..kernels.normal import fill_normals, normal_pair
from ..kernels.philox import between, philox, uniform
from ..kernels.poisson import draw_counts, poisson_inverted
from ..kernels.voigt import add_resolved_sticks
from ..schema.instrument import Instrument
from .outputs import Outputs
from .spectrum import LineScratch, draw_modes, line_scratch, ranged
from .tables import Modes, Settings

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_EPS = np.float32(1e-12)
_BUMPS = 4


class SpectrumSettings(NamedTuple):
    """The numbers of an instrument; a logarithmic interval is (ln low, ln high - ln low)."""

    resolution: F64
    axis_shift: float
    axis_stretch: float
    fluoresces: float
    """Share of samples that do; 0 for none."""
    fluorescence: F64
    response: float
    missing: F64
    counted: bool
    electrons: F64
    dark: F64
    full_well: float
    """Infinite for none."""
    gain: F64
    bias: F64
    read_noise: F64
    largest: float
    """Largest count of the converter; 0 for none."""
    rays: float
    ray_height: F64


def logarithms(interval: tuple[float, float]) -> F64:
    """Return ln(low) and ln(high) - ln(low); decimal, as a maths library may round otherwise."""
    if interval[1] <= 0:
        return np.zeros(2)
    with localcontext() as context:
        context.prec = 40
        low, high = (Decimal(value).ln() for value in interval)
        return np.array([float(low), float(high - low)])


def spectrum_settings(spec: Instrument) -> SpectrumSettings:
    """Return the numbers of an instrument that spectra need."""

    def pair(interval: tuple[float, float]) -> F64:
        return np.array(interval, np.float64)

    return SpectrumSettings(
        resolution=pair(spec.resolution_cm1),
        axis_shift=spec.axis_shift_cm1,
        axis_stretch=spec.axis_stretch,
        fluoresces=spec.fluorescence_share if spec.fluorescence[1] > 0 else 0.0,
        fluorescence=logarithms(spec.fluorescence),
        response=spec.response,
        missing=pair(spec.missing),
        counted=spec.electrons[1] > 0,
        electrons=logarithms(spec.electrons),
        dark=pair(spec.dark),
        full_well=spec.full_well or np.inf,
        gain=pair(spec.gain),
        bias=pair(spec.bias),
        read_noise=pair(spec.read_noise),
        largest=2.0**spec.bits - 1.0 if spec.bits else 0.0,
        rays=spec.cosmic_rays,
        ray_height=logarithms(spec.cosmic_height),
    )


@kernel
def _draw_curve(curve: F32, weights: F32, index: int, seed: int, stream: int, signed: bool) -> None:
    """Fill a smooth curve of broad bumps over the axis, its largest size 1."""
    bumps = np.empty((_BUMPS, 3), np.float64)
    for b in range(_BUMPS):
        w0, w1, w2, _ = philox(1 + b, index, 0, seed, stream)
        bumps[b, 0] = between(-1.0 if signed else 0.1, 1.0, w2)
        bumps[b, 1] = between(-0.4, 1.4, w0)
        bumps[b, 2] = between(0.15, 0.8, w1)
    fill_curve(curve, bumps, weights)


@kernel
def _draw_optics(
    row: int, index: int, count: int, settings: Settings, inst: SpectrumSettings,
    work: LineScratch, curve: F32, weights: F32, out: Outputs,
) -> None:  # fmt: skip
    """Fill ``work.line``: bands, of a peak of 1, fluorescence, all times the response."""
    seed, line = settings.seed, work.line
    n_points = line.shape[0]
    params = out.instrument[row]
    w0, w1, _, _ = philox(0, index, 0, seed, streams.AXIS_ERROR)
    a, b = normal_pair(w0, w1)
    shift, stretch = inst.axis_shift * np.float64(a), inst.axis_stretch * np.float64(b)
    w0, _, _, _ = philox(0, index, 0, seed, streams.RESOLUTION)
    resolution = between(inst.resolution[0], inst.resolution[1], w0)
    params[0], params[1], params[2] = resolution, shift, stretch
    middle = settings.start_cm1 + 0.5 * settings.step_cm1 * (n_points - 1)
    for m in range(count):
        work.position[m] += (work.position[m] - middle) * stretch + shift
    line[:] = _ZERO
    add_resolved_sticks(
        line, settings.start_cm1, settings.step_cm1, work.position[:count],
        work.intensity[:count], work.fwhm[:count], settings.profile, resolution, curve,
    )  # fmt: skip
    _, peak = extent(line)
    scale = _ONE / peak if peak > _ZERO else _ZERO
    for k in range(n_points):
        line[k] *= scale

    w0, w1, _, _ = philox(0, index, 0, seed, streams.FLUORESCENCE)
    height = 0.0
    if np.float64(uniform(w0)) < inst.fluoresces:
        height = log_between(inst.fluorescence[0], inst.fluorescence[1], uniform(w1))
        _draw_curve(curve, weights, index, seed, streams.FLUORESCENCE, False)
        strength = np.float32(height)
        for k in range(n_points):
            line[k] += strength * curve[k]
    params[3] = height
    w0, _, _, _ = philox(0, index, 0, seed, streams.RESPONSE)
    deviation = inst.response * np.float64(uniform(w0))
    if inst.response > 0.0:
        _draw_curve(curve, weights, index, seed, streams.RESPONSE, True)
        size = np.float32(deviation)
        for k in range(n_points):
            line[k] *= _ONE + size * curve[k]
    params[4] = deviation


@kernel
def _draw_rays(
    index: int, settings: Settings, inst: SpectrumSettings, highest: float, electrons: F32
) -> int:
    """Fill the electrons of cosmic rays; return how many there are."""
    seed = settings.seed
    electrons[:] = _ZERO
    w0, _, _, _ = philox(0, index, 0, seed, streams.COSMIC_RAYS)
    n_rays = int(poisson_inverted(inst.rays, w0))
    for r in range(n_rays):
        w0, w1, w2, _ = philox(1 + r, index, 0, seed, streams.COSMIC_RAYS)
        place = int(np.float64(uniform(w0)) * electrons.shape[0])
        height = highest * log_between(inst.ray_height[0], inst.ray_height[1], uniform(w1))
        n_points = 1 + int(w2 % np.uint32(RAY_POINTS))
        rising = bool(w2 & np.uint32(256))
        add_ray(electrons, place, height, n_points, rising)
    return n_rays


@kernel
def _count(
    row: int, index: int, settings: Settings, inst: SpectrumSettings,
    work: LineScratch, curve: F32, noise: F32, out: Outputs,
) -> None:  # fmt: skip
    """Turn ``work.line`` into counts."""
    seed, line = settings.seed, work.line
    params = out.instrument[row]
    w0, w1, w2, w3 = philox(0, index, 0, seed, streams.EXPOSURE)
    highest = log_between(inst.electrons[0], inst.electrons[1], uniform(w0))
    dark = between(inst.dark[0], inst.dark[1], w1)
    gain = between(inst.gain[0], inst.gain[1], w2)
    bias = between(inst.bias[0], inst.bias[1], w3)
    w0, _, _, _ = philox(1, index, 0, seed, streams.EXPOSURE)
    read = between(inst.read_noise[0], inst.read_noise[1], w0)
    n_rays = _draw_rays(index, settings, inst, highest, curve)
    params[5], params[6], params[7], params[8], params[9] = highest, dark, gain, bias, read
    params[10] = n_rays
    _, peak = extent(line)
    exposure = np.float32(highest / np.float64(peak)) if peak > _ZERO else _ZERO
    level = np.float32(dark)
    for k in range(line.shape[0]):
        line[k] = exposure * line[k] + level
    draw_counts(line, work.normals, index, 0, seed, streams.SHOT_NOISE)
    fill_normals(noise, index, 0, seed, streams.READ_NOISE)
    factor, offset, sigma = np.float32(gain), np.float32(bias), np.float32(read)
    full_well, largest = np.float32(inst.full_well), np.float32(inst.largest)
    highest_count = largest if largest > _ZERO else np.float32(np.inf)
    saturated = 0
    for k in range(line.shape[0]):
        held = line[k] + curve[k]
        counts = convert(held, factor, offset, sigma * noise[k], full_well, largest)
        saturated += int((held >= full_well) | (counts >= highest_count))
        line[k] = counts
    params[11] = saturated


@kernel
def _add_noise(row: int, index: int, settings: Settings, work: LineScratch, out: Outputs) -> None:
    """Add the noise of a spectrum whose electrons are not counted, as to a plain one."""
    seed, line = settings.seed, work.line
    w0, _, _, _ = philox(0, index, 0, seed, streams.SPECTRUM_NOISE_LEVEL)
    level = np.float32(between(settings.spectrum_noise[0], settings.spectrum_noise[1], w0))
    out.spectrum_noise[row] = level
    if level > _ZERO:
        fill_normals(work.normals, index, 0, seed, streams.SPECTRUM_NOISE)
        for k in range(line.shape[0]):
            line[k] += level * work.normals[k]


@kernel
def _repeat_edges(
    row: int, index: int, seed: int, inst: SpectrumSettings, line: F32, out: Outputs
) -> None:
    """Repeat the outermost value where a spectrum was not measured."""
    n_points = line.shape[0]
    w0, w1, _, _ = philox(0, index, 0, seed, streams.MISSING)
    first = int(inst.missing[0] * np.float64(uniform(w0)) * n_points)
    last = n_points - 1 - int(inst.missing[1] * np.float64(uniform(w1)) * n_points)
    for k in range(first):
        line[k] = line[first]
    for k in range(last + 1, n_points):
        line[k] = line[last]
    out.instrument[row, 12] = first
    out.instrument[row, 13] = n_points - 1 - last


@kernel
def fill_recorded_rows(
    first: int, last: int, start: int, n_max: int, modes: Modes, settings: Settings,
    inst: SpectrumSettings, out: Outputs,
) -> None:  # fmt: skip
    """Fill modes and spectra of rows ``first`` to ``last``; row 0 is sample ``start``. No GIL."""
    n_points = max(out.half_spectra.shape[1], out.spectra.shape[1])
    work = line_scratch(n_points, n_max)
    curve = np.empty(n_points, np.float32)
    noise = np.empty_like(work.normals)
    weights = curve_weights(n_points)
    for row in range(first, last):
        index = start + row
        count = draw_modes(row, index, modes, settings, work, out)
        _draw_optics(row, index, count, settings, inst, work, curve, weights, out)
        line = work.line
        if inst.counted:
            _count(row, index, settings, inst, work, curve, noise, out)
        else:
            _add_noise(row, index, settings, work, out)
        _repeat_edges(row, index, settings.seed, inst, line, out)
        low, high = extent(line)
        span = high - low + _EPS
        scale = _ONE / span
        out.instrument[row, 14], out.instrument[row, 15] = low, span
        for k in range(n_points):
            value = ranged(min((line[k] - low) * scale, _ONE), settings.symmetric)
            if out.half_spectra.shape[0] > 0:
                out.half_spectra[row, k] = to_half(value)
            else:
                out.spectra[row, k] = value
