"""Harmonic normal modes and their Raman tensors.

Sources: E. B. Wilson, J. C. Decius, P. C. Cross, "Molecular Vibrations" (1955), ch. 2 and 11;
D. A. Long, "The Raman Effect" (2002), ch. 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..schema.species import Matrix3, Mode
from ..units import AMU_ELECTRON_MASS, BOHR_ANGSTROM, HARTREE_CM1

Floats = NDArray[np.float64]

LINEAR_TOLERANCE = 1e-6
"""Largest ratio of the smallest to the largest moment of inertia of a linear molecule: atoms off
the axis by about a thousandth of its length."""


@dataclass(frozen=True)
class NormalModes:
    """Normal modes of a molecule, imaginary ones left out.

    Attributes
    ----------
    frequencies_cm1
        Harmonic frequencies in cm^-1, rising, shape (n_modes,).
    displacements
        Cartesian displacement per unit of normal coordinate dR/dQ = L_m / sqrt(mu_m) in
        amu^-1/2, shape (n_modes, n_atoms, 3).
    imaginary
        Displacements of the imaginary modes that were left out, shape (n_imaginary, n_atoms, 3).
    """

    frequencies_cm1: Floats
    displacements: Floats
    imaginary: Floats

    @property
    def n_imaginary(self) -> int:
        """Number of imaginary modes that were left out."""
        return len(self.imaginary)


def is_linear(coordinates: Floats, masses: Floats) -> bool:
    """Tell whether all atoms lie on one line.

    ``coordinates`` has shape (n_atoms, 3) in any unit of length, ``masses`` (n_atoms,) in amu.
    """
    moments = np.linalg.eigvalsh(_inertia(coordinates, masses))
    return bool(moments[0] <= LINEAR_TOLERANCE * moments[2])


def _inertia(coordinates: Floats, masses: Floats) -> Floats:
    centred = coordinates - np.average(coordinates, axis=0, weights=masses)
    second = np.einsum("i,ia,ib->ab", masses, centred, centred)
    inertia: Floats = np.eye(3) * np.trace(second) - second
    return inertia


def rigid_motions(coordinates: Floats, masses: Floats) -> Floats:
    """Return an orthonormal basis of the mass-weighted translations and rotations.

    Parameters
    ----------
    coordinates
        Shape (n_atoms, 3), any unit of length.
    masses
        Shape (n_atoms,), amu.

    Returns
    -------
    Floats
        Shape (n, 3 n_atoms): n = 6, 5 for a linear molecule, 3 for one atom.
    """
    root = np.sqrt(masses)
    moments, axes = np.linalg.eigh(_inertia(coordinates, masses))
    centred = (coordinates - np.average(coordinates, axis=0, weights=masses)) @ axes
    unit = np.eye(3)
    shifts = [np.outer(root, unit[axis]) for axis in range(3)]
    # About the axis of a linear molecule, and about an atom, nothing turns.
    free = [axis for axis in range(3) if moments[axis] > LINEAR_TOLERANCE * moments[2]]
    turns = [root[:, None] * np.cross(unit[axis], centred) @ axes.T for axis in free]
    motions = shifts + turns
    flat = np.array(motions).reshape(len(motions), -1)
    basis: Floats = np.linalg.qr(flat.T)[0].T
    return basis


def internal_motions(coordinates: Floats, masses: Floats) -> Floats:
    """Return an orthonormal basis of the mass-weighted vibrations: what is not rigid.

    Parameters
    ----------
    coordinates, masses
        As of :func:`rigid_motions`.

    Returns
    -------
    Floats
        Shape (n, 3 n_atoms): n = 3N-6, 3N-5 for a linear molecule.
    """
    rigid = rigid_motions(coordinates, masses)
    # The rows of V^T beyond the rank span what is left.
    internal: Floats = np.linalg.svd(rigid)[2][len(rigid) :]
    return internal


def normal_modes(hessian: Floats, masses: Floats, coordinates: Floats) -> NormalModes:
    """Diagonalise a Hessian in the space without translations and rotations.

    Parameters
    ----------
    hessian
        Second derivatives of the energy, shape (3 n_atoms, 3 n_atoms), hartree/bohr^2; only its
        symmetric part counts.
    masses
        Shape (n_atoms,), amu.
    coordinates
        Shape (n_atoms, 3), any unit of length.

    Returns
    -------
    NormalModes
        3N-6 modes, 3N-5 for a linear molecule, less the imaginary ones. The sign of a mode is
        fixed by its largest component, which is positive.
    """
    n_atoms = len(masses)
    if n_atoms < 2:
        raise LibraryError("expected a molecule of two or more atoms, got one: it has no modes")
    if hessian.shape != (3 * n_atoms, 3 * n_atoms) or coordinates.shape != (n_atoms, 3):
        raise LibraryError(
            f"expected a Hessian of {3 * n_atoms} x {3 * n_atoms} and coordinates of {n_atoms} x 3 "
            f"for {n_atoms} masses, got {hessian.shape} and {coordinates.shape}"
        )
    finite = np.isfinite(hessian).all() and np.isfinite(coordinates).all()
    if not finite or not np.isfinite(masses).all() or not (masses > 0).all():
        got = f"masses from {masses.min():g}" if finite else "NaN or infinity"
        raise LibraryError(
            f"expected finite force constants and coordinates and positive masses, got {got}"
        )
    per_root_mass = np.repeat(masses, 3) ** -0.5
    weighted = 0.5 * (hessian + hessian.T) * np.outer(per_root_mass, per_root_mass)
    # Exactly 3N-6 (3N-5) vibrations, however large the residual forces that would mix rotations
    # into a plain diagonalisation.
    internal = internal_motions(coordinates, masses)
    if not len(internal):
        raise LibraryError("expected at least one vibration, got a molecule that has none")
    curvatures, vectors = np.linalg.eigh(internal @ weighted @ internal.T)
    weighted_modes = vectors.T @ internal
    signs = np.sign(
        np.take_along_axis(weighted_modes, np.abs(weighted_modes).argmax(1)[:, None], axis=1)
    )
    displacements = signs * weighted_modes * per_root_mass
    real = curvatures > 0
    frequencies = np.sqrt(curvatures[real] / AMU_ELECTRON_MASS) * HARTREE_CM1
    return NormalModes(
        frequencies_cm1=frequencies,
        displacements=displacements[real].reshape(-1, n_atoms, 3),
        imaginary=displacements[~real].reshape(-1, n_atoms, 3),
    )


def atom_tensors(displacements: Floats, polarizability_derivatives: Floats) -> Floats:
    """Return every atom's share of every mode's Raman tensor.

    alpha_{m,i} = sum_c (dR_ic/dQ_m) (d alpha/d R_ic) a0^2; the sum over atoms is d(alpha)/dQ_m.

    Parameters
    ----------
    displacements
        dR/dQ in amu^-1/2, shape (n_modes, n_atoms, 3).
    polarizability_derivatives
        d(alpha)/dR in bohr^2, shape (n_atoms, 3, 3, 3): atom, direction of its displacement,
        then the two indices of alpha.

    Returns
    -------
    Floats
        Angstrom^2 amu^-1/2, shape (n_modes, n_atoms, 3, 3), exactly symmetric.
    """
    flipped = polarizability_derivatives.swapaxes(-1, -2)
    symmetric = 0.5 * (polarizability_derivatives + flipped)
    shares: Floats = (
        np.einsum("mic,icab->miab", displacements, symmetric, optimize=False) * BOHR_ANGSTROM**2
    )
    # Summing in another order could differ in the last bit between ab and ba.
    for a, b in ((1, 0), (2, 0), (2, 1)):
        shares[..., a, b] = shares[..., b, a]
    return shares


def build_modes(
    frequencies_cm1: Floats,
    shares: Floats,
    irreps: Sequence[str | None] | None = None,
    digits: int | None = None,
    displacements: Floats | None = None,
) -> tuple[Mode, ...]:
    """Return schema modes from frequencies and per-atom tensors.

    Parameters
    ----------
    frequencies_cm1
        Shape (n_modes,), all positive.
    shares
        Per-atom tensors, Angstrom^2 amu^-1/2, shape (n_modes, n_atoms, 3, 3), symmetric.
    irreps
        One label per mode.
    digits
        Significant digits of the largest number of its kind to keep; all of them if None.
    displacements
        Cartesian displacements in any scale, shape (n_modes, n_atoms, 3); kept with a norm of 1.
    """
    if not np.isfinite(shares).all() or not np.isfinite(frequencies_cm1).all():
        raise LibraryError("expected finite frequencies and tensors, got NaN or infinity")
    if digits is not None:
        frequencies_cm1 = round_to(frequencies_cm1, digits)
        shares = round_to(shares, digits)
    totals = shares.sum(axis=1)
    if digits is not None:
        # Rounding clears the last bits that a sum of rounded decimals leaves.
        totals = round_to(totals, digits + 2)
    labels = irreps if irreps is not None else [None] * len(frequencies_cm1)
    unit = None
    if displacements is not None:
        unit = displacements / np.linalg.norm(displacements, axis=(1, 2), keepdims=True)
    order = np.argsort(frequencies_cm1, kind="stable")
    return tuple(
        Mode(
            frequency_cm1=float(frequencies_cm1[mode]),
            tensor=to_matrix3(totals[mode]),
            irrep=labels[mode],
            atom_tensors=tuple(to_matrix3(share) for share in shares[mode]),
            displacements=None if unit is None else tuple(map(_to_vector3, unit[mode])),
        )
        for mode in order
    )


def round_to(values: Floats, digits: int) -> Floats:
    """Round an array to ``digits`` significant digits of its largest element."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return values
    decimals = digits - 1 - int(np.floor(np.log10(largest)))
    # Adding zero turns -0.0, which a reader would take for a sign, into 0.0.
    rounded: Floats = np.round(values, decimals) + 0.0
    return rounded


def _to_vector3(vector: Floats) -> tuple[float, float, float]:
    x, y, z = vector.astype(np.float32).astype(float).tolist()  # as library files store them
    return x, y, z


def to_matrix3(matrix: Floats) -> Matrix3:
    """Return a (3, 3) array as nested tuples of floats."""
    rows = [tuple(float(value) for value in row) for row in matrix]
    return (
        (rows[0][0], rows[0][1], rows[0][2]),
        (rows[1][0], rows[1][1], rows[1][2]),
        (rows[2][0], rows[2][1], rows[2][2]),
    )
