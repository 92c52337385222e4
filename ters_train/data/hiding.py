"""A transform that hides spans of spectra, for pretraining: the model has to fill them in."""

from typing import Any

import torch
from torch import Tensor

from tersgen.plugins import register
from tersgen.schema.base import Frozen, field

from .draws import Draws


class HideOptions(Frozen):
    """How much is hidden."""

    share: float = field("share of the points that is hidden", "1", 0.3, gt=0, lt=1)
    points: int = field("points of a span", "point", 32, gt=0, le=1 << 20)


@register("ters_train.transforms", "hide")
class Hide:
    """Sets spans of spectra to the mean of each; which ones is drawn anew for every row and epoch.

    Source: K. He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022,
    arXiv:2111.06377.
    """

    Options = HideOptions

    def __init__(self, options: HideOptions) -> None:
        self.options = options

    def __call__(self, batch: dict[str, Tensor], draws: Draws) -> dict[str, Any]:
        """Return the batch with spectra, shape (B, L), of which some spans are hidden."""
        spectra = batch["spectra"].float()
        n_points = spectra.shape[1]
        n_spans = -(-n_points // self.options.points)
        hidden = draws.uniform(n_spans) < self.options.share
        points = hidden.repeat_interleave(self.options.points, dim=1)[:, :n_points]
        mean = spectra.mean(dim=1, keepdim=True)
        return {**batch, "spectra": torch.where(points, mean, spectra)}
