"""Counts of predictions, by batch, by process and on the device: Eq. (9.4).

A module of its own: torchmetrics takes longer to import than torch, and only scoring needs it.
"""

import torch
from torch import Tensor
from torchmetrics import Metric

from tersgen.errors import ConfigError

from .scores import Scores, score


class ConfusionCount(Metric):
    """Counts predictions, batch by batch and on the device; scores them when asked.

    Processes may count different numbers of batches, or none: they talk only in ``compute``, which
    all of them must call and which gives all of them the scores of all samples.

    Parameters
    ----------
    n_classes
        Classes K.

    Examples
    --------
    >>> metric = ConfusionCount(2)
    >>> metric.update(torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]]), torch.tensor([0, 1, 1]))
    >>> metric.compute().confusion
    ((1, 0), (1, 1))
    """

    full_state_update = False

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.n_classes = n_classes
        zeros = torch.zeros(n_classes, n_classes, dtype=torch.int64)
        self.add_state("matrix", zeros, dist_reduce_fx="sum")
        self.add_state("loss_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("loss_rows", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.matrix: Tensor
        self.loss_sum: Tensor
        self.loss_rows: Tensor

    @property
    def update_called(self) -> bool:
        """Whether there is something to score: always, as nothing counted is a count too."""
        return True

    def update(self, logits: Tensor, labels: Tensor, loss: Tensor | None = None) -> None:
        """Count a batch; nothing waits for the device.

        Parameters
        ----------
        logits
            Shape (B, K); the first of the largest is what is predicted.
        labels
            Shape (B,), integers in 0..K-1.
        loss
            Mean loss of the batch, a number, or that of each sample, shape (B,).

        Raises
        ------
        ConfigError
            If the shapes are not these.
        IndexError
            If a label is none of the classes (on a GPU: a device-side assertion).
        """
        if logits.ndim != 2 or logits.shape != (*labels.shape, self.n_classes):
            raise ConfigError(
                f"expected logits (B, {self.n_classes}) and labels (B,), got shapes "
                f"{tuple(logits.shape)} and {tuple(labels.shape)}"
            )
        cell = labels.long() * self.n_classes + logits.argmax(dim=1)
        self.matrix.view(-1).index_add_(0, cell, torch.ones_like(cell))
        if loss is not None:
            rows = labels.shape[0]
            mean = loss.detach().double().mean() if rows else loss.new_zeros((), dtype=torch.double)
            self.loss_sum += mean * rows
            self.loss_rows += rows

    def count(self, outputs: dict[str, Tensor], batch: dict[str, Tensor], loss: Tensor) -> None:
        """Count what a model makes of a batch, and its mean loss."""
        self.update(outputs["logits"].float(), batch["label"], loss)

    def compute(self) -> Scores:
        """Return the scores of what all processes have counted; 0 where nothing was."""
        rows = int(self.loss_rows)
        loss = float(self.loss_sum) / rows if rows else None
        return score(self.matrix.tolist(), loss)
