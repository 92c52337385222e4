"""Rows as tables of Arrow, and as Parquet files."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingExtraError, OutputError
from .exporting import chosen_fields
from .output_file import check_output_file, write_output

if TYPE_CHECKING:
    from .dataset import Dataset
    from .field import Field

SPECIES = "species"
_GROUP_BYTES = 1 << 26
"""Bytes of rows of a row group: so many are in memory at a time."""


def arrow_package() -> Any:
    """Return the package pyarrow."""
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "expected the package pyarrow for Parquet, got no such package; run: pip install "
            "'tersgen[parquet]'"
        ) from error
    return pyarrow


def to_column(values: NDArray[Any]) -> Any:
    """Return an Arrow array of rows: lists of fixed size for each dimension after the first."""
    arrow = arrow_package()
    column = arrow.array(np.ascontiguousarray(values).reshape(-1))
    for size in reversed(values.shape[1:]):
        column = arrow.FixedSizeListArray.from_arrays(column, size)
    return column


def _schema(dataset: "Dataset", fields: "dict[str, Field]") -> Any:
    arrow = arrow_package()
    columns = []
    if "label" in fields:
        columns.append(arrow.field(SPECIES, arrow.dictionary(arrow.int32(), arrow.string())))
    for name, field in fields.items():
        kind = arrow.from_numpy_dtype(field.dtype)
        for size in reversed(field.spec.shape):
            kind = arrow.list_(kind, size)
        spec = field.spec
        facts = {"unit": spec.unit, "description": spec.description, "dims": " ".join(spec.dims)}
        columns.append(arrow.field(name, kind, metadata=facts))
    facts = {"dataset": str(dataset.path.name), "identity": dataset.identity}
    return arrow.schema(columns, metadata=facts)


def to_arrow(
    dataset: "Dataset", fields: Iterable[str] | None = None, rows: slice = slice(None)
) -> Any:
    """Return rows as a :class:`pyarrow.Table`: a column for each field, and ``species``."""
    arrow = arrow_package()
    named = chosen_fields(dataset, fields)
    values = {name: field[rows] for name, field in named.items()}
    columns = [to_column(one) for one in values.values()]
    if "label" in values:
        known = arrow.array(list(dataset.classes), arrow.string())
        labels = arrow.array(values["label"], arrow.int32())
        columns.insert(0, arrow.DictionaryArray.from_arrays(labels, known))
    return arrow.Table.from_arrays(columns, schema=_schema(dataset, named))


class _Sink:
    """A file of which the bytes written so far can be taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0
        self.closed = False

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._at += len(part)
        return len(part)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def take(self) -> list[bytes]:
        parts, self._parts = self._parts, []
        return parts


def _parquet(dataset: "Dataset", names: list[str]) -> Iterator[bytes]:
    """Yield the bytes of a Parquet file, a row group at a time."""
    from pyarrow import parquet

    row_bytes = sum(dataset[name].spec.value_bytes for name in names)
    step = max(1, min(1 << 20, _GROUP_BYTES // max(1, row_bytes)))
    sink = _Sink()
    with parquet.ParquetWriter(sink, _schema(dataset, chosen_fields(dataset, names))) as writer:
        for start in range(0, len(dataset), step):
            stop = min(start + step, len(dataset))
            writer.write_table(to_arrow(dataset, names, slice(start, stop)))
            yield from sink.take()
    yield from sink.take()


def to_parquet(
    dataset: "Dataset", path: Path, fields: Iterable[str] | None, overwrite: bool
) -> None:
    """Write rows as a Parquet file, whole or not at all; see ``Dataset.to_parquet``."""
    arrow_package()
    names = list(chosen_fields(dataset, fields))
    check_output_file(path)
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: expected a new file, got one that exists; pass overwrite=True")
    write_output(path, _parquet(dataset, names))
