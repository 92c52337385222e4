"""Static linear response of a molecule to the potentials of charges and dipoles, from PySCF.

The second-order energy of a closed shell in a potential V is -1/2 alpha(V, V), with
alpha(V, V') = 4 V^T (A + B)^-1 V'. V holds the elements <i|V|a> between occupied and virtual
orbitals, A and B are the orbital Hessians of coupled-perturbed Hartree-Fock or Kohn-Sham theory
(R. McWeeny, "Methods of Molecular Quantum Mechanics", 2nd ed. (1992), sec. 12.2). One factorisation
serves all potentials, so thousands of tips cost little more than one. Atomic units throughout.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_POINTS = 64
"""Points whose integrals are held in memory at a time."""
_SIX = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


@dataclass(frozen=True)
class Probes:
    """Potentials whose response is computed.

    Attributes
    ----------
    charges
        Positions of point charges, shape (n, 3), bohr.
    functions
        Combinations of (x, y, z, potential of each charge), shape (3 + n, P).
    tips
        Positions of point dipoles, shape (T, 3), bohr.
    smearing
        Radius of the Gaussian (exp(-r^2 / radius^2)) that the dipoles are smeared by, bohr; 0 for
        points.
    """

    charges: Floats
    functions: Floats
    tips: Floats
    smearing: float = 0.0


@dataclass(frozen=True)
class Forms:
    """Quadratic forms of potentials: a response, or its derivative.

    Attributes
    ----------
    matrix
        alpha(F_p, F_q), shape (P, P), symmetric.
    images
        For dipoles p at each tip p^T B p, with xx, yy, zz, xy, xz, yz of B; shape (T, 6).
    """

    matrix: Floats
    images: Floats

    def difference(self, other: "Forms", step: float) -> "Forms":
        """Return (self - other) / step."""
        return Forms((self.matrix - other.matrix) / step, (self.images - other.images) / step)


def response_forms(solution: Any, probes: Probes) -> Forms:
    """Return the response of a converged PySCF mean field to some potentials.

    Potentials act on the electrons with the charge -1, twice: their sign does not matter.
    """
    from scipy import linalg

    occupied, virtual = _orbitals(solution)
    factor = linalg.cholesky(
        _orbital_hessian(solution, occupied, virtual), lower=True, overwrite_a=True
    )

    def weighted(potentials: Floats) -> Floats:
        half = linalg.solve_triangular(factor, potentials.T, lower=True, overwrite_b=True)
        return np.asarray(half.T)

    functions = weighted(_function_elements(solution.mol, occupied, virtual, probes))
    images = np.empty((len(probes.tips), 6))
    for start in range(0, len(probes.tips), _POINTS):
        tips = probes.tips[start : start + _POINTS]
        elements = _dipole_elements(solution.mol, occupied, virtual, tips, probes.smearing)
        along = weighted(elements.reshape(3 * len(tips), -1)).reshape(elements.shape)
        for k, (a, b) in enumerate(_SIX):
            images[start : start + len(tips), k] = 4 * (along[:, a] * along[:, b]).sum(axis=1)
    return Forms(4 * functions @ functions.T, images)


def _orbitals(solution: Any) -> tuple[Floats, Floats]:
    """Return occupied and virtual orbitals, shape (n_basis, n)."""
    taken = solution.mo_occ > 0
    return solution.mo_coeff[:, taken], solution.mo_coeff[:, ~taken]


def _orbital_hessian(solution: Any, occupied: Floats, virtual: Floats) -> Floats:
    """Return A + B, shape (n_ov, n_ov)."""
    from pyscf import ao2mo, dft

    n_occupied, n_virtual = occupied.shape[1], virtual.shape[1]
    size = n_occupied * n_virtual
    if isinstance(solution, dft.rks.KohnShamDFT):
        from pyscf.tdscf.rhf import get_ab

        a, b = get_ab(solution)
        both: Floats = (a + b).reshape(size, size)
        return both
    integrals = solution.mol if solution._eri is None else solution._eri
    coulomb = ao2mo.general(integrals, [occupied, virtual] * 2, compact=False)
    total = coulomb.reshape(n_occupied, n_virtual, n_occupied, n_virtual)
    total = 4 * total - total.transpose(0, 3, 2, 1)
    exchange = ao2mo.general(integrals, [occupied, occupied, virtual, virtual], compact=False)
    total -= exchange.reshape(n_occupied, n_occupied, n_virtual, n_virtual).transpose(0, 2, 1, 3)
    square: Floats = total.reshape(size, size)
    taken = solution.mo_occ > 0
    energy = solution.mo_energy
    square[np.diag_indices(size)] += (energy[~taken] - energy[taken][:, None]).ravel()
    return square


def _between(integrals: Floats, occupied: Floats, virtual: Floats) -> Floats:
    """Return elements between occupied and virtual orbitals, shape (n, n_ov)."""
    elements: Floats = np.matmul(np.matmul(occupied.T, integrals), virtual)
    return elements.reshape(len(integrals), -1)


def _function_elements(molecule: Any, occupied: Floats, virtual: Floats, probes: Probes) -> Floats:
    """Return the elements of the functions, shape (P, n_ov)."""
    linear = _between(molecule.intor("int1e_r"), occupied, virtual)
    out: Floats = probes.functions[:3].T @ linear
    for start in range(0, len(probes.charges), _POINTS):
        points = probes.charges[start : start + _POINTS]
        part = _between(molecule.intor("int1e_grids", grids=points), occupied, virtual)
        out += probes.functions[3 + start : 3 + start + len(points)].T @ part
    return out


def _dipole_elements(
    molecule: Any, occupied: Floats, virtual: Floats, tips: Floats, smearing: float
) -> Floats:
    """Return the elements of unit dipoles along x, y and z at tips, shape (n, 3, n_ov)."""
    if smearing > 0:
        return _smeared_elements(molecule, occupied, virtual, tips, smearing)
    n_basis = molecule.nao
    # d/dR <i| 1/|r - R| |j> = <grad i|..|j> + <i|..|grad j>
    half = molecule.intor("int1e_grids_ip", grids=tips).reshape(3, len(tips), n_basis, n_basis)
    whole = (half + half.swapaxes(2, 3)).swapaxes(0, 1).reshape(-1, n_basis, n_basis)
    return _between(whole, occupied, virtual).reshape(len(tips), 3, -1)


def _smeared_elements(
    molecule: Any, occupied: Floats, virtual: Floats, tips: Floats, smearing: float
) -> Floats:
    """Return the same for smeared dipoles, each of two Gaussian charges."""
    from pyscf import df, gto

    step = 0.05
    ends = tips[:, None, None] + step * np.stack([np.eye(3), -np.eye(3)], axis=1)
    charges = gto.fakemol_for_charges(ends.reshape(-1, 3), smearing**-2)
    integrals = df.incore.aux_e2(molecule, charges, intor="int3c2e").transpose(2, 0, 1)
    elements = _between(np.ascontiguousarray(integrals), occupied, virtual)
    pairs = elements.reshape(len(tips), 3, 2, -1)
    dipoles: Floats = (pairs[:, :, 0] - pairs[:, :, 1]) / (2 * step)
    return dipoles
