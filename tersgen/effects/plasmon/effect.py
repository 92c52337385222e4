"""Gain of a plasmon on the modes of a sample, and the light of its metal in the spectrum."""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...random import streams
from ...random.philox import between, philox, uniform
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import Array, ArraySpec, Effect, Parameter, Tile, spec
from ..instrument.effect import logarithms
from ..instrument.kernels import log_between
from ..sections import Sections
from .kernels import fill_light, mode_gain
from .settings import Plasmon as Section

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

POWERS = {"activity": 0, "photons": 3, "power": 4}
"""Power of the scattered wavenumber in the Stokes factor, by what is detected."""

PARAMETERS = (
    Parameter("centre", "nm", "centre of the resonance (nm)"),
    Parameter("fwhm", "nm", "FWHM of the resonance (nm)"),
    Parameter("laser", "nm", "laser (nm)"),
    Parameter("electronic_raman", "1", "electronic Raman over the strongest band (1)"),
    Parameter("relaxation", "cm^-1", "relaxation rate of the electrons (cm^-1)"),
    Parameter("luminescence", "1", "luminescence over the strongest band (1)"),
)
"""What ``params/plasmon`` holds of each row, in order."""


class Plasmon(Effect[Section]):
    """Multiplies ``intensity`` by the gain at ``position``, and fills ``plasmon``.

    ``plasmon``, float64, shape (n, 6), has the parameters of each sample.
    """

    stage = "modes"
    section = "plasmon"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        section, usual = self.settings, recipe.geometry.laser_nm
        lasers = section.laser_nm or (usual, usual)
        self._intervals = np.array(
            [
                *(section.centre_nm, section.fwhm_nm, lasers, section.relaxation_cm1),
                *map(logarithms, (section.electronic_raman, section.luminescence)),
            ],
            np.float64,
        )
        self._present = np.array([section.electronic_raman[1] > 0, section.luminescence[1] > 0])
        self._usual = usual
        self._power = POWERS[recipe.geometry.detection]
        self._of_signal = recipe.mixture is not None and recipe.mixture.of == "signal"

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:  # noqa: ARG003 - the same for all
        """Return what is drawn."""
        text = "plasmon of the metal; " + ", ".join(one.description for one in PARAMETERS)
        return [spec("params/plasmon", "float32", "1", text, plasmon_parameter=len(PARAMETERS))]

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the parameters, for maps and light."""
        return {"plasmon": ArraySpec((len(PARAMETERS),), np.float64)}

    def apply(self, tile: Tile) -> None:
        """Draw the plasmon, and apply the gain to the modes."""
        drawn = tile["plasmon"]
        draw_plasmons(tile.index, tile.seed, self._intervals, self._present, drawn)
        tile["params/plasmon"][...] = drawn
        weigh_modes(
            drawn, self._usual, self._power, self._of_signal, tile["component_count"],
            tile["count"], tile["position"], tile["intensity"],
        )  # fmt: skip


NO_PLASMON = np.empty((0, len(PARAMETERS)), np.float64)


def plasmons_of(tile: Tile) -> Array:
    """Return the parameters of each sample, shape (n, 6); empty without a plasmon."""
    found = tile.get("plasmon")
    return NO_PLASMON if found is None else found


@kernel
def draw_plasmons(
    start: int, seed: int, intervals: F64, present: NDArray[np.bool_], drawn: F64
) -> None:
    """Draw the parameters of each sample.

    ``intervals``, shape (6, 2), are those of centre, FWHM, laser and relaxation, low and high, and
    of both kinds of light, logarithms of low and of high over low.
    """
    for row in range(drawn.shape[0]):
        w0, w1, w2, _ = philox(0, start + row, 0, seed, streams.PLASMON)
        drawn[row, 0] = between(intervals[0, 0], intervals[0, 1], w0)
        drawn[row, 1] = between(intervals[1, 0], intervals[1, 1], w1)
        drawn[row, 2] = between(intervals[2, 0], intervals[2, 1], w2)
        w0, w1, w2, _ = philox(0, start + row, 0, seed, streams.METAL_LIGHT)
        drawn[row, 3] = drawn[row, 4] = drawn[row, 5] = 0.0
        if present[0]:
            drawn[row, 3] = log_between(intervals[4, 0], intervals[4, 1], uniform(w0))
            drawn[row, 4] = between(intervals[3, 0], intervals[3, 1], w1)
        if present[1]:
            drawn[row, 5] = log_between(intervals[5, 0], intervals[5, 1], uniform(w2))


@kernel
def weigh_modes(
    plasmons: F64, usual: float, power: int, of_signal: bool, component_count: I64, count: I64,
    position: F64, intensity: F64,
) -> None:  # fmt: skip
    """Multiply intensities by their gain; fractions of the signal of mixtures are kept.

    Anti-Stokes bands, if there are any, follow all Stokes bands in the same order.
    """
    for row in range(position.shape[0]):
        n_stokes = 0
        for c in range(component_count.shape[1]):
            n_stokes += component_count[row, c]
        first = 0
        for c in range(component_count.shape[1]):
            last = first + component_count[row, c]
            before, after = 0.0, 0.0
            for m in range(first, last):
                before += intensity[row, m]
                intensity[row, m] *= mode_gain(position[row, m], plasmons[row], usual, power)
                after += intensity[row, m]
            scale = before / after if of_signal and after > 0.0 else 1.0
            for m in range(first, last):
                intensity[row, m] *= scale
                at = n_stokes + m
                if at < count[row]:
                    gain = mode_gain(position[row, at], plasmons[row], usual, power)
                    intensity[row, at] *= gain * scale
            first = last


class MetalLight(Effect[Section]):
    """Adds electronic Raman scattering and luminescence of the metal to ``line``."""

    stage = "optics"
    section = "plasmon"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self._power = POWERS[recipe.geometry.detection]
        self._shifts = recipe.grid.points()

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether the metal emits light in spectra."""
        return recipe.plasmon is not None and recipe.plasmon.has_light and recipe.fields.spectra

    def apply(self, tile: Tile) -> None:
        """Add the light."""
        add_light(
            tile["plasmon"], self.recipe.geometry.temperature_k, self._power, self._shifts,
            tile["line"],
        )  # fmt: skip


@kernel
def add_light(plasmons: F64, temperature: float, power: int, shifts: F64, lines: F32) -> None:
    """Add the metal's light to spectra, shape (n, L), on shifts (L,) in cm^-1."""
    curve = np.empty(shifts.shape[0], np.float64)
    for row in range(lines.shape[0]):
        fill_light(plasmons[row], temperature, power, shifts, curve)
        line = lines[row]
        for k in range(shifts.shape[0]):
            line[k] += np.float32(curve[k])
