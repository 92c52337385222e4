"""Hessian files of ORCA (.hess) of a calculation of Raman activities.

Blocks begin with ``$name`` and a count. ``$polarizability_derivatives`` has a row for each
Cartesian coordinate, in bohr^2, with the elements xx, yy, zz, xy, xz, yz of the polarizability:
unlike the output they give the tensors of single atoms. The activities that follow from them are
compared with those in ``$raman_spectrum``.
"""

import re

import numpy as np
from numpy.typing import NDArray

from ...errors import LibraryError
from ...numeric.tensor import activity
from ...plugins import register
from ...schema.species import Species
from ...units import BOHR_ANGSTROM
from ..harmonic import atom_tensors, to_matrix3
from ..importer import TextImporter
from ..programs.orca import KEYWORD, read_matrix
from ..sourcefile import SourceFile
from ..vibrations import Vibrations, atom, to_float, to_floats

Floats = NDArray[np.float64]

_ORDER = ((0, 3, 4), (3, 1, 5), (4, 5, 2))
"""Place of each element of a symmetric matrix in the order xx, yy, zz, xy, xz, yz."""
_MOST_ATOMS = 10_000
_TOLERANCE = 0.02
"""Relative difference of activities from the printed ones: displacements have six decimals."""
_SMALL = 1e-3
"""Part of the strongest activity by which the others may differ, too."""


@register("tersgen.importers", "orca_hess")
class OrcaHess(TextImporter):
    """Hessian files of ORCA."""

    format = "ORCA .hess"

    def recognises(self, text: str) -> bool:
        """Return whether a text begins as such a file."""
        return text.lstrip().startswith("$orca_hessian_file")

    def read_source(self, source: SourceFile) -> Species:
        """Return the species of a Hessian file, with each atom's share of the Raman tensors."""
        blocks = _blocks(source.text)
        if "polarizability_derivatives" not in blocks:
            raise LibraryError(
                "expected $polarizability_derivatives in this .hess of ORCA, got none: run ORCA "
                f"with {KEYWORD}"
            )
        rows = [line.split() for line in _lines(blocks, "atoms")]
        n_atoms = _count(rows[0] if rows else [], "$atoms")
        if len(rows) <= n_atoms:
            raise LibraryError(f"expected {n_atoms} atoms, got {len(rows) - 1}; is it whole?")
        table = np.array([to_floats(row[1:], 4, "$atoms") for row in rows[1 : n_atoms + 1]])
        masses, positions = table[:, 0], table[:, 1:] * BOHR_ANGSTROM
        frequencies = _table(blocks, "vibrational_frequencies", 3 * n_atoms, 2)[:, 1]
        units = _normal_modes(blocks, n_atoms)
        if not (masses > 0).all():
            raise LibraryError(f"expected positive masses in $atoms, got {masses.min():g}")
        # unit displacements to dR/dQ: Q is weighted by the masses
        weight = np.sqrt(np.einsum("mic,i->m", units**2, masses))
        kept = np.flatnonzero(weight > 0)
        displacements = units[kept] / weight[kept, None, None]
        packed = _table(blocks, "polarizability_derivatives", 3 * n_atoms, 6)
        derivatives = packed.reshape(n_atoms, 3, 6)[..., _ORDER]
        shares = atom_tensors(displacements, derivatives)
        tensors = shares.sum(axis=1)
        if "raman_spectrum" in blocks:
            printed = _table(blocks, "raman_spectrum", 3 * n_atoms, 3)[:, 1]
            _check_activities(tensors, printed[kept])
        return Vibrations(
            frequencies_cm1=frequencies[kept].tolist(),
            tensors=[to_matrix3(one) for one in tensors],
            program="ORCA",
            atoms=tuple(
                atom(row[0], position)
                for row, position in zip(rows[1 : n_atoms + 1], positions.tolist(), strict=True)
            ),
            displacements=displacements,
            shares=shares,
            remarks=_scaled(blocks),
        ).species(source)


def _blocks(text: str) -> dict[str, list[str]]:
    """Return the lines of each block, comments left out."""
    blocks: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith("$"):
            lines = blocks.setdefault(line[1:].strip(), [])
        elif line.strip() and not line.startswith("#"):
            lines.append(line)
    if "end" not in blocks:
        raise LibraryError("expected a .hess of ORCA that ends in $end, got one that is cut off")
    return blocks


def _lines(blocks: dict[str, list[str]], name: str) -> list[str]:
    if name not in blocks:
        raise LibraryError(f"expected the block ${name} in this .hess of ORCA, got none")
    return blocks[name]


def _count(words: list[str], what: str) -> int:
    if not words or not re.fullmatch(r"\d{1,6}", words[0]) or not 0 < int(words[0]) <= _MOST_ATOMS:
        raise LibraryError(f"{what}: expected a count of 1 to {_MOST_ATOMS}, got {words[:1]}")
    return int(words[0])


def _table(blocks: dict[str, list[str]], name: str, n_rows: int, n_columns: int) -> Floats:
    lines = _lines(blocks, name)[1:]
    if len(lines) != n_rows:
        raise LibraryError(f"${name}: expected {n_rows} rows, got {len(lines)}; is it damaged?")
    return np.array([to_floats(line.split(), n_columns, f"${name}") for line in lines])


def _normal_modes(blocks: dict[str, list[str]], n_atoms: int) -> Floats:
    """Return unit displacements, shape (3 n_atoms, n_atoms, 3): zero for rigid motions."""
    size = 3 * n_atoms
    matrix = read_matrix(_lines(blocks, "normal_modes")[1:], size, size, "$normal_modes")
    if matrix is None:
        raise LibraryError(f"$normal_modes: expected {size} rows and columns, got fewer")
    return matrix.T.reshape(size, n_atoms, 3)


def _check_activities(tensors: Floats, printed: Floats) -> None:
    made = np.array([activity(one) for one in tensors])
    slack = _TOLERANCE * np.abs(printed) + _SMALL * np.abs(printed).max(initial=0.0)
    wrong = np.flatnonzero(~(np.abs(made - printed) <= slack))
    if len(wrong):
        raise LibraryError(
            "expected polarizability derivatives that give the activities of $raman_spectrum, got "
            f"{made[wrong[0]]:.4g} instead of {printed[wrong[0]]:.4g}; is it damaged?"
        )


def _scaled(blocks: dict[str, list[str]]) -> list[str]:
    lines = blocks.get("frequency_scale_factor", [])
    factor = to_float(lines[0].strip()) if lines else 1.0
    return [] if factor == 1.0 else [f"frequency_scale_factor {factor:g} in the file"]
