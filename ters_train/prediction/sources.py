"""What is predicted: files, folders, patterns and lists of files, arrays, and rows of datasets."""

import glob
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.downloads import with_local_copy
from tersgen.dataset.ownership import names_dataset, names_rows
from tersgen.errors import (
    ConfigError,
    MeasurementError,
    NoBandError,
    NotCoveredError,
    NotRamanError,
)
from tersgen.measured.collection import find_files
from tersgen.measured.on_axis import TargetAxis, read_many_on_axis
from tersgen.measured.quality import NO_BAND
from tersgen.measured.reader import NOTHING_SAID, ReadOptions
from tersgen.measured.resample import check_range, measured_points, resample
from tersgen.measured.spectrum import Spectrum
from tersgen.text import printable
from tersgen.urls import as_path

from ..config import DataConfig
from ..data.measured import MEASURED, measured
from ..data.rows import rows_of_part
from ..engine.trained import Trained, check_fits
from ..engine.trainer import input_range
from ..planning import open_data
from .arrays import read_arrays

_ROWS_AT_ONCE = 4096
_BYTES_AT_ONCE = 1 << 26
_LABEL = "label"
UNUSABLE = "cannot be used"
TOO_LITTLE = "too little of the model's axis measured"
LEAST_MEASURED = 0.3
"""Share of the model's axis below which a spectrum says too little."""
_ANSWERS: tuple[tuple[type[MeasurementError], str], ...] = (
    (NotRamanError, "not Raman"),
    (NotCoveredError, "does not cover the model's axis"),
    (NoBandError, NO_BAND),
    (MeasurementError, UNUSABLE),
)


class SourceRow(NamedTuple):
    """Where a row that is predicted came from."""

    source: str
    """The file or dataset."""
    row: int | None = None
    """Its row there; None if there is one only."""
    summary: dict[str, Any] | None = None
    """What is worth showing of a measured spectrum."""
    extrapolated: float = 0.0
    """Share of the model's axis that was not measured."""
    truth: str | None = None
    """The species, where a dataset states it."""
    fault: str | None = None
    """Why a measured spectrum says little, in a few words."""


class InputBatch(NamedTuple):
    """Rows, and the arrays that the model is fed, by name, as many rows of each."""

    rows: list[SourceRow]
    arrays: dict[str, NDArray[Any]]


class Refused(NamedTuple):
    """A file, or a spectrum of one, that cannot be used."""

    reason: str
    """In a line that names the file."""
    source: str
    """The file."""
    row: int | None = None
    """Which spectrum of it; None if there is one only."""
    answer: str = UNUSABLE
    """What is wrong, in a few words."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {**self.as_record(), "reason": self.reason}

    def as_record(self) -> dict[str, Any]:
        """Return it as a row of a table, whose other columns are empty."""
        return {"file": self.source, "row": self.row, "answer": self.answer}


class SourceOptions(NamedTuple):
    """How sources are read."""

    read: ReadOptions = NOTHING_SAID
    """What the user states about measured files."""
    allow_extrapolation: bool = False
    """Whether a spectrum may be shorter than the model's axis."""
    split: str = "default"
    """Split of datasets."""
    part: str | None = None
    """Part of that split; None for all rows."""
    n_rows: int | None = None
    """First rows of a dataset; None for all."""
    follow_links: bool = False
    """Whether files of a dataset may be links."""
    processes: int = 1
    """How many processes read measured files."""


def find_sources(arguments: Sequence[str]) -> list[Path]:
    """Return the files and datasets that a user names.

    Parameters
    ----------
    arguments
        Files, datasets, recipes, folders, patterns such as ``spectra/*.txt`` that no shell has
        expanded, and ``-`` for a list of these on standard input, one a line; lines that begin with
        ``#`` are comments.

    Raises
    ------
    MeasurementError
        If one is not there, or there is no file at all.
    """
    found: list[Path] = []
    for text in _with_lists(arguments):
        path = with_local_copy(as_path(text))
        if names_rows(path):
            found.append(path)
        elif not path.exists() and glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 -- absolute ones, too
            if not matches:
                raise MeasurementError(f"expected files that match {printable(text)!r}, got none")
            found += find_sources(matches)
        else:
            found += find_files([path], names_dataset)
    if not found:
        raise MeasurementError("expected files to predict, got an empty list")
    return list(dict.fromkeys(found))


def _with_lists(arguments: Sequence[str]) -> Iterator[str]:
    for text in arguments:
        if text == "-":
            lines = (line.strip() for line in sys.stdin)
            yield from (line for line in lines if line and not line.startswith("#"))
        else:
            yield text


def read_sources(
    trained: Trained, paths: Sequence[Path], options: SourceOptions
) -> Iterator[InputBatch | Refused]:
    """Yield the rows of all sources, in order, in batches of bounded memory.

    Raises
    ------
    ConfigError
        If a dataset or an array has not what the model is fed.
    """
    files: list[Path] = []
    sees_spectra = trained.state.config.data.input == "spectrum"
    for path in paths:
        stored = names_rows(path)
        if not stored and sees_spectra:
            files.append(path)
            continue
        yield from _measured(trained, files, options)
        files = []
        yield from _dataset_rows(trained, path, options) if stored else _array_rows(trained, path)
    yield from _measured(trained, files, options)


