"""The order of training: a pure function of rows, seed and epoch, shared by any number of ranks.

Rows are grouped in blocks that are read and decoded as a whole. In each epoch the blocks are
permuted, and the rows of each block among themselves. That sequence is cut into lanes of equal
length, as many as blocks are to be mixed, and every batch takes the next few rows of every lane. So
a batch has rows of as many blocks as there are lanes; batches are the same for any number of ranks
and threads, and any of them can be computed without the previous ones. Ranks share a batch by
position, hence by lane: each reads the blocks of its own lanes and no others.

The bias that this accepts: rows of one block are a few batches apart at most, so two rows of a
dataset meet in a batch with a probability that depends on whether they share a block. Rows of a
dataset are not ordered by class, so the classes of a batch are as in a true shuffle; see
``docs/decisions/0009-order.md``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from tersgen.errors import ConfigError

from .rows import RowSet

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return 64-bit words stirred: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    words = (words ^ (words >> np.uint64(30))) * _MIX_1
    words = (words ^ (words >> np.uint64(27))) * _MIX_2
    return words ^ (words >> np.uint64(31))


def permutation(n: int, *key: int) -> NDArray[np.intp]:
    """Return the numbers 0 to n - 1 in random order, shape (n,): a pure function of n and key.

    Each number gets a 64-bit word of SplitMix64 seeded by the key; they are sorted by it.

    Parameters
    ----------
    n
        How many.
    key
        Whole numbers of at least 0 and below 2^64, such as seed, epoch, purpose.

    Examples
    --------
    >>> permutation(8, 1, 0).tolist()
    [7, 4, 2, 0, 3, 6, 5, 1]
    """
    state = np.zeros(1, np.uint64)
    for part in key:
        state = _mix((state ^ np.uint64(part)) + _GOLDEN)
    words = _mix(state + np.arange(1, n + 1, dtype=np.uint64) * _GOLDEN)
    return np.argsort(words, kind="stable")


@dataclass(frozen=True)
class Partition:
    """Which of the processes that train together this one is.

    ``apart`` declares that these are not the processes of torch's default group, but for instance
    the data-parallel ones among them.
    """

    rank: int = 0
    world_size: int = 1
    apart: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a rank that is none of them."""
        if not 0 <= self.rank < self.world_size:
            raise ConfigError(
                f"partition: expected a rank of at least 0 and below the {self.world_size} "
                f"processes, got {self.rank}"
            )

    def share(self, n_rows: int) -> range:
        """Return which positions of a batch of ``n_rows`` rows are this rank's."""
        return range(
            n_rows * self.rank // self.world_size, n_rows * (self.rank + 1) // self.world_size
        )


class Visit(NamedTuple):
    """Rows of a block that are read together, and where they go; all of shape (n,), n > 0."""

    block: int
    rows: NDArray[np.intp]
    """Counted from the first row of the block, rising."""
    batches: NDArray[np.int64]
    """Numbers of their batches."""
    places: NDArray[np.int64]
    """Their positions in these."""


