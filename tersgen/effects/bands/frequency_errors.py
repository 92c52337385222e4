"""Errors of calculated frequencies: one part of each mode, and one of its family of modes.

Each sample draws one normal deviate for each family of modes of each of its species; that of the
mode itself is the one of ``perturbations.mode_shift_cm1``, with the sum of both variances, Eq.
(3.3).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...library.uncertainty import error_spreads
from ...numeric._jit import kernel
from ...random import streams
from ...random.normal import normal_pair
from ...random.philox import philox
from ...schema.library import Library
from ..sections import Sections

F64 = NDArray[np.float64]

MOST_FAMILIES = 4
"""Normal deviates that one call of Philox gives."""


class ModeShifts(NamedTuple):
    """Standard deviations of the shifts of modes, cm^-1, shape (modes,) each."""

    own: F64
    """Of a mode alone."""
    common: F64
    """Of the part shared with its family; 0 without errors of frequencies."""
    family: NDArray[np.int64]
    """Family of each mode."""


def mode_shifts(
    recipe: Sections, library: Library, frequency: F64, species: NDArray[np.int64]
) -> ModeShifts:
    """Return the shifts of modes of some frequencies, each of a species of the library."""
    spread = recipe.perturbations
    usual = np.full(len(frequency), spread.mode_shift_cm1)
    if not spread.uncertain_frequencies:
        return ModeShifts(usual, np.zeros(len(frequency)), np.zeros(len(frequency), np.int64))
    own, common, family = error_spreads(library, frequency, species)
    return ModeShifts(np.sqrt(usual**2 + own**2), common, family)


@kernel
def draw_family_errors(out: F64, index: int, block: int, seed: int) -> None:
    """Fill ``out``, shape (MOST_FAMILIES,), with a normal deviate for each family of modes."""
    w0, w1, w2, w3 = philox(0, index, block, seed, streams.FREQUENCY_ERROR)
    a, b = normal_pair(w0, w1)
    c, d = normal_pair(w2, w3)
    out[0], out[1], out[2], out[3] = a, b, c, d
