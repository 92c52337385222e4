"""Counts of predictions, by batch, by process and on the device: Eqs. (9.4), (9.8).

A module of its own: torchmetrics takes longer to import than torch, and only scoring needs it.
"""

import torch
from torch import Tensor
from torchmetrics import Metric

from tersgen.errors import ConfigError

from .certainty import MostCertain, bin_means, count_bins
from .scores import MOST_PAIRS, N_BINS, Bin, ScoredRow, Scores, score


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
        bins = torch.zeros(3, N_BINS, dtype=torch.int64)
        self.add_state("bins", bins, dist_reduce_fx="sum")
        self._certain = MostCertain()
        self.matrix: Tensor
        self.bins: Tensor
        self.loss_sum: Tensor
        self.loss_rows: Tensor

    @property
    def update_called(self) -> bool:
        """Whether there is something to score: always, as nothing counted is a count too."""
        return True

    def reset(self) -> None:
        """Start again."""
        super().reset()
        self._certain = MostCertain()

    def update(
        self,
        logits: Tensor,
        labels: Tensor,
        loss: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> None:
        """Count a batch; it waits for the device every 262,144 rows.

        Parameters
        ----------
        logits
            Shape (B, K); the first of the largest is what is predicted.
        labels
            Shape (B,), integers in 0..K-1.
        loss
            Mean loss of the batch, a number, or that of each sample, shape (B,).
        rows
            Numbers of the rows, shape (B,), to list those that are misread.
        """
        if logits.ndim != 2 or logits.shape != (*labels.shape, self.n_classes):
            raise ConfigError(
                f"expected logits (B, {self.n_classes}) and labels (B,), got shapes "
                f"{tuple(logits.shape)} and {tuple(labels.shape)}"
            )
        predicted = logits.argmax(dim=1)
        cell = labels.long() * self.n_classes + predicted
        self.matrix.view(-1).index_add_(0, cell, torch.ones_like(cell))
        probability = logits.detach().float().softmax(dim=1).amax(dim=1).double().nan_to_num()
        self.bins += count_bins(probability, predicted == labels)
        if rows is not None:
            self._certain.add(cell, rows, probability)
        if loss is not None:
            n = labels.shape[0]
            mean = loss.detach().double().mean() if n else loss.new_zeros((), dtype=torch.double)
            self.loss_sum += mean * n
            self.loss_rows += n

    def count(self, outputs: dict[str, Tensor], batch: dict[str, Tensor], loss: Tensor) -> None:
        """Count what a model makes of a batch, and its mean loss."""
        self.update(outputs["logits"].float(), batch["label"], loss, batch.get("row"))

    def compute(self) -> Scores:
        """Return the scores of what all processes have counted; 0 where nothing was."""
        n = int(self.loss_rows)
        loss = float(self.loss_sum) / n if n else None
        bins = [
            Bin(samples=samples, correct=correct, probability=mean)
            for samples, correct, mean in bin_means(self.bins)
        ]
        scores = score(self.matrix.tolist(), loss, bins)
        pairs = [(i, j) for i, j, _ in scores.confusions(MOST_PAIRS)]
        alone = sorted({label for pair in pairs for label in pair})
        cells = [i * self.n_classes + j for i, j in [*pairs, *((label, label) for label in alone)]]
        rows = [
            ScoredRow(row=int(row), label=i, predicted=j, probability=probability)
            for cell, row, probability in self._certain.chosen(cells, self.matrix.device).tolist()
            for i, j in [divmod(int(cell), self.n_classes)]
        ]
        first_right = {one.label: one for one in reversed(rows) if one.label == one.predicted}
        return scores.model_copy(
            update={
                "misread": tuple(one for one in rows if one.label != one.predicted),
                "correct": tuple(first_right[label] for label in sorted(first_right)),
            }
        )
