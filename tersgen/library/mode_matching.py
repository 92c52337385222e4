"""Displacements of the modes of a species at the level of its response to a tip."""

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..schema.packing import matrices
from ..schema.species import Species
from .forces import force_field
from .harmonic import internal_motions
from .masses import atom_masses
from .nearfield import atom_positions

Floats = NDArray[np.float64]

_LEAST_LIKENESS = 0.5
"""Least median cosine between atom tensors of a mode at two levels of theory."""
_FLAT_ANGSTROM = 0.1
"""Extent below which a molecule is flat, or linear."""


def find_displacements(species: Species, far: Floats) -> tuple[Floats, str]:
    """Return dR/dQ of the modes of a species, amu^-1/2, (n_modes, n_atoms, 3), and how found.

    Modes follow from the atom tensors of the species if they are all there; else they are the
    vibrations whose atom tensors at the level of the response are most similar.
    docs/decisions/0067-responses-and-conformers.md

    Parameters
    ----------
    species
        A molecule with displacements or atom tensors.
    far
        d(alpha)/dR at the level of the response, shape (n_atoms, 3, 3, 3), bohr^2.
    """
    masses = atom_masses(species)
    known = [mode.displacements for mode in species.modes]
    if all(one is not None for one in known):
        raw = np.array(known, np.float64)
        size = np.sqrt(np.einsum("i,mic->m", masses, raw**2))
        return raw / size[:, None, None], "displacements of the species"
    shares = [mode.atom_tensors for mode in species.modes]
    if any(one is None for one in shares):
        raise LibraryError(
            f"{species.name}: expected displacements or atom tensors of all modes, got neither; "
            "import a Gaussian .fchk or compute the molecule (tersgen library compute)"
        )
    wanted = np.array(shares, np.float64)
    wanted = 0.5 * (wanted + wanted.swapaxes(-1, -2))
    coordinates = atom_positions(species)
    try:
        field = force_field(species)
    except LibraryError:  # not all modes, or too many
        basis = internal_motions(coordinates, masses).reshape(-1, len(masses), 3)
        vibrations = basis / np.sqrt(masses)[:, None]
        mixing = match_modes(wanted, np.einsum("mic,icab->miab", vibrations, far))
        found, how = np.einsum("mk,kic->mic", mixing, vibrations), "modes like"
    else:
        turn = turn_to(coordinates, matrices(field.derivatives), far)
        found, how = field.displacements @ turn.T, "modes from"
    likeness = _likeness(wanted, np.einsum("mic,icab->miab", found, far))
    if np.median(likeness) < _LEAST_LIKENESS:
        raise LibraryError(
            f"{species.name}: expected atom tensors like those at the level of the response, got a "
            f"cosine of {np.median(likeness):.2f}; compute the molecule (tersgen library compute)"
        )
    return found, f"{how} their atom tensors, least cosine {likeness.min():.2f}"


def turn_to(coordinates: Floats, derivatives: Floats, wanted: Floats) -> Floats:
    """Return the turn of displacements that makes derivatives most similar to others.

    Modes that follow from atom tensors are known up to their sign and an isometry that keeps every
    atom: reflection in the plane of a flat molecule, any turn about the axis of a linear one.

    Parameters
    ----------
    coordinates
        Shape (n_atoms, 3), Angstrom.
    derivatives, wanted
        d(alpha)/dR, shape (n_atoms, 3, 3, 3), the first index of three that of the displacement.

    Returns
    -------
    Floats
        Orthogonal, shape (3, 3).
    """
    centred = coordinates - coordinates.mean(axis=0)
    rank = np.linalg.matrix_rank(centred, tol=_FLAT_ANGSTROM)
    axes = np.linalg.svd(centred)[2]
    inside, outside = axes[:rank], axes[rank:]
    overlap = np.einsum("iaxy,ibxy->ab", derivatives, wanted)
    sign = 1.0 if np.trace(inside @ overlap @ inside.T) >= 0 else -1.0
    left, _, right = np.linalg.svd(outside @ overlap @ outside.T)
    turn: Floats = sign * inside.T @ inside + outside.T @ (left @ right).T @ outside
    return turn


def _likeness(wanted: Floats, found: Floats) -> Floats:
    """Return the cosine of the atom tensors of each mode with others."""
    left, right = wanted.reshape(len(wanted), -1), found.reshape(len(found), -1)
    size = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines: Floats = np.einsum("mk,mk->m", left, right) / np.maximum(size, 1e-12)
    return cosines


def match_modes(wanted: Floats, computed: Floats) -> Floats:
    """Return the orthogonal mixing of vibrations whose atom tensors are most similar to others.

    Both sets are orthonormal in mass-weighted coordinates, so that one follows from the other by an
    orthogonal matrix: that of P. H. Schoenemann, Psychometrika 31, 1 (1966).

    Parameters
    ----------
    wanted
        Atom tensors, shape (n_modes, n_atoms, 3, 3).
    computed
        Those of a basis of all vibrations: as many, or a few more.

    Returns
    -------
    Floats
        Shape (n_modes, n_computed), with orthonormal rows.
    """
    left, right = wanted.reshape(len(wanted), -1), computed.reshape(len(computed), -1)
    u, _, v = np.linalg.svd(left @ right.T, full_matrices=False)
    mixing: Floats = u @ v
    return mixing
