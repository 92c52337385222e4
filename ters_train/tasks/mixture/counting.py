"""Counts of species in mixtures, by batch, by process and on the device."""

import torch
from torch import Tensor

from ..classification.counting import ConfusionCount
from ..composition import composition
from .scores import MixtureScores, score_mixtures


class MixtureCount(ConfusionCount):
    """Counts species present and found, and sums the errors of fractions.

    Parameters
    ----------
    n_classes
        Classes K.
    present
        The fraction from which on a species counts as present.
    """

    def __init__(self, n_classes: int, present: float) -> None:
        super().__init__(n_classes)
        self.present = present
        zeros = torch.zeros(3, n_classes, dtype=torch.int64)
        self.add_state("species", zeros, dist_reduce_fx="sum")
        self.add_state("exact", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("error", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.species: Tensor
        self.exact: Tensor
        self.error: Tensor

    def count(self, outputs: dict[str, Tensor], batch: dict[str, Tensor], loss: Tensor) -> None:
        """Count what a model makes of a batch, and its mean loss."""
        super().count(outputs, batch, loss)
        fractions = outputs["logits"].float().softmax(dim=1)
        truth = composition(batch, self.n_classes)
        found, present = fractions >= self.present, truth >= self.present
        self.species += torch.stack([found & present, found, present]).sum(dim=1)
        self.exact += (found == present).all(dim=1).sum()
        self.error += 0.5 * (fractions - truth).abs().double().sum()

    def compute(self) -> MixtureScores:
        """Return the scores of what all processes have counted; 0 where nothing was."""
        hits, found, present = self.species.tolist()
        return score_mixtures(
            super().compute(), hits, found, present, int(self.exact), float(self.error)
        )
