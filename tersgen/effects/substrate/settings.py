"""The metal below the molecule, in which its dipole has an image."""

from typing import Any, Self

import numpy as np
from pydantic import model_validator

from ...errors import ConfigError
from ...schema.base import field
from ...schema.intervals import NonNegativeInterval
from ...schema.library import Library
from ..settings import EffectSettings

_LEAST_ANGSTROM = 0.5
_CATASTROPHE = 0.95


class Substrate(EffectSettings):
    """Image dipole: Raman tensors become F a' F^T, F = (1 - alpha G)^-1, Eq. (4.3).

    G = b/(8 d^3) diag(1, 1, 2) with b = Re (eps - 1)/(eps + 1); z is along the surface normal.
    """

    permittivity: tuple[float, float] = field(
        "relative permittivity of the metal at the laser, real and imaginary part; [-1e9, 0] for a "
        "perfect metal",
        "1",
        (-11.7, 1.26),
    )
    distance_angstrom: NonNegativeInterval = field(
        "distance of the molecule's centre from the image plane, drawn for each sample",
        "Angstrom",
        (3.0, 3.0),
    )
    polarizability_angstrom3: NonNegativeInterval | None = field(
        "isotropic static polarizability, drawn for each sample; by default the tensor of each "
        "species in the library",
        "Angstrom^3",
        None,
    )

    @property
    def contrast(self) -> float:
        """Real part of (eps - 1)/(eps + 1), 1 for a perfect metal."""
        eps = complex(*self.permittivity)
        return float(((eps - 1) / (eps + 1)).real)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        eps = complex(*self.permittivity)
        if abs(eps + 1) < 0.1 or self.contrast < 0:
            raise ValueError(
                "permittivity: expected a metal or dielectric away from its surface resonance at "
                f"-1, with (eps - 1)/(eps + 1) of at least 0, got {list(self.permittivity)}"
            )
        if self.distance_angstrom[0] < _LEAST_ANGSTROM:
            raise ValueError(
                f"distance_angstrom: expected at least {_LEAST_ANGSTROM:g} Angstrom, got "
                f"{list(self.distance_angstrom)}"
            )
        if self.polarizability_angstrom3 is not None:
            self._check_strength("polarizability_angstrom3", self.polarizability_angstrom3[1])
        return self

    def check_recipe(self, recipe: Any) -> None:
        """Refuse averages over orientations: a surface has a normal."""
        if recipe.geometry.is_averaged:
            raise ValueError(
                'geometry.orientation: expected "random" or "fixed" with substrate, got '
                f'"{recipe.geometry.orientation}": the image depends on the orientation to the '
                "surface"
            )

    def resolved(self, library: Library) -> Self:
        """Make sure that every species has a polarizability, and that its image is bounded."""
        if self.polarizability_angstrom3 is None:
            values, first = library.array("polarizability")
            for k in range(len(library)):
                tensor = values[first[k] : first[k + 1]]
                if not len(tensor):
                    raise ConfigError(
                        f"substrate: expected the static polarizability of {library.names[k]}, got "
                        "none in the library; set substrate.polarizability_angstrom3, or compute "
                        "the species (tersgen library compute)"
                    )
                try:
                    self._check_strength(library.names[k], float(np.linalg.eigvalsh(tensor)[-1]))
                except ValueError as error:
                    raise ConfigError(f"substrate: {error}") from None
        return self

    def _check_strength(self, name: str, polarizability: float) -> None:
        """Refuse a dipole whose image polarizes it without bound (polarization catastrophe)."""
        least = (self.contrast * polarizability / (4 * _CATASTROPHE)) ** (1 / 3)
        if self.distance_angstrom[0] < least:
            raise ValueError(
                f"{name}: expected distance_angstrom of at least {least:.3g} Angstrom for a "
                f"polarizability of {polarizability:g} Angstrom^3, as nearer dipole and image "
                f"polarize each other without bound; got {list(self.distance_angstrom)}"
            )
