"""What a spectrometer and its detector do to a spectrum.

The axis is off by a shift and a stretch, bands are broadened to Voigt profiles (or wider
Gaussians), fluorescence is added and all of it multiplied by the response. The detector counts:
electrons = Poisson(exposure x line + dark) + cosmic rays, up to the full well; counts = gain x
electrons + bias + read noise, rounded and clipped by the converter. Where the axis was not
measured, the outermost value is repeated.
"""

from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...numeric.lineshape import extent
from ...numeric.voigt import add_resolved_sticks
from ...random import streams
from ...random.normal import fill_normals, normal_pair
from ...random.philox import between, philox, uniform
from ...random.poisson import draw_counts, poisson_inverted
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import ArraySpec, Effect, Parameter, Tile, columns, spec
from ..profile.effect import PROFILES
from ..sections import Sections
from .kernels import RAY_POINTS, add_ray, convert, log_between
from .settings import CubeExposure, Instrument

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_EPS = np.float32(1e-12)

PARAMETERS = (
    Parameter("resolution", "cm^-1", "resolution (FWHM, cm^-1)"),
    Parameter("axis_shift", "cm^-1", "axis shift (cm^-1)"),
    Parameter("axis_stretch", "1", "axis stretch (1)"),
    Parameter("fluorescence", "1", "fluorescence over the strongest band (1)"),
    Parameter("response", "1", "deviation of the response (1)"),
    Parameter("electrons", "electron", "electrons at the highest point"),
    Parameter("dark", "electron", "dark electrons"),
    Parameter("gain", "count/electron", "gain (counts per electron)"),
    Parameter("bias", "count", "bias (counts)"),
    Parameter("read_noise", "electron", "read noise (electrons)"),
    Parameter("rays", "1", "cosmic rays"),
    Parameter("saturated", "1", "saturated points"),
    Parameter("missing_low", "1", "points not measured at the low end"),
    Parameter("missing_high", "1", "points not measured at the high end"),
    Parameter("counts_at_0", "count", "counts at 0"),
    Parameter("counts_to_1", "count", "counts from 0 to 1"),
)
"""What ``params/instrument`` holds of each row, in order."""
_COLUMN = columns(PARAMETERS)
_RESOLUTION, _SHIFT = _COLUMN["resolution"], _COLUMN["axis_shift"]
_STRETCH, _ELECTRONS, _DARK = _COLUMN["axis_stretch"], _COLUMN["electrons"], _COLUMN["dark"]
_GAIN, _BIAS, _READ = _COLUMN["gain"], _COLUMN["bias"], _COLUMN["read_noise"]
_RAYS, _SATURATED = _COLUMN["rays"], _COLUMN["saturated"]
_MISSING_LOW, _MISSING_HIGH = _COLUMN["missing_low"], _COLUMN["missing_high"]
_AT_0, _TO_1 = _COLUMN["counts_at_0"], _COLUMN["counts_to_1"]


def logarithms(interval: tuple[float, float]) -> F64:
    """Return ln(low) and ln(high) - ln(low); decimal, as a maths library may round otherwise."""
    if interval[1] <= 0:
        return np.zeros(2)
    with localcontext() as context:
        context.prec = 40
        low, high = (Decimal(value).ln() for value in interval)
        return np.array([float(low), float(high - low)])


class InstrumentEffect(Effect[Instrument]):
    """What the effects of an instrument on spectra share: each fills columns of its parameters."""

    section = "instrument"

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are spectra and an instrument."""
        return super().is_part_of(recipe) and recipe.fields.spectra


class AxisError(InstrumentEffect):
    """Moves ``position`` by the calibration's error, and fills ``resolution``, float64 (cm^-1)."""

    stage = "modes"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        section = self.settings
        self._resolution = section.resolution_cm1
        self._errors = section.axis_shift_cm1, section.axis_stretch

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:  # noqa: ARG003 - the same for all
        """Return what the instrument did, of which its effects fill columns."""
        text = "what the instrument did; " + ", ".join(one.description for one in PARAMETERS)
        sizes = {"instrument_parameter": len(PARAMETERS)}
        return [spec("params/instrument", "float32", "1", text, **sizes)]

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the resolution, which profiles read."""
        return {"resolution": ArraySpec((), np.float64)}

    def apply(self, tile: Tile) -> None:
        """Move the modes."""
        grid, recorded = self.recipe.grid, tile["params/instrument"]
        recorded[...] = 0.0
        middle = grid.start_cm1 + 0.5 * grid.step_cm1 * (grid.n_points - 1)
        move_modes(
            tile.index, tile.seed, *self._resolution, *self._errors, middle, tile["count"],
            tile["position"], tile["resolution"], recorded,
        )  # fmt: skip


@kernel
def move_modes(
    start: int, seed: int, finest: float, coarsest: float, axis_shift: float, axis_stretch: float,
    middle: float, count: I64, position: F64, resolution: F64, recorded: F32,
) -> None:  # fmt: skip
    """Shift and stretch the axis; draw a resolution uniform in [finest, coarsest]."""
    for row in range(position.shape[0]):
        index = start + row
        w0, w1, _, _ = philox(0, index, 0, seed, streams.AXIS_ERROR)
        a, b = normal_pair(w0, w1)
        shift, stretch = axis_shift * np.float64(a), axis_stretch * np.float64(b)
        w0, _, _, _ = philox(0, index, 0, seed, streams.RESOLUTION)
        resolution[row] = between(finest, coarsest, w0)
        recorded[row, _RESOLUTION] = resolution[row]
        recorded[row, _SHIFT], recorded[row, _STRETCH] = shift, stretch
        for m in range(count[row]):
            position[row, m] += (position[row, m] - middle) * stretch + shift


class Spectrometer(InstrumentEffect):
    """Fills ``line``, float32, shape (n, L), with bands at the spectrometer's resolution."""

    stage = "profile"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self._profile = PROFILES[recipe.lineshape.profile]

    def apply(self, tile: Tile) -> None:
        """Sum the bands."""
        grid = self.recipe.grid
        resolve_bands(
            tile["position"], tile["intensity"], tile["fwhm"], tile["count"], tile["resolution"],
            grid.start_cm1, grid.step_cm1, self._profile, tile["line"],
        )  # fmt: skip


