"""Molecules of PySCF with a basis set that the user names."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from .geometry import SYMBOLS, hill_formula


def build_molecule(
    numbers: NDArray[np.int64],
    coordinates: NDArray[np.float64],
    basis: str,
    charge: int,
    unit: str = "Angstrom",
) -> Any:
    """Return a closed-shell molecule of PySCF, with the core potentials that the basis set is for.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n_atoms,).
    coordinates
        Shape (n_atoms, 3), in ``unit``: Angstrom or Bohr.
    basis
        Name of a basis set.
    charge
        Charge of the molecule, e.
    """
    from pyscf import gto
    from pyscf.gto.mole import bse_predefined_ecp

    atoms = [(SYMBOLS[n], tuple(at)) for n, at in zip(numbers, coordinates, strict=True)]
    _, heavy = bse_predefined_ecp(basis, [symbol for symbol, _ in atoms])
    potentials = {SYMBOLS[number]: basis for number in heavy or ()}
    try:
        return gto.M(atom=atoms, unit=unit, basis=basis, ecp=potentials, charge=charge, verbose=0)
    except Exception as error:
        raise LibraryError(
            f"expected a basis set PySCF knows for {hill_formula(numbers)}, got {basis!r}; "
            "def2-svpd has diffuse functions for H to Rn"
        ) from error