def _measured(
    trained: Trained, paths: Sequence[Path], options: SourceOptions
) -> Iterator[InputBatch | Refused]:
    """Yield spectra of measured files; files that are small go together into a batch."""
    if not paths:
        return
    target = TargetAxis(trained.shift_cm1, trained.state.low, options.allow_extrapolation)
    rows: list[SourceRow] = []
    values: list[NDArray[np.float32]] = []
    masks: list[NDArray[np.bool_]] = []

    def batch() -> InputBatch:
        return InputBatch(rows, {"spectra": np.stack(values), MEASURED: np.stack(masks)})

    many = read_many_on_axis(paths, target, options.read, options.processes)
    for path, found in zip(paths, many, strict=True):
        for number, one in enumerate(found):
            if isinstance(one, MeasurementError):
                if rows:
                    yield batch()
                    rows, values, masks = [], [], []
                answer = next(text for kind, text in _ANSWERS if isinstance(one, kind))
                yield Refused(str(one), str(path), number if len(found) > 1 else None, answer)
                continue
            fault = TOO_LITTLE if 1 - one.extrapolated < LEAST_MEASURED else one.fault
            rows.append(SourceRow(str(path), one.row, one.summary, one.extrapolated, fault=fault))
            values.append(one.intensity)
            masks.append(one.measured)
            if len(rows) == _ROWS_AT_ONCE:
                yield batch()
                rows, values, masks = [], [], []
    if rows:
        yield batch()


def _array_rows(trained: Trained, path: Path) -> Iterator[InputBatch | Refused]:
    try:
        arrays = read_arrays(trained, path)
    except ConfigError as error:
        yield Refused(str(error), str(path))
        return
    n_rows = len(next(iter(arrays.values())))
    rows = [SourceRow(str(path), row if n_rows > 1 else None) for row in range(n_rows)]
    yield InputBatch(rows, arrays)


def _dataset_rows(trained: Trained, path: Path, options: SourceOptions) -> Iterator[InputBatch]:
    """Yield rows of a dataset; the next are read while these are predicted."""
    config = trained.state.config.data
    place = DataConfig(
        path=str(path), input=config.input, split=options.split, n_samples=config.n_samples,
        follow_links=options.follow_links,
    )  # fmt: skip
    dataset = open_data(place)
    target = _other_axis(trained, dataset, options)
    if target is None:
        check_fits(trained, dataset)
    names = trained.input_fields(dataset)
    numbers = _row_numbers(dataset, place, options)
    labelled = _LABEL in dataset
    row_bytes = sum(dataset[name].spec.value_bytes for name in names)
    size = max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE // row_bytes))
    chunks = [numbers[first : first + size] for first in range(0, len(numbers), size)]

    def read(rows: NDArray[np.intp]) -> InputBatch:
        arrays = {name: dataset[name][rows] for name in names}
        labels = dataset[_LABEL][rows].tolist() if labelled else [None] * len(rows)
        known = [
            SourceRow(str(path), row, truth=None if label is None else dataset.classes[label])
            for row, label in zip(rows.tolist(), labels, strict=True)
        ]
        if target is not None:
            return _on_axis(known, arrays, dataset.shift_cm1, target)
        return InputBatch(known, arrays)

    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(read, chunks[0])
        for later in [*chunks[1:], None]:
            ready = ahead.result()
            if later is not None:
                ahead = reader.submit(read, later)
            yield ready


def _other_axis(trained: Trained, dataset: Dataset, options: SourceOptions) -> TargetAxis | None:
    """Return the axis of the model if the spectra of a dataset are on another one, or None.

    Raises
    ------
    NotCoveredError
        If they do not cover it.
    """
    if trained.state.config.data.input != "spectrum" or "spectra" not in dataset:
        return None
    axis, wanted = dataset.shift_cm1, trained.shift_cm1
    is_same = len(axis) == len(wanted) and np.allclose(axis[[0, -1]], wanted[[0, -1]], atol=1e-6)
    if is_same and input_range(dataset) == trained.state.low:
        return None
    check_range(str(dataset.path), axis, wanted, options.allow_extrapolation)
    return TargetAxis(wanted, trained.state.low, options.allow_extrapolation)


def _on_axis(
    rows: list[SourceRow],
    arrays: dict[str, NDArray[Any]],
    shift_cm1: NDArray[np.float64],
    target: TargetAxis,
) -> InputBatch:
    """Return rows of a dataset, spectra of shape (n, L'), resampled as measured ones are."""
    spectra = arrays["spectra"]
    step = (shift_cm1[-1] - shift_cm1[0]) / (len(shift_cm1) - 1)
    nearest = np.rint((target.shift_cm1 - shift_cm1[0]) / step).astype(np.intp)
    here = measured({name: torch.from_numpy(one) for name, one in arrays.items()}).numpy() > 0
    mask = here[:, nearest.clip(0, len(shift_cm1) - 1)]
    mask &= measured_points(shift_cm1, target.shift_cm1)
    values = np.full((len(rows), len(target.shift_cm1)), target.low, np.float32)
    known = []
    for k, row in enumerate(rows):
        share = float(mask[k].mean())
        fault = TOO_LITTLE if share < LEAST_MEASURED else None
        spectrum = Spectrum(f"{row.source}, row {row.row}", shift_cm1, spectra[k].astype(float))
        try:
            values[k] = resample(
                spectrum,
                target.shift_cm1,
                low=target.low,
                allow_extrapolation=target.allow_extrapolation,
            )
        except NoBandError:
            fault = NO_BAND
        known.append(row._replace(extrapolated=1 - share, fault=fault))
    return InputBatch(known, {"spectra": values, MEASURED: mask})


def _row_numbers(dataset: Dataset, place: DataConfig, options: SourceOptions) -> NDArray[np.intp]:
    if options.part is None:
        return np.arange(min(dataset.n_samples, options.n_rows or dataset.n_samples))
    return rows_of_part(dataset, place, options.part).numbers()[: options.n_rows]
