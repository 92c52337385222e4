"""Bands of a species as spectroscopists list them: degenerate modes together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..numeric.tensor import (
    activity,
    depolarization_natural,
    depolarization_plane,
)
from ..schema.library import Library
from ..schema.species import Mode, Species
from .irreps import DEGENERATE_CM1

ACTIVE_FRACTION = 1e-5
"""A mode is Raman-active if its activity exceeds this share of the species' largest."""

_DIMENSIONS = {"E": 2, "P": 2, "D": 2, "T": 3, "F": 3}
"""Partners by the first letter of a representation: E, Pi, Delta; T, also written F."""
_EQUAL_CM1 = 1e-3
"""Modes whose representation is not known are partners if they are as close as this."""
_MOST_PARTNERS = 3


def mode_activity(mode: Mode) -> float:
    """Return the Raman activity S of a mode in Angstrom^4/amu."""
    return float(activity(np.array(mode.tensor, np.float64)))


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
