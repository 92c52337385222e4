"""How well classes are told apart: Eqs. (9.1)-(9.4), from one confusion matrix.

All scores follow from the sums of integers in that matrix, so they depend neither on how the
samples were cut into batches nor on how those were shared among processes.
"""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor
from torchmetrics import Metric

from tersgen.errors import ConfigError
from tersgen.schema.base import Frozen, field

EPS = 1e-12
"""eps in the denominators of Eq. (9.1): what is divided by zero samples becomes 0."""


class Scores(Frozen):
    """Scores of a classification into K classes; tuples are in the order of the classes.

    A class that no sample has and none is taken for has precision, recall and F1 0. It counts in
    ``macro_f1``, which so has the same K for every set of samples; ``n_absent`` says how many
    classes had no sample.
    """

    accuracy: float = field("correct/total, Eq. (9.3); 0 without samples", "1")
    macro_f1: float = field("mean of F1 over all K classes, Eq. (9.2)", "1")
    loss: float | None = Field(
        None,
        description="mean loss of a sample; none if it was not given, null in JSON if not finite",
        json_schema_extra={"unit": "1"},
        allow_inf_nan=True,
    )
    n_samples: int = field("samples", "row")
    n_absent: int = field("classes without a sample", "1")
    precision: tuple[float, ...] = field("precision of each class, Eq. (9.1)", "1")
    recall: tuple[float, ...] = field("recall of each class, Eq. (9.1)", "1")
    f1: tuple[float, ...] = field("F1 of each class, Eq. (9.1)", "1")
    support: tuple[int, ...] = field("samples of each class", "row")
    confusion: tuple[tuple[int, ...], ...] = field(
        "C_ij: samples of class i predicted as j, Eq. (9.4)", "row"
    )

    def confusions(self, limit: int = 10) -> tuple[tuple[int, int, int], ...]:
        """Return the most frequent confusions (true class, predicted class, samples), most first.

        At most ``limit`` of them, none with 0 samples; equals are in the order of the classes.
        """
        wrong = [
            (i, j, n)
            for i, row in enumerate(self.confusion)
            for j, n in enumerate(row)
            if i != j and n > 0
        ]
        return tuple(sorted(wrong, key=lambda entry: -entry[2])[:limit])

    def describe_confusions(self, classes: Sequence[str], limit: int = 10) -> tuple[str, ...]:
        """Return a line for each of the most frequent confusions, as "a taken for b, n times".

        Raises
        ------
        ConfigError
            If there are not K names.

        Examples
        --------
        >>> scores = score([[8, 2], [0, 5]])
        >>> scores.describe_confusions(["benzene", "pyridine"])
        ('benzene taken for pyridine, 2 of 10 times',)
        """
        if len(classes) != len(self.support):
            raise ConfigError(
                f"classes: expected {len(self.support)} names, as many as were scored, "
                f"got {len(classes)}"
            )
        return tuple(
            f"{classes[i]} taken for {classes[j]}, {n} of {self.support[i]} times"
            for i, j, n in self.confusions(limit)
        )


def score(confusion: Sequence[Sequence[int]], loss: float | None = None) -> Scores:
    """Return the scores of a confusion matrix: Eqs. (9.1)-(9.3).

    With TP_c = C_cc, P_c = TP_c / (sum_i C_ic + eps), R_c = TP_c / (sum_j C_cj + eps) and
    F1_c = 2 P_c R_c / (P_c + R_c + eps).

    Parameters
    ----------
    confusion
        C_ij, K rows of K counts: samples of class i predicted as j.
    loss
        Mean loss of a sample, if known.
    """
    support = [sum(row) for row in confusion]
    taken = [sum(column) for column in zip(*confusion, strict=True)]
    hits = [confusion[c][c] for c in range(len(support))]
    precision = [hit / (n + EPS) for hit, n in zip(hits, taken, strict=True)]
    recall = [hit / (n + EPS) for hit, n in zip(hits, support, strict=True)]
    f1 = [2 * p * r / (p + r + EPS) for p, r in zip(precision, recall, strict=True)]
    total = sum(support)
    return Scores(
        accuracy=sum(hits) / max(total, 1),
        macro_f1=sum(f1) / len(f1),
        loss=loss,
        n_samples=total,
        n_absent=support.count(0),
        precision=tuple(precision),
        recall=tuple(recall),
        f1=tuple(f1),
        support=tuple(support),
        confusion=tuple(map(tuple, confusion)),
    )


class Classification(Metric):
    """Counts predictions, batch by batch and on the device; scores them when asked.

    Processes may count different numbers of batches, or none: they talk only in ``compute``, which
    all of them must call and which gives all of them the scores of all samples.

    Parameters
    ----------
    n_classes
        Classes K.

    Examples
    --------
    >>> metric = Classification(2)
    >>> metric.update(torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]]), torch.tensor([0, 1, 1]))
    >>> metric.compute().confusion
    ((1, 0), (1, 1))
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = True

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

    def compute(self) -> Scores:
        """Return the scores of what all processes have counted; 0 where nothing was."""
        rows = int(self.loss_rows)
        loss = float(self.loss_sum) / rows if rows else None
        return score(self.matrix.tolist(), loss)
