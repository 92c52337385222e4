"""mosaicml-streaming: MDS shards of 64 MB, its shuffles by blocks."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

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
from torch.utils.data import DataLoader

try:
    import torchvision  # noqa: F401
except RuntimeError:  # a wheel for GPUs, beside a torch for CPUs
    # streaming imports its readers of images, which are not used here, and they import this
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    for name in ("", ".datasets", ".transforms", ".transforms.functional"):
        module = ModuleType(f"torchvision{name}")
        module.__spec__ = importlib.util.spec_from_loader(module.__name__, None)
        module.VisionDataset = module.to_tensor = object  # type: ignore[attr-defined]
        sys.modules[module.__name__] = module

from streaming import MDSWriter, StreamingDataset
from streaming.base.util import clean_stale_shared_memory

SETTINGS = (
    "0 workers, py1s",
    "2 workers, py1s",
    "0 workers, py1e",
    "2 workers, py1e",
    "2 workers, py1br",
    f"0 workers, py1s, {APART}",
    f"2 workers, py1s, {APART}",
)


def write(folder: Path, source: Path) -> None:
    """Write all rows as one column of arrays of one shape, and again as a column a field."""
    fields = load_fields(source)
    save_fields(folder, fields)
    matrix = load_matrix(source)
    column = {"row": f"ndarray:float32:{matrix.shape[1]}"}
    with MDSWriter(out=str(folder / "data"), columns=column, size_limit=64 << 20) as writer:
        for row in matrix:
            writer.write({"row": row})
    columns = {
        name: "ndarray:float32:" + ",".join(map(str, field.shape or (1,)))
        for name, field in fields.items()
    }
    with MDSWriter(out=str(folder / "apart"), columns=columns, size_limit=64 << 20) as writer:
        for row in matrix:
            apart = row_apart(row, fields)
            writer.write({name: np.atleast_1d(value) for name, value in apart.items()})


def _stack(rows: list[dict[str, np.ndarray]]) -> torch.Tensor:
    return torch.from_numpy(np.stack([row["row"] for row in rows]))


def read(folder: Path, batch: int, setting: str) -> Epoch:
    """Read with a DataLoader of torch."""
    fields = load_fields(folder)
    workers, algorithm = int(setting[0]), setting.split(", ")[1]
    apart = setting.endswith(APART)
    clean_stale_shared_memory()
    dataset = StreamingDataset(
        local=str(folder / ("apart" if apart else "data")),
        shuffle=True,
        shuffle_algo=algorithm,
        shuffle_block_size=4096,
        batch_size=batch,
    )
    loader = DataLoader(
        dataset,
        batch_size=batch,
        num_workers=workers,
        collate_fn=None if apart else _stack,
        persistent_workers=workers > 0,
    )
    if apart:
        return lambda: loader
    return lambda: flat_batches(loader, fields, torch.as_tensor)


if __name__ == "__main__":
    main(write, read, SETTINGS, "float32")
