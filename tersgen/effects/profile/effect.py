"""From modes to a spectrum: Eqs. (1.1) to (1.4), and true Voigt profiles under a spectrometer.

Area-normalised bands are summed on the grid and scaled so that the highest point is 1.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...numeric import lineshape
from ...numeric._jit import kernel
from ...numeric.lineshape import add_sticks, extent
from ...schema.library import Library
from ..base import ArraySpec, Effect, Tile
from ..sections import Sections
from ..settings import Fields
from .settings import Lineshape

if TYPE_CHECKING:
    from ..on_torch import TorchTile

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

PROFILES = {
    "gaussian": lineshape.GAUSSIAN,
    "lorentzian": lineshape.LORENTZIAN,
    "pseudo_voigt": lineshape.PSEUDO_VOIGT,
}
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


class Profile(Effect[Lineshape]):
    """Fills ``line``, float32, shape (n, L)."""

    stage = "profile"
    section = "lineshape"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self._profile = PROFILES[self.settings.profile]

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are spectra, and no spectrometer that broadens them."""
        return recipe.fields.spectra and recipe.instrument is None

    def apply(self, tile: Tile) -> None:
        """Sum the bands."""
        grid = self.recipe.grid
        add_bands(
            tile["position"], tile["intensity"], tile["fwhm"], tile["count"], grid.start_cm1,
            grid.step_cm1, self._profile, self.settings.mixing, tile["line"],
        )  # fmt: skip

    def apply_on_torch(self, tile: "TorchTile") -> None:
        """Sum the bands."""
        from .on_torch import add_bands

        tile["line"] = add_bands(tile, self.recipe.grid, self._profile, self.settings.mixing)


class Peak(Effect[Fields]):
    """Scales ``line`` so that its highest point is 1, whichever profile has made it."""

    stage = "profile"

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are spectra."""
        return recipe.fields.spectra

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the spectrum."""
        return {"line": ArraySpec((self.recipe.grid.n_points,), np.float32)}

    def apply(self, tile: Tile) -> None:
        """Scale."""
        scale_to_peak(tile["line"])

    def apply_on_torch(self, tile: "TorchTile") -> None:
        """Scale."""
        from .on_torch import scaled_to_peak

        tile["line"] = scaled_to_peak(tile["line"])


@kernel
def scale_to_peak(lines: F32) -> None:
    """Divide spectra by their highest points; one that is 0 everywhere stays so."""
    for row in range(lines.shape[0]):
        line = lines[row]
        _, peak = extent(line)
        scale = _ONE / peak if peak > _ZERO else _ZERO
        for k in range(line.shape[0]):
            line[k] *= scale


@kernel
def add_bands(
    position: F64, intensity: F64, fwhm: F64, count: I64, start: float, step: float, profile: int,
    mixing: float, lines: F32,
) -> None:  # fmt: skip
    """Fill spectra from the first ``count`` modes of each sample: Eqs. (1.2) and (1.3)."""
    for row in range(lines.shape[0]):
        n, line = count[row], lines[row]
        line[:] = _ZERO
        add_sticks(
            line, start, step, position[row, :n], intensity[row, :n], fwhm[row, :n], profile, mixing
        )
