"""Built-in species, in groups.

Molecules are computed with ``tersgen library compute`` from ``examples/molecules``; crystals are
made from published values by ``examples/crystals.py``, and bands of measured substances from
published tables by ``examples/published/measured.py``. docs/decisions/0013-library.md,
0058-larger-library.md
"""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from ..errors import LibraryError
from ..schema.library import Library
from ..schema.species import LibraryDocument, Species
from ..text import did_you_mean
from .libraryfile import SUFFIX, read_library
from .sourcefile import SourceFile, make_source, one_line_errors, quote

GROUPS = {
    "builtin": "molecules, by density functional theory",
    "gfn": "molecules, by the semi-empirical GFN1-xTB",
    "crystals": "crystals, from published values",
    "measured": "measured substances, from published tables of bands",
    "positions": "measured substances, positions of bands only: no strengths are published",
}
"""What the groups hold, by the word for each; no two species of any groups have one name."""

_FOLDER = resources.files(__package__) / "data"
_SITES = _FOLDER / "sites"
_FOLDERS = {"builtin": _FOLDER, "crystals": _FOLDER / "crystals"}
"""Groups with a JSON file for each species."""
_FILES = {
    "gfn": _FOLDER / "molecules" / f"gfn{SUFFIX}",
    "measured": _FOLDER / "bands" / "measured.json",
    "positions": _FOLDER / "bands" / "positions.json",
}
"""Groups in one library file."""


@cache
def group_names(group: str) -> tuple[str, ...]:
    """Return the names of the species of a group, in alphabetical order."""
    if group in _FILES:
        return _read_file(group).names
    files = (entry.name for entry in _FOLDERS[group].iterdir())
    return tuple(sorted(file.removesuffix(".json") for file in files if file.endswith(".json")))


def builtin_names() -> tuple[str, ...]:
    """Return the names of the molecules of the group ``builtin``, in alphabetical order."""
    return group_names("builtin")


def crystal_names() -> tuple[str, ...]:
    """Return the names of the built-in crystals, in alphabetical order."""
    return group_names("crystals")


def all_names() -> Iterator[str]:
    """Yield the names of the species of all groups."""
    for group in GROUPS:
        yield from group_names(group)


def load_group(group: str) -> Library:
    """Return all species of a group, in alphabetical order.

    Parameters
    ----------
    group
        One of ``GROUPS``.
    """
    if group in _FILES:
        return _read_file(group)
    return Library(load_builtin(name) for name in group_names(group))


@cache
def load_builtin(name: str) -> Species:
    """Return a built-in species.

    A molecule has all its vibrational modes and per-atom tensors, a crystal or measured substance
    its Raman bands.

    Parameters
    ----------
    name
        One of ``all_names()``.

    Raises
    ------
    LibraryError
        If there is no such species.
    """
    # The name is looked up in the list and never joined to a path unseen.
    group = next((group for group in GROUPS if name in group_names(group)), None)
    if group is None:
        raise LibraryError(
            f"expected the name of a built-in species, got {quote(name)}"
            f"{did_you_mean(name, all_names())}; tersgen library list shows all"
        )
    if group in _FILES:
        return _read_file(group)[group_names(group).index(name)]
    source = _source(_FOLDERS[group] / f"{name}.json")
    with one_line_errors(source.file):
        return Species.model_validate_json(source.text)


@cache
def sites_names() -> tuple[str, ...]:
    """Return the names of the built-in molecules with a response at sites, in that order."""
    files = (entry.name for entry in _SITES.iterdir())
    return tuple(sorted(file.removesuffix(SUFFIX) for file in files if file.endswith(SUFFIX)))


def load_sites(name: str) -> Library:
    """Return a built-in molecule with the response of its modes to a tip, as a library.

    The species is that of :func:`load_builtin`, with more arrays.

    Parameters
    ----------
    name
        One of ``sites_names()``.

    Raises
    ------
    LibraryError
        If there is no such species; the message lists those that there are.
    """
    if name not in sites_names():
        raise LibraryError(
            f"expected a built-in molecule with a response at sites ({', '.join(sites_names())}), "
            f"got {quote(name)}{did_you_mean(name, sites_names())}; compute others with tersgen "
            "library respond"
        )
    with resources.as_file(_SITES / f"{name}{SUFFIX}") as path:
        library = read_library(path)
        library.prove(*library.columns)
    return library


@cache
def _read_file(group: str) -> Library:
    file = _FILES[group]
    if file.name.endswith(SUFFIX):
        with resources.as_file(file) as path:
            return read_library(path)
    source = _source(file)
    with one_line_errors(source.file):
        return Library(LibraryDocument.model_validate_json(source.text).species)


def _source(file: Traversable) -> SourceFile:
    return make_source(file.name, file.read_bytes())


def species_json(species: Species) -> str:
    """Return a species as compact JSON: without spaces, without what is not known."""
    return species.model_dump_json(exclude_none=True) + "\n"
