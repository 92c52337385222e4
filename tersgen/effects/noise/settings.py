"""Levels of additive noise."""

from typing import Any, Self

from ...schema.base import field
from ...schema.intervals import NonNegativeInterval
from ..settings import EffectSettings


class Noise(EffectSettings):
    """Additive Gaussian noise, Eqs. (2.1) and (10.3); the level is drawn per sample."""

    spectrum: NonNegativeInterval = field(
        "standard deviation relative to the height of the strongest band", "1", (0.005, 0.03)
    )
    map: NonNegativeInterval = field(
        "standard deviation sigma_n of the noise of a pixel", "1", (0.005, 0.03)
    )

    @property
    def noise_free(self) -> Self:
        """No noise."""
        return type(self)(spectrum=(0.0, 0.0), map=(0.0, 0.0))

    def idle(self, recipe: Any) -> dict[str, str]:
        """Return the levels that counting replaces, and those of arrays not made."""
        found = {}
        if not recipe.fields.spectra:
            found["spectrum"] = "without spectra"
        if not recipe.has_image:
            found["map"] = "without maps and cubes"
        if recipe.counts_electrons:
            found["spectrum"] = "with instrument.electrons"
        if recipe.counts_cubes and not recipe.fields.maps:
            found["map"] = "with instrument.cube.electrons and no maps"
        return found
