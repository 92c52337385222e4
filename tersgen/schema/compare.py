"""What differs between two recipes, field by field."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from .fields import Basis
from .library import Library

_LONGEST = 60


class Difference(NamedTuple):
    """A field with two values, as short JSON; an empty text where there is none."""

    field: str
    first: str
    second: str

    def __str__(self) -> str:
        """Return the field and both values in one line."""
        return f"{self.field}: {self.first or 'none'} there, {self.second or 'none'} here"


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
    ones = {species.name: (label, species) for label, species in enumerate(first.species)}
    others = {species.name: (label, species) for label, species in enumerate(second.species)}
    found = []
    for name in [*ones, *(name for name in others if name not in ones)]:
        one, other = ones.get(name), others.get(name)
        if one is None or other is None:
            shown = ["" if item is None else f"label {item[0]}" for item in (one, other)]
            found.append(Difference(f"library.{name}", *shown))
        elif one[1] != other[1]:
            shown = [f"{len(item[1].modes)} modes" for item in (one, other)]
            if shown[0] == shown[1]:
                shown[1] += " of other values"
            found.append(Difference(f"library.{name}", *shown))
        elif one[0] != other[0]:
            found.append(Difference(f"library.{name}", f"label {one[0]}", f"label {other[0]}"))
    return found


def compare_recipes(first: Basis, second: Basis) -> list[Difference]:
    """Return the fields in which two resolved recipes, or measurements, differ."""
    tables = [recipe.model_dump(mode="json", exclude={"library"}) for recipe in (first, second)]
    found = compare_tables(*tables)
    libraries = [getattr(recipe, "library", None) for recipe in (first, second)]
    if isinstance(libraries[0], Library) and isinstance(libraries[1], Library):
        found += compare_libraries(libraries[0], libraries[1])
    return found
