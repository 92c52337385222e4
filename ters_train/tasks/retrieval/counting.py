"""Embeddings collected over batches and processes, and how well rows of a class find each other."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric

from .scores import MOST_ROWS, RetrievalScores, score_retrieval


class RetrievalCount(Metric):
    """Keeps the first rows of each process."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("embeddings", [], dist_reduce_fx="cat")
        self.add_state("labels", [], dist_reduce_fx="cat")
        self.add_state("loss_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n_rows", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.embeddings: list[Tensor]
        self.labels: list[Tensor]
        self.loss_sum: Tensor
        self.n_rows: Tensor

    def update(self, *_: Tensor) -> None:
        """Do nothing: ``count`` counts."""

    @property
    def update_called(self) -> bool:
        """Whether there is something to score: always, as nothing counted is a count too."""
        return True

    def count(self, outputs: dict[str, Tensor], batch: dict[str, Tensor], loss: Tensor) -> None:
        """Keep the embeddings of a batch, up to ``MOST_ROWS`` rows, and its mean loss."""
        n = len(batch["label"])
        self.loss_sum += loss.double() * n
        self.n_rows += n
        room = MOST_ROWS - sum(map(len, self.labels))
        if room > 0:
            kept = functional.normalize(outputs["embedding"][:room].float(), dim=1)
            self.embeddings.append(kept)
            self.labels.append(batch["label"][:room].long())

    def compute(self) -> RetrievalScores:
        """Return the scores of what all processes have kept."""
        # a synchronised list is one tensor
        parts: tuple[Any, Any] = (self.embeddings, self.labels)
        whole = [x if isinstance(x, Tensor) else torch.cat(x) for x in parts if len(x)]
        n_rows = int(self.n_rows)
        loss = float(self.loss_sum) / n_rows if n_rows else None
        if len(whole) < len(parts):
            return RetrievalScores(n_samples=n_rows, loss=loss, recall_1=0, recall_5=0)
        return score_retrieval(whole[0], whole[1], n_rows, loss)
