"""Point groups of molecules: operations, symmetrised quantities, irreducible representations.

Labels follow R. S. Mulliken, J. Chem. Phys. 23, 1997 (1955), in the frame that ``standard_frame``
sets up: z is the principal axis, and x is normal to the mirror plane with most atoms (so that a
planar C2v molecule lies in yz) or, in D_n groups with n > 2, the C2 axis through most atoms.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GEOMETRY_TOLERANCE = 0.02
"""Angstrom that an atom may miss its image by and still be called symmetric."""

MATCH = 1e-4
"""Tolerance on directions and traces of operations after symmetrisation."""


@dataclass(frozen=True)
class PointGroup:
    """A molecule's symmetry, with operations in the frame of its coordinates.

    Attributes
    ----------
    name
        Schoenflies symbol; ``D*h`` and ``C*v`` for linear molecules.
    operations
        Orthogonal matrices, shape (n, 3, 3). Of the infinite groups of linear molecules the
        finite subgroups D4h and C4v are kept: averaging over a fourfold axis is averaging over
        all angles for anything that turns as a tensor of rank three at most.
    images
        Atom that each atom is carried to, shape (n, n_atoms).
    linear
        Whether the molecule is linear.
    """

    name: str
    operations: Floats
    images: Ints
    linear: bool


def find_operations(numbers: Ints, coordinates: Floats, tolerance: float) -> tuple[Floats, Ints]:
    """Find all orthogonal matrices that carry a molecule, centred at the origin, onto itself.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n_atoms,).
    coordinates
        Angstrom, shape (n_atoms, 3); not all on one line through the origin.
    tolerance
        Angstrom that an atom may miss its image by.

    Returns
    -------
    operations, images
        Shapes (n, 3, 3) and (n, n_atoms), the identity among them.
    """
    radii = np.linalg.norm(coordinates, axis=1)
    shells = [
        np.flatnonzero((numbers == numbers[i]) & (np.abs(radii - radii[i]) < tolerance))
        for i in range(len(numbers))
    ]
    # An operation is known by where it takes two atoms, and by its determinant.
    away = [i for i in range(len(numbers)) if radii[i] > 10 * tolerance]
    first = min(away, key=lambda i: (len(shells[i]), -radii[i]))
    sines = [np.linalg.norm(np.cross(coordinates[first], coordinates[j])) for j in away]
    wide = [j for j, sine in zip(away, sines, strict=True) if sine > 0.25 * max(sines)]
    second = min(wide, key=lambda j: len(shells[j]))
    source = _frame(coordinates[first], coordinates[second])
    dot = coordinates[first] @ coordinates[second]
    found: list[Floats] = []
    images: list[Ints] = []
    for i in shells[first]:
        for j in shells[second]:
            if i == j or abs(coordinates[i] @ coordinates[j] - dot) > 4 * tolerance * radii.max():
                continue
            target = _frame(coordinates[i], coordinates[j])
            for handed in (1.0, -1.0):
                trial = (target * np.array([1.0, 1.0, handed])) @ source.T
                image = _images(numbers, coordinates, trial, 3 * tolerance)
                if image is None:
                    continue
                trial = _best_rotation(coordinates, coordinates[image], np.linalg.det(trial))
                image = _images(numbers, coordinates, trial, tolerance)
                if image is not None:
                    found.append(trial)
                    images.append(image)
    return np.array(found), np.array(images)


def _frame(one: Floats, other: Floats) -> Floats:
    x = one / np.linalg.norm(one)
    y = other - (other @ x) * x
    y = y / np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _images(numbers: Ints, coordinates: Floats, matrix: Floats, tolerance: float) -> Ints | None:
    moved = coordinates @ matrix.T
    gaps = np.linalg.norm(moved[:, None] - coordinates[None], axis=2)
    gaps[numbers[:, None] != numbers[None]] = np.inf
    image = gaps.argmin(axis=1)
    close = gaps[np.arange(len(numbers)), image] < tolerance
    if not close.all() or len(set(image.tolist())) != len(numbers):
        return None
    found: Ints = image.astype(np.int64)
    return found


def _best_rotation(source: Floats, target: Floats, determinant: float) -> Floats:
    """Return the orthogonal matrix of given determinant that best carries source to target."""
    left, _, right = np.linalg.svd(target.T @ source)
    handed = np.sign(np.linalg.det(left @ right) * determinant)
    best: Floats = (left * np.array([1.0, 1.0, handed])) @ right
    return best


def order_and_axis(matrix: Floats) -> tuple[int, int, Floats]:
    """Return (sign, n, axis) of an operation: C_n for sign +1 and S_n for sign -1.

    The axis is a unit vector, shape (3,). A mirror plane is S_1 with its normal as the axis, the
    inversion S_2, the identity C_1. Powers (C_5^2) come back with the order of the angle, here 5.
    """
    sign = 1 if np.linalg.det(matrix) > 0 else -1
    cosine = np.clip((np.trace(matrix) - sign) / 2.0, -1.0, 1.0)
    turn = float(np.arccos(cosine)) / (2 * np.pi)
    order = next((n for n in range(1, 13) if abs(turn * n - round(turn * n)) < MATCH * n), 99)
    values, vectors = np.linalg.eig(matrix)
    axis = vectors[:, np.abs(values - sign).argmin()].real
    return sign, order, axis / np.linalg.norm(axis)


def schoenflies(operations: Floats) -> str:
    """Return the Schoenflies symbol of a finite point group from its operations, (n, 3, 3)."""
    kinds = [order_and_axis(one) for one in operations]
    mirrors = [axis for sign, n, axis in kinds if sign < 0 and n == 1]
    inversion = any(sign < 0 and n == 2 for sign, n, _ in kinds)
    highest = max(n for sign, n, _ in kinds if sign > 0)
    if sum(sign > 0 and n == 3 for sign, n, _ in kinds) > 2:
        if highest == 5:
            return "Ih" if inversion else "I"
        if highest == 4:
            return "Oh" if inversion else "O"
        return "Th" if inversion else "Td" if mirrors else "T"
    if highest == 1:
        return "Cs" if mirrors else "Ci" if inversion else "C1"
    principal = next(axis for sign, n, axis in kinds if sign > 0 and n == highest)
    flips = [axis for sign, n, axis in kinds if sign > 0 and n == 2]
    dihedral = any(abs(axis @ principal) < MATCH for axis in flips)
    horizontal = any(abs(axis @ principal) > 1 - MATCH for axis in mirrors)
    if dihedral:
        return f"D{highest}{'h' if horizontal else 'd' if mirrors else ''}"
    if horizontal or mirrors:
        return f"C{highest}{'h' if horizontal else 'v'}"
    improper = max((n for sign, n, _ in kinds if sign < 0), default=1)
    return f"S{improper}" if improper > highest else f"C{highest}"


def standard_frame(name: str, operations: Floats, coordinates: Floats) -> Floats:
    """Return the rotation, shape (3, 3), whose rows are the axes x, y, z of the standard frame.

    ``coordinates`` are centred, in Angstrom, shape (n_atoms, 3); ``operations`` (n, 3, 3) are
    those of the finite point group called ``name``.
    """
    kinds = [order_and_axis(one) for one in operations]
    spread = np.linalg.eigh(coordinates.T @ coordinates)[1].T[::-1]

    def on_axis(axis: Floats) -> int:
        return int((np.linalg.norm(np.cross(coordinates, axis), axis=1) < 1e-3).sum())

    def in_plane(normal: Floats) -> int:
        return int((np.abs(coordinates @ normal) < 1e-3).sum())

    highest = max(n for sign, n, _ in kinds if sign > 0)
    order = (4 if highest == 4 else 2) if name[0] in "TOI" else highest
    if order > 1:
        z = max((axis for sign, n, axis in kinds if sign > 0 and n == order), key=on_axis)
    elif name == "Cs":
        z = next(axis for sign, n, axis in kinds if sign < 0 and n == 1)
    else:
        z = spread[0]
    across = [kind for kind in kinds if abs(kind[2] @ z) < MATCH]
    flips = [axis for sign, n, axis in across if sign > 0 and n == 2]
    normals = [axis for sign, n, axis in across if sign < 0 and n == 1]
    if flips and (order > 2 or name[0] in "TOI" or not normals or name.endswith("d")):
        x = max(flips, key=on_axis)
    elif normals:
        x = max(normals, key=in_plane)
    else:
        x = max(spread, key=lambda axis: abs(np.linalg.norm(np.cross(axis, z))))
    x = x - (x @ z) * z
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def orient(
    numbers: Ints, coordinates: Floats, masses: Floats, linear: bool
) -> tuple[Floats, PointGroup]:
    """Centre, symmetrise and turn a molecule into its standard frame.

    Parameters
    ----------
    numbers, coordinates, masses
        Atomic numbers (n_atoms,), Angstrom (n_atoms, 3), amu (n_atoms,).
    linear
        Whether the molecule is linear.

    Returns
    -------
    coordinates, group
        The new coordinates in Angstrom, symmetric to rounding, and the group in their frame.
    """
    centred = coordinates - np.average(coordinates, axis=0, weights=masses)
    if linear:
        axis = np.linalg.svd(centred)[2][0]
        centred = np.outer(centred @ axis, [0.0, 0.0, 1.0])
        corners = np.array(np.meshgrid([1, -1], [1, -1], [1, -1])).T.reshape(-1, 3)
        swap = np.eye(3)[[1, 0, 2]]
        trials = [
            np.diag(signs) @ turn for signs in corners.astype(float) for turn in (np.eye(3), swap)
        ]
    else:
        trials = list(find_operations(numbers, centred, GEOMETRY_TOLERANCE)[0])
    for _ in range(20):
        pairs = [(one, _images(numbers, centred, one, GEOMETRY_TOLERANCE)) for one in trials]
        kept = [(one, image) for one, image in pairs if image is not None]
        operations = np.array([one for one, _ in kept])
        images = np.array([image for _, image in kept])
        # Averaging over inexact operations halves the error again and again until both agree.
        average = np.mean([centred[to] @ one for one, to in kept], axis=0)
        moved = float(np.abs(average - centred).max())
        centred = average
        if moved < 1e-13:
            break
        if not linear:
            trials = [_best_rotation(centred, centred[to], np.linalg.det(one)) for one, to in kept]
    if linear:
        name = "D*h" if len(operations) == 16 else "C*v"
        return centred, PointGroup(name, operations, images, True)
    name = schoenflies(operations)
    turn = standard_frame(name, operations, centred)
    turned = np.einsum("ab,nbc,dc->nad", turn, operations, turn)
    return centred @ turn.T, PointGroup(name, turned, images, False)


def symmetrise(values: Floats, group: PointGroup, n_atom_axes: int) -> Floats:
    """Average an array over a point group's operations.

    Parameters
    ----------
    values
        Shape (n_atoms,) * n_atom_axes + (3,) * k: a tensor of rank k for each atom or pair of
        atoms, for example a Hessian as (n_atoms, n_atoms, 3, 3).
    group
        The molecule's point group.
    n_atom_axes
        Number of leading axes that count atoms.
    """
    total = np.zeros_like(values)
    for operation, image in zip(group.operations, group.images, strict=True):
        turned = values
        for axis in range(n_atom_axes, values.ndim):
            turned = np.moveaxis(np.tensordot(turned, operation, axes=(axis, 1)), -1, axis)
        spot = np.ix_(*[image] * n_atom_axes)
        total[spot] += turned
    return total / len(group.operations)
