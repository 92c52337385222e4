"""The light path of a spectrum, from the laser to the sensor, and what of it can be seen.

The laser changes Stokes factors and fluorescence. The support of the sample adds bands of its own.
The edge filter acts on all light, and elastically scattered light passes its flank as a broad hump.
The sensor's quantum efficiency depends on the absolute wavelength, with interference fringes where
silicon becomes transparent, and differs from pixel to pixel.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.elementary import exp
from ...numeric.lineshape import GAUSSIAN, LORENTZIAN, extent
from ...numeric.voigt import add_resolved_sticks
from ...random import streams
from ...random.normal import fill_normals
from ...random.philox import between, philox, uniform
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import ArraySpec, Effect, Parameter, Tile, columns, spec
from ..instrument.effect import PARAMETERS as INSTRUMENT_PARAMETERS
from ..instrument.effect import logarithms
from ..instrument.kernels import curve_weights, log_between
from ..plasmon.effect import POWERS, weigh_modes
from ..sections import Sections
from .kernels import (
    INGAAS_FROM_NM,
    add_elastic,
    fill_edge,
    fill_ingaas,
    fill_passing,
    fill_silicon,
    fill_wave,
)
from .settings import Optics
from .supports import Supports, supports

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_RIPPLE_PERIODS_CM1 = (100.0, 500.0)

PARAMETERS = (
    Parameter("laser", "nm", "laser (nm)"),
    Parameter("unbleached", "1", "fraction of the fluorescence that is not bleached (1)"),
    Parameter("support", "1", "support, numbered from 1; 0 for none"),
    Parameter("support_height", "1", "support over the strongest band (1)"),
    Parameter("edge", "cm^-1", "edge of the filter (cm^-1)"),
    Parameter("edge_width", "cm^-1", "width of the edge (cm^-1)"),
    Parameter("edge_ripple", "1", "ripple of the filter (1)"),
    Parameter("rayleigh", "1", "elastically scattered light over the strongest band (1)"),
    Parameter("rayleigh_width", "cm^-1", "decay of elastically scattered light (cm^-1)"),
    Parameter("detector", "1", "number of the sensor"),
    Parameter("silicon", "um", "thickness of the silicon (um), 0 for other sensors"),
    Parameter("etaloning", "1", "amplitude of the fringes (1)"),
    Parameter("fixed_pattern", "1", "fixed pattern (1)"),
    Parameter("visible", "1", "best measured band over the best band, in units of the noise (1)"),
    Parameter("band_snr", "1", "best measured band over its noise (1)"),
)
"""What ``params/optics`` holds of each row, in order."""
_COLUMN = columns(PARAMETERS)
LASER, UNBLEACHED = _COLUMN["laser"], _COLUMN["unbleached"]
VISIBLE, BAND_SNR = _COLUMN["visible"], _COLUMN["band_snr"]
_SUPPORT, _SUPPORT_HEIGHT = _COLUMN["support"], _COLUMN["support_height"]
_EDGE, _EDGE_WIDTH, _RIPPLE = _COLUMN["edge"], _COLUMN["edge_width"], _COLUMN["edge_ripple"]
_RAYLEIGH, _RAYLEIGH_WIDTH = _COLUMN["rayleigh"], _COLUMN["rayleigh_width"]
_DETECTOR, _SILICON = _COLUMN["detector"], _COLUMN["silicon"]
_ETALONING, _PATTERN = _COLUMN["etaloning"], _COLUMN["fixed_pattern"]
_AXIS = columns(INSTRUMENT_PARAMETERS)
_SHIFT, _STRETCH = _AXIS["axis_shift"], _AXIS["axis_stretch"]


class LightPath(Effect[Optics]):
    """What the effects of the light path share: each fills columns of its parameters."""

    section = "instrument"

    @classmethod
    def settings_of(cls, recipe: Sections) -> Optics:
        """Return the light path, which is in the section of the instrument."""
        found = None if recipe.instrument is None else recipe.instrument.optics
        if found is None:
            raise ValueError("expected a recipe with instrument.optics, got none")
        return found

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are spectra and a light path."""
        section = recipe.instrument
        return recipe.fields.spectra and section is not None and section.optics is not None


