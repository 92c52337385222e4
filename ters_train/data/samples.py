"""Samples by number, for a DataLoader of torch: a map-style dataset that is fast in batches.

A batch is read as a whole: blocks are decoded once and stay in memory, up to a bound, and the rows
of a batch are copied out of them. ``Samples.batches`` gives the order of the stream, in which the
rows of a batch come from a few blocks; with it the bound may be far below the size of the dataset.
"""

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler, default_collate, get_worker_info
from torch.utils.data._utils.collate import default_collate_fn_map

from tersgen.cpus import available_cpus
from tersgen.dataset.dataset import Dataset
from tersgen.dataset.sources import BlockSource, Copies, ReadTimes, as_bytes
from tersgen.errors import ConfigError, RowIndexError, TersWarning
from tersgen.text import human_bytes

from .group import checked_partition, refuse_lonely
from .order import Order, Partition
from .rows import RowSet, all_rows
from .segments import ROW, views

Arrays = dict[str, NDArray[np.generic]]

_MEMORY_MB = 2048.0
_AHEAD = 8
"""Batches whose blocks are decoded together, side by side."""
_TOO_MANY = 4
"""So many times as many blocks decoded as there are, and the order does not suit the memory."""


class _Row(dict[str, torch.Tensor]):
    """One sample of a batch; the batch knows all of them together."""


class RowBatch(Sequence[_Row]):
    """The samples of a batch: a sequence, as a ``collate_fn`` expects, in one piece already."""

    def __init__(self, together: dict[str, torch.Tensor]) -> None:
        self.together = together

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.together[ROW])

    @overload
    def __getitem__(self, key: int) -> _Row: ...
    @overload
    def __getitem__(self, key: slice) -> "RowBatch": ...
    def __getitem__(self, key: int | slice) -> "_Row | RowBatch":
        """Return a sample, or some of them."""
        if isinstance(key, slice):
            return RowBatch({name: values[key] for name, values in self.together.items()})
        if not -len(self) <= key < len(self):
            raise IndexError(key)
        return _Row({name: values[key] for name, values in self.together.items()})


def _collate(batch: Sequence[_Row], **_: Any) -> dict[str, torch.Tensor]:
    """Return the batch that there is already; or the samples of one, stacked."""
    if isinstance(batch, RowBatch):
        return batch.together
    collated: dict[str, torch.Tensor] = default_collate([dict(row) for row in batch])
    return collated


default_collate_fn_map[_Row] = _collate


