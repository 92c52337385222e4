"""webdataset: tar files of rows, or of packs of rows, with shuffled shards and a shuffle buffer."""

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch
import webdataset
from common import Epoch, flat_batches, load_fields, load_matrix, main, save_fields
from torch.utils.data import DataLoader

_SHARD_ROWS = 4096
_PACKS = {"rows one by one": 1, "packs of 64 rows": 64}
SETTINGS = tuple(
    f"{workers} workers, buffer {buffer}, {pack}"
    for pack, workers, buffer in product(_PACKS, (0, 2), (1000, 4096))
)


def write(folder: Path, source: Path) -> None:
    """Write shards of 4096 rows, once row by row and once in packs."""
    save_fields(folder, load_fields(source))
    matrix = load_matrix(source)
    for size in _PACKS.values():
        (folder / f"{size}").mkdir(exist_ok=True)
        for shard, low in enumerate(range(0, len(matrix), _SHARD_ROWS)):
            with webdataset.TarWriter(str(folder / f"{size}" / f"{shard:05d}.tar")) as writer:
                rows = matrix[low : low + _SHARD_ROWS]
                for first in range(0, len(rows), size):
                    data = rows[first : first + size].tobytes()
                    writer.write({"__key__": f"{low + first:09d}", "bin": data})


class _Unpack:
    """Rows out of packs."""

    def __init__(self, width: int) -> None:
        self._width = width

    def __call__(self, samples: Iterable[dict[str, bytes]]) -> Iterator[np.ndarray]:
        for sample in samples:
            yield from np.frombuffer(sample["bin"], np.float32).reshape(-1, self._width)


def _stack(rows: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(rows))


def read(folder: Path, batch: int, setting: str) -> Epoch:
    """Read with its pipeline, in a DataLoader of torch."""
    fields = load_fields(folder)
    workers, buffer, pack = setting.split(", ")
    width = max(field.stop for field in fields.values())
    urls = [str(path) for path in sorted((folder / f"{_PACKS[pack]}").glob("*.tar"))]
    dataset = (
        webdataset.WebDataset(urls, shardshuffle=len(urls), empty_check=False)
        .compose(_Unpack(width))
        .shuffle(int(buffer.split()[1]), initial=int(buffer.split()[1]))
        .batched(batch, collation_fn=_stack, partial=True)
    )
    n_workers = int(workers[0])
    loader = DataLoader(
        dataset, batch_size=None, num_workers=n_workers, persistent_workers=n_workers > 0
    )
    return lambda: flat_batches(loader, fields, torch.as_tensor)


if __name__ == "__main__":
    main(write, read, SETTINGS, "float32")
