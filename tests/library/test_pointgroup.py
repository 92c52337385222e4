# ruff: noqa: RUF005 - lists joined where a line would grow too long
"""Point groups and irreps against the tables of any textbook.

A random positive Hessian, averaged over the group, has modes of generic frequency in the numbers
that group theory gives: G. Herzberg, Infrared and Raman Spectra (1945), tables 35 and 36.
Operations and names of the 32 crystallographic point groups are compared with those of spglib.
"""

import re
from collections import Counter

import numpy as np
import pytest
import spglib
import spglib.error

from tersgen.library.geometry import read_xyz
from tersgen.library.harmonic import is_linear, normal_modes
from tersgen.library.irreps import label_modes
from tersgen.library.pointgroup import orient, symmetrise


def ring(n, symbol, radius, height=0.0, start=0.0):
    angles = start + 2 * np.pi * np.arange(n) / n
    return [(symbol, radius * np.cos(a), radius * np.sin(a), height) for a in angles]


C, H = "C", "H"
T = 0.629
OCTAHEDRON = [("F", *(1.56 * sign * axis)) for axis in np.eye(3) for sign in (1, -1)]
MOLECULES = {
    "water": ([("O", 0, 0, 0), (H, 0, 0.757, 0.587), (H, 0, -0.757, 0.587)], "C2v", "2A1+B2"),
    "formaldehyde": (
        [(C, 0, 0, -0.53), ("O", 0, 0, 0.675), (H, 0, 0.937, -1.11), (H, 0, -0.937, -1.11)],
        "C2v",
        "3A1+B1+2B2",
    ),
    "ammonia": ([("N", 0, 0, 0), *ring(3, H, 0.94, -0.38)], "C3v", "2A1+2E"),
    "methane": (
        [(C, 0, 0, 0), (H, T, T, T), (H, T, -T, -T), (H, -T, T, -T), (H, -T, -T, T)],
        "Td",
        "A1+E+2T2",
    ),
    "boron trifluoride": ([("B", 0, 0, 0), *ring(3, "F", 1.31)], "D3h", "A1'+A2\"+2E'"),
    "staggered ethane": (
        [(C, 0, 0, 0.76), (C, 0, 0, -0.76)]
        + [*ring(3, H, 1.02, 1.16), *ring(3, H, 1.02, -1.16, np.pi)],
        "D3d",
        "3A1g+A1u+2A2u+3Eg+3Eu",
    ),
    "allene": (
        [(C, 0, 0, 0), (C, 0, 0, 1.31), (C, 0, 0, -1.31)]
        + [(H, 0, 0.93, 1.87), (H, 0, -0.93, 1.87), (H, 0.93, 0, -1.87), (H, -0.93, 0, -1.87)],
        "D2d",
        "3A1+B1+3B2+4E",
    ),
    "sulfur hexafluoride": ([("S", 0, 0, 0), *OCTAHEDRON], "Oh", "A1g+Eg+2T1u+T2g+T2u"),
    "benzene": (
        [*ring(6, C, 1.39), *ring(6, H, 2.48)],
        "D6h",
        "2A1g+A2g+2B2g+E1g+4E2g+A2u+2B1u+2B2u+3E1u+2E2u",
    ),
    "cyclopentadienyl": (
        [*ring(5, C, 1.2), *ring(5, H, 2.28)],
        "D5h",
        "2A1'+A2'+3E1'+4E2'+A2\"+E1\"+2E2\"",
    ),
    "carbon dioxide": ([("O", 0, 0, 1.16), (C, 0, 0, 0), ("O", 0, 0, -1.16)], "D*h",
                       "Sigma+g+Sigma+u+Piu"),
    "acetylene": (
        [(C, 0, 0, 0.6), (C, 0, 0, -0.6), (H, 0, 0, 1.66), (H, 0, 0, -1.66)],
        "D*h",
        "2Sigma+g+Sigma+u+Pig+Piu",
    ),
    "hydrogen cyanide": ([(H, 0, 0, -1.06), (C, 0, 0, 0), ("N", 0, 0, 1.16)], "C*v", "2Sigma++Pi"),
    "trans-difluoroethylene": (
        [(C, 0, 0, 0.66), (C, 0, 0, -0.66), ("F", 0, 1.15, 1.35), ("F", 0, -1.15, -1.35)]
        + [(H, 0, -0.9, 1.25), (H, 0, 0.9, -1.25)],
        "C2h",
        "5Ag+2Au+Bg+4Bu",
    ),
    "nitrosyl chloride": ([("N", 0, 0, 0), ("O", 0, 0.2, 1.13), ("Cl", 0, 1.7, -0.9)], "Cs", "3A'"),
    "hydrogen peroxide": (
        [("O", 0.73, 0, 0), ("O", -0.73, 0, 0), (H, 0.88, 0.5, 0.8), (H, -0.88, -0.5, 0.8)],
        "C2",
        "4A+2B",
    ),
    "bromochlorofluoromethane": (
        [(C, 0, 0, 0), (H, 0.63, 0.63, 0.63), ("F", 0.8, -0.8, -0.8), ("Cl", -1, 1, -1)]
        + [("Br", -1.1, -1.1, 1.1)],
        "C1",
        "9A",
    ),
}  # fmt: skip


