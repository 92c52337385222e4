"""Batches of a dataset, or of a recipe, in the order of training, as torch tensors.

Threads read and decode; worker processes are not needed, and slower. Batches are views of memory
that is not copied again.
"""

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pydantic import JsonValue
from torch.utils.data import IterableDataset, get_worker_info
from torch.utils.data._utils.collate import default_collate_fn_map

from tersgen.cpus import available_cpus, free_memory
from tersgen.dataset.dataset import Dataset
from tersgen.dataset.sources import BlockSource, Copies, ReadTimes
from tersgen.errors import ConfigError, DamagedDataError
from tersgen.urls import is_remote

from ..config import StreamConfig
from .group import checked_partition, group_partition, refuse_lonely
from .on_device import DeviceRows, rows_of_batches
from .order import Order, Partition
from .prefetch import Piece, Prefetcher, PrefetchTimes, Task
from .segments import ROW, Arrays, Pool, RowSpec, views

Batch = dict[str, torch.Tensor]

_LEAST_WINDOW = 2

_PREFETCH_MB = 256
"""Memory for batches that are read ahead, if two segments need no more."""

_MOST_OF_FREE = 0.5
"""Share of the free memory that two segments may take, unless the configuration says more."""

_REMOTE_THREADS = 8
"""Threads that read a dataset of a URL at first: they mostly wait for answers."""


class _Batch(dict[str, torch.Tensor]):
    """A batch that torch's DataLoader does not collect into batches of batches."""


def _refuse(batch: Sequence[Batch], **_: Any) -> Batch:
    raise ConfigError(
        "DataLoader: expected batch_size=None, as the stream makes whole batches, got batches of "
        f"{len(batch)} of them; the size of a batch is that of the stream's Order"
    )


default_collate_fn_map[_Batch] = _refuse


