"""Force constants and polarizability derivatives of a species, which do not depend on masses.

They are stored, or follow from all 3N-6 modes: translations and rotations have no force constant,
so the Hessian is sum_m omega_m^2 l_m l_m^T, with l_m the mass-weighted modes, and the derivatives
of an atom solve (dR/dQ) (d alpha/dR) = its atom tensors in all modes. E. B. Wilson, J. C.
Decius, P. C. Cross, "Molecular Vibrations" (1955), ch. 2. docs/decisions/0057-isotopes.md
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..schema.packing import six
from ..schema.species import Species
from ..units import AMU_ELECTRON_MASS, HARTREE_CM1
from .harmonic import internal_motions, is_linear, rigid_motions
from .masses import atom_masses
from .nearfield import atom_positions

Floats = NDArray[np.float64]

LARGEST_MISFIT = 2e-3
"""Largest deviation of stored modes from orthonormal ones, and of shares from what the derivatives
give, relative to the largest: displacements of two decimals are refused."""
MOST_MODES = 60
"""Most modes for which displacements are found from atom tensors: the time grows as their sixth
power, 1 s for 48."""
_RANK = 1e-6
_SEEN = 1e-5
_NULL = 1e-7
_LEAST_DAMPING = 1e-12
"""Keeps the equations of a step regular where several steps change nothing."""
_BLOCK, _STARTS, _SOLUTIONS, _ITERATIONS, _AGREED = 32, 100, 3, 100, 1e-3


class ForceField(NamedTuple):
    """A molecule without its masses, in the frame of its tensors."""

    hessian: Floats
    """Scaled as the frequencies are, hartree bohr^-2, shape (3 n_atoms, 3 n_atoms)."""
    derivatives: Floats
    """d(alpha)/dR, Angstrom^2: atom, direction, then xx, yy, zz, xy, xz, yz; (n_atoms, 3, 6)."""
    masses: Floats
    """Masses that the modes were calculated with, amu, shape (n_atoms,)."""
    coordinates: Floats
    """Angstrom, shape (n_atoms, 3)."""
    displacements: Floats
    """dR/dQ of the modes, amu^-1/2, shape (n_modes, n_atoms, 3): times ``derivatives``, they are
    the atom tensors."""


def force_field(species: Species) -> ForceField:
    """Return the force constants and polarizability derivatives of a molecule."""
    coordinates, masses = atom_positions(species), atom_masses(species)
    n_atoms, n_modes = len(coordinates), len(species.modes)
    if n_atoms < 2:
        raise LibraryError(f"{species.name}: expected a molecule with the positions of its atoms")
    expected = 3 * n_atoms - (5 if is_linear(coordinates, masses) else 6)
    if n_modes != expected:
        raise LibraryError(
            f"{species.name}: expected all {expected} vibrations of {n_atoms} atoms, got "
            f"{n_modes}; imaginary or degenerate ones are missing, or it is no molecule"
        )
    if any(mode.atom_tensors is None for mode in species.modes):
        raise LibraryError(
            f"{species.name}: expected each atom's share of each Raman tensor, got none; import "
            "another file of it (.fchk, .hess) or compute it (tersgen library compute)"
        )
    shares = six(np.array([mode.atom_tensors for mode in species.modes], np.float64))
    solutions = _displacements(species, shares, masses, coordinates)
    if not solutions:
        raise LibraryError(
            f"{species.name}: expected atom tensors of vibrations of these atoms, with the masses "
            "of the most abundant isotopes, got others; compute it (tersgen library compute)"
        )
    rebuilt = [_hessian(species, one, masses) for one in solutions]
    hessian = rebuilt[0] if species.hessian is None else _stored_hessian(species)
    for displacements, other in zip(solutions, rebuilt, strict=True):
        derivatives = np.stack(
            [np.linalg.lstsq(displacements[:, i], shares[:, i], _RANK)[0] for i in range(n_atoms)]
        )
        fitted = np.einsum("mic,icf->mif", displacements, derivatives)
        misfits = {
            "atom tensors that follow from the displacements": _misfit(fitted - shares, shares),
            "a molecule that keeps its polarizability as it moves as a whole": (
                _misfit(derivatives.sum(axis=0), derivatives)
            ),
            "frequencies and displacements, or atom tensors, that determine the force constants": (
                _misfit(other - hessian, hessian)
            ),
        }
        for what, misfit in misfits.items():
            if not misfit <= LARGEST_MISFIT:
                raise LibraryError(
                    f"{species.name}: expected {what}, got a misfit of {misfit:.1g} of the "
                    "largest; compute it (tersgen library compute)"
                )
    return ForceField(hessian, derivatives, masses, coordinates, displacements)


def _misfit(difference: Floats, whole: Floats) -> float:
    """Return the largest difference over the largest value."""
    return float(np.abs(difference).max() / max(float(np.abs(whole).max()), 1e-300))


def _stored_hessian(species: Species) -> Floats:
    size = 3 * len(species.atoms or ())
    lower = np.zeros((size, size))
    lower[np.tril_indices(size)] = species.hessian
    whole: Floats = lower + np.tril(lower, -1).T
    return whole * species.provenance.scaling**2


def _hessian(species: Species, displacements: Floats, masses: Floats) -> Floats:
    frequencies = np.array([mode.frequency_cm1 for mode in species.modes])
    curvatures = (frequencies / HARTREE_CM1) ** 2 * AMU_ELECTRON_MASS
    forces = (displacements * masses[:, None]).reshape(len(frequencies), -1)
    hessian: Floats = np.einsum("m,mi,mj->ij", curvatures, forces, forces, optimize=True)
    return hessian


def _displacements(
    species: Species, shares: Floats, masses: Floats, coordinates: Floats
) -> list[Floats]:
    """Return dR/dQ in amu^-1/2, (n_modes, n_atoms, 3); several if found from atom tensors."""
    units = [mode.displacements for mode in species.modes]
    if any(one is None for one in units):
        return displacements_from_shares(species.name, shares, masses, coordinates)
    weighted = np.array(units, np.float64) * np.sqrt(masses)[:, None]
    flat = weighted.reshape(len(weighted), -1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    rigid = rigid_motions(coordinates, masses)
    misfit = max(
        float(np.abs(flat @ flat.T - np.eye(len(flat))).max()), float(np.abs(flat @ rigid.T).max())
    )
    if not misfit <= LARGEST_MISFIT:
        raise LibraryError(
            f"{species.name}: expected displacements that are orthogonal for the masses of the "
            f"most abundant isotopes, got an overlap of {misfit:.1g}; they have too few digits or "
            "other masses: compute it (tersgen library compute)"
        )
    flat = flat - (flat @ rigid.T) @ rigid
    left, _, right = np.linalg.svd(flat, full_matrices=False)
    nearest: Floats = (left @ right).reshape(weighted.shape) / np.sqrt(masses)[:, None]
    return [nearest]


def displacements_from_shares(
    name: str, shares: Floats, masses: Floats, coordinates: Floats
) -> list[Floats]:
    """Return the displacements of all vibrations from their atom tensors.

    The tensors (shares) of atom i are L_i P_i: its displacements in all modes, M x 3, times the
    derivatives of the polarizability, 3 x 6. Their columns span those of L_i. The masses and the
    geometry give a basis X of all vibrations, and L = T X with T orthogonal. So T maps the columns
    of each X_i into those of the shares, which is linear in T; what remains undetermined, such as
    reflection in the plane of a flat molecule, is a symmetry of the force constants.

    Parameters
    ----------
    name
        Of the species, for messages.
    shares
        Shape (n_modes, n_atoms, 6): xx, yy, zz, xy, xz, yz.
    masses, coordinates
        Shapes (n_atoms,), amu, and (n_atoms, 3), in any unit of length.

    Returns
    -------
    list of Floats
        dR/dQ in amu^-1/2, shape (n_modes, n_atoms, 3): solutions from different starts, which have
        the same force constants if the shares determine them.
    """
    n_modes, n_atoms = shares.shape[:2]
    if n_modes > MOST_MODES:
        raise LibraryError(
            f"{name}: expected displacements of its atoms, got none; they can be found for up to "
            f"{MOST_MODES} modes, got {n_modes}: compute it (tersgen library compute)"
        )
    basis = internal_motions(coordinates, masses).reshape(n_modes, n_atoms, 3)
    outside = np.zeros((n_modes**2, n_modes**2))
    largest = float(np.abs(shares).max(initial=0.0))
    for i in range(n_atoms):
        moves, seen = _columns(basis[:, i], 1.0), _columns(shares[:, i], largest)
        if moves.shape[1] == seen.shape[1]:
            outside += np.kron(np.eye(n_modes) - seen @ seen.T, moves @ moves.T)
        else:  # some displacements of this atom do not change the polarizability
            outside += np.kron(seen @ seen.T, np.eye(n_modes) - moves @ moves.T)
    root = np.sqrt(masses)[:, None]
    return [
        np.einsum("mn,nic->mic", turn, basis) / root for turn in _null_rotations(outside, n_modes)
    ]


def _columns(matrix: Floats, largest: float) -> Floats:
    """Return an orthonormal basis of the columns of a matrix; ``largest`` is the scale of 0."""
    vectors, sizes, _ = np.linalg.svd(matrix, full_matrices=False)
    return vectors[:, sizes > _SEEN * largest]


def _null_rotations(matrix: Floats, n: int) -> list[Floats]:
    """Return orthogonal n x n matrices in the null space of a positive matrix, (n^2, n^2).

    Few atoms leave null spaces of several dimensions, most of whose matrices are not orthogonal:
    T^T T = 1 is solved by the method of Levenberg and Marquardt from random starts.
    """
    shifted = matrix + 1e-12 * max(float(np.trace(matrix)), 1.0) * np.eye(n * n)
    random = np.random.default_rng(0)
    block = random.normal(size=(n * n, min(_BLOCK, n * n)))
    for _ in range(3):
        block = np.linalg.qr(np.linalg.solve(shifted, block))[0]
    values, vectors = np.linalg.eigh(block.T @ matrix @ block)
    null = (block @ vectors)[:, values < max(_NULL, 2.0 * float(values[0]))].T.reshape(-1, n, n)
    found: list[Floats] = []
    for _ in range(_STARTS):
        one, misfit = _orthogonal(null, random.normal(size=len(null)))
        if misfit < _AGREED:
            left, _, right = np.linalg.svd(one)
            found.append(left @ right)
            if len(found) == _SOLUTIONS:
                break
    return found


def _orthogonal(null: Floats, start: Floats) -> tuple[Floats, float]:
    """Return the sum of matrices, shape (d, n, n), nearest to an orthogonal one, and its misfit."""
    n = null.shape[1]
    weights = start * np.sqrt(n) / np.linalg.norm(start)
    damping = 1.0
    trial = np.einsum("k,kab->ab", weights, null)
    misfit = trial.T @ trial - np.eye(n)
    for _ in range(_ITERATIONS):
        slope = np.einsum("kab,ac->kbc", null, trial)
        slope = (slope + slope.swapaxes(1, 2)).reshape(len(null), -1)
        normal = slope @ slope.T
        step = np.linalg.solve(normal + damping * np.eye(len(null)), -slope @ misfit.reshape(-1))
        other = trial + np.einsum("k,kab->ab", step, null)
        changed = other.T @ other - np.eye(n)
        if np.linalg.norm(changed) < np.linalg.norm(misfit):
            trial, misfit, damping = other, changed, max(0.2 * damping, _LEAST_DAMPING)
        else:
            damping *= 4.0
        if np.linalg.norm(step) < 1e-13 or damping > 1e12:
            break
    return trial, float(np.abs(misfit).max())
