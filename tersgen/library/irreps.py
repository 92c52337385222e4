"""Irreducible representations of normal modes, from characters.

Labels and axes follow R. S. Mulliken, J. Chem. Phys. 23, 1997 (1955), in the frame of
``pointgroup.standard_frame``. Where a group's labels depend on a choice of axes the choice is:
C2v: B1 is even under the mirror xz, B2 under yz; Cnv and Dnh with n > 2: B1 is even under the
mirror normal to x and the C2 along x; D2 and D2h: B1, B2, B3 are even under C2 about z, y, x.
"""

import numpy as np
from numpy.typing import NDArray

from .pointgroup import MATCH, PointGroup, order_and_axis

Floats = NDArray[np.float64]

DEGENERATE_CM1 = 0.01
"""Modes closer than this are degenerate: after symmetrisation partners agree far better."""

CHARACTER_TOLERANCE = 0.02
"""Largest error of the sum rule of the characters of an irreducible representation."""


def label_modes(
    frequencies_cm1: Floats, displacements: Floats, masses: Floats, group: PointGroup
) -> tuple[str | None, ...]:
    """Return the irreducible representation of each mode, None where it cannot be determined.

    Parameters
    ----------
    frequencies_cm1
        Shape (n_modes,), rising.
    displacements
        dR/dQ in amu^-1/2, shape (n_modes, n_atoms, 3), in the frame of ``group``.
    masses
        Shape (n_atoms,), amu.
    group
        The molecule's point group.
    """
    weighted = displacements * np.sqrt(masses)[None, :, None]
    weighted /= np.linalg.norm(weighted, axis=(1, 2), keepdims=True)
    labels: list[str | None] = []
    # If each operation is its own inverse there are no partners, only modes that happen to be close
    squares = group.operations @ group.operations
    has_partners = group.linear or bool(np.abs(squares - np.eye(3)).max() > MATCH)
    start = 0
    for stop in range(1, len(frequencies_cm1) + 1):
        last = stop == len(frequencies_cm1)
        gap = np.inf if last else frequencies_cm1[stop] - frequencies_cm1[stop - 1]
        if has_partners and gap < DEGENERATE_CM1:
            continue
        members = weighted[start:stop]
        label = _linear_label(members, group) if group.linear else _label(members, group)
        labels.extend([label] * (stop - start))
        start = stop
    return tuple(labels)


def characters(members: Floats, group: PointGroup) -> Floats:
    """Return the trace of each operation over orthonormal mass-weighted modes (d, n_atoms, 3)."""
    traces = np.zeros(len(group.operations))
    for index, (operation, image) in enumerate(zip(group.operations, group.images, strict=True)):
        moved = np.zeros_like(members)
        moved[:, image] = members @ operation.T
        traces[index] = np.einsum("mic,mic->", members, moved)
    return traces


def _linear_label(members: Floats, group: PointGroup) -> str | None:
    """Vibrations of a linear molecule are Sigma+ along its axis and Pi across it."""
    along = float((members[:, :, 2] ** 2).sum()) / len(members)
    if min(along, 1.0 - along) > CHARACTER_TOLERANCE:
        return None
    label = "Sigma" if along > 0.5 else "Pi"
    if len(members) != (1 if along > 0.5 else 2):
        return None
    parity = ""
    if group.name == "D*h":
        inversion = np.abs(group.operations + np.eye(3)).max(axis=(1, 2)).argmin()
        parity = "g" if characters(members, group)[inversion] > 0 else "u"
    return f"{label}{'+' if label == 'Sigma' else ''}{parity}"


class _Table:
    """Characters by operation, for a set of modes in the standard frame."""

    def __init__(self, operations: Floats, traces: Floats) -> None:
        self.operations = operations
        self.kinds = [order_and_axis(one) for one in operations]
        self.traces = traces

    def find(self, sign: int, order: int, axis: Floats | None = None) -> float | None:
        """Return the character of C_n (sign 1) or S_n (sign -1), about any axis if None."""
        # The angle is asked for too: C_5 and its square have the same order.
        wanted = sign + 2 * np.cos(2 * np.pi / order)
        for index, (its_sign, _, its_axis) in enumerate(self.kinds):
            same = its_sign == sign and abs(np.trace(self.operations[index]) - wanted) < MATCH
            if same and (axis is None or abs(its_axis @ axis) > 1 - MATCH):
                return float(self.traces[index])
        return None


def _label(members: Floats, group: PointGroup) -> str | None:
    degeneracy = len(members)
    table = _Table(group.operations, characters(members, group))
    name = group.name
    norm = float((table.traces**2).mean())
    # E pairs of groups without perpendicular axes or planes are two conjugate representations.
    split = name == "T" or name == "Th" or (name[0] == "C" and name[-1] not in "vsi")
    expected = 2.0 if split and degeneracy == 2 else 1.0
    if abs(norm - expected) > CHARACTER_TOLERANCE:
        return None
    inversion = table.find(-1, 2, None)
    suffix = "" if inversion is None else "g" if inversion > 0 else "u"
    z = np.array([0.0, 0.0, 1.0])
    horizontal = table.find(-1, 1, z)
    if inversion is None and horizontal is not None and name[0] in "CD":
        suffix = "'" if horizontal > 0 else '"'
    if name in ("C1", "Ci", "Cs"):
        return f"A{suffix}"
    if name[0] in "TO":
        return _cubic_label(degeneracy, table, name, suffix)
    if name[0] not in "CD" or not name[1].isdigit():
        return None
    return _axial_label(degeneracy, table, name, suffix)


def _cubic_label(degeneracy: int, table: _Table, name: str, suffix: str) -> str:
    letter = {1: "A", 2: "E", 3: "T"}[degeneracy]
    quarter = table.find(-1, 4) if name == "Td" else table.find(1, 4)
    if letter == "E" or quarter is None:
        return f"{letter}{suffix}"
    return f"{letter}{1 if quarter > 0 else 2}{suffix}"


def _axial_label(degeneracy: int, table: _Table, name: str, suffix: str) -> str | None:
    order = int(name[1:].rstrip("vhd"))
    angle = np.pi / order
    x, y, z = np.eye(3)
    between = np.array([np.cos(angle), np.sin(angle), 0.0])
    staggered = name.endswith("d") and order % 2 == 0
    sign, turns = (-1, 2 * order) if staggered else (1, order)
    principal = table.find(sign, turns, z)
    if degeneracy == 2:
        if turns < 5:
            return f"E{suffix}"
        # The first power of the rotation is the one whose trace over x and y is largest.
        index = np.arccos(np.clip((principal or 0.0) / 2, -1, 1)) / (2 * np.pi / turns)
        return f"E{round(float(index))}{suffix}" if abs(index - round(index)) < 0.05 else None
    if degeneracy != 1 or principal is None:
        return None
    if name in ("D2", "D2h"):
        even = [axis for axis in (z, y, x) if (table.find(1, 2, axis) or 0.0) > 0]
        names = {3: "A", 1: f"B{1 + int(np.argmax([e is even[0] for e in (z, y, x)]))}"}
        return names.get(len(even), "?") + suffix
    letter = "A" if principal > 0 else "B"
    if name[0] == "C" and not name.endswith("v"):
        return f"{letter}{suffix}"
    flip = table.find(-1, 1, x) if name[0] == "C" else table.find(1, 2, x)
    if flip is None:
        flip = table.find(-1, 1, between) if name[0] == "C" else table.find(1, 2, between)
    if flip is None:
        return None
    first = flip > 0
    if name == "C2v" and letter == "B":
        first = not first
    return f"{letter}{1 if first else 2}{suffix}"
