"""What a format provides: a name, its settings, and how rows are written."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..dataset.dataset import Dataset
from ..dataset.labels import check_labels
from ..errors import ConfigError
from ..schema.base import Frozen
from ..schema.fields import FieldSpec

Report = Callable[[int, int], None]
"""Called with how many rows are written, and how many there are."""

_BLOCK_BYTES = 1 << 26
_BLOCK_ROWS = 1 << 16
"""Bytes of rows that are in memory at a time, and most rows: their names take room, too."""


class Exporter(ABC):
    """Writes rows of a dataset in one format.

    A subclass is registered in the group ``tersgen.exporters``; see CONTRIBUTING.md.
    """

    format: ClassVar[str]
    """What the format is called, in one line of ``--help``."""
    ending: ClassVar[str] = ""
    """How the name of the file must end; empty if any name will do."""

    resumes: ClassVar[bool] = False
    """Whether :meth:`write` resumes if ``out`` has what it had written before it was killed."""

    class Settings(Frozen):
        """What ``--set`` and keyword arguments of ``tersgen.export`` set."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def write(
        self, dataset: Dataset, fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write rows as a new file or folder.

        Parameters
        ----------
        dataset
            All rows to export, a view if some were selected; at least one.
        fields
            Names of the fields to export, which exist; None for those that suit the format.
        out
            Where to write. The name is temporary: it gets that of the user when all is written,
            and is removed after an error. It exists only if ``resumes`` is set, and then has what
            the same export had written before it was stopped.
        report
            To be called as rows are written.

        Raises
        ------
        ConfigError
            If the dataset lacks what the format needs.
        """


def row_blocks(dataset: Dataset, fields: Sequence[str]) -> Iterator[slice]:
    """Yield slices of rows that together are the dataset, each small enough for the memory.

    Parameters
    ----------
    dataset
        The dataset.
    fields
        Names of the fields that are read of each block.
    """
    row_bytes = sum(dataset[name].spec.value_bytes for name in fields)
    step = min(_BLOCK_ROWS, max(1, _BLOCK_BYTES // max(1, row_bytes)))
    if step > dataset.block_rows:
        step -= step % dataset.block_rows
    for start in range(0, len(dataset), step):
        yield slice(start, min(start + step, len(dataset)))


def plain_dtype(spec: FieldSpec) -> np.dtype[Any]:
    """Return the type of a field's values that every program reads: float32 for float16."""
    dtype = spec.value_dtype
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def plain(spec: FieldSpec, values: NDArray[Any]) -> NDArray[Any]:
    """Return values of a field in the type of :func:`plain_dtype`, which holds them exactly."""
    return values.astype(plain_dtype(spec), copy=False)


def species_of(dataset: Dataset, rows: slice) -> list[str]:
    """Return the name of the class of each of some rows.

    Raises
    ------
    DamagedDataError
        If a label is that of no class.
    """
    labels = dataset["label"][rows]
    check_labels(labels, len(dataset.classes), rows.start, f"{dataset.path}: ")
    return [dataset.classes[label] for label in labels]


def one_field(dataset: Dataset, fields: Sequence[str] | None, usual: Sequence[str]) -> str:
    """Return the one field that a format can hold: that of the user, or the first usual one.

    Raises
    ------
    ConfigError
        If the user names several, or the dataset has no usual one.
    """
    if fields is not None:
        if len(fields) != 1:
            raise ConfigError(f"--field: expected one field, got {', '.join(fields)}")
        return fields[0]
    for name in usual:
        if name in dataset:
            return name
    raise ConfigError(
        f"{dataset.path}: expected {' or '.join(usual)}, got {', '.join(dataset.fields)}; name one "
        "with --field"
    )
