"""Sites at which the field of a tip is taken; the field inside a molecule follows from it.

A mode's amplitude under a tip is a quadratic form of the field at sites r_i, atoms and points
between and around them: M = sum_ij E(r_i)^T a_ij E(r_j). So the potential of any tip is written as
V(r) = sum_p F_p(r) E_p, p the 3 S components of the field at the S sites. The functions F_p are
those of least squares over point charges all around the molecule (universal kriging: N. Cressie,
"Statistics for Spatial Data" (1993), sec. 3.4), made exact for uniform fields. They depend on the
geometry alone: nothing is fitted to an image or to a response.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..schema.species import Species
from .covalent import find_bonds
from .geometry import atomic_number

Floats = NDArray[np.float64]

SHELLS = ((3.0, 1.0), (4.5, 1.8))
"""Shells of point charges: distance from the nearest atom and from each other, Angstrom."""
RIDGE = 1e-6
"""Regularization: part of the mean variance that is added to that of each component."""
AROUND_ANGSTROM = 0.6
"""Distance of the points around an atom from it."""
_BOND_TOLERANCE = 0.4
_NEON = 10


def place_sites(symbols: list[str], positions: Floats) -> Floats:
    """Return the sites of a molecule, atoms first, shape (S, 3), Angstrom.

    After the atoms come the midpoints of bonds between atoms other than hydrogen; then six points
    around each atom beyond neon, or around all atoms other than hydrogen if there are one or two.
    ``positions`` has shape (n_atoms, 3), Angstrom.
    """
    numbers = np.array([atomic_number(symbol) for symbol in symbols])
    bonds = find_bonds(symbols, positions, _BOND_TOLERANCE)
    bonds = bonds[(numbers[bonds] > 1).all(axis=1)]
    is_alone = (numbers > 1).sum() <= 2
    large = positions[numbers > (1 if is_alone else _NEON)]
    around = large[:, None] + AROUND_ANGSTROM * np.concatenate([np.eye(3), -np.eye(3)])
    return np.concatenate([positions, positions[bonds].mean(axis=1), around.reshape(-1, 3)])


def place_charges(positions: Floats) -> Floats:
    """Return point charges around a molecule, shape (n, 3), Angstrom; see ``SHELLS``."""
    return np.concatenate([_shell(positions, *shell) for shell in SHELLS])


def _shell(positions: Floats, distance: float, spacing: float) -> Floats:
    """Return points at one distance from the nearest atom, at least 3/4 of ``spacing`` apart."""
    n = int(4 * np.pi * (distance / spacing) ** 2)
    k = np.arange(n) + 0.5
    z, turn = 1 - 2 * k / n, np.pi * (1 + 5**0.5) * k  # a Fibonacci lattice on the sphere
    across = np.sqrt(1 - z * z)
    sphere = distance * np.column_stack([across * np.cos(turn), across * np.sin(turn), z])
    points = (positions[:, None] + sphere).reshape(-1, 3)
    nearest = np.linalg.norm(points[:, None] - positions, axis=2).min(axis=1)
    kept = np.empty((0, 3))
    for point in points[nearest > distance * (1 - 1e-6)]:
        if (np.linalg.norm(kept - point, axis=1) > 0.75 * spacing).all():
            kept = np.concatenate([kept, point[None]])
    return kept


def site_functions(sites: Floats, charges: Floats) -> Floats:
    """Return the functions F_p, in the basis (x, y, z, potential of each charge).

    Parameters
    ----------
    sites
        Shape (S, 3), bohr.
    charges
        Positions of point charges, shape (n, 3), bohr.

    Returns
    -------
    Floats
        Shape (3 + n, 3 S): V(r) = sum_pq (x, y, z, 1/|r - r_n|)_q out[q, p] E_p with E = -grad V,
        up to a constant.
    """
    away = sites - charges[:, None]
    known = (away / np.linalg.norm(away, axis=2)[..., None] ** 3).reshape(len(charges), -1)
    covariance = known.T @ known
    covariance += RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    inverse = np.linalg.inv(covariance)
    uniform = -np.tile(np.eye(3), (len(sites), 1))  # the field of the potentials x, y, z
    linear = np.linalg.solve(uniform.T @ inverse @ uniform, uniform.T @ inverse)
    rest = inverse @ (np.eye(len(covariance)) - uniform @ linear)
    return np.concatenate([linear, known @ rest])


def packed(matrices: Floats) -> Floats:
    """Return the upper triangles of symmetric matrices, shape (..., P, P), row by row."""
    rows, columns = np.triu_indices(matrices.shape[-1])
    both = 0.5 * (matrices + matrices.swapaxes(-1, -2))
    upper: Floats = both[..., rows, columns]
    return upper


def unpacked(triangles: Floats) -> Floats:
    """Return symmetric matrices, shape (..., P, P), from their upper triangles, row by row."""
    size = round((math.sqrt(8 * triangles.shape[-1] + 1) - 1) / 2)
    rows, columns = np.triu_indices(size)
    out = np.empty((*triangles.shape[:-1], size, size))
    out[..., rows, columns] = out[..., columns, rows] = triangles
    return out


def site_amplitudes(species: Species, field: Callable[[Floats], Floats]) -> Floats:
    """Return the amplitudes of the modes of a species in a field, Eq. (2.12), in float64.

    Parameters
    ----------
    species
        A species with a response at sites.
    field
        Function from points, shape (S, 3), Angstrom, to the field there, both in the frame of the
        species.

    Returns
    -------
    Floats
        Shape (n_modes,), Angstrom^2 amu^-1/2 times the square of the unit of the field.

    Raises
    ------
    LibraryError
        If the species has no response at sites.
    """
    if not species.sites:
        raise LibraryError(
            f"{species.name}: expected a response at sites, got none; compute it: tersgen library "
            "respond"
        )
    matrices = unpacked(np.array([mode.site_response for mode in species.modes], np.float64))
    local = field(np.array(species.sites, np.float64)).reshape(-1)
    amplitudes: Floats = np.einsum("p,mpq,q->m", local, matrices, local)
    return amplitudes
