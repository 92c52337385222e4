"""Rows by the parts of a split, for formats that keep Parquet files for each."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ConfigError
from .exporter import Report, plain_dtype
from .tables import RowTable

if TYPE_CHECKING:
    from ..dataset.dataset import Dataset

ALL = "train"
"""The part of all rows if there is no split: readers expect this name for a single part."""
SHARD_SIZE = "largest size of a Parquet file, before compression"
_TEXTS_BYTES = 32
"""Of a row, about: its number and its species."""


class Part(NamedTuple):
    """A part of a split as Parquet files."""

    name: str
    stem: str
    """The name without hyphens, which names of splits must not have; files begin with it."""
    n_rows: int
    files: tuple[str, ...]
    """Their names: ``train-00000-of-00012.parquet``."""
    schema: Any


def write_parts(
    dataset: "Dataset",
    fields: Sequence[str],
    split: str,
    shard_mb: float,
    folder: Path,
    report: Report,
) -> list[Part]:
    """Write the rows as Parquet files of a bounded size by the parts of a split.

    Files that exist, of an export that was killed, are kept.

    Parameters
    ----------
    dataset, fields
        The rows, and what columns they have.
    split
        Name of the split; a dataset without the split ``default`` has one part, ``train``.
    shard_mb
        Most megabytes of a file before compression.
    folder
        Where the files go.
    report
        Called with how many rows are written, and how many there are.
    """
    specs = [dataset[name].spec for name in fields]
    row_bytes = _TEXTS_BYTES + sum(
        plain_dtype(one).itemsize * math.prod(one.shape) for one in specs
    )
    step = max(1, int(shard_mb * 1e6 / row_bytes))
    views = [*_part_views(dataset, split)]
    stems = [name.replace("-", "_") for name, _ in views]
    if len({*stems}) < len(stems):
        raise ConfigError(
            f"{split}: expected parts whose names differ in more than - and _, got "
            f"{', '.join(name for name, _ in views)}; export another split with --set split=NAME"
        )
    parts, done = list[Part](), 0
    for stem, (name, view) in zip(stems, views, strict=True):
        starts = range(0, len(view), step)
        files = [f"{stem}-{k:05}-of-{len(starts):05}.parquet" for k in range(len(starts))]
        for start, file in zip(starts, files, strict=True):
            rows = view.view(slice(start, start + step))
            if not (folder / file).exists():
                RowTable(rows, fields).write(folder / file, report, done, len(dataset))
            done += len(rows)
            report(done, len(dataset))
        schema = RowTable(view, fields).schema
        parts.append(Part(name, stem, len(view), tuple(files), schema))
    return parts


def _part_views(dataset: "Dataset", split: str) -> Iterator[tuple[str, "Dataset"]]:
    """Yield the names and the rows of the parts of a split that have rows."""
    if split == "default" and split not in dataset.splits:
        yield ALL, dataset
        return
    numbers = dataset.parts(split)
    for k, name in enumerate(dataset.splits[split].rule.names):
        if (numbers == k).any():
            yield name, dataset.view(numbers == k)
