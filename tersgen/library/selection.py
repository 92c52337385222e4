"""Which modes of a species take part: those Raman-active and within the grid, the strongest."""

import numpy as np

from ..errors import LibraryError
from ..kernels.tensor import (
    activity,
    averaged_intensity,
    quaternion_to_matrix,
    rotate,
    scattered_intensity,
)
from ..schema.library import Library, Mode, Species
from ..schema.recipe import Recipe

ACTIVE_FRACTION = 1e-5
"""A mode is Raman-active if its activity exceeds this share of the species' largest."""


def mode_activity(mode: Mode) -> float:
    """Return the Raman activity S of a mode in Angstrom^4/amu."""
    return float(activity(np.array(mode.tensor, np.float64)))


def active_modes(species: Species) -> tuple[Mode, ...]:
    """Return the Raman-active modes of a species.

    Raises
    ------
    LibraryError
        If there is none.
    """
    activities = [mode_activity(mode) for mode in species.modes]
    least = ACTIVE_FRACTION * max(activities)
    active = tuple(
        mode for mode, one in zip(species.modes, activities, strict=True) if one > max(least, 0.0)
    )
    if not active:
        raise LibraryError(
            f"{species.name}: expected at least one Raman-active mode, got {len(species.modes)} "
            "modes whose Raman tensors are all zero"
        )
    return active


def modes_in_grid(species: Species, recipe: Recipe) -> tuple[Mode, ...]:
    """Return the Raman-active modes whose frequency lies on the recipe's grid.

    Raises
    ------
    LibraryError
        If there is none.
    """
    grid = recipe.grid
    active = active_modes(species)
    inside = tuple(m for m in active if grid.start_cm1 <= m.frequency_cm1 <= grid.stop_cm1)
    if not inside:
        raise LibraryError(
            f"{species.name}: expected a Raman-active mode between {grid.start_cm1:g} and "
            f"{grid.stop_cm1:g} cm^-1, got {', '.join(f'{m.frequency_cm1:.0f}' for m in active)}; "
            "widen the grid or leave the species out"
        )
    return inside


def select_modes(species: Species, recipe: Recipe) -> tuple[Mode, ...]:
    """Return the modes that take part, by rising frequency; at most ``recipe.fields.n_modes``."""
    inside = modes_in_grid(species, recipe)
    limit = recipe.fields.n_modes
    if limit is not None and len(inside) > limit:
        order = sorted(range(len(inside)), key=lambda k: (-mode_activity(inside[k]), k))
        inside = tuple(inside[k] for k in order[:limit])
    return tuple(sorted(inside, key=lambda mode: mode.frequency_cm1))


def modes_outside(library: Library, recipe: Recipe) -> list[str]:
    """Return species and frequency of each Raman-active mode that lies outside the grid."""
    return [
        f"{species.name} {mode.frequency_cm1:.0f}"
        for species in library.species
        for mode in active_modes(species)
        if not recipe.grid.start_cm1 <= mode.frequency_cm1 <= recipe.grid.stop_cm1
    ]


def is_dark(species: Species, recipe: Recipe) -> bool:
    """Return whether no mode on the grid scatters in a fixed or averaged geometry: Eq. (3.1)."""
    geometry = recipe.geometry
    if geometry.orientation == "random":
        return False
    incident, scattered = np.array(geometry.incident), np.array(geometry.scattered)
    matrix, turned = np.empty((3, 3)), np.empty((3, 3))
    quaternion_to_matrix(np.array(geometry.quaternion), matrix)
    for mode in modes_in_grid(species, recipe):
        tensor = np.array(mode.tensor, np.float64)
        if geometry.orientation == "averaged":
            intensity = averaged_intensity(tensor, incident, scattered)
        else:
            rotate(tensor, matrix, turned)
            intensity = scattered_intensity(turned, incident, scattered)
        if intensity > ACTIVE_FRACTION * activity(tensor) / 45.0:
            return False
    return True
