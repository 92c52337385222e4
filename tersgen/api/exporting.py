"""Datasets in the formats of other programs, from Python: ``tersgen.export``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..dataset.dataset import Dataset
from ..dataset.opening import open as open_dataset
from ..exports.exporting import export as export_rows
from ..urls import as_path
from .progress import ProgressLike, files_to, reporting


def export(
    data: str | Path | Dataset,
    out: str | Path,
    to: str,
    *,
    split: str | None = None,
    part: str | None = None,
    species: str | Iterable[str] | None = None,
    rows: Any = None,
    where: str | None = None,
    fields: str | Iterable[str] | None = None,
    follow_links: bool = False,
    progress: ProgressLike = None,
    **settings: Any,
) -> Path:
    """Write rows of a dataset in the format of another program; return where.

    The file or folder is written whole or not at all, and replaces nothing. Some rows are in
    memory at a time.

    Parameters
    ----------
    data
        A dataset, a view of one, or the path of one.
    out
        The new file or folder.
    to
        The format: ``"bagit"``, ``"citation"``, ``"croissant"``, ``"datacite"``, ``"hdf5"``,
        ``"huggingface"``, ``"hyperspy"``, ``"nexus"``, ``"ome-zarr"``, ``"parquet"``, or that of a
        plug-in.
    split, part, species, rows, where
        Which rows, as :meth:`Dataset.select` takes them.
    fields
        Names of the fields; by default those that suit the format.
    follow_links
        Whether files of the dataset may be links.
    progress
        Called with a :class:`tersgen.Progress`; True shows a bar.
    **settings
        Settings of the format, such as ``preview=64``; ``tersgen export --to parquet --help`` lists
        those of a format.

    Raises
    ------
    ConfigError
        If there is no such format or setting, no row is selected, or the dataset lacks what the
        format needs.
    UnknownFieldError
        If there is no such field, split or part.
    MissingExtraError
        If a package that the format needs is not installed.
    OutputError
        If ``out`` exists, is inside a dataset, or cannot be written.
    DatasetError
        If there is no dataset, or it is damaged.
    """
    dataset = data if isinstance(data, Dataset) else open_dataset(data, follow_links=follow_links)
    if any(one is not None for one in (split, part, species, rows, where)):
        dataset = dataset.select(split=split, part=part, species=species, rows=rows, where=where)
    names = [fields] if isinstance(fields, str) else list(fields or ())
    with reporting(progress) as report:
        export_rows(dataset, as_path(out), to, names or None, settings, files_to(report) or None)
    return Path(out)
