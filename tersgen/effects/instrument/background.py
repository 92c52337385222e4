"""Fluorescence of a spectrum, which may bleach, and the response of the spectrometer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.elementary import exp
from ...random import streams
from ...random.philox import between, philox, uniform
from ...schema.library import Library
from ..base import Tile, columns
from ..optics.effect import UNBLEACHED
from ..sections import Sections
from .effect import PARAMETERS, InstrumentEffect, logarithms
from .kernels import curve_weights, fill_curve, log_between

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ONE = np.float32(1.0)
_BUMPS = 4
_POSITIVE: Any = np.bool_(False)
_SIGNED: Any = np.bool_(True)  # no literals: for each the kernel would be compiled anew
_COLUMN = columns(PARAMETERS)
_FLUORESCENCE, _RESPONSE = _COLUMN["fluorescence"], _COLUMN["response"]


class Background(InstrumentEffect):
    """Adds fluorescence to ``line`` and multiplies it by the response."""

    stage = "optics"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        section = self.settings
        self._share = section.fluorescence_share if section.fluorescence[1] > 0 else 0.0
        self._fluorescence = logarithms(section.fluorescence)
        self._response = section.response
        bleaching = (0.0, 0.0) if section.optics is None else section.optics.bleaching
        self._bleaching = logarithms(bleaching) if bleaching[1] > 0 else None

    def apply(self, tile: Tile) -> None:
        """Draw both."""
        draw_background(
            tile.index, tile.seed, self._share, self._fluorescence, self._response, tile["line"],
            tile["params/instrument"], tile.get("glow"), self._bleaching, tile.get("params/optics"),
        )  # fmt: skip


@kernel
def _draw_bumps(bumps: F64, index: int, seed: int, stream: int, signed: bool) -> None:
    """Draw height, centre and width of broad bumps over the axis."""
    for b in range(_BUMPS):
        w0, w1, w2, _ = philox(1 + b, index, 0, seed, stream)
        bumps[b, 0] = between(-1.0 if signed else 0.1, 1.0, w2)
        bumps[b, 1] = between(-0.4, 1.4, w0)
        bumps[b, 2] = between(0.15, 0.8, w1)


@kernel
def _bleach(bumps: F64, index: int, seed: int, bleaching: F64) -> float:
    """Bleach each bump over x of its bleaching times; return the fraction that is left.

    The mean of exp(-t/tau) over an exposure of x tau is (1 - exp(-x))/x, Eq. (11.7).
    """
    before, after = 0.0, 0.0
    for b in range(_BUMPS):
        word, _, _, _ = philox(b, index, 0, seed, streams.BLEACHING)
        x = log_between(bleaching[0], bleaching[1], uniform(word))
        left = 1.0 - 0.5 * x
        if x > 1e-3:
            left = (1.0 - np.float64(exp(np.float32(-x)))) / x
        before += bumps[b, 0]
        bumps[b, 0] *= left
        after += bumps[b, 0]
    return after / before


@kernel
def draw_background(
    start: int, seed: int, share: float, fluorescence: F64, largest: float, lines: F32,
    recorded: F32, glow: F64 | None, bleaching: F64 | None, optics: F32 | None,
) -> None:  # fmt: skip
    """Add fluorescence to a share of the spectra, and multiply all by a response about 1.

    With a light path ``glow``, shape (n,), is the factor of the laser on fluorescence, and what is
    left of it is recorded in ``optics``.
    """
    n_points = lines.shape[1]
    curve, weights = np.empty(n_points, np.float32), curve_weights(n_points)
    bumps = np.empty((_BUMPS, 3), np.float64)
    for row in range(lines.shape[0]):
        index, line = start + row, lines[row]
        w0, w1, _, _ = philox(0, index, 0, seed, streams.FLUORESCENCE)
        height = 0.0
        if np.float64(uniform(w0)) < share:
            height = log_between(fluorescence[0], fluorescence[1], uniform(w1))
            _draw_bumps(bumps, index, seed, streams.FLUORESCENCE, _POSITIVE)
            if glow is not None:
                height *= glow[row]
            if bleaching is not None and optics is not None:
                left = _bleach(bumps, index, seed, bleaching)
                optics[row, UNBLEACHED] = left
                height *= left
            fill_curve(curve, bumps, weights)
            strength = np.float32(height)
            for k in range(n_points):
                line[k] += strength * curve[k]
        recorded[row, _FLUORESCENCE] = height
        w0, _, _, _ = philox(0, index, 0, seed, streams.RESPONSE)
        deviation = largest * np.float64(uniform(w0))
        if largest > 0.0:
            _draw_bumps(bumps, index, seed, streams.RESPONSE, _SIGNED)
            fill_curve(curve, bumps, weights)
            size = np.float32(deviation)
            for k in range(n_points):
                line[k] *= _ONE + size * curve[k]
        recorded[row, _RESPONSE] = deviation
