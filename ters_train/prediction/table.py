"""Predictions by row in a file: CSV, JSON lines or Parquet, written while they are made."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tersgen.dataset.output_file import check_output_file, new_file, written
from tersgen.errors import ConfigError, MissingExtraError

from .predict import Prediction
from .sources import Refused

ENDINGS = (".csv", ".jsonl", ".parquet")
"""What the name of a table ends in, and with it says its format."""


class PredictionTable:
    """An open table of predictions; :func:`open_table` opens one."""

    def __init__(self, path: Path, file: BinaryIO, top: int) -> None:
        self._path = path
        self._file = file
        self._top = top
        self._waiting: list[Prediction | Refused] = []
        self._has_columns = False

    def write(self, predictions: Sequence[Prediction | Refused]) -> None:
        """Add rows; what is refused is a row with a file and an answer only.

        Raises
        ------
        OutputError
            If the file system refuses.
        """
        # columns are those of the first prediction: what is refused before that waits
        self._waiting += predictions
        self._has_columns |= any(isinstance(one, Prediction) for one in predictions)
        if self._has_columns:
            self._write_waiting()

    def _write_waiting(self) -> None:
        rows, self._waiting = self._waiting, []
        with written(self._path):
            self._add(rows)

    def _add(self, rows: Sequence[Prediction | Refused]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Write what is still in memory."""

    def _records(self, rows: Sequence[Prediction | Refused]) -> list[dict[str, Any]]:
        return [
            one.as_record(self._top) if isinstance(one, Prediction) else one.as_record()
            for one in rows
        ]


def _complete(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the first record with all columns."""
    return max(records, key=len)


@contextmanager
def open_table(path: Path, top: int = 3) -> Iterator[PredictionTable]:
    """Open a file of predictions: it gets its name once all rows are written.

    Parameters
    ----------
    path
        The file; its ending says the format.
    top
        How many species a row has columns for.

    Raises
    ------
    ConfigError
        If the ending is none of ``ENDINGS``.
    OutputError
        If the file cannot be written.
    MissingExtraError
        If it is Parquet, and pyarrow is not installed.
    """
    check_output_file(path)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ConfigError(
            f"{path}: expected a name that ends in {', '.join(ENDINGS)}, got "
            f"{path.suffix or 'no ending'}"
        )
    kind = {".csv": _Csv, ".jsonl": _JsonLines, ".parquet": _Parquet}[ending]
    with new_file(path) as file:
        table = kind(path, file, top)
        yield table
        with written(path):
            table.close()


class _JsonLines(PredictionTable):
    def _add(self, rows: Sequence[Prediction | Refused]) -> None:
        for one in rows:
            self._file.write(json.dumps(one.as_dict(), ensure_ascii=False).encode() + b"\n")


class _Csv(PredictionTable):
    def __init__(self, path: Path, file: BinaryIO, top: int) -> None:
        super().__init__(path, file, top)
        self._text = io.TextIOWrapper(file, "utf-8", newline="")
        self._rows: csv.DictWriter[str] | None = None

    def _add(self, rows: Sequence[Prediction | Refused]) -> None:
        records = self._records(rows)
        if self._rows is None:
            self._rows = csv.DictWriter(self._text, list(_complete(records)))
            self._rows.writeheader()
        self._rows.writerows(records)

    def close(self) -> None:
        self._text.detach()  # which writes what is left


class _Parquet(PredictionTable):
    def __init__(self, path: Path, file: BinaryIO, top: int) -> None:
        super().__init__(path, file, top)
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise MissingExtraError(
                "Parquet needs pyarrow, which is not installed: pip install 'tersgen[parquet]'; "
                "or write .csv or .jsonl"
            ) from None
        self._arrow: Any = pyarrow
        self._rows: Any = None

    def _add(self, rows: Sequence[Prediction | Refused]) -> None:
        records = self._records(rows)
        if self._rows is None:
            self._schema = self._schema_of(_complete(records))
            self._rows = self._arrow.parquet.ParquetWriter(self._file, self._schema)
        self._rows.write_table(self._arrow.Table.from_pylist(records, schema=self._schema))

    def _schema_of(self, record: dict[str, Any]) -> Any:
        """Return the types of columns; of those for a second species, as of the first."""
        known = {"row": self._arrow.int64(), "extrapolated": self._arrow.float64()}
        types = {int: self._arrow.int64(), float: self._arrow.float64(), str: self._arrow.string()}
        for name, value in record.items():
            first = record.get(f"{name.rpartition('_')[0]}_1") if value is None else value
            known.setdefault(name, types.get(type(first), self._arrow.string()))
        return self._arrow.schema([(name, known[name]) for name in record])

    def close(self) -> None:
        if self._rows is not None:
            self._rows.close()
