"""The bound: rows gathered from arrays mapped into memory, uncompressed and unchecked."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from common import Batch, Epoch, load_fields, load_matrix, main, save_fields, split

SETTINGS = (
    "an array for each field, new batches",
    "an array for each field, two batches used in turn",
    "one flat matrix, new batches",
    "one flat matrix, two batches used in turn",
)
_BLOCK = 256
_MIXED = 16


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name.replace('/', '.')}.npy"


def write(folder: Path, source: Path) -> None:
    """Write an array for each field, and all fields in one matrix."""
    fields = load_fields(source)
    matrix = load_matrix(source)
    save_fields(folder, fields)
    for name, values in split(matrix, fields).items():
        np.save(_file(folder, name), values)
    np.save(folder / "rows.npy", matrix)


def block_shuffled(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return all rows: blocks of 256 in random order, every 16 of them shuffled into each other."""
    blocks = rng.permutation(-(-n // _BLOCK))
    parts = []
    for low in range(0, len(blocks), _MIXED):
        rows = np.concatenate(
            [np.arange(b * _BLOCK, min(n, (b + 1) * _BLOCK)) for b in blocks[low : low + _MIXED]]
        )
        parts.append(rng.permutation(rows))
    return np.concatenate(parts)


def read(folder: Path, batch: int, setting: str) -> Epoch:
    """Gather a batch of each array at a time."""
    fields = load_fields(folder)
    flat = setting.startswith("one flat")
    used_again = setting.endswith("in turn")
    names = ("rows",) if flat else tuple(fields)
    arrays = {name: np.load(_file(folder, name), mmap_mode="r") for name in names}
    rng = np.random.default_rng(0)
    n = len(arrays[names[0]])
    ring = [
        {name: np.empty((batch, *array.shape[1:]), array.dtype) for name, array in arrays.items()}
        for _ in range(2 if used_again else 0)
    ]

    def epoch() -> Iterator[Batch]:
        order = block_shuffled(n, rng)
        for number, low in enumerate(range(0, n, batch)):
            rows = order[low : low + batch]
            got = {}
            for name, array in arrays.items():
                if used_again:
                    room = ring[number % 2][name][: len(rows)]
                    np.take(array, rows, axis=0, out=room, mode="clip")
                else:
                    room = array[rows]
                got[name] = torch.from_numpy(room)
            yield split(got["rows"], fields) if flat else got

    return epoch


if __name__ == "__main__":
    main(write, read, SETTINGS, "float32")
