"""Covalent radii, and the bonds that follow from them.

Radii: B. Cordero et al., "Covalent radii revisited", Dalton Trans. 2008, 2832, table 2; carbon is
sp3, manganese, iron and cobalt are low-spin. Bonds: two atoms nearer than the sum of their radii
and a tolerance; E. C. Meng and R. A. Lewis, J. Comput. Chem. 12, 891 (1991), take 0.4 Angstrom.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from .geometry import SYMBOLS, atomic_number

_TABLE = """
0.31 0.28 1.28 0.96 0.84 0.76 0.71 0.66 0.57 0.58 1.66 1.41 1.21 1.11 1.07 1.05 1.02 1.06 2.03 1.76
1.70 1.60 1.53 1.39 1.39 1.32 1.26 1.24 1.32 1.22 1.22 1.20 1.19 1.20 1.20 1.16 2.20 1.95 1.90 1.75
1.64 1.54 1.47 1.46 1.42 1.39 1.45 1.44 1.42 1.39 1.39 1.38 1.39 1.40 2.44 2.15 2.07 2.04 2.03 2.01
1.99 1.98 1.98 1.96 1.94 1.92 1.92 1.89 1.90 1.87 1.87 1.75 1.70 1.62 1.51 1.44 1.41 1.36 1.36 1.32
1.45 1.46 1.48 1.40 1.50 1.50 2.60 2.21 2.15 2.06 2.00 1.96 1.90 1.87 1.80 1.69
"""

COVALENT_ANGSTROM: tuple[float, ...] = (0.0, *map(float, _TABLE.split()))
"""Covalent radius in Angstrom by atomic number, 1 (hydrogen) to 96 (curium)."""


def covalent_radius(number: int) -> float:
    """Return the covalent radius of an element in Angstrom."""
    if not 1 <= number < len(COVALENT_ANGSTROM):
        raise LibraryError(
            f"expected an element up to Cm for a bond, got {SYMBOLS[number]}, which has no "
            "covalent radius; take structure.bonds = false"
        )
    return COVALENT_ANGSTROM[number]


def find_bonds(
    symbols: Sequence[str], places: NDArray[np.float64], tolerance_angstrom: float
) -> NDArray[np.int64]:
    """Return the pairs of atoms that are bonded, int64, shape (n_bonds, 2), the lower one first.

    Parameters
    ----------
    symbols
        Chemical symbol of each atom.
    places
        Positions, shape (n_atoms, 3), Angstrom.
    tolerance_angstrom
        What a bond may be longer than the sum of the radii, Angstrom.
    """
    radii = np.array([covalent_radius(atomic_number(symbol)) for symbol in symbols])
    pairs = []
    for i in range(len(symbols)):
        d = places[i + 1 :] - places[i]
        squared = d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1] + d[:, 2] * d[:, 2]
        longest = radii[i] + radii[i + 1 :] + tolerance_angstrom
        pairs += [(i, i + 1 + int(j)) for j in np.flatnonzero(squared < longest * longest)]
    return np.array(pairs, np.int64).reshape(-1, 2)