@kernel
def resolve_bands(
    position: F64, intensity: F64, fwhm: F64, count: I64, resolution: F64, start: float,
    step: float, profile: int, lines: F32,
) -> None:  # fmt: skip
    """Fill spectra from the first ``count`` modes of each sample."""
    curve = np.empty(lines.shape[1], np.float32)
    for row in range(lines.shape[0]):
        n, line = count[row], lines[row]
        line[:] = _ZERO
        add_resolved_sticks(
            line, start, step, position[row, :n], intensity[row, :n], fwhm[row, :n], profile,
            resolution[row], curve,
        )  # fmt: skip


class DetectorNumbers(NamedTuple):
    """A section's numbers; a logarithmic interval is (ln low, ln high - ln low)."""

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
    overexposed: float
    """Fraction of samples that saturate."""
    overexposure: F64


def detector_numbers(section: Instrument, exposure: Instrument | CubeExposure) -> DetectorNumbers:
    """Return the numbers of a detector, and of the exposure of its spectra or of cubes."""
    return DetectorNumbers(
        electrons=logarithms(exposure.electrons),
        dark=np.array(exposure.dark, np.float64),
        full_well=section.full_well or np.inf,
        gain=np.array(section.gain, np.float64),
        bias=np.array(section.bias, np.float64),
        read_noise=np.array(section.read_noise, np.float64),
        largest=2.0**section.bits - 1.0 if section.bits else 0.0,
        rays=exposure.cosmic_rays,
        ray_height=logarithms(exposure.cosmic_height),
        overexposed=exposure.overexposed if isinstance(exposure, Instrument) else 0.0,
        overexposure=logarithms(section.overexposure),
    )


