"""What a picture is made of: rows of datasets, measured files, libraries, predictions."""

import csv
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..dataset.dataset import Dataset
from ..dataset.downloads import with_local_copy
from ..dataset.opening import open as open_dataset
from ..dataset.ownership import names_rows
from ..errors import ConfigError, MeasurementError, TersError
from ..measured.reader import ReadOptions, RowArrays
from ..measured.reading import read_file
from ..measured.spectrum import Spectrum
from ..schema.species import Species
from ..text import did_you_mean, printable
from ..urls import as_path, is_remote
from .samples import unmeasured_ends
from .spectra import Line, species_line

_TABLES = (".csv", ".jsonl", ".parquet")
_LIBRARY = ".tlib"
_MOST_LINES = 64
_ROWS_SEARCHED = 1 << 16


class Selection(NamedTuple):
    """Which spectra of a source are drawn."""

    rows: tuple[int, ...] | None = None
    """Rows; None for the first."""
    species: str | None = None
    """Rows of this species only."""
    read: ReadOptions = ReadOptions()
    """What the user states about measured files."""
    follow_links: bool = False
    """Whether files of datasets may be links."""


def has_rows(path: Path) -> bool:
    """Return whether a path names a dataset or a recipe; a YAML file may hold a species instead."""
    is_yaml = path.suffix.lower() in (".yaml", ".yml") and not is_remote(path)
    return names_rows(path) and not (is_yaml and holds_species(path))


def rows_of(dataset: Dataset, selection: Selection) -> tuple[int, ...]:
    """Return the chosen rows; of a species the first of it, unless rows are named."""
    if selection.species is None:
        return selection.rows or (0,)
    classes = dataset.classes
    if selection.species not in classes:
        raise ConfigError(
            f"{dataset.path}: expected one of its species, got {selection.species!r}"
            f"{did_you_mean(selection.species, classes)}"
        )
    labels = dataset["label"][: min(dataset.n_samples, _ROWS_SEARCHED)]
    found = np.flatnonzero(labels == classes.index(selection.species))
    if not len(found):
        raise ConfigError(
            f"{dataset.path}: expected a row of {selection.species} among the first "
            f"{len(labels)}, got none"
        )
    if selection.rows is None:
        return (int(found[0]),)
    try:
        return tuple(int(found[row]) for row in selection.rows)
    except IndexError:
        raise ConfigError(
            f"{dataset.path}: expected rows below {len(found)} of {selection.species}, got "
            f"{max(selection.rows)}"
        ) from None


def read_lines(path: Path, selection: Selection) -> list[Line]:
    """Return the spectra of a source."""
    if has_rows(path):
        dataset = open_dataset(path, follow_links=selection.follow_links)
        return [dataset_line(dataset, row) for row in rows_of(dataset, selection)]
    if holds_species(path):
        # without the factors of laser and temperature that measured intensities have
        found = library_species(path, selection.species)
        return [species_line(one)._replace(note="Raman activity") for one in found]
    if path.is_dir():
        inside = sorted(one for one in path.iterdir() if not one.name.startswith("."))
        first = next((one for one in inside if one.is_dir()), inside[0] if inside else None)
        raise ConfigError(
            f"{path}: expected a file, a dataset or a training run, got another folder"
            + (f"; draw what is in it, such as {first}" if first else ", which is empty")
        )
    if not path.exists():
        raise ConfigError(
            f"{path}: expected a dataset, recipe, measured file, library, predictions or training "
            "run, got no such file or folder"
        )
    predictions = read_predictions(path)
    if predictions is not None:
        return list(_predicted(predictions, selection))
    return _measured(path, selection)


def dataset_line(dataset: Dataset, row: int) -> Line:
    """Return the spectrum of a row; parts that were not measured are NaN."""
    if "spectra" not in dataset:
        raise ConfigError(f"{dataset.path}: expected a dataset with spectra, got one without any")
    sample = dataset.sample(row)
    values = np.array(sample["spectra"], np.float64)
    left, right = unmeasured_ends(sample)
    values[:left] = np.nan
    values[len(values) - right :] = np.nan
    name = f"{sample['species']} (row {row} of {dataset.path.name})"
    return Line(name, dataset.shift_cm1, values)


def holds_species(path: Path) -> bool:
    """Return whether a path is a library, an output of a program, a table of sticks or built-in.

    What the readers of measured files recognise as well holds species if it can be read as such: a
    spectrum is never taken for sticks.
    """
    from ..formats import HEAD_BYTES
    from ..library.importing import FORMATS as IMPORTERS
    from ..library.importing import load_library
    from ..library.sourcefile import read_beginning
    from ..measured.reading import FORMATS as READERS
    from ..resolution import is_library_file

    if not path.exists() and not is_library_file(str(path)):
        return True
    if path.suffix.lower() == _LIBRARY:
        return True
    if path.suffix.lower() in (".jsonl", ".parquet") or not path.is_file():
        return False  # predictions
    head = read_beginning(path, HEAD_BYTES)[:HEAD_BYTES]
    importer = IMPORTERS.choose(path, head)
    if importer is None:
        return False
    reader = READERS.choose(path, head)
    if reader is None or importer.part.rank < reader.part.rank:
        return True
    with warnings.catch_warnings(), suppress(TersError):
        warnings.simplefilter("ignore")  # they come again when it is drawn
        load_library(path)
        return True
    return False


