"""Batches of a recipe that are made on the device where they are used: nothing is copied to it."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.opening import torch_generator
from tersgen.dataset.sources import narrowed
from tersgen.errors import ConfigError

from .order import Order, Partition
from .segments import ROW


class DeviceRows:
    """Rows of some fields of a recipe, made by PyTorch."""

    def __init__(self, dataset: Dataset, fields: Sequence[str], device: str | torch.device) -> None:
        if dataset.manifest is not None:
            raise ConfigError(
                f"{dataset.path}: expected a recipe with device, got a stored dataset, whose rows "
                "are read; leave device (stream.on_device) out"
            )
        self._fields = tuple(fields)
        self._generator = torch_generator(narrowed(dataset.recipe, fields), device)

    def batch(self, rows: NDArray[np.int64]) -> dict[str, torch.Tensor]:
        """Return rows by their numbers, on the device."""
        index = torch.from_numpy(rows).to(self._generator.device)
        made = self._generator.rows(index)
        return {**{name: made[name] for name in self._fields}, ROW: index}


def rows_of_batches(
    order: Order, epoch: int, first: int, partition: Partition
) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each batch of an epoch that are a rank's, from batch ``first`` on."""
    waiting: dict[int, NDArray[np.int64]] = {}
    missing: dict[int, int] = {}
    batch = first
    for visit in order.visits(epoch, first, partition):
        rows = visit.rows + visit.block * order.rows.block_rows
        for number in np.unique(visit.batches).tolist():
            share = partition.share(order.batch_rows(number))
            room = waiting.setdefault(number, np.empty(len(share), np.int64))
            mine = visit.batches == number
            room[visit.places[mine] - share.start] = rows[mine]
            missing[number] = missing.get(number, len(share)) - int(mine.sum())
        while missing.get(batch) == 0:
            yield waiting.pop(batch)
            batch += 1
