"""Which part of the axis is measured, and how far its bands stand out of the noise.

What an instrument leaves unmeasured may hold all bands of a sample, and the rest would be a
baseline with a name. It is drawn again until a band is left, a function of seed and index alone.
"""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.lineshape import extent
from ...schema.library import Library
from ..base import ArraySpec, Tile
from ..instrument.effect import (
    DetectorNumbers,
    InstrumentEffect,
    detector_numbers,
    draw_camera,
    draw_exposure,
    draw_range,
    most_electrons,
)
from ..sections import Sections
from .effect import BAND_SNR, VISIBLE, LightPath

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_MOST_ATTEMPTS = 64


class Visibility(LightPath):
    """Fills ``measured``, int64, shape (n, 2): the first and the last point that is measured."""

    stage = "optics"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        section = InstrumentEffect.settings_of(recipe)
        self._missing = section.missing
        self._numbers = detector_numbers(section, section)
        self._counts = recipe.counts_electrons

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the measured part."""
        return {"measured": ArraySpec((2,), np.int64)}

    def apply(self, tile: Tile) -> None:
        """Draw what is measured."""
        find_visible(
            tile.index, tile.seed, self._numbers, self._counts, *self._missing,
            self.settings.visible, tile["line"], tile["signal"], tile["measured"],
            tile["params/optics"],
        )  # fmt: skip


@kernel
def find_visible(
    start: int, seed: int, detector: DetectorNumbers, counts: bool, low_share: float,
    high_share: float, least: float, lines: F32, signals: F32, measured: I64, recorded: F32,
) -> None:  # fmt: skip
    """Draw the measured part of spectra, shape (n, L), until ``least`` of the best is in it.

    Signal over noise is E s/sqrt(E l + dark + read noise^2), Eq. (11.8), with E electrons in the
    unit of the line, s light of the sample and l all light, and 0 where the detector saturates;
    without counts it is s. After so many attempts all is measured.
    """
    n_points = lines.shape[1]
    clear = np.empty(n_points, np.float32)
    for row in range(lines.shape[0]):
        index, line, signal = start + row, lines[row], signals[row]
        clear[:] = signal
        if counts:
            highest, dark, read = draw_exposure(index, seed, detector)
            _, peak = extent(line)
            exposure = np.float32(highest / np.float64(peak)) if peak > _ZERO else _ZERO
            gain, bias, _ = draw_camera(index, seed, detector)
            most = np.float32(most_electrons(detector, gain, bias) - dark)
            level = np.float32(dark + read * read)
            for k in range(n_points):
                light = exposure * line[k]
                noise = np.sqrt(max(light + level, _ONE))
                clear[k] = exposure * signal[k] / noise if light < most else _ZERO
        _, best = extent(clear)
        for attempt in range(_MOST_ATTEMPTS):
            first, last = draw_range(attempt, index, seed, low_share, high_share, n_points)
            _, found = extent(clear[first : last + 1])
            if found >= np.float32(least) * best:
                break
            if attempt == _MOST_ATTEMPTS - 1:
                first, last, found = 0, n_points - 1, best
        measured[row, 0], measured[row, 1] = first, last
        recorded[row, VISIBLE] = found / best if best > _ZERO else _ZERO
        recorded[row, BAND_SNR] = found if counts else _ZERO
