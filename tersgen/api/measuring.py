"""Datasets of measured rows from Python: ``tersgen.ingest``."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Literal, NamedTuple

from ..dataset.dataset import Dataset
from ..dataset.downloads import with_local_copy
from ..dataset.opening import open as open_dataset
from ..dataset.ownership import is_inside, is_same_place
from ..errors import ConfigError, MeasurementError, NotSyntheticError, TersWarning
from ..jobs.ingest import MeasuredRuns, Target, plan_ingest, repeated_edges
from ..jobs.ingest import ingest as ingest_rows
from ..jobs.output import check_output
from ..jobs.plan import Plan
from ..jobs.progress import Report
from ..jobs.replace import staging_folder
from ..jobs.run import Built
from ..measured.collection import Collection, collect
from ..measured.labels import LabelRule, LabelTable
from ..measured.reading import read_options
from ..schema.grid import Grid
from ..schema.loading import validate
from ..schema.manifest import Format
from ..schema.measured import Measured
from ..schema.species import UNKNOWN
from ..store.location import DatasetLocation, guess_format, new_location
from ..text import did_you_mean
from ..urls import as_path
from .progress import ProgressLike, reporting
from .sources import Note, find_sources

Samples = Literal["spectra", "cubes", "maps"]
"""What a sample of measured files is."""
_MOST_TOLD = 20
_MOST_NEW = 5


class PreparedIngest(NamedTuple):
    """Measured rows that are read and checked, ready to be written."""

    collection: Collection
    target: Target
    plan: Plan
    rows: MeasuredRuns
    location: DatasetLocation
    overwrite: bool
    threads: int | None
    like: Path | None

    @property
    def measured(self) -> Measured:
        """What was measured, as the dataset records it."""
        found = self.plan.recipe
        if not isinstance(found, Measured):
            raise NotSyntheticError("expected measured rows, got a recipe")
        return found

    @property
    def warning(self) -> str:
        """What to say of classes that the dataset of ``like`` does not have; or nothing."""
        known = self.target.classes
        new = [name for name in self.measured.classes[len(known) :] if known and name != UNKNOWN]
        if not new:
            return ""
        shown = ", ".join(f"{name}{did_you_mean(name, known)}" for name in new[:_MOST_NEW])
        more = f" and {len(new) - _MOST_NEW} more" if len(new) > _MOST_NEW else ""
        return f"{self.like} has no class {shown}{more}; added as new classes"

    def run(self, report: Report | None, cancel: Event | None = None) -> Built:
        """Write the dataset."""
        return ingest_rows(
            self.plan, self.rows, self.location, self.overwrite, self.threads, report, cancel
        )


def prepare_ingest(
    paths: Sequence[Path],
    out: Path,
    *,
    labels: Path | None = None,
    label: str | None = None,
    label_from: str | None = None,
    like: Path | None = None,
    grid: tuple[float, float, int] | None = None,
    axis: str | None = None,
    unit: str | None = None,
    vacuum: bool = False,
    spectrum: str | None = None,
    samples: Samples = "spectra",
    bands: Sequence[tuple[float, float]] = (),
    reader: str | None = None,
    laser_nm: float | None = None,
    allow_extrapolation: bool = False,
    skip_bad: bool = False,
    precision: str = "float32",
    seed: int = 0,
    format: Format | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    note: Note,
) -> PreparedIngest:
    """Read and check measured files, see :func:`ingest`; tell ``note`` what a user may overlook."""
    if sum(one is not None for one in (labels, label, label_from)) > 1:
        raise ConfigError("labels: expected one of labels, label and label_from, got several")
    if like is not None and grid is not None:
        raise ConfigError("axis: expected one of like and grid, got both")
    if samples not in ("spectra", "cubes", "maps"):
        raise ConfigError(f"samples: expected spectra, cubes or maps, got {samples!r:.80}")
    if bool(bands) != (samples == "maps"):
        got = f"bands for {samples}; leave them out" if bands else "none"
        raise ConfigError(f"bands: expected LOW:HIGH for maps, and only for them, got {got}")
    location = new_location(out, format or guess_format(out))
    check_output(location, overwrite)
    if precision not in ("float16", "float32"):
        raise ConfigError(f"precision: expected float16 or float32, got {precision!r:.80}")
    target = Target(None, (), precision, "unit", allow_extrapolation, laser_nm, seed, tuple(bands))
    target = _on_axis(target, like, grid, "shift_channel" if samples == "cubes" else "raman_shift")
    labels = None if labels is None else with_local_copy(labels)
    table = LabelTable(labels) if labels is not None else None
    rule = LabelRule(table, label, _pattern(label_from))
    files = _sources(paths, labels, location, note)
    options = read_options(axis, unit, vacuum, spectrum, laser_nm)
    collection = collect(files, rule, options, reader, skip_bad, samples != "spectra")
    for text in collection.refused[:_MOST_TOLD]:
        note(f"skipped: {text}")
    if len(collection.refused) > _MOST_TOLD:
        note(f"skipped: {len(collection.refused) - _MOST_TOLD} more")
    for text in collection.notes()[:_MOST_TOLD]:
        note(text)
    if table is not None and table.unused:
        shown = ", ".join(table.unused[:5])
        note(f"{labels}: no file for {len(table.unused)} of its lines: {shown}")
    plan, rows = plan_ingest(collection, target, location.format)
    prepared = PreparedIngest(collection, target, plan, rows, location, overwrite, threads, like)
    if allow_extrapolation:
        for text in repeated_edges(collection, prepared.measured.grid)[:_MOST_TOLD]:
            note(text)
    return prepared


def ingest(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    labels: str | Path | None = None,
    label: str | None = None,
    label_from: str | None = None,
    like: str | Path | None = None,
    grid: tuple[float, float, int] | None = None,
    axis: str | None = None,
    unit: str | None = None,
    vacuum: bool = False,
    spectrum: str | None = None,
    samples: Samples = "spectra",
    bands: Sequence[tuple[float, float]] = (),
    reader: str | None = None,
    laser_nm: float | None = None,
    allow_extrapolation: bool = False,
    skip_bad: bool = False,
    precision: str = "float32",
    seed: int = 0,
    format: Format | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    progress: ProgressLike = None,
    cancel: Event | None = None,
) -> Dataset:
    """Make a dataset of measured spectra or arrays, and return it opened.

    What was skipped, assumed or extended is a :class:`tersgen.TersWarning` each.

    Parameters
    ----------
    sources
        Files of spectra, folders of them, or NumPy arrays: one or several.
    out
        The dataset to write.
    labels
        A CSV file with the columns file and label, and perhaps group, part, and columns of
        numbers, which become arrays such as ``table/concentration``.
    label
        The label of all files.
    label_from
        ``"folder"``, or a regular expression with a group that finds the label in the path.
    like
        A dataset or recipe whose axis, range and order of classes to take.
    grid
        The axis: start and stop in cm^-1, and points; by default what all spectra cover, in 1024.
    axis
        What the axis of files is: ``"shift"``, ``"wavelength"``, ``"absolute"`` or ``"energy"``; or
        the axis of spectra in .npy files, cm^-1: ``"100:4000"`` or the path of a .npy.
    unit
        The unit of the axis of files, if they do not say.
    vacuum
        Whether wavelengths are in vacuum.
    spectrum
        Number, from 0, or name of the one spectrum to read of files of several.
    samples
        What a sample is: ``"spectra"``, a spectrum, also each point of a map; ``"cubes"``, the cube
        of a whole map; ``"maps"``, a map with a channel for each of ``bands``.
    bands
        Ends of bands, cm^-1: the channels of maps.
    reader
        The reader of all files; by default chosen by their content.
    laser_nm
        Wavelength of the laser, nm, if the files do not say.
    allow_extrapolation
        Whether to repeat the outermost intensities where the axis is not covered.
    skip_bad
        Whether to skip files that cannot be used.
    precision
        Type of spectra and maps: ``"float32"`` or ``"float16"``.
    seed
        Seed of the order of rows.
    format, overwrite, threads, progress, cancel
        As of :func:`tersgen.build`.

    Raises
    ------
    MeasurementError
        If a file cannot be used, or there is none.
    ConfigError
        If the options do not go together.
    OutputError
        If the output holds something else, or cannot be written.
    CancelledError
        If it was cancelled.
    """
    several = [sources] if isinstance(sources, (str, Path)) else sources
    prepared = prepare_ingest(
        [as_path(one) for one in several],
        Path(out),
        labels=None if labels is None else as_path(labels),
        label=label,
        label_from=label_from,
        like=None if like is None else as_path(like),
        grid=grid,
        axis=axis,
        unit=unit,
        vacuum=vacuum,
        spectrum=spectrum,
        samples=samples,
        bands=bands,
        reader=reader,
        laser_nm=laser_nm,
        allow_extrapolation=allow_extrapolation,
        skip_bad=skip_bad,
        precision=precision,
        seed=seed,
        format=format,
        overwrite=overwrite,
        threads=threads,
        note=lambda text: warnings.warn(text, TersWarning, stacklevel=4),
    )
    if prepared.warning:
        warnings.warn(prepared.warning, TersWarning, stacklevel=2)
    with reporting(progress) as report:
        prepared.run(report, cancel)
    return open_dataset(out)


def _sources(
    paths: Sequence[Path], labels: Path | None, location: DatasetLocation, note: Note
) -> list[Path]:
    """Return the files to read: without the labels, and what an earlier run has written."""
    written = (location.path, location.folder, staging_folder(location))
    files = [
        path
        for path in find_sources(paths, note, written)
        if (labels is None or not is_same_place(path, labels))
        and not any(is_inside(path, place) for place in written)
    ]
    if not files:
        raise MeasurementError(f"expected files of measured spectra outside {location}, got none")
    return files


def _on_axis(
    target: Target, like: Path | None, grid: tuple[float, float, int] | None, name: str
) -> Target:
    """Return a target with the axis, classes and range of ``like``, or the axis of ``grid``.

    ``name`` is that of the axis.
    """
    if like is not None:
        dataset = open_dataset(like)
        if target.bands:
            return target._replace(classes=dataset.classes, scale=dataset.scale)
        axis = dataset.axes.get(name)
        if axis is None:
            what = "cubes" if name == "shift_channel" else "spectra"
            raise ConfigError(f"like: expected a dataset with {what}, got one without any")
        return target._replace(
            grid=Grid(start_cm1=axis.start, stop_cm1=axis.stop, n_points=axis.n),
            classes=dataset.classes,
            scale=dataset.scale,
        )
    if grid is not None:
        start, stop, points = grid
        table = {"start_cm1": start, "stop_cm1": stop, "n_points": points}
        return target._replace(grid=validate(Grid, table, "grid"))
    return target


def _pattern(label_from: str | None) -> str | None:
    """Return where labels come from, if the text says so."""
    if label_from in (None, "folder"):
        return label_from
    try:
        groups = re.compile(str(label_from)).groups
    except re.error as error:
        raise ConfigError(f"label_from: no regular expression: {error}") from None
    if not groups:
        raise ConfigError(
            "label_from: expected folder, or a regular expression with a group as '([^/]+)__', got "
            f"{label_from!r}"
        )
    return label_from
