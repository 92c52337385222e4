"""Measured rows of many files, combined: signals, labels, and where each row came from."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from ..schema.measured import MeasuredFile
from ..schema.plugin import PluginRecord
from ..text import printable
from .cubes import cube_of, cubes_of_arrays
from .labels import Known, LabelRule
from .reader import NOTHING_SAID, ReadOptions, RowArrays
from .reading import read_file
from .spectrum import Spectrum

_LONGEST = 400
_FEWEST_POINTS = 8


class Rows(NamedTuple):
    """The rows of one file."""

    spectra: tuple[Spectrum, ...] | RowArrays
    known: tuple[Known, ...]
    """What is known of each row."""
    reader: PluginRecord | None = None
    """The reader of the file, if it is from outside."""
    places: tuple[int, ...] | None = None
    """Which row of the file each is, where some of them are left out."""
    refused: tuple[str, ...] = ()
    """What is wrong with rows that are left out."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.known)

    def place(self, row: int) -> int:
        """Return which row of the file a row is."""
        return row if self.places is None else self.places[row]

    def spectrum(self, row: int) -> Spectrum:
        """Return the spectrum of a row; of an array, with its number as its name."""
        if not isinstance(self.spectra, RowArrays):
            return self.spectra[row]
        arrays = self.spectra
        if arrays.spectra is None or arrays.shift_cm1 is None:
            raise MeasurementError("expected spectra, got maps only")
        values = np.asarray(arrays.spectra[row], np.float64)
        return Spectrum(f"row {row}", arrays.shift_cm1, values)

    def map(self, row: int) -> NDArray[np.float64]:
        """Return the map of a row, shape (C, H, W)."""
        maps = self.spectra.maps if isinstance(self.spectra, RowArrays) else None
        if maps is None:
            raise MeasurementError("expected maps, got spectra only")
        return np.asarray(maps[row], np.float64)

    def cube(self, row: int) -> NDArray[np.float64]:
        """Return the cube of a row, shape (H, W, L)."""
        cubes = self.spectra.cubes if isinstance(self.spectra, RowArrays) else None
        if cubes is None:
            raise MeasurementError("expected cubes, got spectra or maps")
        return np.asarray(cubes[row], np.float64)

    def position(self, row: int) -> tuple[float, float] | None:
        """Return where a row was measured, um, if its file says so; it says it of all or none."""
        if not isinstance(self.spectra, RowArrays):
            return self.spectra[row].position_um
        positions = self.spectra.positions_um
        return None if positions is None else (float(positions[row, 0]), float(positions[row, 1]))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to spectra that a user should know."""
        if isinstance(self.spectra, RowArrays):
            notes = {note[:_LONGEST] for note in self.spectra.notes}
            if self.map_shape:
                notes.add("maps min-max scaled over all channels")
        else:
            notes = {note[:_LONGEST] for one in self.spectra for note in one.notes}
        lowest = min((float(axis[0]) for axis in self.axes()), default=0.0)
        if lowest < 0:
            notes.add(f"begins at {lowest:g} cm^-1: cut at 0")
        if self.reader is not None:
            notes.add(f"read by {self.reader.name!r}")
        return tuple(sorted(notes | self._left_out()))

    def _left_out(self) -> set[str]:
        count = len(self.refused)
        return {f"{count} rows that cannot be used are left out"} if count else set()

    @property
    def n_points(self) -> int:
        """Points of the longest spectrum; 0 if there are none."""
        return max(map(len, self.axes()), default=0)

    @property
    def map_shape(self) -> tuple[int, ...] | None:
        """Channels, rows and columns of maps; None if there are none."""
        maps = self.spectra.maps if isinstance(self.spectra, RowArrays) else None
        return None if maps is None else maps.shape[1:]

    def axes(self) -> list[NDArray[np.float64]]:
        """Return the axes of the spectra, cm^-1, rising; all spectra of an array are on one."""
        if not isinstance(self.spectra, RowArrays):
            return [one.shift_cm1 for one in self.spectra]
        axis = self.spectra.shift_cm1
        return [] if axis is None else [axis]


class Collection(NamedTuple):
    """Rows of many files, in the order of the files."""

    files: tuple[MeasuredFile, ...]
    rows: tuple[Rows, ...]
    refused: tuple[str, ...]
    """What is wrong with files, and spectra in files, that were skipped."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return sum(one.n_rows for one in self.rows)

    @property
    def readers(self) -> list[PluginRecord]:
        """Readers from outside, each once."""
        return list(dict.fromkeys(one.reader for one in self.rows if one.reader is not None))

    @property
    def known(self) -> list[Known]:
        """What is known of each row."""
        return [known for one in self.rows for known in one.known]

    def notes(self) -> list[str]:
        """Return what a user should know of the files, each once, with the first file's name."""
        return by_note((file.name, note) for file in self.files for note in file.notes)


