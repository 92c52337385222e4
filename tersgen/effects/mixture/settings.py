"""Mixtures: samples of several species, each with its fraction."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from ...schema.base import field
from ..settings import EffectSettings

LARGEST_MIXTURE = 16
"""Most species of a sample."""
_USUAL = (1, 3)


class Mixture(EffectSettings):
    """Sums of the spectra of several species, weighted by their fractions.

    The species of a sample are drawn without replacement, by the weights of the classes; the first
    has the largest fraction, and its class is the label.
    """

    n_species: tuple[int, int] | None = field(
        "fewest and most species in a sample, all numbers equally likely; by default 1 to 3, or "
        "the number of fixed fractions",
        "1",
        None,
    )
    least: float = field(
        "smallest fraction of a species in a sample; above it, fractions are uniform among all "
        "that sum to 1",
        "1",
        0.05,
        gt=0,
        le=1,
    )
    fractions: tuple[Annotated[float, field("fraction", "1", gt=0, le=1)], ...] = field(
        "fixed fractions of every sample, in descending order, instead of random ones", "1", ()
    )
    of: Literal["signal", "molecules"] = field(
        "what fractions refer to: signal, the summed intensity of all modes; molecules, of which "
        "those with larger activities give more signal",
        "1",
        "signal",
    )

    @property
    def sizes(self) -> tuple[int, int]:
        """Fewest and most species of a sample."""
        stated = len(self.fractions)
        return (stated, stated) if stated else self.n_species or _USUAL

    @property
    def smallest(self) -> float:
        """Smallest fraction that a species of a sample has."""
        return min(self.fractions, default=self.least)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        low, high = self.sizes
        if not 1 <= low <= high <= LARGEST_MIXTURE:
            raise ValueError(
                f"n_species: expected 1 <= fewest <= most <= {LARGEST_MIXTURE}, got {[low, high]}"
            )
        if self.fractions:
            self._check_stated()
        elif self.least * high > 1:
            raise ValueError(
                f"least: expected at most 1/{high} for {high} species, got {self.least:g}"
            )
        return self

    def _check_stated(self) -> None:
        stated = list(self.fractions)
        if self.n_species not in (None, self.sizes):
            raise ValueError(
                f"n_species: expected none with {len(stated)} fractions, got "
                f"{list(self.n_species)}; leave it out"
            )
        if stated != sorted(stated, reverse=True):
            raise ValueError(f"fractions: expected descending ones, got {stated}")
        if abs(math.fsum(stated) - 1) > 1e-6:
            raise ValueError(f"fractions: expected a sum of 1, got {math.fsum(stated):g}")

    def idle(self, recipe: Any) -> dict[str, str]:  # noqa: ARG002 - it is about this section alone
        """Return the smallest fraction, where fractions are fixed."""
        return {"least": "with fractions"} if self.fractions else {}

    def check_recipe(self, recipe: Any) -> None:
        """Refuse maps, which are of one species unless they show a scene."""
        if recipe.scene is not None:
            return
        if recipe.fields.maps:
            raise ValueError(
                "fields.maps: expected false with mixture, got true; maps are of one species, "
                "unless a section scene places molecules of several"
            )
        if recipe.nearfield is not None:
            raise ValueError(
                "nearfield: expected no such section with mixture, got one; with a section scene "
                "maps show several species"
            )
