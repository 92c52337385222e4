"""What differs between two recipes, field by field."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import ConfigError
from .basis import StoredBasis
from .library import Library

_LONGEST = 60


class Difference(NamedTuple):
    """A field with two values, as short JSON; an empty text where there is none."""

    field: str
    first: str
    second: str

    def __str__(self) -> str:
        """Return the field and both values in one line."""
        return f"{self.field}: {self.first or 'default'} there, {self.second or 'default'} here"


def _flat(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, json.dumps(value)


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
            sizes = [len(library[k].modes) for library, k in ((first, one), (second, other))]
            shown = [f"{size} modes" for size in sizes]
            if shown[0] == shown[1]:
                shown[1] += " of other values"
            found.append(Difference(f"library.{name}", *shown))
        elif one != other:
            found.append(Difference(f"library.{name}", f"label {one}", f"label {other}"))
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