class Laser(LightPath):
    """Draws the laser, and multiplies ``intensity`` by the change of its Stokes factors.

    Fills ``glow``, float64, shape (n,): the factor on fluorescence.
    """

    stage = "modes"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self._usual = recipe.geometry.laser_nm
        self._lasers = np.array(self.settings.lasers_nm or [self._usual], np.float64)
        self._decay = self.settings.fluorescence_decay_nm
        self._power = POWERS[recipe.geometry.detection]
        self._of_signal = recipe.mixture is not None and recipe.mixture.of == "signal"

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return what is drawn for the light path."""
        text = "light path; " + ", ".join(one.description for one in PARAMETERS)
        names = cls.settings_of(recipe).support
        if names:
            text += f"; supports: {', '.join(names)}"
        return [spec("params/optics", "float32", "1", text, optics_parameter=len(PARAMETERS))]

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the factor on fluorescence."""
        return {"glow": ArraySpec((), np.float64)}

    def apply(self, tile: Tile) -> None:
        """Draw the laser, and weigh the modes."""
        recorded, position = tile["params/optics"], tile["position"]
        recorded[...] = 0.0
        # a resonance without end gains nothing, which leaves the factor of the laser
        gains = np.full((len(recorded), 3), np.inf)
        draw_lasers(tile.index, tile.seed, self._lasers, self._decay, gains, tile["glow"], recorded)
        if self.settings.lasers_nm:
            weigh_modes(
                gains, self._usual, self._power, self._of_signal, tile["component_count"],
                tile["count"], position, tile["intensity"],
            )  # fmt: skip


@kernel
def draw_lasers(
    start: int, seed: int, lasers: F64, decay: float, gains: F64, glow: F64, recorded: F32
) -> None:
    """Draw a laser for each sample; ``gains``, shape (n, 3), ends with it."""
    shortest = lasers.min()
    for row in range(recorded.shape[0]):
        word, _, _, _ = philox(0, start + row, 0, seed, streams.LASER)
        laser = lasers[int(np.float64(uniform(word)) * lasers.shape[0])]
        recorded[row, LASER] = laser
        gains[row, 0], gains[row, 2] = 0.0, laser
        glow[row] = 1.0
        if decay > 0.0:
            glow[row] = np.float64(exp(np.float32((shortest - laser) / decay)))
        recorded[row, UNBLEACHED] = 1.0


