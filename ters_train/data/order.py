"""The order of training: a pure function of rows, seed and epoch, shared by any number of ranks.

Rows lie in blocks that are read and decoded whole. Each epoch the blocks are permuted; every
``mix_blocks`` of them in that order make a group, whose rows are permuted among themselves. The
sequence of all groups is cut into batches by position, and each batch is shared among the ranks by
position. So the batches are the same for any number of ranks and threads, and can be entered
anywhere without the ones before.

The bias that this accepts: rows of one block are at most a group apart, so two rows of a dataset
meet in a batch with a probability that depends on whether they share a block. Rows of a dataset
come in no order of class, so the classes of a batch are as in a true shuffle; see
``docs/decisions/0009-order.md``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
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
    """Which of the processes that train together this one is."""

    rank: int = 0
    world_size: int = 1

    def share(self, n_rows: int) -> range:
        """Return which positions of a batch of ``n_rows`` rows are this rank's."""
        return range(
            n_rows * self.rank // self.world_size, n_rows * (self.rank + 1) // self.world_size
        )


class Group(NamedTuple):
    """Blocks that are mixed, and where their rows go."""

    start: int
    """Position of the first of its rows in the sequence of the epoch."""
    blocks: NDArray[np.int64]
    """Numbers of its blocks, shape (n,)."""
    positions: list[NDArray[np.int64]]
    """For each block the position of each of its rows, in the order of the rows."""


class Order:
    """The order of the rows of a set in every epoch.

    Parameters
    ----------
    rows
        The rows.
    batch_size
        Rows of a batch, over all ranks.
    mix_blocks
        Blocks that are shuffled into each other.
    seed
        Seed of all epochs.
    shuffle
        False for the order of the dataset, as in evaluation.
    drop_last
        Whether to leave out the rows behind the last whole batch, so that all batches, and the
        shares of all ranks, are equal.

    Raises
    ------
    ConfigError
        If whole batches are asked for and there is none.
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
        self.rows = rows
        self.batch_size = batch_size
        self.mix_blocks = mix_blocks
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

    @property
    def largest_group(self) -> int:
        """Most rows that a group can have."""
        return int(np.sort(self._counts)[-self.mix_blocks :].sum())

    def batch_rows(self, batch: int) -> int:
        """Return how many rows a batch has, over all ranks."""
        return min(self.batch_size, self.n_rows - batch * self.batch_size)

    def groups(self, epoch: int, first_batch: int = 0) -> Iterator[Group]:
        """Yield the groups of an epoch, from that on which a batch begins in."""
        n_blocks = len(self._blocks)
        turn = permutation(n_blocks, self.seed, epoch, 0) if self.shuffle else np.arange(n_blocks)
        starts = np.concatenate(([0], np.cumsum(self._counts[turn])))
        skipped = int(np.searchsorted(starts, first_batch * self.batch_size, "right")) - 1
        for number in range(skipped // self.mix_blocks, -(-n_blocks // self.mix_blocks)):
            low = number * self.mix_blocks
            high = min(n_blocks, low + self.mix_blocks)
            start = int(starts[low])
            if start >= self.n_rows:
                return
            n_rows = int(starts[high]) - start
            places = np.arange(n_rows)
            if self.shuffle:
                places = permutation(n_rows, self.seed, epoch, 1, number)
            cuts = starts[low + 1 : high] - start
            chosen = turn[low:high]
            yield Group(start, self._blocks[chosen], np.split(places + start, cuts))

    def epoch(self, epoch: int) -> NDArray[np.int64]:
        """Return all rows of an epoch in their order, shape (n_rows,): for tests and for looking.

        Streams never make this list.
        """
        sequence = np.empty(int(self._counts.sum()), np.int64)
        for group in self.groups(epoch):
            for block, positions in zip(group.blocks.tolist(), group.positions, strict=True):
                sequence[positions] = self.rows.rows_in(block) + block * self.rows.block_rows
        return sequence[: self.n_rows]
