"""litdata: rows as one flat array each, or as fields apart, chunks of 64 MB, its own shuffle."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from common import (
    APART,
    Epoch,
    flat_batches,
    load_fields,
    load_matrix,
    main,
    row_apart,
    save_fields,
)
from litdata import StreamingDataLoader, StreamingDataset, optimize

SETTINGS = (
    "0 workers",
    "2 workers",
    "0 workers, collated by torch",
    "2 workers, collated by torch",
    f"0 workers, {APART}",
    f"2 workers, {APART}",
)


def _row(index: int, source: Path) -> np.ndarray:
    return np.array(load_matrix(source)[index])


def _row_apart(index: int, source: Path) -> dict[str, np.ndarray]:
    return row_apart(load_matrix(source)[index], load_fields(source))


def write(folder: Path, source: Path) -> None:
    """Write all rows with ``litdata.optimize``, once packed and once apart."""
    save_fields(folder, load_fields(source))
    n = len(load_matrix(source))
    for name, row in (("data", _row), ("apart", _row_apart)):
        optimize(
            partial(row, source=source),
            inputs=list(range(n)),
            output_dir=str(folder / name),
            chunk_bytes="64MB",
            num_workers=2,
        )


def _stack(rows: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(rows))


def read(folder: Path, batch: int, setting: str) -> Epoch:
    """Read with its own data loader."""
    fields = load_fields(folder)
    apart = setting.endswith(APART)
    own = {} if apart or setting.endswith("torch") else {"collate_fn": _stack}
    name = "apart" if apart else "data"
    dataset = StreamingDataset(str(folder / name), shuffle=True, drop_last=False)
    loader = StreamingDataLoader(
        dataset, batch_size=batch, num_workers=int(setting[0]), drop_last=False, **own
    )
    if apart:
        return lambda: loader
    return lambda: flat_batches(loader, fields, torch.as_tensor)


if __name__ == "__main__":
    main(write, read, SETTINGS, "float32")
