"""How often the nearest other rows are of the same species."""

import torch
from torch import Tensor

from tersgen.schema.base import field

from ..scores import TaskScores

MOST_ROWS = 8192
"""Rows, of each process, among which neighbours are looked for."""
_ROWS_AT_ONCE = 512


class RetrievalScores(TaskScores):
    """Recall: share of rows with one of the same species among the nearest k others."""

    recall_1: float = field("recall at 1", "1", ge=0, le=1)
    recall_5: float = field("recall at 5", "1", ge=0, le=1)

    @property
    def chosen_by(self) -> float:
        """What the best epoch has most of."""
        return self.recall_1

    @property
    def headline(self) -> str:
        """The scores in a line."""
        return f"recall at 1 {self.recall_1:.4f}, at 5 {self.recall_5:.4f}"


def score_retrieval(
    embeddings: Tensor, labels: Tensor, n_samples: int, loss: float | None
) -> RetrievalScores:
    """Return the scores of rows, each looked for among the others.

    Parameters
    ----------
    embeddings
        Of length 1, shape (n, E).
    labels
        Classes, shape (n,). Rows whose class has no other row are left out.
    n_samples, loss
        Rows that were counted, and their mean loss.
    """
    is_known = torch.bincount(labels)[labels] > 1
    nearest = min(5, len(labels) - 1)
    hits = []
    for first in range(0, len(labels), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        cosines = embeddings[rows] @ embeddings.T
        own = torch.arange(first, first + len(cosines), device=cosines.device)
        cosines[torch.arange(len(cosines)), own] = -2.0
        found = labels[cosines.topk(max(1, nearest), dim=1).indices]
        hits.append(found == labels[rows, None])
    right = torch.cat(hits)[is_known]
    if not len(right):
        return RetrievalScores(n_samples=n_samples, loss=loss, recall_1=0, recall_5=0)
    return RetrievalScores(
        n_samples=n_samples,
        loss=loss,
        recall_1=float(right[:, 0].float().mean()),
        recall_5=float(right.any(dim=1).float().mean()),
    )
