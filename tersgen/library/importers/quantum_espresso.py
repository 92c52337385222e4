"""Quantum ESPRESSO: the table of dynmat.x, and the dynamical matrix file of ph.x with ``lraman``.

The table has activities and depolarization ratios. The file of ph.x (``fildyn``) has the dynamical
matrix in Ry/bohr^2 and d(alpha)/dR of each atom in Angstrom^2, from which follow full tensors and
each atom's share of them. M. Lazzeri and F. Mauri, Phys. Rev. Lett. 90, 036401 (2003).
"""

import re

import numpy as np
from numpy.typing import NDArray

from ...errors import LibraryError
from ...plugins import register
from ...schema.species import Species
from ...units import AMU_ELECTRON_MASS, BOHR_ANGSTROM, HARTREE_CM1
from ..harmonic import atom_tensors, to_matrix3
from ..importer import TextImporter
from ..invariants import REMARK, tensor_of
from ..programs.printed import last_of
from ..sourcefile import SourceFile, quote
from ..vibrations import Vibrations, atom, to_float, to_floats

Floats = NDArray[np.float64]

KEYWORD = "ph.x with lraman = .true. and epsil = .true., then dynmat.x"
_TABLE = re.compile(r"^ *# +mode +\[cm-1\] +\[THz\](.*)$", re.MULTILINE)
_ROW = re.compile(
    # the columns may run into each other, as in 2.171631531.3625
    r" *(\d{1,6}) *(-?\d+\.\d\d) *(-?\d+\.\d{4}) *(-?\d+\.\d{4}) *(\d+\.\d{4}) *(\d+\.\d{4}) *"
)
_EIGENVECTORS = re.compile(r"^ *diagonalizing the dynamical matrix", re.MULTILINE)
_PROGRAM = re.compile(r"Program (?:DYNMAT|PHONON) v\.(\S+)")
_FILDYN = "Dynamical matrix file"
_MOST_ATOMS = 1000


@register("tersgen.importers", "dynmat")
class Dynmat(TextImporter):
    """Tables of dynmat.x."""

    format = "table of dynmat.x"

    def recognises(self, text: str) -> bool:
        """Return whether a text has the table or the banner, or is the file of eigenvectors."""
        return any(one.search(text) for one in (_TABLE, _PROGRAM)) or bool(
            _EIGENVECTORS.match(text) and "[cm-1]" in text
        )

    def read_source(self, source: SourceFile) -> Species:
        """Return the species of the table that dynmat.x prints."""
        tables = [one for one in _TABLE.finditer(source.text) if "Raman" in one[1]]
        if not tables:
            raise LibraryError(
                "expected the table of dynmat.x with a column Raman, got none: run "
                f"{KEYWORD}, and give what it prints"
            )
        rows: list[list[float]] = []
        for line in source.text[tables[-1].end() :].split("\n")[1:]:
            if not line.strip():
                break
            row = _ROW.fullmatch(line)
            if row is None or int(row[1]) != len(rows) + 1:
                raise LibraryError(
                    f"expected mode {len(rows) + 1}, its frequency, activities and depolarization "
                    f"ratio, got {quote(line.strip(), 60)}; a number may not have fitted its column"
                )
            rows.append([to_float(row[column]) for column in (2, 5, 6)])
        if not rows or len(rows) % 3:
            raise LibraryError(
                f"expected three modes an atom in the table of dynmat.x, got {len(rows)}; is it "
                "whole?"
            )
        version = _PROGRAM.search(source.text)
        return Vibrations(
            frequencies_cm1=[row[0] for row in rows],
            # a mode without activity may have any ratio
            tensors=[tensor_of(row[1], row[2] if row[1] else None) for row in rows],
            program=f"Quantum ESPRESSO {version[1]}" if version else "Quantum ESPRESSO",
            remarks=[REMARK, *last_of(len(tables))],
        ).species(source)


@register("tersgen.importers", "fildyn")
class Fildyn(TextImporter):
    """Dynamical matrix files of ph.x."""

    format = "fildyn of ph.x"

    def recognises(self, text: str) -> bool:
        """Return whether a text begins as such a file."""
        return text.lstrip().startswith(_FILDYN)

    def read_source(self, source: SourceFile) -> Species:
        """Return the species of a dynamical matrix file at Gamma, with shares of the atoms.

        Modes are those of the dynamical matrix without translations.
        """
        lines = source.text.split("\n")
        symbols, masses, positions, place = _structure(lines)
        n_atoms = len(symbols)
        dynamical = _dynamical_matrix(lines, place, n_atoms)
        derivatives = _raman_tensors(lines, n_atoms)
        frequencies, displacements = _modes(dynamical, masses)
        # alpha in units of Angstrom^2: atom_tensors expects bohr^2
        shares = atom_tensors(displacements, derivatives / BOHR_ANGSTROM**2)
        return Vibrations(
            frequencies_cm1=frequencies.tolist(),
            tensors=[to_matrix3(one) for one in shares.sum(axis=1)],
            program="Quantum ESPRESSO",
            atoms=tuple(
                atom(symbol, position)
                for symbol, position in zip(symbols, positions.tolist(), strict=True)
            ),
            displacements=displacements,
            shares=shares,
            remarks=["transverse modes at Gamma, translations projected out; atoms of one cell"],
        ).species(source)


