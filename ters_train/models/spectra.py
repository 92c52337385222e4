"""Models of spectra alone: what they share."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tersgen.errors import ConfigError

from ..config import ModelConfig, Shape
from .branches import BranchModel
from .model import shape_of
from .spectrum_inputs import SpectrumOptions, suggest_inputs


class SpectrumModel(BranchModel):
    """Spectra to classes, or other outputs that a task needs, by one branch.

    A classifier may be an ensemble (B. Lakshminarayanan et al., NeurIPS 2017): several networks,
    whose initial weights and dropout differ, so that their errors differ, too. In training its
    ``logits`` are those of each, shape (B, M, K), for a loss of each; otherwise those of their mean
    probabilities and mean energy, shape (B, K). Features are those of the first.
    """

    kinds = ("spectrum",)
    batch_size = 128
    branch: ClassVar[Any]
    """Class of the branch, called with the options and the points of a spectrum."""

    def __init__(self, config: ModelConfig, options: SpectrumOptions) -> None:
        (n_points,) = shape_of(config, "spectra", 1)
        super().__init__(config, options, {"spectra": self.branch(options, n_points)})
        n_others = options.members - 1
        if n_others and set(config.outputs) != {"logits"}:
            raise ConfigError(
                f"model.options.members: expected 1 for a model of {', '.join(config.outputs)}, "
                f"got {options.members}; only classifiers can be ensembles"
            )
        self.others = nn.ModuleList(
            BranchModel(config, options, {"spectra": self.branch(options, n_points)})
            for _ in range(n_others)
        )
        self.class_rows += tuple(
            f"others.{k}.{name}" for k in range(n_others) for name in self.class_rows
        )

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return outputs as :class:`BranchModel`, of an ensemble those of all networks."""
        if not len(self.others):
            return super().forward(inputs)
        logits = self.logits_of_each(inputs)
        if self.training:
            return {"logits": logits}
        total = logits.logsumexp(dim=2, keepdim=True)  # minus the energy
        mean = (logits - total).logsumexp(dim=1) - math.log(logits.shape[1])
        return {"logits": mean + total.mean(dim=1)}

    def logits_of_each(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the logits of each network, shape (B, M, K)."""
        first = super().forward(inputs)
        others = (one(inputs) for one in self.others)
        return torch.stack([one["logits"] for one in (first, *others)], dim=1)

    @classmethod
    def suggest(cls, shapes: Mapping[str, Shape], wanted: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003 - the same whatever is set
        """Return the inputs of new runs."""
        return suggest_inputs(shapes["spectra"][0])
