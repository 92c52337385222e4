"""Structure targets: masks, bonds and positions of atoms in the frame of their map, Eq. (2.8).

The apex is that of the map: it is drawn again from the same stream, and nothing else is random.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...library.covalent import find_bonds
from ...library.geometry import atomic_number
from ...library.nearfield import centred
from ...numeric._jit import kernel
from ...numeric.tensor import quaternion_to_matrix
from ...random import streams
from ...random.normal import normal_pair
from ...random.philox import philox
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import Effect, Tile, spec
from ..sections import Sections
from . import kernels
from .kernels import paint_line
from .settings import Structure as Section

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U16 = NDArray[np.uint16]

_SHAPES = {"disc": kernels.DISC, "gaussian": kernels.GAUSSIAN}
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


def structure_table(recipe: Sections, library: Library) -> StructureTable:
    """Return what the kernels of structure targets read."""
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
        position=centred(position, first_atom),
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


class Structure(Effect[Section]):
    """Fills the structure targets."""

    stage = "record"
    section = "structure"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self._table = structure_table(recipe, library)

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are structure targets."""
        return super().is_part_of(recipe) and recipe.fields.structure

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return masks and bonds, if they are stored, positions and elements."""
        section = cls.settings_of(recipe)
        if section.elements is None or section.n_atoms is None:
            raise ValueError("expected a resolved recipe with structure.elements set, got None")
        size = {"row": recipe.map.height, "column": recipe.map.width}
        elements, n_atoms = section.elements, section.n_atoms
        made = []
        if section.store_images:
            text = f"{section.shape}s at the atoms that count, by element: {', '.join(elements)}"
            made.append(
                spec("structure/masks", "float16", "1", text, element=len(elements), **size)
            )
        if section.store_images and section.bonds:
            text = "lines between bonded atoms that count"
            made.append(spec("structure/bonds", "float16", "1", text, **size))
        where = (
            "atoms that count: x (rows) and y (columns) from the frame's centre, z from the "
            "highest atom; 0 beyond count"
        )
        text = "atomic number of each of these atoms; 0 beyond count"
        sizes = {"atom": n_atoms, "cartesian": 3}
        return [
            *made,
            spec("structure/positions", "float32", "Angstrom", where, **sizes),
            spec("structure/elements", "int32", "1", text, atom=n_atoms),
            spec("structure/count", "int32", "1", "number of atoms that count"),
        ]

    def apply(self, tile: Tile) -> None:
        """Draw the targets."""
        masks, bonds = tile.get("structure/masks"), tile.get("structure/bonds")
        draw_structures(
            tile.index, tile.seed, self._table, tile["species"], tile["quaternion"],
            np.empty((0, 0, 0, 0), np.uint16) if masks is None else masks,
            np.empty((0, 0, 0), np.uint16) if bonds is None else bonds,
            tile["structure/positions"], tile["structure/elements"], tile["structure/count"],
        )  # fmt: skip


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
    row: int, label: int, atoms: F64, counts: NDArray[np.bool_], table: StructureTable, masks: U16,
    bonds: U16, positions: F32, elements: I32, n_atoms: I32,
) -> None:  # fmt: skip
    """Write the targets of one sample from its turned atoms."""
    first = table.first_atom[label]
    if masks.shape[0] > 0:
        masks[row] = _EMPTY
    positions[row] = 0.0
    elements[row] = 0
    n_counted = 0
    for i in range(table.first_atom[label + 1] - first):
        channel = table.channel[first + i]
        counts[i] = channel >= 0 and atoms[i, 2] >= -table.depth
        if counts[i]:
            if masks.shape[0] > 0:
                x, y = atoms[i, 0], atoms[i, 1]
                image = masks[row, channel]
                paint_line(image, x, y, x, y, table.radius, table.shape, table.pixel)
            for k in range(3):
                positions[row, n_counted, k] = atoms[i, k]
            elements[row, n_counted] = table.number[first + i]
            n_counted += 1
    n_atoms[row] = n_counted
    if bonds.shape[0] > 0:
        image = bonds[row]
        image[:] = _EMPTY
        for b in range(table.first_bond[label], table.first_bond[label + 1]):
            i, j = table.bond[b, 0], table.bond[b, 1]
            if counts[i] and counts[j]:
                paint_line(
                    image, atoms[i, 0], atoms[i, 1], atoms[j, 0], atoms[j, 1],
                    table.half_bond, table.shape, table.pixel,
                )  # fmt: skip


@kernel
def draw_structures(
    start: int, seed: int, table: StructureTable, species: I32, quaternion: F64, masks: U16,
    bonds: U16, positions: F32, elements: I32, n_atoms: I32,
) -> None:  # fmt: skip
    """Write the targets of samples; ``masks`` and ``bonds`` have no rows if not asked for."""
    most = 1
    for label in range(table.first_atom.shape[0] - 1):
        most = max(most, table.first_atom[label + 1] - table.first_atom[label])
    atoms, counts = np.empty((most, 3), np.float64), np.empty(most, np.bool_)
    matrix, apex = np.empty((3, 3), np.float64), np.empty(2, np.float64)
    for row in range(n_atoms.shape[0]):
        label = species[row, 0]
        quaternion_to_matrix(quaternion[row, 0], matrix)
        w0, w1, _, _ = philox(0, start + row, 0, seed, streams.APEX)
        a, b = normal_pair(w0, w1)
        apex[0], apex[1] = table.apex * np.float64(a), table.apex * np.float64(b)
        _turn_atoms(label, matrix, apex, table, atoms)
        _draw_structure(
            row, label, atoms, counts, table, masks, bonds, positions, elements, n_atoms
        )
