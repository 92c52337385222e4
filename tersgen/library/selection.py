"""Which modes of a species take part: those Raman-active and within the grid, the strongest."""

from dataclasses import dataclass

import numpy as np

from ..errors import LibraryError
from ..kernels.tensor import (
    activity,
    averaged_intensity,
    depolarization_natural,
    depolarization_plane,
    quaternion_to_matrix,
    rotate,
    scattered_intensity,
)
from ..schema.library import Library, Mode, Species
from ..schema.recipe import Recipe
from .irreps import DEGENERATE_CM1

ACTIVE_FRACTION = 1e-5
"""A mode is Raman-active if its activity exceeds this share of the species' largest."""

LOST_FRACTION = 0.01
"""Share of a species' activity that may lie outside the grid without a warning."""

_DIMENSIONS = {"E": 2, "P": 2, "D": 2, "T": 3, "F": 3}
"""Partners by the first letter of a representation: E, Pi, Delta; T, also written F."""


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


@dataclass(frozen=True)
class BandOfModes:
    """One band as a spectroscopist lists it: the partners of a degenerate set together.

    Attributes
    ----------
    frequency_cm1
        Position in cm^-1.
    irrep
        Irreducible representation, None where it is not known.
    degeneracy
        Number of partners.
    activity
        Raman activity summed over them, Angstrom^4/amu.
    active
        Whether it exceeds ACTIVE_FRACTION of the species' strongest mode.
    depolarization_plane, depolarization_natural
        Depolarization ratios for plane-polarised and natural light; those of noise if inactive.
    fwhm_cm1
        Full width at half maximum in cm^-1, None where it is not known.
    """

    frequency_cm1: float
    irrep: str | None
    degeneracy: int
    activity: float
    active: bool
    depolarization_plane: float
    depolarization_natural: float
    fwhm_cm1: float | None


def bands(species: Species) -> tuple[BandOfModes, ...]:
    """Return the bands of a species: modes, or whole sets of degenerate ones.

    Partners follow one another within ``irreps.DEGENERATE_CM1`` in one representation; modes whose
    representation is not known are never put together.
    """
    sets: list[list[Mode]] = []
    for mode in species.modes:
        if mode.irrep is not None and sets and _is_partner(sets[-1], mode):
            sets[-1].append(mode)
        else:
            sets.append([mode])
    least = ACTIVE_FRACTION * max(mode_activity(mode) for mode in species.modes)
    return tuple(_band(members, least) for members in sets)


def _is_partner(members: list[Mode], mode: Mode) -> bool:
    size = _DIMENSIONS.get((mode.irrep or "A")[0], 1)
    near = abs(members[0].frequency_cm1 - mode.frequency_cm1) < DEGENERATE_CM1
    return near and members[0].irrep == mode.irrep and len(members) < size


def _band(members: list[Mode], least: float) -> BandOfModes:
    # Partners have equal ratios; the weights only keep rounding of silent ones out.
    tensors = [np.array(mode.tensor, np.float64) for mode in members]
    activities = np.array([activity(tensor) for tensor in tensors])
    total = float(activities.sum())
    weights = activities / total if total > 0 else np.full(len(members), 1 / len(members))
    plane = float(sum(w * depolarization_plane(t) for w, t in zip(weights, tensors, strict=True)))
    natural = float(
        sum(w * depolarization_natural(t) for w, t in zip(weights, tensors, strict=True))
    )
    return BandOfModes(
        frequency_cm1=members[0].frequency_cm1,
        irrep=members[0].irrep,
        degeneracy=len(members),
        activity=total,
        active=float(activities.max()) > max(least, 0.0),
        depolarization_plane=plane,
        depolarization_natural=natural,
        fwhm_cm1=members[0].fwhm_cm1,
    )


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
    """Return species and frequency of the Raman-active modes outside the grid that are missed.

    They are missed where a species loses more than LOST_FRACTION of its activity with them: the
    torsions of a ring below a grid's start, a thousandth of it, are no news to who reads spectra.
    """
    grid = recipe.grid
    missed = []
    for species in library.species:
        active = active_modes(species)
        outside = [m for m in active if not grid.start_cm1 <= m.frequency_cm1 <= grid.stop_cm1]
        lost = sum(map(mode_activity, outside))
        if lost > LOST_FRACTION * sum(map(mode_activity, active)):
            missed += [f"{species.name} {mode.frequency_cm1:.0f}" for mode in outside]
    return missed


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
