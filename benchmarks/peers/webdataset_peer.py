"""webdataset: tar files of rows, of packs of rows, or of single fields; shuffled in a buffer."""

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset
from common import (
    APART,
    Batch,
    Epoch,
    flat_batches,
    load_fields,
    load_matrix,
    main,
    row_apart,
    save_fields,
)
from torch.utils.data import DataLoader

_SHARD_ROWS = 4096
_PACKS = {"rows one by one": 1, "packs of 64 rows": 64}
_LAYOUTS = (*_PACKS, APART)
SETTINGS = tuple(
    f"{workers} workers, buffer {buffer}, {pack}"
    for pack, workers, buffer in product(_LAYOUTS, (0, 2), (1000, 4096))
)


def write(folder: Path, source: Path) -> None:
    """Write shards of 4096 rows: row by row, in packs, and a file for each field of a row."""
    fields = load_fields(source)
    save_fields(folder, fields)
    matrix = load_matrix(source)
    for size in _PACKS.values():
        (folder / f"{size}").mkdir(exist_ok=True)
        for shard, low in enumerate(range(0, len(matrix), _SHARD_ROWS)):
            with webdataset.TarWriter(str(folder / f"{size}" / f"{shard:05d}.tar")) as writer:
                rows = matrix[low : low + _SHARD_ROWS]
                for first in range(0, len(rows), size):
                    data = rows[first : first + size].tobytes()
                    writer.write({"__key__": f"{low + first:09d}", "bin": data})
    (folder / APART).mkdir(exist_ok=True)
    for shard, low in enumerate(range(0, len(matrix), _SHARD_ROWS)):
        with webdataset.TarWriter(str(folder / APART / f"{shard:05d}.tar")) as writer:
            for number, row in enumerate(matrix[low : low + _SHARD_ROWS], low):
                apart = row_apart(row, fields)
                files = {_file(name): value for name, value in apart.items()}
                writer.write({"__key__": f"{number:09d}", **files})


class _Unpack:
    """Rows out of packs."""

    def __init__(self, width: int) -> None:
        self._width = width

    def __call__(self, samples: Iterable[dict[str, bytes]]) -> Iterator[np.ndarray]:
        for sample in samples:
            yield from np.frombuffer(sample["bin"], np.float32).reshape(-1, self._width)


def _file(field: str) -> str:
    return f"{field.replace('/', '_')}.npy"


def _stack(rows: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(rows))


def read(folder: Path, batch: int, setting: str) -> Epoch:
    """Read with its pipeline, in a DataLoader of torch."""
    fields = load_fields(folder)
    workers, buffer, layout = setting.split(", ")
    below = folder / (layout if layout == APART else f"{_PACKS[layout]}")
    urls = [str(path) for path in sorted(below.glob("*.tar"))]
    rows = webdataset.WebDataset(urls, shardshuffle=len(urls), empty_check=False)
    size = int(buffer.split()[1])
    if layout == APART:
        names = [_file(name) for name in fields]
        dataset = rows.shuffle(size, initial=size).decode().to_tuple(*names).batched(batch)
    else:
        width = max(field.stop for field in fields.values())
        dataset = (
            rows.compose(_Unpack(width))
            .shuffle(size, initial=size)
            .batched(batch, collation_fn=_stack, partial=True)
        )
    n_workers = int(workers[0])
    loader = DataLoader(
        dataset, batch_size=None, num_workers=n_workers, persistent_workers=n_workers > 0
    )
    if layout == APART:
        return lambda: (_named(values, fields) for values in loader)
    return lambda: flat_batches(loader, fields, torch.as_tensor)


def _named(values: Iterable[Any], fields: Iterable[str]) -> Batch:
    return {name: torch.as_tensor(value) for name, value in zip(fields, values, strict=True)}


if __name__ == "__main__":
    main(write, read, SETTINGS, "float32")
