"""The class of each sample, and its species, in torch operations."""

import torch
from torch import Tensor

from ...random.on_torch import philox
from ...random.streams import CLASS
from ..on_torch import TorchTile
from .effect import Members

_MOST_SHUFFLED = 1 << 20
"""Most classes that are shuffled at a time, over all runs."""


def labels_of(index: Tensor, thresholds: Tensor | None, n_classes: int, seed: int) -> Tensor:
    """Return the class of each sample, int64, shape (n,).

    Those of a run of K are shuffled one after the other, so a processor does it.
    """
    if thresholds is not None:
        word, _, _, _ = philox(0, index, 1, seed, CLASS)
        return torch.searchsorted(thresholds, word, right=True)
    cpu = index.cpu()
    runs, run = torch.unique(cpu // n_classes, return_inverse=True)
    place = cpu - runs[run] * n_classes
    labels = torch.empty_like(cpu)
    some = max(1, _MOST_SHUFFLED // n_classes)
    for first in range(0, len(runs), some):
        rows = torch.nonzero((first <= run) & (run < first + some)).flatten()
        order = _shuffled(runs[first : first + some], n_classes, seed)
        labels[rows] = order[run[rows] - first, place[rows]]
    return labels.to(index.device)


def _shuffled(runs: Tensor, n_classes: int, seed: int) -> Tensor:
    """Return the classes of each run in its order, int64, shape (runs, K)."""
    draw = torch.arange(n_classes)
    low, high, _, _ = philox(draw, runs[:, None].expand(-1, n_classes), 0, seed, CLASS)
    size = draw + 1
    # (2^32 high + low) modulo the size, without the sign bit of 64
    other = ((high % size) * (2**32 % size) + low) % size
    order = draw.repeat(len(runs), 1)
    each = torch.arange(len(runs))
    for j in range(n_classes - 1, 0, -1):
        place = other[:, j]
        held = order[:, j].clone()
        order[:, j] = order[each, place]
        order[each, place] = held
    return order


def species_of(tile: TorchTile, labels: Tensor, members: Members) -> Tensor:
    """Return one of the species of each sample's class, int64, shape (n,)."""
    first = tile.tensor(members.first)
    word, _, _, _ = philox(0, tile.index, 2, tile.seed, CLASS)
    chosen = word % (first[labels + 1] - first[labels])
    return tile.tensor(members.species).long()[first[labels] + chosen]