class Support(LightPath):
    """Adds the bands of a support to ``line``; ``signal`` is the line without them."""

    stage = "optics"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        section = self.settings
        own = {
            name: [(band.position_cm1, band.fwhm_cm1, band.height) for band in bands]
            for name, bands in section.own_supports.items()
        }
        self._supports = supports(section.support, own)
        self._share = section.support_share if section.support else 0.0
        self._height = logarithms(section.support_height)

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the signal of the sample alone."""
        return {"signal": ArraySpec((self.recipe.grid.n_points,), np.float32)}

    def apply(self, tile: Tile) -> None:
        """Add the bands."""
        tile["signal"][...] = tile["line"]
        if self._share == 0.0:
            return
        grid = self.recipe.grid
        add_supports(
            tile.index, tile.seed, self._supports, self._share, self._height, grid.start_cm1,
            grid.step_cm1, tile["resolution"], tile["params/instrument"], tile["line"],
            tile["params/optics"],
        )  # fmt: skip


@kernel
def add_supports(
    start: int, seed: int, kinds: Supports, share: float, heights: F64, first: float, step: float,
    resolution: F64, instrument: F32, lines: F32, recorded: F32,
) -> None:  # fmt: skip
    """Add the bands of one of the supports to a share of the spectra, scaled to its height."""
    n_points = lines.shape[1]
    curve, scratch = np.empty(n_points, np.float32), np.empty(n_points, np.float32)
    middle = first + 0.5 * step * (n_points - 1)
    n_bands = kinds.band.shape[0]
    place, area, width = np.empty(n_bands), np.empty(n_bands), np.empty(n_bands)
    for row in range(lines.shape[0]):
        w0, w1, w2, _ = philox(0, start + row, 0, seed, streams.SUPPORT)
        if np.float64(uniform(w0)) >= share:
            continue
        kind = int(np.float64(uniform(w1)) * kinds.is_gaussian.shape[0])
        low, high = kinds.first[kind], kinds.first[kind + 1]
        shift, stretch = instrument[row, _SHIFT], instrument[row, _STRETCH]
        for b in range(low, high):
            position, fwhm, height = kinds.band[b, 0], kinds.band[b, 1], kinds.band[b, 2]
            place[b] = position + (position - middle) * stretch + shift
            area[b], width[b] = height * fwhm, fwhm
        curve[:] = _ZERO
        add_resolved_sticks(
            curve, first, step, place[low:high], area[low:high], width[low:high],
            GAUSSIAN if kinds.is_gaussian[kind] else LORENTZIAN, resolution[row], scratch,
        )  # fmt: skip
        _, highest = extent(curve)
        if highest <= _ZERO:
            continue
        strength = log_between(heights[0], heights[1], uniform(w2))
        factor = np.float32(strength) / highest
        for k in range(n_points):
            lines[row, k] += factor * curve[k]
        recorded[row, _SUPPORT], recorded[row, _SUPPORT_HEIGHT] = kind + 1, strength


class PathNumbers(NamedTuple):
    """A section's numbers; a logarithmic interval is (ln low, ln high - ln low)."""

    edge: F64
    """Low and high; both 0 without a filter."""
    edge_width: F64
    ripple: float
    rayleigh: F64
    rayleigh_share: float
    rayleigh_width: F64
    silicon: F64
    etaloning: float
    pattern: F64
    detectors: int


class Throughput(LightPath):
    """Multiplies ``line`` and ``signal`` by edge filter and quantum efficiency.

    The hump of elastically scattered light is added to ``line``.
    """

    stage = "optics"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        section = self.settings
        self._path = PathNumbers(
            edge=np.array(section.edge_cm1, np.float64),
            edge_width=np.array(section.edge_width_cm1, np.float64),
            ripple=section.edge_ripple,
            rayleigh=logarithms(section.rayleigh),
            rayleigh_share=section.rayleigh_share if section.rayleigh[1] else 0.0,
            rayleigh_width=np.array(section.rayleigh_width_cm1, np.float64),
            silicon=np.array(section.silicon_um, np.float64),
            etaloning=section.etaloning,
            pattern=np.array(section.fixed_pattern, np.float64),
            detectors=section.detectors,
        )

    def apply(self, tile: Tile) -> None:
        """Let the light pass."""
        grid = self.recipe.grid
        pass_light(
            tile.index, tile.seed, self._path, grid.start_cm1, grid.step_cm1, tile["line"],
            tile["signal"], tile["params/optics"],
        )  # fmt: skip


