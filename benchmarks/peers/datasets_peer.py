"""Hugging Face datasets: one Arrow column of flat rows, mapped into memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow
import torch
from common import Batch, Epoch, flat_batches, load_fields, load_matrix, main, save_fields, split
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
)
_RECORD_ROWS = 256


def write(folder: Path, source: Path) -> None:
    """Write one Arrow file of record batches of 256 rows, as ``Dataset.save_to_disk`` does."""
    save_fields(folder, load_fields(source))
    matrix = load_matrix(source)
    kind = pyarrow.list_(pyarrow.float32(), matrix.shape[1])
    schema = pyarrow.schema([("row", kind)])
    with (
        pyarrow.OSFile(str(folder / "data.arrow"), "wb") as file,
        pyarrow.ipc.new_stream(file, schema) as writer,
    ):
        for low in range(0, len(matrix), _RECORD_ROWS):
            flat = pyarrow.array(matrix[low : low + _RECORD_ROWS].reshape(-1))
            column = pyarrow.FixedSizeListArray.from_arrays(flat, matrix.shape[1])
            writer.write_batch(pyarrow.record_batch([column], schema=schema))


def _first(rows: list[Batch] | Batch) -> torch.Tensor:
    if isinstance(rows, dict):
        return torch.as_tensor(rows["row"])
    return torch.from_numpy(np.stack([np.asarray(row["row"]) for row in rows]))


def read(folder: Path, batch: int, setting: str) -> Epoch:
    """Read with a DataLoader over batches of indices, over a stream, or without one."""
    fields = load_fields(folder)
    way, *rest = setting.split(", ")
    dataset = Dataset.from_file(str(folder / "data.arrow")).with_format(rest[-1])
    if way == "shuffled indices":
        turns = iter(range(1 << 30))

        def in_process() -> Iterator[Batch]:
            for rows in dataset.shuffle(seed=next(turns)).iter(batch):
                yield split(torch.from_numpy(rows["row"]), fields)

        return in_process
    workers = int(rest[0][0])
    if way == "map":
        sampler = BatchSampler(RandomSampler(dataset), batch, drop_last=False)
        loader = DataLoader(
            dataset,
            batch_size=None,
            sampler=sampler,
            num_workers=workers,
            collate_fn=_first,
            persistent_workers=workers > 0,
        )
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
