"""Selection of species of a library by name, formula and data."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..schema.columns import HAS
from ..schema.library import Library

_PART = re.compile(r"([A-Z][a-z]?)([0-9]*)")


def _elements(formula: str) -> dict[str, int]:
    """Return how many atoms of each element a formula has.

    >>> _elements("C2H6O") == _elements("CH3CH2OH")
    True
    """
    counts: dict[str, int] = {}
    for symbol, number in _PART.findall(formula):
        counts[symbol] = counts.get(symbol, 0) + int(number or 1)
    return counts


def choose_species(
    library: Library, formula: str | None, has: Sequence[str], name: str | None
) -> NDArray[np.int64]:
    """Return the numbers of the species that pass all filters.

    Parameters
    ----------
    library
        The species.
    formula
        Elements and numbers of atoms, in any order.
    has
        What must be known, of :data:`tersgen.schema.library.HAS`.
    name
        A pattern as of a shell, with ``*`` and ``?``.
    """
    chosen = np.ones(len(library), bool)
    if formula is not None:
        if not re.fullmatch(f"(?:{_PART.pattern})+", formula):
            raise ConfigError(f"formula: expected one such as C6H6, got {formula[:80]!r}")
        wanted = _elements(formula)
        chosen &= [_elements(page.get("formula") or "") == wanted for page in library.pages]
    for what in has:
        chosen &= library.counts(HAS[what]) > 0
    if name is not None:
        chosen &= [fnmatchcase(one, name) for one in library.names]
    return np.flatnonzero(chosen)


def list_rows(library: Library) -> list[dict[str, Any]]:
    """Return name, formula, size and what else is known of each species."""
    counts = {array: library.counts(array) for array in ("frequency", *HAS.values())}
    return [
        {
            "name": page["name"],
            "formula": page.get("formula"),
            "point_group": page.get("point_group"),
            "n_atoms": int(counts["position"][k]),
            "n_modes": int(counts["frequency"][k]),
            "has": [what for what, array in HAS.items() if counts[array][k]],
        }
        for k, page in enumerate(library.pages)
    ]
