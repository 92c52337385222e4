"""Isotopologues: the modes of a molecule with other masses, from its force constants.

E. B. Wilson, J. C. Decius, P. C. Cross, "Molecular Vibrations" (1955), section 8.5: the force
constants are the same, and so are the derivatives of the polarizability.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..schema.packing import matrices, six
from ..schema.species import Species
from .forces import ForceField, force_field
from .geometry import SYMBOLS
from .harmonic import build_modes, is_linear, normal_modes
from .irreps import label_modes
from .masses import MASSES, most_abundant
from .pointgroup import PointGroup, orient, symmetrise
from .sourcefile import one_line_errors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DIGITS = 8
"""Significant digits kept."""
_OF_MODES = ("site response", "images")
"""What a tip does to the modes of the molecule, which are not those of the isotopologue."""
_LETTERS = {"D": ("H", 2), "T": ("H", 3)}
_STATEMENT = re.compile(r"([A-Z][a-z]?)(\d*)=(?:(\d{1,3})([A-Z][a-z]?)|([DT]))")


def substitute(species: Species, substitutions: Sequence[str], name: str | None = None) -> Species:
    """Return a molecule with other isotopes: its modes, Raman tensors and atom tensors.

    Parameters
    ----------
    species
        A molecule with all its modes and atom tensors.
    substitutions
        ``H=D`` for all atoms of an element, ``C1=13C`` for its first one in the order of the
        atoms.
    name
        Name of the isotopologue; by default that of the molecule, followed by isotopes and their
        number.

    Returns
    -------
    Species
        In the frame of ``species``, with displacements, masses and Hessian, without responses at
        sites and images. Irreducible representations are those of its own point group, in that
        group's standard frame.

    Raises
    ------
    LibraryError
        If there is no such atom or isotope, or the modes do not determine the force constants.
    """
    symbols = [atom.symbol for atom in species.atoms or ()]
    isotopes = np.array(species.isotopes or [most_abundant(one) for one in symbols], np.int64)
    swapped = _swapped(species.name, symbols, substitutions)
    field = _symmetric(species, force_field(species), isotopes)
    masses = field.masses.copy()
    for atom, isotope in swapped.items():
        masses[atom] = MASSES[symbols[atom]][isotope]
        isotopes[atom] = isotope
    modes = normal_modes(field.hessian, masses, field.coordinates)
    if modes.n_imaginary:
        raise LibraryError(
            f"{species.name}: expected a Hessian at a minimum of the energy, got "
            f"{modes.n_imaginary} imaginary modes of the isotopologue; compute it again"
        )
    irreps: Sequence[str | None] | None = None
    group_name = None
    if species.point_group is not None:
        turn, group = _point_group(symbols, isotopes, field.coordinates, masses)
        turned = modes.displacements @ turn.T
        irreps = label_modes(modes.frequencies_cm1, turned, masses, group)
        group_name = group.name
    shares = matrices(np.einsum("mic,icf->mif", modes.displacements, field.derivatives))
    origin, marks = species.provenance, ", ".join(substitutions)
    levels = {k: v for k, v in (origin.levels or {}).items() if k not in _OF_MODES} or None
    note = f"{marks} in {species.name}, from its force constants"
    made = species.model_copy(
        update={
            "name": name or f"{species.name}-{_suffix(symbols, swapped)}"[:64],
            "modes": build_modes(
                modes.frequencies_cm1, shares, irreps, DIGITS, modes.displacements
            ),
            "provenance": origin.model_copy(
                update={
                    "note": "; ".join(one for one in (note, origin.note) if one),
                    "levels": levels,
                }
            ),
            "point_group": group_name,
            "masses_amu": tuple(masses.tolist()),
            "isotopes": tuple(isotopes.tolist()),
            "hessian": tuple(
                (field.hessian / origin.scaling**2)[np.tril_indices(len(masses) * 3)].tolist()
            ),
            "conformer_weight": None,
            "class_name": None,
            "sites": None,
            "image_tips": None,
        }
    )
    with one_line_errors(species.name):  # such as those of the name
        return Species.model_validate(made.model_dump())


def _swapped(name: str, symbols: list[str], substitutions: Sequence[str]) -> dict[int, int]:
    """Return the mass number of each atom that is replaced."""
    if not symbols or not substitutions:
        raise LibraryError(f"{name}: expected atoms and at least one substitution, got none")
    swapped: dict[int, int] = {}
    for text in substitutions:
        found = _STATEMENT.fullmatch(text.replace(" ", ""))
        if found is None:
            raise LibraryError(f"expected a substitution such as H=D, H3=D or C1=13C, got {text!r}")
        symbol, number = found[1], found[2]
        element, isotope = _LETTERS[found[5]] if found[5] else (found[4], int(found[3]))
        if element != symbol or isotope not in MASSES.get(element, {}):
            known = ", ".join(f"{mass}{symbol}" for mass in MASSES.get(symbol, {})) or "none"
            raise LibraryError(f"{text}: expected an isotope of {symbol} ({known})")
        atoms = [k for k, one in enumerate(symbols) if one == symbol]
        chosen = [k for n, k in enumerate(atoms, 1) if number in ("", str(n))]
        if not chosen:
            counts = ", ".join(f"{n} {one}" for one, n in Counter(symbols).items())
            raise LibraryError(f"{text}: expected an atom of {name}, which has {counts}")
        for atom in chosen:
            if swapped.setdefault(atom, isotope) != isotope:
                raise LibraryError(f"{text}: expected one isotope for each atom, got two")
    return swapped


def _suffix(symbols: list[str], swapped: dict[int, int]) -> str:
    """Return ``d6`` or ``13C-d2``."""
    counts = Counter((symbols[atom], isotope) for atom, isotope in swapped.items())
    words = []
    for (symbol, isotope), count in sorted(counts.items()):
        letter = {("H", 2): "d", ("H", 3): "t"}.get((symbol, isotope))
        word = letter or f"{isotope}{symbol}"
        words.append(word if count == 1 and not letter else f"{word}{count}")
    return "-".join(words)


def _point_group(
    symbols: list[str], isotopes: Ints, coordinates: Floats, masses: Floats
) -> tuple[Floats, PointGroup]:
    """Return the rotation into the standard frame, shape (3, 3), and the group in that frame."""
    # isotopes of one element are different atoms
    numbers = np.array([SYMBOLS.index(one) for one in symbols]) * 1000 + isotopes
    linear = is_linear(coordinates, masses)
    placed, group = orient(numbers, coordinates, masses, linear)
    centred = coordinates - np.average(coordinates, axis=0, weights=masses)
    left, _, right = np.linalg.svd(placed.T @ centred)
    handed = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    turn: Floats = (left * handed) @ right
    return turn, group


def _symmetric(species: Species, field: ForceField, isotopes: Ints) -> ForceField:
    """Return a force field averaged over the point group, which rounded digits break slightly."""
    if species.point_group is None:
        return field
    symbols = [atom.symbol for atom in species.atoms or ()]
    turn, group = _point_group(symbols, isotopes, field.coordinates, field.masses)
    n = len(symbols)
    operations = np.einsum("ba,nbc,cd->nad", turn, group.operations, turn)
    here = PointGroup(group.name, operations, group.images, group.linear)
    blocks = symmetrise(field.hessian.reshape(n, 3, n, 3).transpose(0, 2, 1, 3), here, 2)
    square = blocks.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
    derivatives = symmetrise(matrices(field.derivatives), here, 1)
    return field._replace(hessian=square, derivatives=six(derivatives))
