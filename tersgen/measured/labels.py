"""What each measured spectrum is of: from a table, from the names of files, or the same for all."""

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import MeasurementError
from ..files import read_input, why
from ..schema.species import UNKNOWN
from ..text import did_you_mean, printable

_LARGEST_TABLE = 1 << 26
_FILE = ("file", "filename", "name", "path", "spectrum")
_LABEL = ("label", "class", "species", "substance", "material", "mineral")
_OTHERS = ("group", "part")
_MEANT = {
    "sample": "group",
    "specimen": "group",
    "set": "part",
    "split": "part",
    "subset": "part",
}
"""What columns of other names may be."""
_PARTS = ("train", "val", "test")
_LONGEST_NAME = 60
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


class Known(NamedTuple):
    """What is known of a file."""

    label: str
    group: str | None = None
    part: str | None = None
    numbers: Mapping[str, float] = {}
    """What else a table says of it, by column; NaN where it says nothing."""


class LabelTable:
    """A table of labels, by file.

    Parameters
    ----------
    path
        CSV with a heading: ``file`` and ``label``, and perhaps ``group`` (what must not be split:
        spectra of one sample) and ``part`` (train, val, test). All others are columns of numbers,
        such as a concentration. Commas, semicolons or tabs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        rows = _rows(path)
        heading = [cell.strip().lower() for cell in rows[0][1]]
        place = {
            name: next((heading.index(one) for one in words if one in heading), None)
            for name, words in (("file", _FILE), ("label", _LABEL), *((o, (o,)) for o in _OTHERS))
        }
        if place["file"] is None or place["label"] is None or place["file"] == place["label"]:
            raise MeasurementError(
                f"{path}: expected a heading with the columns file and label, got "
                f"{', '.join(map(printable, heading))[:80]!r}"
            )
        numbers = _number_columns(path, rows)
        self._known: dict[str, Known] = {}
        lines: dict[str, int] = {}
        for line, cells in rows[1:]:
            values = {
                name: cells[k].strip() or None if k is not None and k < len(cells) else None
                for name, k in place.items()
            }
            name, label = values["file"], values["label"]
            if name is None:
                raise MeasurementError(f"{path}: line {line}: expected a file, got none")
            key = PurePosixPath(name.replace("\\", "/")).as_posix()
            if key in self._known:
                raise MeasurementError(
                    f"{path}: line {line}: expected each file once, got {printable(name)} again"
                )
            others = {column: of_line.get(line, math.nan) for column, of_line in numbers.items()}
            self._known[key] = Known(label or UNKNOWN, values["group"], values["part"], others)
            lines.setdefault(values["part"] or "", line)
        misspelt = misspelt_part(lines)
        if misspelt is not None:
            part, text = misspelt
            raise MeasurementError(f"{path}: line {lines[part]}: {text}")
        self._used: set[str] = set()

    def find(self, path: Path) -> Known | None:
        """Return what is known of a file: by its whole path, or the end of it, or None."""
        parts = path.as_posix().split("/")
        for k in range(len(parts)):
            for name in ("/".join(parts[k:]), "/".join([*parts[k:-1], path.stem])):
                if name in self._known:
                    self._used.add(name)
                    return self._known[name]
        return None

    @property
    def unused(self) -> list[str]:
        """Files of the table that were not asked for."""
        return [printable(name) for name in self._known if name not in self._used]


def _number_columns(
    path: Path, rows: Sequence[tuple[int, list[str]]]
) -> dict[str, dict[int, float]]:
    """Return the columns of numbers of a table, by line, and refuse others that would be ignored.

    One without a name may be, and an empty one.
    """
    heading = rows[0][1]
    missing = [name for name in _OTHERS if name not in map(str.lower, heading)]
    found: dict[str, dict[int, float]] = {}
    for place, cell in enumerate(heading):
        name = cell.strip()
        if not name or name.lower() in (*_FILE, *_LABEL, *_OTHERS):
            continue
        texts = {line: cells[place] for line, cells in rows[1:] if place < len(cells)}
        numbers = {line: _number(text) for line, text in texts.items()}
        known = {line: number for line, number in numbers.items() if number is not None}
        wrong = next((line for line in numbers if line not in known), None)
        hint = did_you_mean(_MEANT.get(name.lower(), name.lower()), missing)
        if wrong is not None or hint:
            text = f" with {printable(texts[wrong])[:40]!r} in line {wrong}" if wrong else ""
            raise MeasurementError(
                f"{path}: expected the columns file, label, group and part, and columns of "
                f"numbers, got {printable(name)[:80]!r}{text}{hint}; rename or remove it"
            )
        if all(math.isnan(number) for number in known.values()):
            continue
        key = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        if not re.match("[a-z]", key) or key in found or len(key) > _LONGEST_NAME:
            raise MeasurementError(
                f"{path}: expected columns of different names, a letter and then at most "
                f"{_LONGEST_NAME - 1} letters and digits, got {printable(name)[:80]!r}; rename it"
            )
        found[key] = known
    return found


def _number(text: str) -> float | None:
    """Return the number in a cell, NaN if it is empty, None if it is a text."""
    text = text.strip()
    if not text or text.lower() in ("nan", "na", "n/a"):
        return math.nan
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def misspelt_part(names: Iterable[str]) -> tuple[str, str] | None:
    """Return a part that seems to be train, val or test misspelt, and what is wrong; or None.

    Only where others have these names, and only words: ``test_2`` is a part of its own.

    >>> misspelt_part(["train", "tran", "test_2"])[0]
    'tran'
    >>> misspelt_part(["tran", "rest"])
    """
    found = set(names)
    if not found & set(_PARTS):
        return None
    for name in sorted(found - set(_PARTS)):
        hint = did_you_mean(name, [one for one in _PARTS if one[0] == name[:1].lower()])
        if hint and name.isalpha():
            return name, (
                f"expected one spelling of each part, got {printable(name)[:80]!r} beside "
                f"{' and '.join(one for one in _PARTS if one in found)}{hint}; rename it"
            )
    return None


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the lines of a table with their numbers, its heading first."""
    try:
        content = read_input(path, _LARGEST_TABLE)
        if len(content) > _LARGEST_TABLE:
            raise MeasurementError(f"{path}: expected a table of at most 64 MiB, got more")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MeasurementError(f"{path}: expected UTF-8 text, got other bytes") from None
    except OSError as error:
        raise MeasurementError(f"{path}: cannot be read: {why(error)}") from None
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if len(lines) < 2:
        raise MeasurementError(
            f"{path}: expected a heading, file,label, and rows, got {len(lines)} lines"
        )
    heading = lines[0][1]
    found = [one for one in _SEPARATORS if one in heading]
    if len(found) > 1:
        names = " and ".join(_SEPARATORS[one] for one in found)
        raise MeasurementError(
            f"{path}: expected a heading of one separator, got {names}: {printable(heading)[:80]!r}"
        )
    separator = found[0] if found else ","
    try:
        rows = [
            (number, next(csv.reader([line], delimiter=separator, strict=True)))
            for number, line in lines
        ]
    except csv.Error as error:
        raise MeasurementError(f"{path}: expected a table, got one that fails: {error}") from None
    for number, cells in rows:
        other = next((one for one in _SEPARATORS if one in cells[0] and len(cells) == 1), None)
        if other:
            raise MeasurementError(
                f"{path}: line {number}: expected {_SEPARATORS[separator]}, as in the heading, got "
                f"{_SEPARATORS[other]}: {printable(cells[0])[:80]!r}"
            )
    return rows


