"""Elements and molecular geometries: the XYZ format."""

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..schema.elements import SYMBOLS as SYMBOLS

CLOSEST_ANGSTROM = 0.4
"""Atoms nearer than this are taken to be a mistake: the shortest bond, H2, has 0.74 Angstrom."""


def atomic_number(symbol: str) -> int:
    """Return the atomic number of a chemical symbol, written in any case."""
    wanted = symbol.strip().capitalize()
    if wanted not in SYMBOLS[1:]:
        raise LibraryError(f"expected a chemical symbol such as C or Cl, got {symbol[:20]!r}")
    return SYMBOLS.index(wanted)


def hill_formula(numbers: NDArray[np.int64]) -> str:
    """Return the formula of a molecule in Hill order: C, H, then the rest by alphabet.

    >>> hill_formula(np.array([8, 1, 1]))
    'H2O'
    """
    symbols = [SYMBOLS[number] for number in numbers]
    counts = {symbol: symbols.count(symbol) for symbol in sorted(set(symbols))}
    first = [symbol for symbol in ("C", "H") if "C" in counts and symbol in counts]
    order = first + [symbol for symbol in counts if symbol not in first]
    return "".join(f"{symbol}{counts[symbol] if counts[symbol] > 1 else ''}" for symbol in order)


def read_xyz(text: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read a molecule in the XYZ format: a count, a comment, then symbol, x, y, z per line.

    Returns
    -------
    numbers
        Atomic numbers, shape (n_atoms,).
    coordinates
        Cartesian positions in Angstrom, shape (n_atoms, 3).
    """
    lines = text.splitlines()
    first = lines[0].strip() if lines else ""
    if not first.isascii() or not first.isdigit():
        raise LibraryError(
            f"expected an XYZ file with the number of atoms in its first line, got {first[:40]!r}"
        )
    rows = [line for line in lines[2:] if line.strip()]
    # Compared as text length first: int() refuses very long digit strings with its own error.
    if len(first) > 9 or int(first) != len(rows) or not rows:
        raise LibraryError(
            f"expected {first[:12]} atoms as the first line of the XYZ file says, "
            f"got {len(rows)} lines of atoms; correct the count"
        )
    numbers = np.zeros(len(rows), np.int64)
    coordinates = np.zeros((len(rows), 3))
    for atom, row in enumerate(rows):
        fields = row.split()
        try:
            position = [float(value) for value in fields[1:4]]
        except ValueError:
            position = []
        if len(position) != 3 or not all(math.isfinite(value) for value in position):
            raise LibraryError(
                f"expected a symbol and three numbers for atom {atom + 1}, got {row.strip()[:60]!r}"
            )
        numbers[atom] = atomic_number(fields[0])
        coordinates[atom] = position
    refuse_coinciding_atoms(coordinates)
    return numbers, coordinates


def refuse_coinciding_atoms(coordinates: NDArray[np.float64]) -> None:
    """Raise LibraryError when two atoms, shape (n_atoms, 3) in Angstrom, nearly coincide."""
    for atom in range(1, len(coordinates)):
        distances = np.linalg.norm(coordinates[:atom] - coordinates[atom], axis=1)
        other = int(np.argmin(distances))
        if distances[other] < CLOSEST_ANGSTROM:
            raise LibraryError(
                f"expected atoms at least {CLOSEST_ANGSTROM} Angstrom apart, got atoms "
                f"{other + 1} and {atom + 1} at {distances[other]:.3f}; are they in Angstrom?"
            )