@kernel
def _pass_filter(
    index: int, seed: int, path: PathNumbers, first: float, step: float, line: F32, curve: F32,
    scratch: F32, recorded: F32,
) -> None:  # fmt: skip
    """Fill ``curve`` with the filter's transmission; multiply the line by it, and add the hump."""
    w0, w1, w2, w3 = philox(0, index, 0, seed, streams.EDGE_FILTER)
    curve[:] = _ONE
    if path.edge[1] > 0.0:
        recorded[_EDGE] = between(path.edge[0], path.edge[1], w0)
        recorded[_EDGE_WIDTH] = between(path.edge_width[0], path.edge_width[1], w1)
        middle, width = np.float64(recorded[_EDGE]), np.float64(recorded[_EDGE_WIDTH])
        fill_edge(curve, first, step, middle, width)
        if path.ripple > 0.0:
            recorded[_RIPPLE] = path.ripple * np.float64(uniform(w2))
            period = between(_RIPPLE_PERIODS_CM1[0], _RIPPLE_PERIODS_CM1[1], w3)
            w0, _, _, _ = philox(1, index, 0, seed, streams.EDGE_FILTER)
            fill_wave(scratch, np.float64(uniform(w0)), step / period)
            for k in range(curve.shape[0]):
                curve[k] *= _ONE + recorded[_RIPPLE] * scratch[k]
    for k in range(line.shape[0]):
        line[k] *= curve[k]
    w0, w1, w2, _ = philox(2, index, 0, seed, streams.EDGE_FILTER)
    if np.float64(uniform(w0)) < path.rayleigh_share:
        recorded[_RAYLEIGH] = log_between(path.rayleigh[0], path.rayleigh[1], uniform(w1))
        recorded[_RAYLEIGH_WIDTH] = between(path.rayleigh_width[0], path.rayleigh_width[1], w2)
        height, width = np.float64(recorded[_RAYLEIGH]), np.float64(recorded[_RAYLEIGH_WIDTH])
        add_elastic(line, curve, first, step, height, width, scratch)


@kernel
def _detect(
    unit: int, seed: int, path: PathNumbers, first: float, step: float, weights: F32,
    efficiency: F32, scratch: F32, normals: F32, recorded: F32,
) -> None:  # fmt: skip
    """Fill the relative sensitivity of each pixel of sensor ``unit``."""
    w0, w1, w2, w3 = philox(0, unit, 0, seed, streams.SENSOR)
    laser = np.float64(recorded[LASER])
    efficiency[:] = _ONE
    if path.silicon[1] > 0.0 and laser < INGAAS_FROM_NM:
        recorded[_SILICON] = between(path.silicon[0], path.silicon[1], w0)
        recorded[_ETALONING] = path.etaloning * np.float64(uniform(w1))
        um, amplitude = np.float64(recorded[_SILICON]), np.float64(recorded[_ETALONING])
        fill_passing(scratch, first, step, laser, um, weights)
        phase = np.float64(uniform(w2))
        fill_silicon(efficiency, scratch, first, step, um, amplitude, phase)
    elif path.silicon[1] > 0.0:
        fill_ingaas(efficiency, first, step, laser)
    if path.pattern[1] > 0.0:
        recorded[_PATTERN] = between(path.pattern[0], path.pattern[1], w3)
        fill_normals(normals, unit, streams.ONLY, seed, streams.FIXED_PATTERN)
        for k in range(efficiency.shape[0]):
            efficiency[k] *= max(_ZERO, _ONE + recorded[_PATTERN] * normals[k])


@kernel
def pass_light(
    start: int, seed: int, path: PathNumbers, first: float, step: float, lines: F32, signals: F32,
    recorded: F32,
) -> None:  # fmt: skip
    """Turn light at the sample into light that is detected; spectra have shape (n, L)."""
    n_points = lines.shape[1]
    curve, scratch = np.empty(n_points, np.float32), np.empty(n_points, np.float32)
    efficiency = np.empty(n_points, np.float32)
    normals = np.empty((n_points + 3) // 4 * 4, np.float32)
    weights = curve_weights(n_points)
    for row in range(lines.shape[0]):
        index, line, signal, params = start + row, lines[row], signals[row], recorded[row]
        _pass_filter(index, seed, path, first, step, line, curve, scratch, params)
        unit = index
        if path.detectors > 0:
            word, _, _, _ = philox(0, index, 0, seed, streams.DETECTOR)
            unit = int(np.float64(uniform(word)) * path.detectors)
            params[_DETECTOR] = unit
        _detect(unit, seed, path, first, step, weights, efficiency, scratch, normals, params)
        # relative to the best pixel: the number of electrons is drawn
        _, best = extent(efficiency)
        scale = _ONE / best if best > _ZERO else _ZERO
        for k in range(n_points):
            efficiency[k] *= scale
            line[k] *= efficiency[k]
            signal[k] *= curve[k] * efficiency[k]
