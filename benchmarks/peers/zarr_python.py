"""A DataLoader of torch over zarr-python, on the very files of tersgen: blocks in random order."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import zarr
from common import Batch, Epoch, load_fields, main, save_fields
from memmap import block_shuffled
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

SETTINGS = ("2 workers", "0 workers")
_GROUP = 4096


def write(folder: Path, source: Path) -> None:
    """Copy the dataset, with links to its files."""
    save_fields(folder, load_fields(source))
    (folder / "data.zarr").symlink_to(source / "dataset.zarr")


class _Groups(IterableDataset[Batch]):
    """Groups of 16 blocks, read run by run and shuffled; each worker takes its share of them."""

    def __init__(self, path: Path, names: tuple[str, ...], batch: int) -> None:
        self._path, self._names, self._batch = path, names, batch
        self.turn = 0

    def __iter__(self) -> Iterator[Batch]:
        group = zarr.open_group(self._path, mode="r")
        arrays = {name: group[name] for name in self._names}
        worker = get_worker_info()
        step, first = (worker.num_workers, worker.id) if worker else (1, 0)
        self.turn += 1
        n = arrays["label"].shape[0]
        order = block_shuffled(n, np.random.default_rng(self.turn))
        for low in range(first * _GROUP, n, step * _GROUP):
            rows = order[low : low + _GROUP]
            runs = np.split(np.sort(rows), np.flatnonzero(np.diff(np.sort(rows)) != 1) + 1)
            got = {
                name: np.concatenate([array[run[0] : run[-1] + 1] for run in runs])
                for name, array in arrays.items()
            }
            places = np.argsort(np.argsort(rows))
            for start in range(0, len(rows), self._batch):
                chosen = places[start : start + self._batch]
                yield {name: torch.from_numpy(values[chosen]) for name, values in got.items()}


def read(folder: Path, batch: int, setting: str) -> Epoch:
    """Read with a DataLoader."""
    workers = int(setting[0])
    dataset = _Groups(folder / "data.zarr", tuple(load_fields(folder)), batch)
    loader = DataLoader(
        dataset, batch_size=None, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda: loader


if __name__ == "__main__":
    main(write, read, SETTINGS, "float16")