class LabelRule(NamedTuple):
    """How files are labelled, if not by what is in them."""

    table: LabelTable | None = None
    label: str | None = None
    """The same for all."""
    pattern: str | None = None
    """``folder``: the name of the folder; or a regular expression, whose group is the label."""

    def of(self, path: Path) -> Known:
        """Return what is known of a file."""
        if self.table is not None:
            known = self.table.find(path)
            if known is None:
                raise MeasurementError(
                    "expected a line of the table of labels for it, got none; add it, with an "
                    f"empty label or {UNKNOWN} if that is not known"
                )
            return known
        if self.pattern == "folder":
            return Known(path.absolute().parent.name)
        if self.pattern is not None:
            found = re.search(self.pattern, path.as_posix())
            if found is None or not (found.groups() and found.group(1)):
                raise MeasurementError(
                    f"expected a name that {self.pattern!r} matches with a group, got "
                    f"{printable(path.as_posix()[-60:])!r}"
                )
            return Known(found.group(1))
        return Known(self.label or UNKNOWN)


def ordered_classes(labels: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the classes: those of ``known`` in their order, then others by name, unknown last.

    >>> ordered_classes(["b", "unknown", "a", "z"], ["z", "y"])
    ('z', 'y', 'a', 'b', 'unknown')
    """
    others = sorted(set(labels) - set(known), key=lambda name: (name == UNKNOWN, name))
    return (*known, *others)


def positions(names: Sequence[str]) -> Mapping[str, int]:
    """Return the position of each name."""
    return {name: k for k, name in enumerate(names)}