class Samples(TorchDataset[dict[str, torch.Tensor]]):
    """Samples of a dataset by number, for ``torch.utils.data.DataLoader`` and any sampler.

    ``DataLoader(samples, batch_size=256, shuffle=True)`` needs no ``collate_fn``; worker processes
    may be forked or spawned, each with memory of its own. A sample has tensors by the names of
    their fields, and its row number in the whole dataset as ``row``.

    Parameters
    ----------
    dataset
        An open dataset, stored or generated; or a view, ``ds.select(part="train")``.
    fields
        Names of its fields.
    memory_mb
        Megabytes of decoded rows that are kept at most. If all rows of the fields fit in, every
        order is fast; otherwise take that of :meth:`batches`.

    Raises
    ------
    UnknownFieldError
        If the dataset lacks a field.
    ConfigError
        If the memory is not enough for two blocks.
    """

    def __init__(
        self, dataset: Dataset, fields: Sequence[str], memory_mb: float = _MEMORY_MB
    ) -> None:
        self.dataset = dataset
        self.fields = (fields,) if isinstance(fields, str) else tuple(fields)
        self._whole = dataset.whole
        self._all = all_rows(self._whole)
        self._rows = dataset.row_numbers if dataset.is_view else None
        self._specs = [dataset[name].spec for name in self.fields]
        self._block_rows = dataset.block_rows
        block_bytes = self._block_rows * sum(spec.value_bytes for spec in self._specs)
        self._most = int(1e6 * memory_mb // max(1, block_bytes))
        if self._most < 2:
            raise ConfigError(
                f"memory_mb: expected room for two blocks of {human_bytes(block_bytes)}, got "
                f"{memory_mb}"
            )
        self._n_blocks = -(-len(self._whole) // self._block_rows)
        self._n_slots = min(self._most, self._n_blocks)
        self._n_decoded = 0
        self._warned = self._most >= self._n_blocks
        self._start()

    def _start(self) -> None:
        """Begin in a process: locks, open files and memory are not those of another."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._reader: BlockSource | None = None
        n_rows = self._n_slots * self._block_rows
        self._memory: Arrays = {
            spec.name: np.empty((n_rows, *spec.shape), spec.value_dtype) for spec in self._specs
        }
        self._slot = np.full(self._n_blocks, -1, np.int64)
        """Where in the memory each block is; -1 if it is not."""
        self._owner = np.full(self._n_slots, -1, np.int64)
        """The block in each slot."""
        self._used = np.zeros(self._n_slots, np.int64)
        """When each slot was used last."""
        self._time = 0
        self._serves = False
        """Whether batches are read in this process, not by workers."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is open or kept; the dataset is pickled by reference."""
        left_out = ("_lock", "_reader", "_whole", "_rows", "_memory", "_slot", "_owner", "_used")
        return {name: value for name, value in self.__dict__.items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open it again."""
        self.__dict__.update(state)
        self._whole = self.dataset.whole
        self._rows = self.dataset.row_numbers if self.dataset.is_view else None
        self._start()

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Return a sample.

        Raises
        ------
        RowIndexError
            If there is none of that number.
        DamagedDataError
            If stored bytes are missing or fail their checks.
        """
        batch = self.__getitems__([index]).together
        return {name: values[0] for name, values in batch.items()}

    def __getitems__(self, indices: Sequence[int]) -> RowBatch:
        """Return the samples of a batch; a DataLoader calls it.

        Raises
        ------
        RowIndexError
            If there is none of a number.
        DamagedDataError
            If stored bytes are missing or fail their checks.
        """
        places = np.asarray(indices, np.intp)
        bad = (places < -len(self)) | (places >= len(self))
        if bad.any():
            raise RowIndexError(
                f"row {int(places[bad][0])}: expected a row from {-len(self)} to {len(self) - 1}"
            )
        places = np.where(places < 0, places + len(self), places)
        rows = places if self._rows is None else self._rows[places]
        blocks, inside = np.divmod(rows, self._block_rows)
        wanted = np.unique(blocks)
        if self._process != os.getpid():
            # what a parent has decoded is here, too; its lock and open files are not to be used
            self._process, self._lock, self._reader = os.getpid(), threading.Lock(), None
        self._serves = get_worker_info() is None
        with self._lock:
            if len(wanted) <= self._n_slots:
                self._load(wanted)
                at = self._slot[blocks] * self._block_rows + inside
                out = {name: memory.take(at, 0) for name, memory in self._memory.items()}
            else:
                out = self._piecewise(blocks, inside, wanted)
        return RowBatch(views({**out, ROW: rows.astype(np.int64)}, 0, len(rows)))

    def expect(self, rows: NDArray[np.int64]) -> None:
        """Decode the blocks of rows that are asked for next, if they fit in and it is done here."""
        wanted = np.unique(rows // self._block_rows)
        if self._serves and len(wanted) <= self._n_slots:
            with self._lock:
                self._load(wanted)

    def _piecewise(
        self, blocks: NDArray[np.intp], inside: NDArray[np.intp], wanted: NDArray[np.intp]
    ) -> Arrays:
        """Return rows of more blocks than there is memory for."""
        out: Arrays = {
            spec.name: np.empty((len(blocks), *spec.shape), spec.value_dtype)
            for spec in self._specs
        }
        for first in range(0, len(wanted), self._n_slots):
            some = wanted[first : first + self._n_slots]
            self._load(some)
            here = np.isin(blocks, some)
            at = self._slot[blocks[here]] * self._block_rows + inside[here]
            for name, values in out.items():
                values[here] = self._memory[name][at]
        return out

    def _load(self, wanted: NDArray[np.intp]) -> None:
        """Decode the blocks that are not there in place of those not used for longest."""
        self._time += 1
        slots = self._slot[wanted]
        self._used[slots[slots >= 0]] = self._time
        missing = wanted[slots < 0]
        if not len(missing):
            return
        free = np.argpartition(self._used, len(missing) - 1)[: len(missing)]
        owners = self._owner[free]
        self._slot[owners[owners >= 0]] = -1
        self._owner[free], self._used[free] = -1, 0
        reader = self._reader = self._reader or self._whole.blocks(self.fields)

        def decode(block: int, slot: int) -> None:
            low, start = block * self._block_rows, slot * self._block_rows
            take = np.arange(min(self._block_rows, len(self._whole) - low))
            room = {name: as_bytes(memory) for name, memory in self._memory.items()}
            reader.read_into(low, [Copies(take, room, take + start)], ReadTimes())
            self._owner[slot], self._slot[block], self._used[slot] = block, slot, self._time

        pairs = list(zip(missing.tolist(), free.tolist(), strict=True))
        if len(pairs) == 1:
            decode(*pairs[0])
        else:
            with ThreadPoolExecutor(min(available_cpus(), len(pairs)), "ters-train-read") as pool:
                for _ in pool.map(lambda pair: decode(*pair), pairs):
                    pass
        self._n_decoded += len(pairs)
        if not self._warned and self._n_decoded > _TOO_MANY * self._n_blocks:
            self._warned = True
            warnings.warn(
                f"{self.dataset.path}: its rows do not fit in memory_mb, and are asked for in an "
                f"order that decodes each block again and again; give the DataLoader "
                "batch_sampler=samples.batches(...), or more memory_mb",
                TersWarning,
                stacklevel=2,
            )

    def batches(
        self,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = True,
        mix_blocks: int = 16,
        partition: Partition | None = None,
    ) -> "Batches":
        """Return a batch sampler in the order of the stream, whose batches need few blocks.

        ``DataLoader(samples, batch_sampler=samples.batches(256, seed=1))``. The parameters are
        those of :class:`ters_train.Order`; a rank of ``torch.distributed`` gets its share of each
        batch, as from the stream.

        Raises
        ------
        ConfigError
            If there is no whole batch, or a row is there twice.
        """
        if self._rows is None:
            chosen = self._all
        else:
            counts = np.bincount(self._rows, minlength=len(self._whole))
            if counts.max(initial=0) > 1:
                raise ConfigError("batches: expected each row once, got a view with one twice")
            parts = counts.astype(np.uint8)
            chosen = RowSet("the view", 0, len(parts), self._block_rows, parts, 1)
        order = Order(chosen, batch_size, mix_blocks, seed, shuffle, drop_last)
        return Batches(order, self._rows, partition, self.expect)


class Batches(Sampler[list[int]]):
    """Batches of sample numbers, epoch after epoch, in an order of the stream.

    Each iteration is an epoch; ``state_dict`` and ``load_state_dict`` keep the place, which is that
    of the batches given out: workers of a DataLoader are ahead of the training.

    Parameters
    ----------
    order
        The order, of rows of the whole dataset.
    rows
        The rows of the samples; None if they are all.
    partition
        Which of the ranks this is; by default that of the process group of torch.distributed.
    expect
        Told the rows of the next batches, some batches at a time.
    """

    def __init__(
        self,
        order: Order,
        rows: NDArray[np.intp] | None,
        partition: Partition | None = None,
        expect: Callable[[NDArray[np.int64]], None] | None = None,
    ) -> None:
        self.order = order
        self._expect = expect
        self._rows = rows
        self._partition = partition
        self.epoch = 0
        self.batch = 0
        self._check()

    def _check(self) -> Partition:
        partition = checked_partition(self._partition, None)
        if self.order.batch_size % partition.world_size:
            raise ConfigError(
                f"batch size: expected a multiple of the {partition.world_size} processes, got "
                f"{self.order.batch_size}"
            )
        return partition

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self.order.n_batches

    def set_epoch(self, epoch: int) -> None:
        """Move to the start of an epoch; by default each iteration is the next one."""
        self.epoch, self.batch = epoch, 0

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the rest of an epoch: the samples of each batch, of this rank."""
        partition = self._check()
        refuse_lonely(partition, self._partition)
        if self.batch == len(self):
            self.epoch, self.batch = self.epoch + 1, 0
        rows = sequence = self.order.epoch(self.epoch)
        if self._rows is not None:
            places = np.argsort(self._rows, kind="stable")
            sequence = places[np.searchsorted(self._rows, rows, sorter=places)]

        def share(number: int) -> slice:
            part = partition.share(self.order.batch_rows(number))
            start = number * self.order.batch_size
            return slice(start + part.start, start + part.stop)

        for number in range(self.batch, len(self)):
            if self._expect is not None and number % _AHEAD == 0:
                some = range(number, min(number + _AHEAD, len(self)))
                self._expect(np.concatenate([rows[share(one)] for one in some]))
            self.batch = number + 1
            yield sequence[share(number)].tolist()
        self.epoch, self.batch = self.epoch + 1, 0

    def state_dict(self) -> dict[str, JsonValue]:
        """Return the place."""
        return {"epoch": self.epoch, "batch": self.batch, "of": self.order.digest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Move to a place."""
        if state.get("of") != self.order.digest:
            raise ConfigError(
                f"state: expected one of this order of batches, {self.order.digest[:12]}, got "
                f"{state.get('of')!r:.14}"
            )
        epoch, batch = state.get("epoch"), state.get("batch")
        if (
            not isinstance(epoch, int)
            or not isinstance(batch, int)
            or not (0 <= epoch < 2**63 and 0 <= batch <= len(self))
        ):
            raise ConfigError(f"state: expected an epoch and a batch, got {epoch!r} and {batch!r}")
        self.epoch, self.batch = epoch, batch
