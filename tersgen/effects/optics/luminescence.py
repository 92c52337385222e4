"""A luminescence band of the sample: a broad Gaussian on the axis of Raman shifts."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.elementary import exp
from ...random import streams
from ...random.philox import between, philox, uniform
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import Parameter, Tile, columns, spec
from ..instrument.effect import logarithms
from ..instrument.kernels import log_between
from ..sections import Sections
from .effect import LightPath

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_TO_EXPONENT = 2.772588722239781
"""4 ln 2: a Gaussian is exp(-4 ln 2 (x/FWHM)^2)."""

PARAMETERS = (
    Parameter("height", "1", "luminescence over the strongest band (1)"),
    Parameter("centre", "cm^-1", "its centre (cm^-1)"),
    Parameter("width", "cm^-1", "its full width at half maximum (cm^-1)"),
)
"""What ``params/luminescence`` holds of each row, in order: 0 for rows without it."""
_COLUMN = columns(PARAMETERS)
_HEIGHT, _CENTRE, _WIDTH = _COLUMN["height"], _COLUMN["centre"], _COLUMN["width"]


class BandNumbers(NamedTuple):
    """A section's numbers."""

    share: float
    height: F64
    """ln low, ln high - ln low."""
    centre: F64
    """Low and high."""
    width: F64


class LuminescenceBand(LightPath):
    """A broad band of some samples, added to ``line``."""

    stage = "optics"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        section = self.settings.luminescence
        if section is None:
            raise ValueError("expected a recipe with instrument.optics.luminescence, got none")
        self._numbers = BandNumbers(
            section.share,
            logarithms(section.height),
            np.array(section.centre_cm1, np.float64),
            np.array(section.width_cm1, np.float64),
        )

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether the light path has luminescence."""
        return super().is_part_of(recipe) and cls.settings_of(recipe).luminescence is not None

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:  # noqa: ARG003 - always the same
        """Return what is drawn for the band."""
        text = "luminescence; " + ", ".join(one.description for one in PARAMETERS)
        n_parameters = len(PARAMETERS)
        return [
            spec("params/luminescence", "float32", "1", text, luminescence_parameter=n_parameters)
        ]

    def apply(self, tile: Tile) -> None:
        """Draw and add it."""
        grid = self.recipe.grid
        add_luminescence(
            tile.index, tile.seed, self._numbers, grid.start_cm1, grid.step_cm1, tile["line"],
            tile["params/luminescence"],
        )  # fmt: skip


@kernel
def add_luminescence(
    start: int, seed: int, band: BandNumbers, first: float, step: float, lines: F32, recorded: F32
) -> None:
    """Add H exp(-4 ln 2 (nu - c)^2/w^2), Eq. (11.9), to a share of the spectra, shape (n, L)."""
    for row in range(lines.shape[0]):
        recorded[row] = np.float32(0.0)
        w0, w1, w2, w3 = philox(0, start + row, 0, seed, streams.LUMINESCENCE)
        if np.float64(uniform(w0)) >= band.share:
            continue
        height = log_between(band.height[0], band.height[1], uniform(w1))
        centre = between(band.centre[0], band.centre[1], w2)
        width = between(band.width[0], band.width[1], w3)
        recorded[row, _HEIGHT], recorded[row, _CENTRE] = height, centre
        recorded[row, _WIDTH] = width
        factor = np.float32(height)
        for k in range(lines.shape[1]):
            x = (first + k * step - centre) / width
            lines[row, k] += factor * exp(np.float32(-_TO_EXPONENT * x * x))