def by_note(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return notes on files as lines, each note once.

    >>> by_note([("a.txt", "cut"), ("b.txt", "cut")])
    ['a.txt and 1 more: cut']
    """
    found: dict[str, list[str]] = {}
    for name, note in pairs:
        found.setdefault(note, []).append(name)
    return [
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {note}"
        for note, names in found.items()
    ]


def find_files(paths: Iterable[Path], skip: Callable[[Path], bool] = lambda _: False) -> list[Path]:
    """Return the files that are named, and those in folders that are, in order of their names.

    Hidden files are skipped, and files and whole folders inside folders if ``skip`` says so; it is
    asked once for each, and not for those inside one that is skipped.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            skipped = {path: False}
            inside = sorted(one for one in path.rglob("*") if one.is_file())
            visible = [one for one in inside if not _is_hidden(one.relative_to(path))]
            found += [one for one in visible if not _is_skipped(one, skip, skipped)]
        elif path.exists():
            found.append(path)
        else:
            raise MeasurementError(f"{printable(str(path))}: no such file or folder")
    if not found:
        raise MeasurementError("expected files of measured spectra, got folders without any")
    return list(dict.fromkeys(found))


def _is_skipped(path: Path, skip: Callable[[Path], bool], skipped: dict[Path, bool]) -> bool:
    """Return whether a path, or a folder that it is in, is skipped; ``skipped`` remembers."""
    if path not in skipped:
        skipped[path] = _is_skipped(path.parent, skip, skipped) or skip(path)
    return skipped[path]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def collect(
    paths: Sequence[Path],
    rule: LabelRule,
    options: ReadOptions = NOTHING_SAID,
    reader: str | None = None,
    skip_bad: bool = False,
    cubes: bool = False,
) -> Collection:
    """Read all files, and say what each row is of.

    Parameters
    ----------
    paths
        Files of spectra or of arrays, see ``reading.read_file``.
    rule
        How files are labelled; arrays that bring labels keep these.
    options
        What files may not say themselves.
    reader
        Name of the reader of all files; by default each is read by the one that recognises it.
    skip_bad
        Whether a file, or a spectrum of many in one, that cannot be used is skipped instead of
        ending it all; a map of cubes is skipped as a whole.
    cubes
        Whether the spectra of a file are one map: a row of the dataset is a cube.
    """
    names = _names(paths)
    files: list[MeasuredFile] = []
    rows: list[Rows] = []
    refused: list[str] = []
    for path, name in zip(paths, names, strict=True):
        try:
            one = _read(path, rule, options, reader, skip_bad, cubes)
        except MeasurementError as error:
            text = str(error)
            shown = printable(str(path))
            text = text if text.startswith(shown) else f"{shown}: {text}"
            if not skip_bad:
                raise MeasurementError(f"{text} (--skip-bad skips such files)") from None
            refused.append(text)
            continue
        refused += [f"{printable(str(path))}: {text}" for text in one.refused]
        rows.append(one)
        files.append(
            MeasuredFile(
                name=name,
                sha256=_sha256(path),
                n_rows=one.n_rows,
                notes=one.notes,
            )
        )
    if not files:
        raise MeasurementError(f"expected a file that can be used, got none: {refused[0]}")
    return Collection(tuple(files), tuple(rows), tuple(refused))


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the names of files, with as many of their folders as tell them apart."""
    depth = 1
    while True:
        names = [printable("/".join(path.parts[-depth:])) for path in paths]
        if len(set(names)) == len(names) or depth > 32:
            return [name[-_LONGEST:] for name in names]
        depth += 1


def _read(
    path: Path,
    rule: LabelRule,
    options: ReadOptions,
    reader: str | None,
    skip_bad: bool,
    cubes: bool,
) -> Rows:
    content, record = read_file(path, options._replace(cubes=cubes), reader)[:2]
    if cubes:
        content = cubes_of_arrays(content) if isinstance(content, RowArrays) else _cube(content)
    if isinstance(content, RowArrays):
        if content.cubes is not None and not cubes:
            raise MeasurementError(
                "expected spectra or maps, got cubes; make rows of them: --as cubes"
            )
        arrays, places = content, None
        if content.bad:
            if not (skip_bad and len(content.bad) < content.n_rows):
                raise MeasurementError(content.bad[0][1])
            arrays, places = content.without_bad()
        known = None if arrays.label is not None else rule.of(path)
        labels = arrays.label or (known.label if known else "",) * arrays.n_rows
        groups = arrays.group or (known.group if known else None,) * arrays.n_rows
        parts = arrays.part or (known.part if known else None,) * arrays.n_rows
        numbers = known.numbers if known else {}
        rows = zip(labels, groups, parts, strict=True)
        refused = tuple(text for _, text in content.bad)
        return Rows(arrays, tuple(Known(*one, numbers) for one in rows), record, places, refused)
    spectra: list[Spectrum] = []
    kept: list[int] = []
    problems: list[str] = []
    for place, one in enumerate(content):
        if not isinstance(one, Spectrum):
            problems.append(str(one))
            continue
        problem = problem_of(one)
        if problem is None:
            spectra.append(one)
            kept.append(place)
        else:
            problems.append(f"{one.name}: {problem}" if len(content) > 1 else problem)
    if problems and not (skip_bad and spectra):
        raise MeasurementError(problems[0])
    known_rows = (rule.of(path),) * len(spectra)
    places = tuple(kept) if problems else None
    return Rows(tuple(spectra), known_rows, record, places, tuple(problems))


def _cube(content: Sequence[Spectrum | MeasurementError]) -> RowArrays:
    """Return the spectra of a map as a cube; a constant one is a pixel, and no problem."""
    spectra: list[Spectrum] = []
    for one in content:
        if isinstance(one, MeasurementError):
            raise one
        spectra.append(one)
    cube = cube_of(spectra)
    if cube.cubes is not None and float(np.ptp(cube.cubes)) == 0.0:
        raise MeasurementError("expected a map with bands, got a constant one")
    return cube


def problem_of(one: Spectrum) -> str | None:
    """Return what is wrong with a spectrum as a row of a dataset, or None."""
    if float(np.ptp(one.intensity)) == 0.0:
        return "expected a spectrum with bands, got a constant"
    if len(one.shift_cm1) < _FEWEST_POINTS:
        return (
            f"expected a spectrum, of {_FEWEST_POINTS} points or more, got {len(one.shift_cm1)}; a "
            "table of peaks is a species: tersgen library import"
        )
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
