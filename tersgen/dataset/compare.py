"""What differs between two recipes, field by field."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import ConfigError
from ..schema.columns import PAGE, species_digest
from ..schema.library import Library
from ..text import counted
from .basis import StoredBasis

_LONGEST = 60
_PLUGIN = "plug-in "
_OF_PLUGINS = ("plugins", "readers")


class Difference(NamedTuple):
    """A field with two values, as short JSON; an empty text where there is none."""

    field: str
    first: str
    second: str

    def __str__(self) -> str:
        """Return the field and both values in one line."""
        first, second = self.shown
        return f"{self.field}: {first} there, {second} here"

    @property
    def shown(self) -> tuple[str, str]:
        """Both values, with a word for one that is not there."""
        missing = "none" if self.field.startswith(_PLUGIN) else "default"
        return self.first or missing, self.second or missing


def _flat(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif prefix + name in _OF_PLUGINS and _are_records(value):
            for one in value:
                package = f"{one['package']} {one.get('version')}, " if one.get("package") else ""
                yield f"{_PLUGIN}{one['name']}", f"{package}sources {str(one['digest'])[:12]}"
        else:
            yield prefix + name, json.dumps(value)


def _are_records(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(one, dict) and {"name", "digest"} <= one.keys() for one in value
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def compare_tables(first: dict[str, Any], second: dict[str, Any]) -> list[Difference]:
    """Return the fields in which two tables differ, in order of first appearance."""
    one, other = dict(_flat(first)), dict(_flat(second))
    return [
        Difference(name, _short(one.get(name, "")), _short(other.get(name, "")))
        for name in [*one, *(name for name in other if name not in one)]
        if one.get(name) != other.get(name)
    ]


def compare_libraries(first: Library, second: Library) -> list[Difference]:
    """Return the species in which two libraries differ: in presence, position or content."""
    if first == second:
        return []
    ones, others = ({name: k for k, name in enumerate(one.names)} for one in (first, second))
    found = []
    for name in [*ones, *(name for name in others if name not in ones)]:
        one, other = ones.get(name), others.get(name)
        if one is None or other is None:
            shown = ["" if label is None else f"label {label}" for label in (one, other)]
            found.append(Difference(f"library.{name}", *shown))
        elif (first.digests[one] != second.digests[other]).any():
            found += _compare_species(name, (first, one), (second, other))
        elif one != other:
            found.append(Difference(f"library.{name}", f"label {one}", f"label {other}"))
    return found


def _compare_species(name: str, *places: tuple[Library, int]) -> list[Difference]:
    """Return in what two species of one name differ: texts and single numbers, then modes."""
    pages, modes, counts = [], [], []
    for library, k in places:
        page = dict(library.pages[k])
        of_modes = {key: page.pop(key, None) for key in ("irreps", "symbols")}
        arrays = {key: one.part(k) for key, one in library.columns.items() if key != PAGE}
        pages.append({"library": {name: page}})
        modes.append((of_modes, species_digest(arrays)))
        counts.append(len(arrays["frequency"]))
    found = compare_tables(*pages)
    if modes[0] != modes[1]:
        shown = [f"{counted(count, 'mode')}" for count in counts]
        if shown[0] == shown[1]:
            shown[1] += " of other values"
        found.append(Difference(f"library.{name}", *shown))
    return found


def compare_documents(first: StoredBasis, second: StoredBasis) -> list[Difference]:
    """Return the fields in which two recipes, or measurements, differ.

    Defaults are spelt out, unless this version of tersgen does not understand one of them.
    """
    try:
        tables = [one.basis.model_dump(mode="json", exclude={"library"}) for one in (first, second)]
    except ConfigError:
        tables = [
            {name: value for name, value in one.content.items() if name != "library"}
            for one in (first, second)
        ]
    found = compare_tables(*tables)
    if first.library is not None and second.library is not None:
        found += compare_libraries(first.library, second.library)
    return found
