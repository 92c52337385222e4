"""Hugging Face datasets: an Arrow column of flat rows, or one of each field, in mapped files."""

from pathlib import Path

import numpy as np
import pyarrow
import torch
from common import (
    APART,
    Batch,
    Epoch,
    Field,
    flat_batches,
    load_fields,
    load_matrix,
    main,
    save_fields,
    split,
)
from datasets import Dataset
from torch.utils.data import BatchSampler, DataLoader, RandomSampler

SETTINGS = (
    "map, 0 workers, numpy",
    "map, 2 workers, numpy",
    "map, 0 workers, torch",
    "map, 2 workers, torch",
    "shuffled indices, in process, numpy",
    "iterable, 0 workers, buffer 1000, numpy",
    "iterable, 2 workers, buffer 1000, numpy",
    "iterable, 2 workers, buffer 4096, torch",
    f"map, 0 workers, torch, {APART}",
    f"map, 2 workers, torch, {APART}",
    f"shuffled indices, in process, torch, {APART}",
)
_RECORD_ROWS = 256


def write(folder: Path, source: Path) -> None:
    """Write all rows as one column of lists of one length, and again as a column a field."""
    fields = load_fields(source)
    save_fields(folder, fields)
    matrix = load_matrix(source)
    whole = Field(0, matrix.shape[1], (matrix.shape[1],))
    _write_columns(folder / "data.arrow", matrix, {"row": whole})
    _write_columns(folder / "apart.arrow", matrix, fields)


def _write_columns(path: Path, matrix: np.ndarray, columns: dict[str, Field]) -> None:
    """Write an Arrow file of record batches of 256 rows, as ``Dataset.save_to_disk`` does."""
    widths = {name: field.stop - field.start for name, field in columns.items()}
    kinds = {name: pyarrow.list_(pyarrow.float32(), width) for name, width in widths.items()}
    schema = pyarrow.schema(list(kinds.items()))
    with (
        pyarrow.OSFile(str(path), "wb") as file,
        pyarrow.ipc.new_stream(file, schema) as writer,
    ):
        for low in range(0, len(matrix), _RECORD_ROWS):
            rows = matrix[low : low + _RECORD_ROWS]
            lists = [
                pyarrow.FixedSizeListArray.from_arrays(
                    pyarrow.array(rows[:, field.start : field.stop].reshape(-1)), widths[name]
                )
                for name, field in columns.items()
            ]
            writer.write_batch(pyarrow.record_batch(lists, schema=schema))


def _first(rows: list[Batch] | Batch) -> torch.Tensor:
    if isinstance(rows, dict):
        return torch.as_tensor(rows["row"])
    return torch.from_numpy(np.stack([np.asarray(row["row"]) for row in rows]))


def _shaped(batch: Batch, fields: dict[str, Field]) -> Batch:
    """Return a batch of fields in their shapes, of columns of lists."""
    return {name: batch[name].reshape(-1, *field.shape) for name, field in fields.items()}


def read(folder: Path, batch: int, setting: str) -> Epoch:
    """Read with a DataLoader over batches of indices, over a stream, or without one."""
    fields = load_fields(folder)
    way, *rest = setting.removesuffix(f", {APART}").split(", ")
    apart = setting.endswith(APART)
    dataset = Dataset.from_file(str(folder / ("apart.arrow" if apart else "data.arrow")))
    dataset = dataset.with_format(rest[-1])

    def as_fields(rows: Batch) -> Batch:
        if apart:
            return _shaped(rows, fields)
        return split(torch.from_numpy(rows["row"]), fields)

    if way == "shuffled indices":
        turns = iter(range(1 << 30))
        return lambda: map(as_fields, dataset.shuffle(seed=next(turns)).iter(batch))
    workers = int(rest[0][0])
    if way == "map":
        sampler = BatchSampler(RandomSampler(dataset), batch, drop_last=False)
        loader = DataLoader(
            dataset,
            batch_size=None,
            sampler=sampler,
            num_workers=workers,
            collate_fn=None if apart else _first,
            persistent_workers=workers > 0,
        )
        if apart:
            return lambda: map(as_fields, loader)
    else:
        stream = dataset.to_iterable_dataset(num_shards=16)
        stream = stream.shuffle(seed=0, buffer_size=int(rest[1].split()[1]))
        loader = DataLoader(
            stream.with_format(rest[-1]),
            batch_size=batch,
            num_workers=workers,
            collate_fn=_first,
            persistent_workers=workers > 0,
        )
    return lambda: flat_batches(loader, fields, torch.as_tensor)


if __name__ == "__main__":
    main(write, read, SETTINGS, "float32")