def prepare(name, noise):
    rng = np.random.default_rng(sum(name.encode()))
    rows = MOLECULES[name][0]
    text = "\n".join(f"{s} {x:.9f} {y:.9f} {z:.9f}" for s, x, y, z in rows)
    numbers, coordinates = read_xyz(f"{len(rows)}\n\n{text}\n")
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    coordinates = coordinates @ turn.T + rng.normal(size=3)
    coordinates = coordinates + noise * rng.uniform(-1, 1, coordinates.shape)
    masses = 2.0 * numbers.astype(float)
    linear = is_linear(coordinates, masses)
    return numbers, masses, *orient(numbers, coordinates, masses, linear)


@pytest.mark.parametrize("noise", [0.0, 3e-4])
@pytest.mark.parametrize("name", MOLECULES)
def test_group_and_irreps(name, noise):
    numbers, masses, coordinates, group = prepare(name, noise)
    _, expected_group, expected = MOLECULES[name]
    assert group.name == expected_group
    n = len(numbers)
    root = np.random.default_rng(1).normal(size=(3 * n, 3 * n))
    hessian = symmetrise((root @ root.T).reshape(n, 3, n, 3).transpose(0, 2, 1, 3), group, 2)
    square = hessian.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
    modes = normal_modes(square, masses, coordinates)
    labels = label_modes(modes.frequencies_cm1, modes.displacements, masses, group)
    counts = Counter()
    for label in labels:
        degeneracy = 2 if label[0] in "E" or label.startswith("Pi") else 3 if label[0] == "T" else 1
        counts[label] += 1 / degeneracy
    wanted = Counter()
    for term in re.findall(r"(\d*)((?:Sigma\+|Pi|[ABET])[12]?[gu]?['\"]?)", expected):
        wanted[term[1]] += int(term[0] or 1)
    assert {label: round(count, 6) for label, count in counts.items()} == dict(wanted)
    if not any(letter in expected for letter in ("E", "T", "Pi")):  # none are partners, if close
        close = np.full(len(labels), 1000.0)
        assert label_modes(close, modes.displacements, masses, group) == labels


@pytest.mark.parametrize("name", MOLECULES)
def test_symmetrised_geometry_is_symmetric_to_rounding(name):
    numbers, masses, coordinates, group = prepare(name, 3e-4)
    for operation, image in zip(group.operations, group.images, strict=True):
        np.testing.assert_allclose(coordinates @ operation.T, coordinates[image], atol=1e-9)
        np.testing.assert_allclose(operation @ operation.T, np.eye(3), atol=1e-9)
        assert (numbers[image] == numbers).all()
    np.testing.assert_allclose(masses @ coordinates, 0.0, atol=1e-8)


def crystallographic_groups():
    """Return the operations of the 32 crystallographic point groups by name, Cartesian."""
    spglib.error.OLD_ERROR_HANDLING = False  # raise, do not warn
    hexagonal = np.array([[1.0, -0.5, 0.0], [0.0, np.sqrt(0.75), 0.0], [0.0, 0.0, 1.0]])
    groups = {}
    for hall in range(1, 531):
        kind = spglib.get_spacegroup_type(hall)
        name = kind.pointgroup_schoenflies
        if name not in groups:
            turns = np.unique(spglib.get_symmetry_from_database(hall)["rotations"], axis=0)
            axes = hexagonal if 143 <= kind.number <= 194 else np.eye(3)
            groups[name] = axes @ turns @ np.linalg.inv(axes)
    return groups


def classes(operations):
    return Counter((round(np.linalg.det(one)), round(np.trace(one))) for one in operations)


GROUPS = crystallographic_groups()


def test_all_groups_are_compared():
    assert len(GROUPS) == 32


@pytest.mark.parametrize("name", GROUPS)
def test_operations_are_those_of_spglib(name):
    operations = GROUPS[name]
    rng = np.random.default_rng(7)
    # atoms in general positions have no other symmetry; there are enough to span space
    sites = rng.uniform(1.0, 3.0, (5 if len(operations) < 4 else 2, 3))
    coordinates = (operations @ sites.T).transpose(2, 0, 1).reshape(-1, 3)
    numbers = np.repeat(np.arange(6, 6 + len(sites)), len(operations))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    oriented, group = orient(numbers, coordinates @ turn.T, np.ones(len(numbers)), linear=False)
    assert group.name == {"C3i": "S6"}.get(name, name)
    assert len(group.operations) == len(operations)
    assert classes(group.operations) == classes(operations)
    distances = np.linalg.norm(oriented[:, None] - oriented[None], axis=2)
    wanted = np.linalg.norm(coordinates[:, None] - coordinates[None], axis=2)
    np.testing.assert_allclose(distances, wanted, atol=1e-9)
