"""From a program's output for the vibrations of one molecule or crystal to a species."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..schema.species import Atom, Matrix3, Mode, Provenance, Species
from .geometry import SYMBOLS, hill_formula
from .harmonic import to_matrix3
from .sourcefile import NUMBER, SourceFile, quote

Floats = NDArray[np.float64]

RIGID_CM1 = 1.0
"""Modes nearer to 0 are translations and rotations that a program did not project out."""
_LONGEST_FORMULA = 64
_LONGEST_METHOD = 80


@dataclass(frozen=True)
class Vibrations:
    """The vibrations in one file.

    Attributes
    ----------
    frequencies_cm1
        Imaginary ones are negative, shape (n_modes,).
    tensors
        Raman tensor of each mode, Angstrom^2 amu^-1/2.
    program
        Program and version.
    remarks
        What the provenance says, besides the modes that are left out.
    method
        Level of theory, as far as it is printed.
    atoms
        Geometry; None where it is not known.
    displacements
        Cartesian displacements of the atoms, shape (n_modes, n_atoms, 3), in any scale; None where
        they are not known.
    shares
        Each atom's share of the tensors, which add up to them, shape (n_modes, n_atoms, 3, 3);
        None where they are not known.
    irreps
        Irreducible representation of each mode; None where they are not known.
    scaling
        Factor that the program applied to the frequencies.
    rigid
        Numbers of the modes that the program calls translations or rotations.
    start
        Where the job that is read begins in the text, characters.
    """

    frequencies_cm1: Sequence[float]
    tensors: Sequence[Matrix3]
    program: str
    remarks: Sequence[str] = ()
    method: str | None = None
    atoms: tuple[Atom, ...] | None = None
    displacements: Floats | None = None
    shares: Floats | None = None
    irreps: Sequence[str | None] | None = None
    scaling: float = 1.0
    rigid: frozenset[int] = frozenset()
    start: int = 0

    def species(self, source: SourceFile) -> Species:
        """Return the species: modes of frequency <= 0, translations and rotations are left out."""
        frequencies = np.asarray(self.frequencies_cm1, np.float64)
        if not np.isfinite(frequencies).all():
            at = int(np.flatnonzero(~np.isfinite(frequencies))[0])
            raise LibraryError(
                f"expected finite frequencies, got {frequencies[at]} as number {at + 1}"
            )
        rigid = np.abs(frequencies) < RIGID_CM1
        rigid[[one for one in sorted(self.rigid) if one < len(frequencies)]] = True
        kept = np.flatnonzero((frequencies > 0) & ~rigid)
        if not len(kept):
            raise LibraryError("expected at least one mode of positive frequency, got none")
        remarks = list(self.remarks)
        imaginary = int(((frequencies <= 0) & ~rigid).sum())
        if imaginary:
            remarks.append(f"{imaginary} modes of frequency <= 0 left out")
        if rigid.any():
            remarks.append(f"{int(rigid.sum())} translations and rotations left out")
        order = kept[np.argsort(frequencies[kept], kind="stable")]
        return Species(
            name=source.species_name(),
            modes=tuple(self._mode(int(number)) for number in order),
            atoms=self.atoms,
            formula=formula_of(self.atoms),
            provenance=Provenance(
                kind="output",
                program=self.program,
                method=self.method[:_LONGEST_METHOD] if self.method else None,
                scaling=self.scaling,
                file=source.file,
                sha256=source.sha256,
                note="; ".join(remarks) or None,
            ),
        )

    def _mode(self, number: int) -> Mode:
        return Mode(
            frequency_cm1=float(self.frequencies_cm1[number]),
            tensor=self.tensors[number],
            irrep=None if self.irreps is None else self.irreps[number],
            atom_tensors=(
                None
                if self.shares is None
                else tuple(to_matrix3(share) for share in self.shares[number])
            ),
            displacements=_normalised(self.displacements, number),
        )


def _normalised(
    displacements: Floats | None, number: int
) -> tuple[tuple[float, float, float], ...] | None:
    if displacements is None:
        return None
    length = float(np.linalg.norm(displacements[number]))
    if not 0 < length < np.inf:
        return None
    rows = (displacements[number] / length).tolist()
    return tuple((x, y, z) for x, y, z in rows)


def formula_of(atoms: Sequence[Atom] | None) -> str | None:
    """Return the formula of a geometry, None where it is not known or too long to be kept."""
    if not atoms:
        return None
    formula = hill_formula(np.array([SYMBOLS.index(atom.symbol) for atom in atoms], np.int64))
    return formula if len(formula) <= _LONGEST_FORMULA else None


def atom(element: str, position: Sequence[float]) -> Atom:
    """Return an atom from its symbol, in any case, or its atomic number.

    ``position`` is Cartesian, Angstrom, shape (3,).
    """
    if re.fullmatch(r"\d{1,3}", element):
        symbol = SYMBOLS[int(element)] if 0 < int(element) < len(SYMBOLS) else ""
    else:
        symbol = element.capitalize()
    if symbol not in SYMBOLS[1:] or not np.isfinite(position).all():
        raise LibraryError(f"expected an element and its coordinates, got {quote(element)}")
    x, y, z = (float(one) for one in position)
    return Atom(symbol=symbol, position=(x, y, z))


def to_float(word: str) -> float:
    """Return a number as programs print it, with an exponent of E or D."""
    if not NUMBER.fullmatch(word) or not np.isfinite(value := float(re.sub("[Dd]", "E", word))):
        raise LibraryError(f"expected a number, got {quote(word)}")
    return value


def to_floats(words: Sequence[str], count: int, what: str) -> list[float]:
    """Return so many numbers of a line, see ``to_float``.

    Raises
    ------
    LibraryError
        If there are others; ``what`` says where they stand.
    """
    if len(words) != count:
        raise LibraryError(f"{what}: expected {count} numbers, got {quote(' '.join(words))}")
    try:
        return [to_float(word) for word in words]
    except LibraryError as error:
        raise LibraryError(f"{what}: {error}") from None
