"""One sample's structure targets: masks, bonds and positions in the frame of its map, Eq. (2.8).

Orientation and apex are those of the map: they are drawn again from the same streams, which costs
less than to hand them on, and nothing else is random.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import streams, structure
from ..kernels._jit import kernel
from ..kernels.normal import normal_pair
from ..kernels.philox import philox
from ..kernels.structure import paint_line
from ..kernels.tensor import quaternion_to_matrix
from ..library.covalent import find_bonds
from ..library.geometry import atomic_number
from ..library.nearfield import centred
from ..schema.library import Library
from ..schema.recipe import Recipe
from .orientation import draw_orientation
from .outputs import Outputs
from .tables import Modes, Settings

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_SHAPES = {"disc": structure.DISC, "gaussian": structure.GAUSSIAN}
_EMPTY = np.uint16(0)


class StructureTable(NamedTuple):
    """Atoms and bonds of all K species, one after the other, and the recipe's numbers."""

    first_atom: I64
    """First atom of each species and the end, shape (K + 1,)."""
    position: F64
    """Atoms from the mean of their species, shape (atoms, 3), Angstrom."""
    number: NDArray[np.int32]
    """Atomic numbers, shape (atoms,)."""
    channel: I64
    """Channel of each atom's element, -1 if it does not count; shape (atoms,)."""
    first_bond: I64
    """First bond of each species and the end, shape (K + 1,)."""
    bond: I64
    """Bonded pairs, counted from the species' first atom, shape (bonds, 2)."""
    shape: int
    radius: float
    depth: float
    half_bond: float
    """Half the width of a bond's line, Angstrom."""
    apex: float
    pixel: F64
    """Distance of two pixels along rows' and columns' axes, shape (2,), Angstrom."""


def structure_table(recipe: Recipe, library: Library) -> StructureTable:
    """Return what the kernels of structure targets read.

    Raises
    ------
    ValueError
        If the recipe has no such targets, or is not resolved.
    LibraryError
        If a species has no geometry, or an element no covalent radius for its bonds.
    """
    targets, near = recipe.structure, recipe.nearfield
    if targets is None or near is None or targets.elements is None:
        raise ValueError("expected a resolved recipe with structure and nearfield, got another")
    position, first_atom = library.array("position")
    places = np.split(position, first_atom[1:-1])
    of_species = [page.get("symbols", []) for page in library.pages]
    symbols = [symbol for some in of_species for symbol in some]
    tolerance = targets.bond_tolerance_angstrom
    pairs = zip(of_species, places, strict=True)
    bonds = [find_bonds(some, one, tolerance) for some, one in pairs if targets.bonds]
    channels = {symbol: number for number, symbol in enumerate(targets.elements)}
    rows, columns = near.frame_angstrom
    return StructureTable(
        first_atom=first_atom,
        position=np.concatenate([centred(one) for one in places]),
        number=np.array([atomic_number(symbol) for symbol in symbols], np.int32),
        channel=np.array([channels.get(symbol, -1) for symbol in symbols], np.int64),
        first_bond=np.cumsum([0, *map(len, bonds)], dtype=np.int64),
        bond=np.concatenate(bonds) if bonds else np.empty((0, 2), np.int64),
        shape=_SHAPES[targets.shape],
        radius=targets.radius_angstrom,
        depth=targets.depth_angstrom,
        half_bond=0.5 * targets.bond_width_angstrom,
        apex=near.apex_angstrom,
        pixel=np.array([rows / recipe.map.height, columns / recipe.map.width], np.float64),
    )


@kernel
def _turn_atoms(label: int, matrix: F64, apex: F64, table: StructureTable, atoms: F64) -> None:
    """Write the atoms of a species from the frame's centre and its highest atom to ``atoms``."""
    first = table.first_atom[label]
    count = table.first_atom[label + 1] - first
    top = -1e300
    for i in range(count):
        r = table.position[first + i]
        for k in range(3):
            atoms[i, k] = matrix[k, 0] * r[0] + matrix[k, 1] * r[1] + matrix[k, 2] * r[2]
        top = max(top, atoms[i, 2])
    for i in range(count):
        atoms[i, 0] -= apex[0]
        atoms[i, 1] -= apex[1]
        atoms[i, 2] -= top


@kernel
def _draw_structure(
    row: int, label: int, atoms: F64, counts: NDArray[np.bool_], table: StructureTable, out: Outputs
) -> None:
    """Write the targets of one sample from its turned atoms."""
    first = table.first_atom[label]
    out.half_masks[row] = _EMPTY
    out.atom_position[row] = 0.0
    out.atom_number[row] = 0
    n_counted = 0
    for i in range(table.first_atom[label + 1] - first):
        channel = table.channel[first + i]
        counts[i] = channel >= 0 and atoms[i, 2] >= -table.depth
        if counts[i]:
            x, y = atoms[i, 0], atoms[i, 1]
            image = out.half_masks[row, channel]
            paint_line(image, x, y, x, y, table.radius, table.shape, table.pixel)
            for k in range(3):
                out.atom_position[row, n_counted, k] = atoms[i, k]
            out.atom_number[row, n_counted] = table.number[first + i]
            n_counted += 1
    out.n_atoms[row] = n_counted
    if out.half_bonds.shape[0] > 0:
        image = out.half_bonds[row]
        image[:] = _EMPTY
        for b in range(table.first_bond[label], table.first_bond[label + 1]):
            i, j = table.bond[b, 0], table.bond[b, 1]
            if counts[i] and counts[j]:
                paint_line(
                    image, atoms[i, 0], atoms[i, 1], atoms[j, 0], atoms[j, 1],
                    table.half_bond, table.shape, table.pixel,
                )  # fmt: skip


@kernel
def fill_structure_rows(
    first: int,
    last: int,
    start: int,
    bright: Modes,
    table: StructureTable,
    settings: Settings,
    out: Outputs,
) -> None:
    """Fill the targets of rows ``first`` to ``last``; row 0 is sample ``start``. No GIL.

    Labels are filled before.
    """
    most = 1
    for label in range(table.first_atom.shape[0] - 1):
        most = max(most, table.first_atom[label + 1] - table.first_atom[label])
    atoms, counts = np.empty((most, 3), np.float64), np.empty(most, np.bool_)
    quaternion, matrix = np.empty(4, np.float64), np.empty((3, 3), np.float64)
    apex = np.empty(2, np.float64)
    for row in range(first, last):
        index, label = start + row, out.label[row]
        draw_orientation(index, 0, bright.frame[label], settings, quaternion)
        quaternion_to_matrix(quaternion, matrix)
        w0, w1, _, _ = philox(0, index, 0, settings.seed, streams.APEX)
        a, b = normal_pair(w0, w1)
        apex[0], apex[1] = table.apex * np.float64(a), table.apex * np.float64(b)
        _turn_atoms(label, matrix, apex, table, atoms)
        _draw_structure(row, label, atoms, counts, table, out)
