"""Anti-Stokes bands: each mode once more at its negative shift, by its thermal population."""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.crosssection import anti_stokes_ratio
from ...schema.library import Library
from ...units import wavelength_nm_to_cm1
from ..base import ArraySpec, Effect, Tile
from ..sections import Sections
from ..settings import Fields
from .effect import DETECTIONS, resolved_modes

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


class AntiStokes(Effect[Fields]):
    """Adds to ``position``, ``intensity`` and ``fwhm`` the bands at negative shifts.

    They follow all Stokes bands of a sample, in the same order, and ``count`` is doubled;
    ``component_count`` still counts Stokes bands.
    """

    stage = "modes"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self._laser = wavelength_nm_to_cm1(recipe.geometry.laser_nm)
        self._form = DETECTIONS[recipe.geometry.detection]

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether the axis has negative shifts."""
        return recipe.grid.start_cm1 < 0

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the modes with room for twice as many."""
        most = 2 * resolved_modes(self.recipe) * self.recipe.n_components
        return dict.fromkeys(("position", "intensity", "fwhm"), ArraySpec((most,), np.float64))

    def apply(self, tile: Tile) -> None:
        """Add the bands."""
        add_anti_stokes(
            self._laser, self.recipe.geometry.temperature_k, self._form, tile["position"],
            tile["intensity"], tile["fwhm"], tile["count"],
        )  # fmt: skip


@kernel
def add_anti_stokes(
    laser: float, temperature: float, form: int, position: F64, intensity: F64, fwhm: F64,
    count: I64,
) -> None:  # fmt: skip
    """Add a band at the negative of each position; shapes (n, 2 M), of which ``count`` are used."""
    for row in range(position.shape[0]):
        n = count[row]
        for m in range(n):
            shift = max(position[row, m], 0.0)
            ratio = anti_stokes_ratio(shift, laser, temperature, form)
            position[row, n + m] = -position[row, m]
            intensity[row, n + m] = intensity[row, m] * ratio
            fwhm[row, n + m] = fwhm[row, m]
        count[row] = 2 * n
