"""Rows of a dataset that fulfil conditions, as JSON, Arrow or Parquet."""

import time
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Response
from numpy.typing import NDArray

from ...dataset.conditions import columns_of, fulfilled, parse_where
from ...dataset.dataset import Dataset
from ...dataset.parquet import to_arrow
from ...errors import ConfigError
from ...text import not_among
from ..auth import needs
from ..server import Here
from ..statistics import scalar_fields

router = APIRouter(prefix="/api/v1/datasets", tags=["datasets"], dependencies=[needs("read")])

_MOST_ROWS = 10_000
_MOST_BYTES = 32 << 20
_BLOCK_ROWS = 1 << 16
_LONGEST_S = 10.0


class _Chosen:
    """Rows that fulfil the conditions of a request.

    Attributes
    ----------
    rows
        Those between offset and offset + limit of all that match, int64.
    total
        How many rows match among those that were read.
    n_looked
        How many were read: all, unless that takes too long.
    """

    def __init__(
        self, dataset: Dataset, where: str, split: str | None, offset: int, limit: int
    ) -> None:
        conditions = parse_where(where, dataset.fields, dataset.classes) if where.strip() else []
        names = columns_of(conditions)
        part = None
        if split is not None:
            part = np.zeros(len(dataset), bool)
            part[dataset.select(split=split).row_numbers] = True
        self.n_looked = self.total = 0
        found = [np.zeros(0, np.int64)]
        end = time.monotonic() + _LONGEST_S
        step = _BLOCK_ROWS if conditions else 1 << 24
        while self.n_looked < len(dataset) and time.monotonic() < end:
            start, stop = self.n_looked, min(len(dataset), self.n_looked + step)
            kept = np.ones(stop - start, bool) if part is None else part[start:stop]
            if conditions:
                columns = {name: dataset[name][start:stop] for name in names}
                kept = kept & fulfilled(conditions, columns, dataset.classes)
            first, n_matches = max(0, offset - self.total), int(kept.sum())
            wanted = offset + limit - self.total - first
            if wanted > 0 and first < n_matches:
                found.append(np.flatnonzero(kept)[first : first + wanted] + start)
            self.total += n_matches
            self.n_looked = stop
        self.rows = np.concatenate(found)


def _names(dataset: Dataset, fields: str | None) -> list[str]:
    """Return the fields that are asked for: by default those with one number for each row."""
    if fields is None:
        return [spec.name for spec in scalar_fields(dataset)]
    known = dataset.fields
    names = [*dict.fromkeys(one.strip() for one in fields.split(",") if one.strip())]
    for name in names:
        if name not in known:
            raise ConfigError(f"fields: {not_among(name, known)}")
    return names


@router.get("/{name}/rows", response_model=None)
def rows(
    server: Here,
    name: str,
    where: Annotated[str, Query(description="params/width > 1 and species == benzene")] = "",
    split: Annotated[str | None, Query(description="a part of a split: default:train")] = None,
    fields: Annotated[str | None, Query(description="separated by commas")] = None,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=0, le=_MOST_ROWS)] = 100,
    format: Literal["json", "arrow", "parquet"] = "json",
) -> dict[str, Any] | Response:
    """Return the rows that fulfil conditions, each with its number, species and fields.

    ``total`` rows match among the first ``n_looked``: all of them, unless that takes over 10 s.
    """
    dataset = server.folder.dataset(name).dataset
    names = _names(dataset, fields)
    row_bytes = sum(dataset[one].spec.value_bytes for one in names)
    if row_bytes * limit > _MOST_BYTES:
        raise ConfigError(
            f"limit: expected at most {_MOST_BYTES // row_bytes} rows of these fields, which are "
            f"{_MOST_BYTES >> 20} MiB, got {limit}"
        )
    chosen = _Chosen(dataset, where, split, offset, limit)
    if format != "json":
        return _table_response(dataset, chosen.rows, names, format)
    labels = dataset["label"][chosen.rows]
    columns: dict[str, list[Any]] = {
        "index": chosen.rows.tolist(),
        "species": [dataset.classes[label] for label in labels],
        **{one: _plain(dataset[one][chosen.rows]) for one in names},
    }
    listed = columns.values()
    return {
        "total": chosen.total,
        "n_looked": chosen.n_looked,
        "offset": offset,
        "rows": [dict(zip(columns, row, strict=True)) for row in zip(*listed, strict=True)],
    }


def _plain(values: NDArray[np.generic]) -> list[Any]:
    """Return a column for JSON: lists of numbers, null for those that are not finite."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        boxed = values.astype(object)
        boxed[~np.isfinite(values)] = None
        values = boxed
    plain: list[Any] = values.tolist()
    return plain


def _table_response(
    dataset: Dataset, rows: NDArray[np.int64], names: list[str], format: str
) -> Response:
    import pyarrow
    import pyarrow.parquet

    table = to_arrow(dataset.select(rows=rows), names)
    table = table.add_column(0, "index", pyarrow.array(rows))
    sink = pyarrow.BufferOutputStream()
    if format == "parquet":
        pyarrow.parquet.write_table(table, sink)
        kind = "application/vnd.apache.parquet"
    else:
        with pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        kind = "application/vnd.apache.arrow.stream"
    return Response(sink.getvalue().to_pybytes(), media_type=kind)