class _Lane(NamedTuple):
    """A run of the sequence of an epoch, and which batches take its rows."""

    start: int
    stop: int
    batch: int
    """The first batch that takes rows of it,"""
    place: int
    """the first of their places in each batch,"""
    width: int
    """and how many they are."""

    def batch_of(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the batches of places in the sequence."""
        return self.batch + (at - self.start) // self.width


class Order:
    """The order of the rows of a set in every epoch.

    Parameters
    ----------
    rows
        The rows.
    batch_size
        Rows of a batch, over all ranks.
    mix_blocks
        Blocks that are shuffled into each other: the lanes; at most the rows of a batch.
    seed
        Seed of all epochs.
    shuffle
        False for the order of the dataset, as in evaluation.
    drop_last
        Whether to leave out the rows after the last whole batch, so that all batches, and the
        shares of all ranks, are equal.

    Raises
    ------
    ConfigError
        If the batch size is none, or whole batches are asked for and there is not one.
    """

    def __init__(
        self,
        rows: RowSet,
        batch_size: int,
        mix_blocks: int = 16,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = True,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch size: expected at least 1, got {batch_size}")
        self.rows = rows
        self.batch_size = batch_size
        self.mix_blocks = min(mix_blocks, batch_size)
        self.seed = seed
        self.shuffle = shuffle
        counts = rows.counts()
        used = np.flatnonzero(counts)
        self._blocks = used + rows.blocks.start
        self._counts = counts[used]
        n_rows = int(self._counts.sum())
        self.n_batches = n_rows // batch_size if drop_last else -(-n_rows // batch_size)
        self.n_rows = min(n_rows, self.n_batches * batch_size)
        """Rows of an epoch."""
        if not self.n_batches:
            raise ConfigError(
                f"batch size: expected at most {n_rows}, the rows of {rows.name}, got {batch_size}"
            )

        self._lanes = self._cut(n_rows)

    def _cut(self, n_rows: int) -> list[_Lane]:
        """Return the lanes through all whole batches, and one for the batch after them."""
        n_whole, rest = divmod(n_rows, self.batch_size)
        n_lanes = self.mix_blocks if self.shuffle else 1
        places = [-(-lane * self.batch_size // n_lanes) for lane in range(n_lanes + 1)]
        lanes = [
            _Lane(n_whole * low, n_whole * high, 0, low, high - low)
            for low, high in pairwise(places)
            if n_whole
        ]
        if self.n_batches > n_whole:
            lanes.append(_Lane(n_rows - rest, n_rows, n_whole, 0, rest))
        return lanes

    @cached_property
    def digest(self) -> str:
        """A digest of rows, batches and seed; the same for any partition."""
        rows = self.rows
        numbers = [self.batch_size, self.mix_blocks, self.seed, self.shuffle, self.n_batches]
        numbers += [rows.start, rows.stop, rows.block_rows]
        content = blake3(" ".join(str(int(one)) for one in numbers).encode())
        if rows.parts is not None:
            chosen = rows.parts[rows.start : rows.stop] == rows.number
            content.update(np.packbits(chosen).tobytes())
        return content.hexdigest()

    @property
    def spread(self) -> int:
        """Most batches that the rows of a block, in one lane, are spread over; at least 1.

        If rows are not shuffled, as many batches as the blocks that would be mixed have rows for.
        """
        width = self.batch_size // self.mix_blocks
        return -(-int(self._counts.max(initial=1)) // width)

    def batch_rows(self, batch: int) -> int:
        """Return how many rows a batch has, over all ranks."""
        return min(self.batch_size, self.n_rows - batch * self.batch_size)

    def visits(
        self, epoch: int, first_batch: int = 0, partition: Partition | None = None
    ) -> Iterator[Visit]:
        """Yield the blocks of an epoch in the order in which batches need them.

        Parameters
        ----------
        epoch
            The epoch.
        first_batch
            Rows of earlier batches are left out.
        partition
            Rows of other ranks are left out.
        """
        partition = partition or Partition()
        n_blocks = len(self._blocks)
        turn = permutation(n_blocks, self.seed, epoch, 0) if self.shuffle else np.arange(n_blocks)
        edges = np.concatenate(([0], np.cumsum(self._counts[turn])))
        for lane, number in self._turns(edges, first_batch, partition):
            block = int(self._blocks[turn[number]])
            n_rows = int(edges[number + 1] - edges[number])
            inside = np.arange(n_rows)
            if self.shuffle:
                inside = permutation(n_rows, self.seed, epoch, 1, block)
            at = edges[number] + inside
            batches = lane.batch_of(at)
            places = lane.place + (at - lane.start) % lane.width
            mine = (lane.start <= at) & (at < lane.stop) & (first_batch <= batches)
            share = self._share(lane, partition)
            chosen = np.flatnonzero(mine & (share.start <= places) & (places < share.stop))
            if len(chosen):
                rows = self.rows.rows_in(block)[chosen]
                yield Visit(block, rows, batches[chosen], places[chosen])

    def _share(self, lane: _Lane, partition: Partition) -> range:
        """Return which places of the batches of a lane are a rank's."""
        return partition.share(self.batch_rows(lane.batch))

    def _turns(
        self, edges: NDArray[np.int64], first_batch: int, partition: Partition
    ) -> Iterator[tuple[_Lane, int]]:
        """Yield each block of each lane, in the order of the first batch that needs it.

        ``edges`` are those of the blocks in the sequence of the epoch; a block is identified by its
        number there.
        """
        lanes, numbers, needed = [], [], []
        for k, lane in enumerate(self._lanes):
            share = self._share(lane, partition)
            start = lane.start + max(0, first_batch - lane.batch) * lane.width
            theirs = lane.place >= share.stop or lane.place + lane.width <= share.start
            if theirs or start >= lane.stop:
                continue
            low = int(np.searchsorted(edges, start, "right")) - 1
            high = int(np.searchsorted(edges, lane.stop, "left"))
            lanes.append(np.full(high - low, k))
            numbers.append(np.arange(low, high))
            needed.append(lane.batch_of(np.maximum(edges[low:high], start)))
        if not lanes:
            return
        found = np.stack([np.concatenate(lanes), np.concatenate(numbers)], axis=1)
        for k in np.lexsort((found[:, 0], np.concatenate(needed))):
            lane_number, number = found[k].tolist()
            yield self._lanes[lane_number], number

    def epoch(self, epoch: int) -> NDArray[np.int64]:
        """Return all rows of an epoch in their order, shape (n_rows,): for tests and for looking.

        Streams never make this list.
        """
        sequence = np.empty(self.n_rows, np.int64)
        for visit in self.visits(epoch):
            at = visit.batches * self.batch_size + visit.places
            sequence[at] = visit.rows + visit.block * self.rows.block_rows
        return sequence
