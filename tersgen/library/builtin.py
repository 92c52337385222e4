"""Built-in species, one JSON file each.

Molecules are computed with ``tersgen library compute`` from ``examples/molecules``; crystals are
made from published values by ``examples/crystals.py``. docs/decisions/0013-library.md
"""

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from ..errors import LibraryError
from ..schema.species import Species
from ..text import did_you_mean
from .sourcefile import make_source, one_line_errors, quote

_FOLDER = resources.files(__package__) / "data"
_CRYSTALS = _FOLDER / "crystals"


def _names(folder: Traversable) -> tuple[str, ...]:
    files = (entry.name for entry in folder.iterdir())
    return tuple(sorted(file.removesuffix(".json") for file in files if file.endswith(".json")))


@cache
def builtin_names() -> tuple[str, ...]:
    """Return the names of the built-in molecules, in alphabetical order."""
    return _names(_FOLDER)


@cache
def crystal_names() -> tuple[str, ...]:
    """Return the names of the built-in crystals, in alphabetical order."""
    return _names(_CRYSTALS)


@cache
def load_builtin(name: str) -> Species:
    """Return a built-in species.

    A molecule has all its vibrational modes and per-atom tensors, a crystal its Raman bands.

    Parameters
    ----------
    name
        One of ``builtin_names()`` or ``crystal_names()``.

    Raises
    ------
    LibraryError
        If there is no such species; the message lists those that there are.
    """
    # The name is looked up in the list and never joined to a path unseen.
    if name not in builtin_names() + crystal_names():
        raise LibraryError(
            f"expected a built-in molecule ({', '.join(builtin_names())}) or crystal "
            f"({', '.join(crystal_names())}), got {quote(name)}"
            f"{did_you_mean(name, builtin_names() + crystal_names())}"
        )
    folder = _FOLDER if name in builtin_names() else _CRYSTALS
    content = (folder / f"{name}.json").read_bytes()
    source = make_source(f"{name}.json", content)
    with one_line_errors(source.file):
        return Species.model_validate_json(source.text)


def species_json(species: Species) -> str:
    """Return a species as compact JSON: without spaces, without what is not known."""
    return species.model_dump_json(exclude_none=True) + "\n"