def _structure(lines: list[str]) -> tuple[list[str], Floats, Floats, int]:
    """Return symbols, masses (amu), positions (Angstrom) of the atoms, and the line after them."""
    counts = to_floats((lines[2] if len(lines) > 2 else "").split()[:4], 4, "the third line")
    n_types, n_atoms, lattice = int(counts[0]), int(counts[1]), counts[3]
    if not 0 < n_types <= n_atoms <= _MOST_ATOMS or lattice <= 0:
        raise LibraryError(f"expected types, atoms and a lattice, got {quote(lines[2].strip())}")
    place = 7 if lines[3:4] and lines[3].strip() == "Basis vectors" else 3
    types = []
    for line in lines[place : place + n_types]:
        found = re.fullmatch(r" *\d+ +'([A-Za-z]{1,2})[^']*' +(\S+) *", line)
        if found is None:
            raise LibraryError(f"expected an element and its mass, got {quote(line.strip())}")
        # in Rydberg units a mass is in halves of the electron's
        types.append((found[1], to_float(found[2]) * 2.0 / AMU_ELECTRON_MASS))
    place += n_types
    symbols, masses, positions = [], [], []
    for line in lines[place : place + n_atoms]:
        row = to_floats(line.split(), 5, "the atoms")
        if not 1 <= row[1] <= n_types:
            raise LibraryError(f"expected an atom of one of {n_types} types, got {row[1]:g}")
        symbol, mass = types[int(row[1]) - 1]
        symbols.append(symbol)
        masses.append(mass)
        positions.append([one * lattice * BOHR_ANGSTROM for one in row[2:]])
    if len(symbols) != n_atoms or not min(masses) > 0:
        raise LibraryError(
            f"expected {n_atoms} atoms with positive masses, got {len(symbols)} with "
            f"{min(masses, default=0.0):g} or more"
        )
    return symbols, np.array(masses), np.array(positions), place + n_atoms


def _dynamical_matrix(lines: list[str], place: int, n_atoms: int) -> Floats:
    """Return the dynamical matrix at q = 0, Ry/bohr^2, shape (3 n_atoms, 3 n_atoms)."""
    while place < len(lines) and not lines[place].lstrip().startswith("q = "):
        place += 1
    q = re.findall(r"-?\d+\.\d+", lines[place] if place < len(lines) else "")
    if len(q) != 3 or any(float(one) for one in q):
        raise LibraryError("expected the dynamical matrix at q = 0, got none or another")
    matrix = np.full((3 * n_atoms, 3 * n_atoms), np.nan)
    words = [line.split() for line in lines[place + 1 :] if line.strip()]
    for block in range(n_atoms**2):
        rows = words[4 * block : 4 * block + 4]
        i, j = divmod(block, n_atoms)
        if len(rows) < 4 or rows[0] != [str(i + 1), str(j + 1)]:
            raise LibraryError(f"expected the block {i + 1} {j + 1} of the dynamical matrix")
        values = [to_floats(row, 6, "the dynamical matrix")[::2] for row in rows[1:]]
        matrix[3 * i : 3 * i + 3, 3 * j : 3 * j + 3] = values
    return matrix


def _raman_tensors(lines: list[str], n_atoms: int) -> Floats:
    """Return d(alpha)/dR in Angstrom^2, shape (n_atoms, 3, 3, 3): atom, direction, alpha."""
    heading = next((k for k, line in enumerate(lines) if "Raman tensor (A^2)" in line), None)
    if heading is None:
        raise LibraryError(
            "expected Raman tensors in this dynamical matrix file, got none: run ph.x with "
            "lraman = .true. and epsil = .true. at q = 0"
        )
    words = [line.split() for line in lines[heading + 1 :] if line.strip()]
    tensors = np.zeros((n_atoms, 3, 3, 3))
    for block in range(3 * n_atoms):
        rows = words[4 * block : 4 * block + 4]
        i, axis = divmod(block, 3)
        if len(rows) < 4 or rows[0] != ["atom", "#", str(i + 1), "pol.", str(axis + 1)]:
            raise LibraryError(f"expected the Raman tensor of atom {i + 1}, pol. {axis + 1}")
        tensors[i, axis] = [to_floats(row, 3, "the Raman tensors") for row in rows[1:]]
    return tensors


def _modes(dynamical: Floats, masses: Floats) -> tuple[Floats, Floats]:
    """Return frequencies (cm^-1, imaginary ones negative) and dR/dQ of 3 n_atoms - 3 modes."""
    n_atoms = len(masses)
    if n_atoms < 2:
        raise LibraryError("expected a cell of two or more atoms, got one: it has no optical modes")
    root = np.repeat(np.sqrt(masses), 3)
    weighted = 0.5 * (dynamical + dynamical.T) / np.outer(root, root)
    shifts = np.zeros((3, 3 * n_atoms))
    for axis in range(3):
        shifts[axis, axis::3] = np.sqrt(masses)
    internal = np.linalg.svd(shifts)[2][3:]
    squared, vectors = np.linalg.eigh(internal @ weighted @ internal.T)
    # Ry/bohr^2/amu: half a hartree, and amu to electron masses
    energies = np.sqrt(np.abs(squared) * 0.5 / AMU_ELECTRON_MASS) * HARTREE_CM1
    displacements = (vectors.T @ internal) / root
    return np.sign(squared) * energies, displacements.reshape(-1, n_atoms, 3)
