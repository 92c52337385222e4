"""What near-field maps need from a species: atoms, their tensors, and principal axes.

The functions here are in float64 and for one tip at a time; maps are made by the kernels.
Model: J. Raman Spectrosc. 52, 296 (2021); arXiv 2602.19932.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..numeric import frame
from ..schema.library import Library
from ..schema.species import Species, triangle
from .builtin import sites_names

Floats = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]


def require_geometry(library: Library) -> None:
    """Refuse species that near-field maps cannot be made of."""
    n_atoms = np.diff(library.array("position")[1])
    shares, first = library.array("atom_tensor")
    unknown = np.concatenate([[0], np.cumsum(np.isnan(shares[:, 0]))])
    whole = (np.diff(first) > 0) & (np.diff(unknown[first]) == 0)
    for k in np.flatnonzero((n_atoms == 0) | ~whole)[:1]:
        raise LibraryError(
            f"{library.names[k]}: expected atom positions and atom tensors for near-field maps, "
            f"got {'positions only' if n_atoms[k] else 'none'}; import a Gaussian .fchk (tersgen "
            "library import), compute the molecule (tersgen library compute), leave it out, or "
            "make spectra only (fields.maps = false) or test patterns (--preset canonical)"
        )


def require_sites(library: Library) -> None:
    """Refuse species without a response at sites."""
    sites = library.counts("site")
    numbers = library.counts("frequency") * triangle(3 * sites)
    whole = (sites > 0) & (library.counts("site_response") == numbers)
    for k in np.flatnonzero(~whole | (library.counts("position") == 0))[:1]:
        name = library.names[k]
        shipped = f"sites:{name}" if name in sites_names() else "molecules that have one (sites)"
        raise LibraryError(
            f'{name}: expected a response at sites for nearfield.response = "sites", got none; '
            "compute it (tersgen library respond FILE -o sites.tlib, a library file or a built-in "
            f'name), use {shipped}, or make sums over atoms (nearfield.response = "atoms")'
        )


def atom_positions(species: Species) -> Floats:
    """Return atom positions, shape (n_atoms, 3), Angstrom."""
    return np.array([atom.position for atom in species.atoms or ()], np.float64).reshape(-1, 3)


def centred(positions: Floats, first: NDArray[np.int64] | None = None) -> Floats:
    """Return positions from the mean of their species, shape (n_atoms, 3), Angstrom.

    ``first`` is the first atom of each species and the end; without it all are of one.
    """
    out = np.empty(positions.shape)
    frame.centre(positions, np.array([0, len(positions)]) if first is None else first, out)
    return out


def principal_frames(positions: Floats, first: NDArray[np.int64]) -> Floats:
    """Return the rotation that lays each species flat, shape (K, 3, 3), det 1.

    Its rows are the principal axes of the atoms' positions, each of equal weight: x the longest
    direction, z the shortest.
    """
    n = len(first) - 1
    moments, axes = np.empty((n, 3)), np.empty((n, 3, 3))
    frame.principal_moments(centred(positions, first), first, moments, axes)
    longest = np.array([_order(one) for one in moments.tolist()])[:, :2, None]
    x, y = np.moveaxis(np.take_along_axis(axes, longest, 1), 1, 0)
    z = np.stack(
        [x[:, i] * y[:, j] - x[:, j] * y[:, i] for i, j in ((1, 2), (2, 0), (0, 1))], axis=1
    )
    return np.stack([x, y, z], axis=1)


def _order(moments: list[float]) -> list[int]:
    """Return the largest first, and of equal ones the first."""
    largest = max(moments) or 1.0
    # rounded, so that the last bits of equal moments do not decide which axis is which
    return sorted(range(3), key=lambda k: (-round(moments[k] / largest, 9), k))


def principal_axes(positions: Floats) -> Floats:
    """Return the rotation that lays a molecule flat, shape (3, 3): see ``principal_frames``."""
    rotation: Floats = principal_frames(positions, np.array([0, len(positions)]))[0]
    return rotation


def rotation_quaternion(matrix: Floats) -> Quaternion:
    """Return the unit quaternion (w, x, y, z) of a rotation matrix, shape (3, 3).

    S. W. Shepperd, J. Guidance and Control 1, 223 (1978): the largest component is taken by a root.
    """
    m = matrix.tolist()
    trace = m[0][0] + m[1][1] + m[2][2]
    sizes = [trace, m[0][0], m[1][1], m[2][2]]
    which = sizes.index(max(sizes))
    out = [0.0, 0.0, 0.0, 0.0]
    if which == 0:
        out = [1.0 + trace, m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]]
    else:
        i = which - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        out[0] = m[k][j] - m[j][k]
        out[1 + i] = 1.0 + m[i][i] - m[j][j] - m[k][k]
        out[1 + j] = m[i][j] + m[j][i]
        out[1 + k] = m[k][i] + m[i][k]
    w, x, y, z = out  # added in turn: from Python 3.12 on sum() rounds otherwise
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    return (out[0] / norm, out[1] / norm, out[2] / norm, out[3] / norm)


def dipole_potential(d: Floats, moment: Floats) -> Floats:
    """Return the potential p.d/|d|^3 of a dipole p, shape (3,), at vectors d from it, (..., 3)."""
    potential: Floats = (d @ moment) / np.linalg.norm(d, axis=-1) ** 3
    return potential


def dipole_field(d: Floats, moment: Floats) -> Floats:
    """Return the field [3 n (n.p) - p]/|d|^3 = -grad(potential) of a dipole, shape (..., 3)."""
    distance = np.linalg.norm(d, axis=-1, keepdims=True)
    n = d / distance
    field: Floats = (3.0 * n * (n @ moment)[..., None] - moment) / distance**3
    return field


def near_field_intensities(
    species: Species,
    tip: tuple[float, float, float],
    rotation: Floats | None = None,
    field: Literal["plane", "gaussian_z", "radial", "dipole"] = "radial",
    width_angstrom: tuple[float, float, float] = (5.0, 5.0, 5.0),
    moment: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> Floats:
    """Return I_m = (sum_i E_i^T alpha_mi E_i)^2 of every mode for one tip, Eq. (2.6), in float64.

    Parameters
    ----------
    species
        A species with atoms and atom tensors.
    tip
        Position of the tip, or its dipole, from the mean of the atoms, laboratory frame, Angstrom.
    rotation
        From the species' frame to the laboratory, shape (3, 3); by default the principal axes.
    field
        ``plane``: E = z; ``gaussian_z``: z exp(-4 ln2 [(dx/wx)^2 + (dy/wy)^2]); ``radial``:
        d/|d| exp(-4 ln2 sum_k (d_k/w_k)^2), d the atom from the tip; ``dipole``: see
        ``dipole_field``.
    width_angstrom
        FWHM of the field along x, y, z, Angstrom.
    moment
        Dipole of the tip, laboratory frame, Angstrom^3.

    Returns
    -------
    Floats
        Shape (n_modes,), Angstrom^4 amu^-1.
    """
    require_geometry(Library([species]))
    positions = atom_positions(species)
    turn = principal_axes(positions) if rotation is None else rotation
    d = centred(positions) @ turn.T - np.array(tip)
    exponents = 4.0 * math.log(2.0) * (d / np.array(width_angstrom)) ** 2
    if field == "radial":
        size = np.exp(-exponents.sum(axis=1)) / np.sqrt((d * d).sum(axis=1))
        local = size[:, None] * d
    elif field == "dipole":
        local = dipole_field(d, np.array(moment))
    else:
        local = np.zeros_like(d)
        local[:, 2] = 1.0 if field == "plane" else np.exp(-exponents[:, :2].sum(axis=1))
    inside = local @ turn  # the field in the species' frame
    shares = np.array([mode.atom_tensors for mode in species.modes], np.float64)
    amplitudes: Floats = np.einsum("ia,miab,ib->m", inside, shares, inside)
    return amplitudes**2
