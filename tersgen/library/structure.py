"""What structure targets take from a library: which elements, and how many atoms."""

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError
from ..schema.library import Library
from ..schema.structure import Structure
from .geometry import SYMBOLS, atomic_number


def library_elements(library: Library) -> tuple[str, ...]:
    """Return the symbols of the elements of all species, by rising atomic number."""
    symbols = {symbol for page in library.pages for symbol in page.get("symbols", ())}
    numbers = map(atomic_number, symbols)
    return tuple(SYMBOLS[number] for number in sorted(numbers))


def _n_counted(page: Mapping[str, Any], elements: tuple[str, ...]) -> int:
    """Return how many atoms of a species are of some elements."""
    return sum(symbol in elements for symbol in page.get("symbols", ()))


def resolve_structure(structure: Structure, library: Library) -> Structure:
    """Return structure targets with elements and padding set.

    Raises
    ------
    ConfigError
        If an element is none, no species has one of them, or a species has more atoms than there
        is room for.
    """
    elements = structure.elements or library_elements(library)
    unknown = [symbol for symbol in elements if symbol not in SYMBOLS[1:]]
    if unknown:
        raise ConfigError(
            f"structure.elements: expected chemical symbols such as C or Cl, got {unknown[0]}"
        )
    counts = {page["name"]: _n_counted(page, elements) for page in library.pages}
    most = max(counts, key=lambda name: counts[name])
    if not counts[most]:
        raise ConfigError(
            f"structure.elements: expected elements of the library, "
            f"{', '.join(library_elements(library))}, got {', '.join(elements)}"
        )
    n_atoms = structure.n_atoms or counts[most]
    if n_atoms < counts[most]:
        raise ConfigError(
            f"structure.n_atoms: expected at least {counts[most]}, the atoms of {most}, got "
            f"{n_atoms}; leave it out"
        )
    return structure.model_copy(update={"elements": elements, "n_atoms": n_atoms})
