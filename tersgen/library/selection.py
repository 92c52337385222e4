"""Which modes of a species take part: those Raman-active and within the grid, the strongest."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..numeric.tensor import (
    activities,
    activity,
    depolarization_natural,
    depolarization_plane,
    intensities,
    quaternion_to_matrix,
)
from ..schema.library import Library
from ..schema.recipe import Recipe
from ..schema.species import Mode, Species
from .irreps import DEGENERATE_CM1

ACTIVE_FRACTION = 1e-5
"""A mode is Raman-active if its activity exceeds this share of the species' largest."""

LOST_FRACTION = 0.01
"""Share of a species' activity that may lie outside the grid without a warning."""

_DIMENSIONS = {"E": 2, "P": 2, "D": 2, "T": 3, "F": 3}
"""Partners by the first letter of a representation: E, Pi, Delta; T, also written F."""
_EQUAL_CM1 = 1e-3
"""Modes whose representation is not known are partners if they are as close as this."""
_MOST_PARTNERS = 3


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
    each = [mode_activity(mode) for mode in species.modes]
    least = ACTIVE_FRACTION * max(each)
    active = tuple(
        mode for mode, one in zip(species.modes, each, strict=True) if one > max(least, 0.0)
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

    Partners follow one another within ``irreps.DEGENERATE_CM1`` in one representation. Where that
    is not known they have one frequency.
    """
    leaders = degenerate_sets(Library([species]))
    sets = [
        [mode for mode, leader in zip(species.modes, leaders, strict=True) if leader == k]
        for k in np.unique(leaders)
    ]
    least = ACTIVE_FRACTION * max(mode_activity(mode) for mode in species.modes)
    return tuple(_band(members, least) for members in sets)


def degenerate_sets(library: Library) -> NDArray[np.int64]:
    """Return the first mode of the degenerate set of each mode of a library, shape (total,)."""
    frequency, first = library.array("frequency")
    leader = np.arange(len(frequency))
    close = np.abs(np.diff(frequency, prepend=np.inf)) < DEGENERATE_CM1
    close[first[:-1]] = False
    species = np.repeat(np.arange(len(library)), np.diff(first))
    for k in np.flatnonzero(close).tolist():
        begin = int(first[species[k]])
        irreps = library.pages[species[k]].get("irreps")
        to = int(leader[k - 1])
        irrep, other = (irreps[j - begin] if irreps else None for j in (k, to))
        size, distance = _MOST_PARTNERS, _EQUAL_CM1
        if irrep is not None:
            size, distance = _DIMENSIONS.get(irrep[:1], 1), DEGENERATE_CM1
        if irrep == other and k - to < size and abs(frequency[k] - frequency[to]) < distance:
            leader[k] = to
    return leader


def _band(members: list[Mode], least: float) -> BandOfModes:
    # Partners have equal ratios; the weights only keep rounding of silent ones out.
    tensors = [np.array(mode.tensor, np.float64) for mode in members]
    each = np.array([activity(tensor) for tensor in tensors])
    total = float(each.sum())
    weights = each / total if total > 0 else np.full(len(members), 1 / len(members))
    plane = float(sum(w * depolarization_plane(t) for w, t in zip(weights, tensors, strict=True)))
    natural = float(
        sum(w * depolarization_natural(t) for w, t in zip(weights, tensors, strict=True))
    )
    return BandOfModes(
        frequency_cm1=members[0].frequency_cm1,
        irrep=members[0].irrep,
        degeneracy=len(members),
        activity=total,
        active=float(each.max()) > max(least, 0.0),
        depolarization_plane=plane,
        depolarization_natural=natural,
        fwhm_cm1=members[0].fwhm_cm1,
    )


def mode_widths(library: Library, recipe: Recipe) -> NDArray[np.float64]:
    """Return the width of every mode, its own or the recipe's, cm^-1, shape (total,)."""
    usual = recipe.lineshape.fwhm_cm1
    widths = np.full(len(library.array("frequency")[0]), usual)
    own, first = library.array("fwhm")
    has_own = np.repeat(np.diff(first) > 0, np.diff(library.array("frequency")[1]))
    widths[has_own] = np.where(np.isnan(own), usual, own)
    return widths


class ModesInUse(NamedTuple):
    """Modes of a library that take part, species by species, by rising frequency."""

    mode: NDArray[np.int64]
    """Their numbers among all modes of the library, shape (total,)."""
    first: NDArray[np.int64]
    """First of each species and the end, shape (K + 1,)."""

    @property
    def counts(self) -> NDArray[np.int64]:
        """Modes of each species, shape (K,)."""
        return np.diff(self.first)


class ModeChoice:
    """Which modes of a library a recipe uses, worked out over the arrays of all species at once.

    Raises
    ------
    LibraryError
        If a species has no Raman-active mode, or none on the recipe's grid.
    """

    def __init__(self, library: Library, recipe: Recipe) -> None:
        self._library = library
        self._recipe = recipe
        self.frequency, self.first = library.array("frequency")
        self.tensor, _ = library.array("tensor")
        self.activity = np.empty(len(self.frequency))
        activities(self.tensor, self.activity)
        self.species = np.repeat(np.arange(len(library)), np.diff(self.first))
        """Species of each mode."""
        largest = np.maximum.reduceat(self.activity, self.first[:-1])
        active = self.activity > np.maximum(ACTIVE_FRACTION * largest, 0.0)[self.species]
        grid = recipe.grid
        self.on_grid = (self.frequency >= grid.start_cm1) & (self.frequency <= grid.stop_cm1)
        self._active = active
        self.bright = active & self.on_grid
        """Whether each mode is Raman-active and on the grid."""
        for mask, found in ((active, self._refuse_silent), (self.bright, self._refuse_outside)):
            counts = np.bincount(self.species[mask], minlength=len(library))
            if not counts.all():
                found(int(np.argmin(counts)))

    def _refuse_silent(self, k: int) -> None:
        n_modes = int(np.diff(self.first)[k])
        raise LibraryError(
            f"{self._library.names[k]}: expected at least one Raman-active mode, got {n_modes} "
            "modes whose Raman tensors are all zero"
        )

    def _refuse_outside(self, k: int) -> None:
        grid = self._recipe.grid
        there = self.frequency[self._active & (self.species == k)]
        raise LibraryError(
            f"{self._library.names[k]}: expected a Raman-active mode between {grid.start_cm1:g} "
            f"and {grid.stop_cm1:g} cm^-1, got {', '.join(f'{one:.0f}' for one in there)}; "
            "widen the grid or leave the species out"
        )

    def _sorted(self, modes: NDArray[np.int64], then: NDArray[Any]) -> ModesInUse:
        """Return modes by species and frequency; of equal frequencies the lower ``then`` first."""
        order = np.lexsort((then, self.frequency[modes], self.species[modes]))
        counts = np.bincount(self.species[modes], minlength=len(self._library))
        return ModesInUse(modes[order], np.concatenate([[0], np.cumsum(counts)]))

    def most(self) -> int:
        """Return how many bright modes the species with the most of them has."""
        return int(np.bincount(self.species[self.bright]).max())

    def in_use(self) -> ModesInUse:
        """Return the bright modes, at most the ``fields.n_modes`` strongest of each species."""
        modes = np.flatnonzero(self.bright)
        limit = self._recipe.fields.n_modes
        strongest = np.lexsort((modes, -self.activity[modes], self.species[modes]))
        ordered = self.species[modes[strongest]]
        rank = np.empty(len(modes), np.int64)
        starts = np.searchsorted(ordered, ordered)
        rank[strongest] = np.arange(len(modes)) - starts
        counts = np.bincount(ordered, minlength=len(self._library))
        if limit is None:
            return self._sorted(modes, modes)
        kept = rank < limit
        then = np.where(counts[self.species[modes]] > limit, rank, modes)
        return self._sorted(modes[kept], then[kept])

    def partners(self, modes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place in ``modes`` of the first of each one's degenerate set, shape (n,).

        Each mode is alone in recipes of generator 1.
        """
        if self._recipe.generator == 1:
            return np.arange(len(modes))
        _, places, inverse = np.unique(self._leader[modes], return_index=True, return_inverse=True)
        return places[inverse].astype(np.int64)

    @cached_property
    def _leader(self) -> NDArray[np.int64]:
        return degenerate_sets(self._library)

    def with_dark(self) -> ModesInUse:
        """Return all modes on the grid, dark ones too."""
        modes = np.flatnonzero(self.on_grid)
        return self._sorted(modes, modes)

    def missed(self) -> list[str]:
        """Return species and frequency of the Raman-active modes outside the grid that are missed.

        They are missed where a species loses more than LOST_FRACTION of its activity with them: the
        torsions of a ring below a grid's start, a thousandth of it, are no news to who reads
        spectra.
        """
        shares = np.where(self._active, self.activity, 0.0)
        total = np.bincount(self.species, shares, len(self._library))
        outside = self._active & ~self.on_grid
        lost = np.bincount(self.species[outside], self.activity[outside], len(self._library))
        missed = outside & (lost > LOST_FRACTION * total)[self.species]
        return [
            f"{self._library.names[self.species[k]]} {self.frequency[k]:.0f}"
            for k in np.flatnonzero(missed)
        ]

    def dark_species(self) -> list[str]:
        """Return the species of which no mode on the grid scatters in a fixed or averaged geometry.

        The intensities are those of Eq. (3.1).
        """
        geometry = self._recipe.geometry
        if geometry.orientation == "random":
            return []
        matrix = np.empty((3, 3))
        quaternion_to_matrix(np.array(geometry.quaternion), matrix)
        averaged = geometry.orientation == "averaged"
        intensity = np.empty(len(self.frequency))
        incident, scattered = np.array(geometry.incident), np.array(geometry.scattered)
        intensities(self.tensor, matrix, averaged, incident, scattered, intensity)
        seen = self.bright & (intensity > ACTIVE_FRACTION * self.activity / 45.0)
        counts = np.bincount(self.species[seen], minlength=len(self._library))
        return [self._library.names[k] for k in np.flatnonzero(counts == 0)]
