"""Selection of modes: the strongest of those that are Raman-active and within the grid."""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import LibraryError
from ...library.degeneracy import ACTIVE_FRACTION, degenerate_sets
from ...numeric.tensor import activities, intensities, quaternion_to_matrix
from ...schema.library import Library
from ..sections import Sections

LOST_FRACTION = 0.01
"""Share of a species' activity that may lie outside the grid without a warning."""


def mode_widths(library: Library, recipe: Sections) -> NDArray[np.float64]:
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
    """Which modes of a library a recipe uses, worked out over the arrays of all species at once."""

    def __init__(self, library: Library, recipe: Sections) -> None:
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
        self.on_grid |= -self.frequency >= grid.start_cm1  # by its anti-Stokes band
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
        """Return the place in ``modes`` of the first of each one's degenerate set, shape (n,)."""
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
        if geometry.orientation in ("random", "powder"):
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
