"""Rows as Arrow tables that any reader of Parquet understands, some at a time."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from ..dataset.parquet import arrow_package, to_column
from ..errors import ConfigError
from ..store.files import sync_file
from .about import coordinate_tables
from .exporter import Report, plain, plain_dtype, row_blocks, species_of

if TYPE_CHECKING:
    from ..dataset.dataset import Dataset
    from ..schema.fields import FieldSpec

ROW, SPECIES, DIGEST, PREVIEW = "row", "species", "digest", "preview"


class RowTable:
    """Rows of a dataset as a table: row numbers, species, fields, and optional columns.

    Parameters
    ----------
    dataset
        The rows.
    fields
        Names of the fields that become columns.
    splits
        Whether there is a column ``split/NAME`` for each split, with the names of its parts.
    digests
        Whether there is a column ``digest``; see :func:`row_digests`.
    preview
        Points of the column ``preview``, the spectrum in brief; 0 for none.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    ConfigError
        If a preview is asked for and there are no spectra, or fewer points.
    """

    def __init__(
        self,
        dataset: "Dataset",
        fields: Sequence[str],
        splits: bool = False,
        digests: bool = False,
        preview: int = 0,
    ) -> None:
        self._arrow = arrow_package()
        self._dataset = dataset
        self._fields = tuple(fields)
        self._splits = {
            f"split/{name}": np.array(split.rule.names)[dataset.parts(name)]
            for name, split in (dataset.splits.items() if splits else ())
        }
        self._digested = tuple(spec.name for spec in dataset.contents.fields) if digests else ()
        self._preview = preview
        if preview:
            n_points = dataset["spectra"].spec.shape[-1]
            if not 2 <= preview <= n_points:
                raise ConfigError(f"preview: expected 2 to {n_points} points, got {preview}")
        self.schema = self._schema()

    def specs(self) -> Iterator["FieldSpec"]:
        """Yield what describes the fields among the columns."""
        for name in self._fields:
            yield self._dataset[name].spec

    def _schema(self) -> Any:
        arrow, text = self._arrow, self._arrow.string()
        columns = [
            self._column(ROW, arrow.int64(), "1", "number of the row in the dataset"),
        ]
        if "label" in self._dataset:
            columns.append(self._column(SPECIES, text, "1", "name of the class"))
        for spec in self.specs():
            kind = arrow.from_numpy_dtype(plain_dtype(spec))
            for size in reversed(spec.shape):
                kind = arrow.list_(kind, size)
            columns.append(
                self._column(spec.name, kind, spec.unit, spec.description, " ".join(spec.dims))
            )
        columns += [
            self._column(name, text, "1", "part of the row in a split") for name in self._splits
        ]
        if self._digested:
            columns.append(self._column(DIGEST, text, "1", "BLAKE3 digest of the row's values"))
        if self._preview:
            kind = arrow.list_(arrow.float32(), self._preview)
            what = "largest value of the spectrum in bins around the positions of preview"
            columns.append(self._column(PREVIEW, kind, "1", what, PREVIEW))
        coordinates = coordinate_tables(self._dataset)
        if self._preview:
            centres = [bins.mean() for bins in self._bins(self._dataset.shift_cm1)]
            coordinates.append(
                {
                    "name": PREVIEW,
                    "dim": PREVIEW,
                    "unit": "cm^-1",
                    "description": "Raman shifts of the preview: centres of its bins",
                    "values": centres,
                }
            )
        facts = {
            "dataset": self._dataset.path.name,
            "identity": self._dataset.identity,
            "classes": json.dumps(self._dataset.classes),
            "coordinates": json.dumps(coordinates),
        }
        return arrow.schema(columns, metadata=facts)

    def _column(self, name: str, kind: Any, unit: str, text: str, dims: str = "") -> Any:
        facts = {"unit": unit, "description": text, "dims": dims}
        return self._arrow.field(name, kind, metadata=facts)

    def _bins(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        """Return an axis, or spectra along their last, in the bins of the preview."""
        return np.array_split(values, self._preview, axis=-1)

    def tables(self) -> Iterator[Any]:
        """Yield the rows as tables of Arrow, some at a time."""
        dataset, numbers = self._dataset, self._dataset.row_numbers.astype(np.int64)
        needed = {*self._fields, *self._digested, *(["spectra"] if self._preview else [])}
        for rows in row_blocks(dataset, sorted(needed)):
            values = {name: dataset[name][rows] for name in sorted(needed)}
            columns = [numbers[rows]]
            if "label" in dataset:
                columns.append(np.array(species_of(dataset, rows)))
            columns += [plain(spec, values[spec.name]) for spec in self.specs()]
            columns += [parts[rows] for parts in self._splits.values()]
            if self._digested:
                columns.append(np.array(row_digests({n: values[n] for n in self._digested})))
            if self._preview:
                spectra = plain(dataset["spectra"].spec, values["spectra"])
                columns.append(
                    np.stack([np.fmax.reduce(one, -1) for one in self._bins(spectra)], -1)
                )
            yield self._arrow.Table.from_arrays(
                [self._to_column(one) for one in columns], schema=self.schema
            )

    def _to_column(self, values: NDArray[Any]) -> Any:
        if values.dtype.kind == "U":
            return self._arrow.array(values.tolist(), self._arrow.string())
        return to_column(values)

    def write(self, path: Path, report: Report, done: int = 0, total: int | None = None) -> None:
        """Write a Parquet file, a group of rows at a time; it gets its name when it is complete.

        Parameters
        ----------
        path
            The file.
        report, done, total
            Called with the progress; the rows written to other files before, and all rows.
        """
        from pyarrow import parquet

        partial = path.with_name(f"{path.name}.partial")
        with parquet.ParquetWriter(partial, self.schema, compression="zstd") as writer:
            for table in self.tables():
                writer.write_table(table)
                done += len(table)
                report(done, total or len(self._dataset))
        sync_file(partial)
        partial.replace(path)


def row_digests(values: dict[str, NDArray[Any]]) -> list[str]:
    """Return the digest of each row: BLAKE3 over its fields in alphabetical order.

    Of each field the name, a zero byte, and the values as they are read, little-endian.
    """
    hashes = [blake3() for _ in range(len(next(iter(values.values()))))]
    for name, array in sorted(values.items()):
        little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
        for one, row in zip(hashes, little.reshape(len(little), -1), strict=True):
            one.update(name.encode() + b"\0")
            one.update(row.tobytes())
    return [one.hexdigest() for one in hashes]
