"""Uncertainty of the frequencies of a species, and which modes have correlated errors.

A species states it (``frequency_uncertainty_cm1``), or it follows from the source of its modes.
docs/decisions/0056-frequency-errors.md has the comparisons behind the numbers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..schema.library import Library
from ..schema.species import Species

F64 = NDArray[np.float64]

SEMI_EMPIRICAL_CM1 = 35.0
"""Of GFN1-xTB and GFN2-xTB: about the rms deviation below 1800 cm^-1 from scaled DFT."""
DENSITY_FUNCTIONAL_CM1 = 20.0
"""Of scaled harmonic frequencies from density functional theory, and of solids."""
UNSCALED_CM1 = 60.0
"""Of harmonic frequencies of molecules without a scaling factor."""
TABULATED_CM1 = 1.0
"""Of positions in tables of measured bands."""

FAMILY_EDGES_CM1 = (1000.0, 2000.0)
"""Limits of families of modes with correlated errors: skeletal modes, ring modes and bends of
hydrogen, stretches of hydrogen and of triple bonds."""
SHARED = 0.4
"""Fraction of the variance that the modes of a family share."""
SHARED_SEMI_EMPIRICAL = 0.1
_LARGEST_PART = 6.0
"""An uncertainty is at most this fraction of the frequency, so that none becomes negative."""


def of_source(provenance: Mapping[str, Any]) -> float:
    """Return the uncertainty in cm^-1 that follows from a provenance, as a document."""
    kind = provenance.get("kind")
    if kind in ("random", "unknown"):
        return 0.0
    if kind in ("sticks", "peaks", "published"):
        return TABULATED_CM1
    if is_semi_empirical(provenance):
        return SEMI_EMPIRICAL_CM1
    if kind in ("computed", "fchk", "output") and provenance.get("scaling", 1.0) == 1.0:
        return UNSCALED_CM1
    return DENSITY_FUNCTIONAL_CM1


def is_semi_empirical(provenance: Mapping[str, Any]) -> bool:
    """Return whether frequencies are those of a GFN method, whatever the tensors are."""
    levels = provenance.get("levels") or {}
    level = levels.get("frequencies") or (provenance.get("method") or "").split("d(alpha)/dR")[0]
    return "GFN" in level.upper()


def frequency_uncertainty(species: Species) -> float:
    """Return the uncertainty of a species' frequencies, a standard deviation in cm^-1."""
    return float(frequency_uncertainties(Library([species]))[0])


def frequency_uncertainties(library: Library) -> F64:
    """Return the uncertainty of each species' frequencies, shape (K,), cm^-1."""
    stated = (page.get("frequency_uncertainty_cm1") for page in library.pages)
    return np.array(
        [
            of_source(page["provenance"]) if one is None else float(one)
            for one, page in zip(stated, library.pages, strict=True)
        ],
        np.float64,
    )


def error_spreads(
    library: Library, frequency: F64, species: NDArray[np.int64]
) -> tuple[F64, F64, NDArray[np.int64]]:
    """Return the parts of the frequency error of each mode: its own and that of its family.

    Parameters
    ----------
    library
        The K species.
    frequency
        Of each mode, cm^-1, shape (n,).
    species
        That of each mode, shape (n,).

    Returns
    -------
    own, common : F64
        Standard deviations of the independent error and of that shared by the modes of a family,
        cm^-1, shape (n,).
    family : NDArray
        Family of each mode, int64, shape (n,).
    """
    semi_empirical = [is_semi_empirical(page["provenance"]) for page in library.pages]
    shared = np.where(semi_empirical, SHARED_SEMI_EMPIRICAL, SHARED)[species]
    total = np.minimum(frequency_uncertainties(library)[species], frequency / _LARGEST_PART)
    family = np.searchsorted(np.array(FAMILY_EDGES_CM1), frequency, side="right")
    return total * np.sqrt(1.0 - shared), total * np.sqrt(shared), family.astype(np.int64)