def library_species(path: Path | str, name: str | None) -> list[Species]:
    """Return the species of a library, or the one of a name."""
    from ..recipe import Recipe
    from ..resolution import build_library

    library = build_library(Recipe(library=(str(path),)))
    if name is None:
        return list(library.species)[:_MOST_LINES]
    found = [one for one in library.species if one.name == name]
    if not found:
        names = [one.name for one in library.species]
        raise ConfigError(
            f"{path}: expected one of its species, got {name!r}{did_you_mean(name, names)}"
        )
    return found


def _measured(path: Path, selection: Selection) -> list[Line]:
    content = read_file(path, selection.read).content
    if isinstance(content, RowArrays):
        if content.spectra is None or content.shift_cm1 is None:
            raise ConfigError(f"{path}: expected spectra, got maps")
        rows = selection.rows or (0,)
        axis, spectra = content.shift_cm1, content.spectra
        _check_rows(path, rows, len(spectra))
        return [Line(f"{path.name} row {k}", axis, np.array(spectra[k], float)) for k in rows]
    spectra_of = [one for one in content if isinstance(one, Spectrum)]
    if not spectra_of:
        raise MeasurementError(f"{printable(str(path))}: {content[0]}")
    rows = selection.rows or tuple(range(min(len(spectra_of), 12)))
    _check_rows(path, rows, len(spectra_of))
    several = len(spectra_of) > 1
    return [
        Line(
            f"{path.name} row {k}" if several else one.name,
            one.shift_cm1,
            one.intensity,
        )
        for k in rows
        for one in [spectra_of[k]]
    ]


def _check_rows(path: Path, rows: Sequence[int], n_rows: int) -> None:
    wrong = [row for row in rows if not -n_rows <= row < n_rows]
    if wrong:
        raise ConfigError(f"{path}: expected rows from 0 to {n_rows - 1}, got {wrong[0]}")


def read_predictions(path: Path) -> list[dict[str, Any]] | None:
    """Return the rows of a table that ``ters-train predict`` wrote; None if it is none."""
    ending = path.suffix.lower()
    if ending not in _TABLES or not path.is_file():
        return None
    try:
        return _table(path, ending)
    except (ValueError, csv.Error) as error:  # pyarrow's errors and those of JSON are the former
        raise ConfigError(
            f"{path}: expected predictions, got a damaged table: {str(error).partition(chr(10))[0]}"
        ) from None


def _table(path: Path, ending: str) -> list[dict[str, Any]] | None:
    if ending == ".parquet":
        import pyarrow.parquet

        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    else:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            if ending == ".jsonl":
                rows = [json.loads(line) for line in file if line.startswith("{")]
            else:
                head = file.readline()
                if not head.startswith("file,row,"):
                    return None
                file.seek(0)
                rows = list(csv.DictReader(file))
    return rows if rows and "file" in rows[0] else None


def _predicted(rows: list[dict[str, Any]], selection: Selection) -> Iterator[Line]:
    """Yield the spectra of chosen rows of a table of predictions, with what was predicted."""
    chosen = selection.rows or tuple(range(min(len(rows), 9)))
    _check_rows(Path("predictions"), chosen, len(rows))
    opened: dict[str, Dataset] = {}
    for k in chosen:
        row = rows[k]
        source, number = with_local_copy(as_path(row["file"])), row.get("row")
        if number and not str(number).isdecimal():
            raise ConfigError(
                f"predictions: expected the number of a row of {source}, got {number!r}"
            )
        place = None if number in (None, "") else int(number)
        if names_rows(source):
            dataset = opened.setdefault(str(source), open_dataset(source))
            line = dataset_line(dataset, place or 0)
        else:
            only = selection._replace(rows=(place or 0,), species=None)
            (line,) = _measured(source, only)
        yield line._replace(note=_said(row))


def _said(row: dict[str, Any]) -> str:
    best = row["species"][0] if isinstance(row.get("species"), list) and row["species"] else None
    name = best["name"] if best else row.get("species_1")
    share = (best or row).get("probability") or row.get("probability_1")
    said = f"predicted: {name}" if name else f"predicted: {row.get('value', '')}"
    said += f" {float(share):.0%}" if share not in (None, "") else ""
    truth = row.get("truth")
    return f"{said}, true: {truth}" if truth and truth != name else said