class Stream(IterableDataset[Batch]):
    """Batches of some fields of a dataset, epoch after epoch.

    Each iteration goes through one epoch; the next one starts the following epoch. It can be
    entered at any batch (``load_state_dict``) and gives the same batches for any number of threads;
    each rank gets its share of every batch. A batch may be kept: its memory is used again only when
    it is gone. In a ``DataLoader`` give ``batch_size=None``, and no worker processes: they gain
    nothing.

    Parameters
    ----------
    dataset
        An open dataset, stored or generated.
    fields
        Names of its fields; a batch holds ``row``, the row numbers, too.
    order
        Which rows, in which order, cut into which batches.
    partition
        Which of the ranks this is; by default that of the process group of torch.distributed, as
        it is when an epoch starts.
    config
        Threads, memory, and what to do at a damaged chunk.
    pin
        Whether to lock the memory for copies to a GPU.
    device
        Where the rows of a recipe are made, with the same values, as in :func:`tersgen.generate`;
        by default on the processor. Stored rows are always read to memory.

    Raises
    ------
    ConfigError
        If the batch size is not a multiple of the number of ranks, or the partition contradicts
        the process group. When it is iterated: if several processes were launched and are in no
        group.
    UnknownFieldError
        If the dataset lacks a field.
    """

    def __init__(
        self,
        dataset: Dataset,
        fields: Sequence[str],
        order: Order,
        partition: Partition | None = None,
        config: StreamConfig | None = None,
        pin: bool = False,
        device: str | torch.device | None = None,
    ) -> None:
        self.fields = tuple(fields)
        self.order = order
        self._asked = partition
        self._before: Partition | None = None
        self.config = config or StreamConfig()
        self.epoch = 0
        self.batch = 0
        """Batches of the epoch that were handed out."""
        self._repaired: set[int] = set()
        self._prefetcher: Prefetcher | None = None
        self._pool: Pool | None = None
        self._reader: BlockSource | None = None
        self._pin = pin
        self._dataset = dataset
        self._digest = dataset.identity
        self._made = None if device is None else DeviceRows(dataset, fields, device)
        self._process = os.getpid()
        self._busy = False
        specs = [dataset[name].spec for name in self.fields]
        self._specs = [RowSpec(s.name, s.shape, s.value_dtype) for s in specs]
        self._specs.append(RowSpec(ROW, (), np.dtype(np.int64)))
        self._check(self.partition)

    @property
    def partition(self) -> Partition:
        """Which of the ranks this is, now: the process group may be younger than the stream.

        Raises
        ------
        ConfigError
            If the one that was asked for contradicts the group.
        """
        return checked_partition(self._asked, self._before)

    def _check(self, partition: Partition) -> None:
        """Refuse batches that the ranks cannot share, or that need more memory than allowed."""
        world = partition.world_size
        if self.order.batch_size % world:
            raise ConfigError(
                f"batch size: expected a multiple of the {world} processes, got "
                f"{self.order.batch_size}"
            )
        row = sum(spec.bytes_of(64) for spec in self._specs) / 64
        share = len(partition.share(self.order.batch_size))
        needed = _LEAST_WINDOW * self._segment_batches * share * row
        asked = self.config.prefetch_mb
        most = max(_PREFETCH_MB, _MOST_OF_FREE * free_memory() / 1e6) if asked is None else asked
        if needed > 1e6 * most:
            is_free = ", half of the free memory" if asked is None else ""
            raise ConfigError(
                f"stream.prefetch_mb: expected room for twice {self.order.mix_blocks} "
                f"blocks, {needed / 1e6:.1f} MB, got {most:.0f}{is_free}; allow more memory, "
                "or mix fewer blocks (order.mix_blocks)"
            )

    @property
    def _segment_batches(self) -> int:
        """Batches of a segment: so many that the rows of a block go to two segments at most."""
        return self.order.spread

    @property
    def times(self) -> PrefetchTimes:
        """Where the time of the last, or present, iteration went."""
        return self._prefetcher.times if self._prefetcher else PrefetchTimes()

    @property
    def n_repaired(self) -> int:
        """Blocks that were damaged and rebuilt."""
        return len(self._repaired)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self.order.n_batches

    @property
    def belonging(self) -> dict[str, JsonValue]:
        """What a state belongs to: the dataset by its digest, the fields, the order by its own."""
        return {
            "dataset": self._digest,
            "fields": list(self.fields),
            "order": self.order.digest,
        }

    def state_dict(self) -> dict[str, JsonValue]:
        """Return the position of the stream (epoch, batches delivered) and what it streams."""
        return {"epoch": self.epoch, "batch": self.batch, "of": self.belonging}

    def load_state_dict(self, state: Mapping[str, JsonValue]) -> None:
        """Move to the position of another stream of the same order, with any number of ranks.

        Raises
        ------
        ConfigError
            If the state is of another dataset, other fields or another order, or there is no such
            place.
        """
        of, own = state.get("of"), self.belonging
        if not isinstance(of, dict):
            raise ConfigError(
                "state: expected one of state_dict(), which names what it belongs to, got one of "
                f"{', '.join(map(str, state))[:80] or 'nothing'}"
            )
        for name, value in own.items():
            if of.get(name) != value:
                raise ConfigError(
                    f"state: expected the {name} of this stream, {value}, got {of.get(name)!r:.200}"
                )
        self.enter(state.get("epoch"), state.get("batch"))

    def enter(self, epoch: Any, batch: Any) -> None:
        """Move to the position before a batch of an epoch; any place of an epoch can be entered.

        Raises
        ------
        ConfigError
            If there is no such place.
        """
        whole = isinstance(epoch, int) and isinstance(batch, int)
        if not (whole and 0 <= epoch < 2**63 and 0 <= batch <= len(self)):
            raise ConfigError(
                f"state: expected an epoch and one of {len(self)} batches, got {epoch!r:.40} and "
                f"{batch!r:.40}"
            )
        self.epoch, self.batch = epoch, batch

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is open; the dataset is pickled by reference.

        A worker of a DataLoader is in no process group: it works for the rank that started it.
        """
        fresh = dict.fromkeys(("_process", "_prefetcher", "_pool", "_reader"))
        before = group_partition() or self._before
        return {**self.__dict__, **fresh, "_before": before, "_busy": False}

    def __iter__(self) -> Generator[Batch, None, None]:
        """Yield the rest of the epoch, batch by batch.

        Raises
        ------
        DamagedDataError
            At a chunk that is damaged, unless it is to be rebuilt.
        ConfigError
            If the stream is iterated twice at once, or in a process that was forked while it was;
            or its batches cannot be shared by the ranks that there are by now.
        """
        if self._busy:
            where = "in a process forked from it" if os.getpid() != self._process else "already"
            raise ConfigError(
                f"stream: it is being read {where}; finish that first, make another stream, or "
                "start processes by spawn or forkserver"
            )
        worker = get_worker_info()
        step, first = (worker.num_workers, worker.id) if worker else (1, 0)
        partition = self.partition
        refuse_lonely(partition, self._asked)
        self._check(partition)
        if self.batch == len(self):
            self.epoch, self.batch = self.epoch + 1, 0
        self._busy, self._process = True, os.getpid()
        try:
            batches = self._batches if self._made is None else self._batches_made
            yield from batches(partition, first, step)
            self.epoch, self.batch = self.epoch + 1, 0
        finally:
            self._busy = False

    def _batches_made(self, partition: Partition, first: int, step: int) -> Iterator[Batch]:
        """Yield the same as ``_batches``, made on a device."""
        assert self._made is not None
        start = self.batch
        numbers = rows_of_batches(self.order, self.epoch, start, partition)
        for batch, rows in enumerate(numbers, start):
            self.batch = batch + 1
            if batch % step == first:
                yield _Batch(self._made.batch(rows))

    def _batches(self, partition: Partition, first: int, step: int) -> Iterator[Batch]:
        """Yield those batches from ``self.batch`` on whose number is ``first`` modulo ``step``."""
        order, share = self.order, len(partition.share(self.order.batch_size))
        per_segment = self._segment_batches
        start = self.batch
        # kept from epoch to epoch: new memory is slow at its first touch, and files stay open
        if self._pool is None or self._pool.n_rows != per_segment * share:
            self._pool = Pool(self._specs, per_segment * share, self._pin)
        pool = self._pool
        room = 1e6 * (self.config.prefetch_mb or _PREFETCH_MB)
        window = max(_LEAST_WINDOW, int(room // max(1, pool.segment_bytes)))
        reader = self._reader = self._reader or self._dataset.blocks(self.fields)
        makers: list[BlockSource] = []

        def fill(block: int, copies: list[Copies], times: ReadTimes) -> None:
            low = block * order.rows.block_rows
            for take, out, put in copies:
                out[ROW].view(np.int64)[put, 0] = take + low
            wanted = [
                Copies(take, {name: out[name] for name in self.fields}, put)
                for take, out, put in copies
            ]
            try:
                reader.read_into(low, wanted, times)
            except DamagedDataError:
                if self.config.on_damage == "stop":
                    raise
                if not makers:
                    makers.append(self._dataset.blocks(self.fields, generate=True))
                makers[0].read_into(low, wanted, times)
                self._repaired.add(block)

        def rows_of(segment: int) -> int:
            low = start + segment * per_segment
            high = min(order.n_batches, low + per_segment)
            last = partition.share(order.batch_rows(high - 1))
            return (high - 1 - low) * share + len(last)

        tasks = self._tasks(start, per_segment, partition)
        at_first = _REMOTE_THREADS if is_remote(self._dataset.path) else None
        threads, cores = self.config.threads, available_cpus()
        with Prefetcher(tasks, rows_of, fill, pool, window, threads, cores, at_first) as prefetcher:
            self._prefetcher = prefetcher
            arrays: Arrays = {}
            for batch in range(start, order.n_batches):
                segment, place = divmod(batch - start, per_segment)
                if place == 0:
                    arrays = {}  # a segment that nobody else keeps is free again
                    arrays = prefetcher.take(segment)
                self.batch = batch + 1
                if batch % step == first:
                    n_rows = len(partition.share(order.batch_rows(batch)))
                    yield _Batch(views(arrays, place * share, place * share + n_rows))

    def _tasks(self, start: int, per_segment: int, partition: Partition) -> Iterator[Task]:
        """Yield the blocks of the epoch from a batch on, and where this rank's rows of them go."""
        order, share = self.order, len(partition.share(self.order.batch_size))
        full = partition.share(order.batch_size).start
        last = partition.share(order.batch_rows(order.n_batches - 1)).start
        for block, take, batches, places in order.visits(self.epoch, start, partition):
            low = np.where(batches == order.n_batches - 1, last, full)
            segment, put = np.divmod((batches - start) * share + places - low, per_segment * share)
            yield Task(
                block,
                [
                    Piece(int(number), take[segment == number], put[segment == number])
                    for number in np.unique(segment)
                ],
            )
