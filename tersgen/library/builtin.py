"""Built-in molecules: computed once with ``quantum.compute_species``, one JSON file each."""

from functools import cache
from importlib import resources

from ..errors import LibraryError
from ..schema.library import Species
from .sourcefile import make_source, one_line_errors, quote


@cache
def builtin_names() -> tuple[str, ...]:
    """Return the names of the built-in molecules, in alphabetical order."""
    folder = resources.files(__package__) / "data"
    files = (entry.name for entry in folder.iterdir())
    return tuple(sorted(file.removesuffix(".json") for file in files if file.endswith(".json")))


@cache
def load_builtin(name: str) -> Species:
    """Return a built-in molecule with all its vibrational modes and per-atom tensors.

    Parameters
    ----------
    name
        One of ``builtin_names()``.

    Raises
    ------
    LibraryError
        If there is no such molecule; the message lists those that there are.
    """
    # The name is looked up in the list and never joined to a path unseen.
    if name not in builtin_names():
        raise LibraryError(
            f"expected a built-in molecule ({', '.join(builtin_names())}), got {quote(name)}"
        )
    content = (resources.files(__package__) / "data" / f"{name}.json").read_bytes()
    source = make_source(f"{name}.json", content)
    with one_line_errors(source):
        return Species.model_validate_json(source.text)


def species_json(species: Species) -> str:
    """Return a species as compact JSON: without spaces, without what is not known."""
    return species.model_dump_json(exclude_none=True) + "\n"