class Detector(InstrumentEffect):
    """Turns ``line`` into counts."""

    stage = "signal"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self._numbers = detector_numbers(self.settings, self.settings)

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are spectra whose electrons are counted."""
        return recipe.fields.spectra and recipe.counts_electrons

    def apply(self, tile: Tile) -> None:
        """Count."""
        count_electrons(
            tile.index, tile.seed, self._numbers, tile["line"], tile["params/instrument"]
        )


@kernel
def _draw_rays(
    index: int, seed: int, detector: DetectorNumbers, highest: float, electrons: F32
) -> int:
    """Fill the electrons of cosmic rays; return how many there are."""
    electrons[:] = _ZERO
    w0, _, _, _ = philox(0, index, 0, seed, streams.COSMIC_RAYS)
    n_rays = int(poisson_inverted(detector.rays, w0))
    for r in range(n_rays):
        w0, w1, w2, _ = philox(1 + r, index, 0, seed, streams.COSMIC_RAYS)
        place = int(np.float64(uniform(w0)) * electrons.shape[0])
        low, ratio = detector.ray_height[0], detector.ray_height[1]
        height = highest * log_between(low, ratio, uniform(w1))
        n_points = 1 + int(w2 % np.uint32(RAY_POINTS))
        rising = bool(w2 & np.uint32(256))
        add_ray(electrons, place, height, n_points, rising)
    return n_rays


@kernel
def draw_camera(index: int, seed: int, detector: DetectorNumbers) -> tuple[float, float, float]:
    """Return gain, bias and read noise of a sample, the same for its spectrum and its cube."""
    _, _, w2, w3 = philox(0, index, 0, seed, streams.EXPOSURE)
    w0, _, _, _ = philox(1, index, 0, seed, streams.EXPOSURE)
    gain = between(detector.gain[0], detector.gain[1], w2)
    bias = between(detector.bias[0], detector.bias[1], w3)
    return gain, bias, between(detector.read_noise[0], detector.read_noise[1], w0)


@inlined
def most_electrons(detector: DetectorNumbers, gain: float, bias: float) -> float:
    """Return the electrons at which full well or converter saturate; infinite without either."""
    if detector.largest > 0.0:
        return min(detector.full_well, (detector.largest - bias) / gain)
    return detector.full_well


@kernel
def draw_exposure(index: int, seed: int, detector: DetectorNumbers) -> tuple[float, float, float]:
    """Return electrons at the highest point of a spectrum, dark electrons, and read noise."""
    w0, w1, _, _ = philox(0, index, 0, seed, streams.EXPOSURE)
    highest = log_between(detector.electrons[0], detector.electrons[1], uniform(w0))
    dark = between(detector.dark[0], detector.dark[1], w1)
    gain, bias, read = draw_camera(index, seed, detector)
    if detector.overexposed > 0.0:
        w0, w1, _, _ = philox(0, index, 0, seed, streams.OVEREXPOSURE)
        if np.float64(uniform(w0)) < detector.overexposed:
            low, ratio = detector.overexposure[0], detector.overexposure[1]
            most = most_electrons(detector, gain, bias)
            highest = most * log_between(low, ratio, uniform(w1))
    return highest, dark, read


@kernel
def count_electrons(
    start: int, seed: int, detector: DetectorNumbers, lines: F32, recorded: F32
) -> None:
    """Turn spectra, shape (n, L), into counts."""
    n_points = lines.shape[1]
    rays = np.empty(n_points, np.float32)
    normals = np.empty((n_points + 3) // 4 * 4, np.float32)
    for row in range(lines.shape[0]):
        index, line, params = start + row, lines[row], recorded[row]
        highest, dark, read = draw_exposure(index, seed, detector)
        gain, bias, _ = draw_camera(index, seed, detector)
        params[_ELECTRONS], params[_DARK], params[_GAIN] = highest, dark, gain
        params[_BIAS], params[_READ] = bias, read
        params[_RAYS] = _draw_rays(index, seed, detector, highest, rays)
        _, peak = extent(line)
        exposure = np.float32(highest / np.float64(peak)) if peak > _ZERO else _ZERO
        level = np.float32(dark)
        for k in range(n_points):
            line[k] = exposure * line[k] + level
        draw_counts(line, normals, index, streams.ONLY, seed, streams.SHOT_NOISE)
        fill_normals(normals, index, streams.ONLY, seed, streams.READ_NOISE)
        factor, offset, sigma = np.float32(gain), np.float32(bias), np.float32(read)
        full_well, largest = np.float32(detector.full_well), np.float32(detector.largest)
        highest_count = largest if largest > _ZERO else np.float32(np.inf)
        saturated = 0
        for k in range(n_points):
            held = line[k] + rays[k]
            counts = convert(held, factor, offset, sigma * normals[k], full_well, largest)
            saturated += int((held >= full_well) | (counts >= highest_count))
            line[k] = counts
        params[_SATURATED] = saturated


class Range(InstrumentEffect):
    """Repeats the outermost value where the axis was not measured, and records the counts."""

    stage = "record"

    def apply(self, tile: Tile) -> None:
        """Draw what is missing, where it is not yet."""
        measured = tile.get("measured")
        if measured is None:
            n_points = tile["line"].shape[1]
            measured = np.empty((len(tile["line"]), 2), np.int64)
            draw_ranges(tile.index, tile.seed, *self.settings.missing, n_points, measured)
        repeat_edges(measured, tile["line"], tile["params/instrument"])


@kernel
def draw_range(
    attempt: int, index: int, seed: int, low_share: float, high_share: float, n_points: int
) -> tuple[int, int]:
    """Return the first and the last point that is measured: up to these shares are not."""
    w0, w1, _, _ = philox(attempt, index, 0, seed, streams.MISSING)
    first = int(low_share * np.float64(uniform(w0)) * n_points)
    last = n_points - 1 - int(high_share * np.float64(uniform(w1)) * n_points)
    return first, last


@kernel
def draw_ranges(
    start: int, seed: int, low_share: float, high_share: float, n_points: int, measured: I64
) -> None:
    """Draw the measured part of each spectrum, shape (n, 2)."""
    for row in range(measured.shape[0]):
        first, last = draw_range(streams.ONLY, start + row, seed, low_share, high_share, n_points)
        measured[row, 0], measured[row, 1] = first, last


@kernel
def repeat_edges(measured: I64, lines: F32, recorded: F32) -> None:
    """Repeat the outermost value of spectra where they are not measured; record the counts."""
    n_points = lines.shape[1]
    for row in range(lines.shape[0]):
        line = lines[row]
        first, last = measured[row, 0], measured[row, 1]
        for k in range(first):
            line[k] = line[first]
        for k in range(last + 1, n_points):
            line[k] = line[last]
        recorded[row, _MISSING_LOW] = first
        recorded[row, _MISSING_HIGH] = n_points - 1 - last
        low, high = extent(line)
        recorded[row, _AT_0], recorded[row, _TO_1] = low, high - low + _EPS
