"""How certain a model was: a count for the reliability diagram, and the most certain rows."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed

from .scores import N_BINS

FEW = 5
"""Rows kept of each cell of a confusion matrix."""
_MOST_BUFFERED = 1 << 18
_SCALE = 1 << 32
"""Probabilities are summed as integers of this unit: the sum depends on no order."""

Rows = NDArray[np.float64]
"""Cell, row and probability, shape (n, 3); integers are exact up to 2^53."""


def count_bins(probability: Tensor, is_right: Tensor) -> Tensor:
    """Return what samples add to the bins of a reliability diagram, int64, shape (3, N_BINS).

    Bin m of M has the probabilities in ((m - 1)/M, m/M]; its numbers are samples, those that are
    right, and the sum of probabilities in units of 2^-32.

    Parameters
    ----------
    probability
        Of the predicted class, shape (B,), float64.
    is_right
        Shape (B,), booleans.
    """
    place = (probability * N_BINS).ceil().long().sub(1).clamp(0, N_BINS - 1)
    sums = (probability * _SCALE).round().long()
    values = torch.stack([torch.ones_like(sums), is_right.long(), sums])
    return values.new_zeros(3, N_BINS).index_add_(1, place, values)


def bin_means(bins: Tensor) -> list[tuple[int, int, float]]:
    """Return samples, those that are right, and the mean probability of each bin."""
    return [(n, right, total / _SCALE / max(n, 1)) for n, right, total in bins.T.tolist()]


class MostCertain:
    """The rows of each cell of a confusion matrix for which a model was most certain.

    Which rows these are depends neither on batches nor on how processes share the samples.
    """

    def __init__(self) -> None:
        self._kept: Rows = np.zeros((0, 3))
        self._new: list[tuple[Tensor, ...]] = []
        self._n_new = 0

    def add(self, cell: Tensor, row: Tensor, probability: Tensor) -> None:
        """Add a batch, three tensors of shape (B,); waits for the device once in a while only."""
        self._new.append((cell, row.clone(), probability))  # buffers of rows are used again
        self._n_new += len(cell)
        if self._n_new > _MOST_BUFFERED:
            self._merge()

    def _merge(self) -> None:
        new = [torch.stack([one.double() for one in batch], 1).cpu() for batch in self._new]
        self._kept = _first_few(np.concatenate([self._kept, *(one.numpy() for one in new)]))
        self._new, self._n_new = [], 0

    def chosen(self, cells: list[int], device: torch.device) -> Rows:
        """Return the rows of some cells, of all processes: each must ask for the same cells."""
        self._merge()
        mine = self._kept[np.isin(self._kept[:, 0], cells)]
        if not cells or not (distributed.is_available() and distributed.is_initialized()):
            return mine
        padded = np.full((FEW * len(cells), 3), -1.0)
        padded[: len(mine)] = mine
        sent = torch.from_numpy(padded).to(device)
        got = [torch.empty_like(sent) for _ in range(distributed.get_world_size())]
        distributed.all_gather(got, sent)
        rows = np.concatenate([one.cpu().numpy() for one in got])
        return _first_few(rows[rows[:, 0] >= 0])


def _first_few(rows: Rows) -> Rows:
    """Return the ``FEW`` most certain rows of each cell, by cell; equals by number of the row."""
    rows = rows[np.lexsort((rows[:, 1], -rows[:, 2], rows[:, 0]))]
    _, first, n = np.unique(rows[:, 0], return_index=True, return_counts=True)
    return rows[np.arange(len(rows)) - np.repeat(first, n) < FEW]
