"""Models of spectra, maps or both: branches to features, and a head for each output."""

import math
from collections.abc import Mapping
from typing import Protocol, cast

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from tersgen.errors import ConfigError

from ..config import ModelConfig
from ..data.measured import measured
from .heads import ClassHead, TensorHead, ValueHead
from .model import Model
from .spectrum_inputs import SpectrumInputs


class Branch(Protocol):
    """A module from an array to features, shape (B, n_features).

    That of ``spectra`` is called with what was measured, too, 1 or 0, shape (B, L).
    """

    n_features: int


class BranchModel(Model):
    """The features of all branches are put one after another; all heads read them.

    Heads: ``logits``, shape (K,); ``tensors``, shape (M, 3, 3); a linear one for any other output.

    Parameters
    ----------
    config
        The model, whole.
    options
        Its options.
    branches
        A module for each input, by name, with its number of features ``n_features``.
    """

    def __init__(
        self, config: ModelConfig, options: BaseModel, branches: Mapping[str, Branch]
    ) -> None:
        super().__init__(config, options)
        self.branches = nn.ModuleDict(cast(dict[str, nn.Module], branches))
        self.uses_measured = any(
            isinstance(one, SpectrumInputs) and one.uses_measured for one in self.modules()
        )
        n_features = sum(branch.n_features for branch in branches.values())
        outputs = dict(config.outputs)
        self.classes: ClassHead | None = None
        self.tensors: TensorHead | None = None
        if "logits" in outputs:
            self.classes = ClassHead(n_features, math.prod(outputs.pop("logits")))
            self.class_rows = ("classes.linear.weight", "classes.linear.bias")
        if "tensors" in outputs:
            self.tensors = TensorHead(n_features, outputs.pop("tensors")[0])
        if any(len(shape) > 2 for shape in outputs.values()):
            raise ConfigError(
                f"model: expected {config.name} to be asked for classes, tensors or numbers, got "
                f"{', '.join(outputs)}; take a model of pixels such as unet"
            )
        heads = {name: ValueHead(n_features, shape) for name, shape in outputs.items()}
        self.heads = nn.ModuleDict(heads)

    def features(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the features of all branches, shape (B, F), that the heads read."""
        dtype = next(self.parameters()).dtype
        features = []
        for name, branch in self.branches.items():
            given = [self.input_of(inputs, name).to(dtype)]
            if name == "spectra":
                given.append(measured(inputs))
            features.append(branch(*given))
        return torch.cat(features, dim=1)

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what the model makes of a batch.

        Parameters
        ----------
        inputs
            ``"spectra"``, shape (B, L), and ``"maps"``, shape (B, C, H, W), whichever the model
            sees, of any floating type; with spectra maybe ``"measured"``, 1 where they were
            measured, else 0; what else is in there is left alone.

        Returns
        -------
        dict
            ``"logits"``, shape (B, K), ``"tensors"``, shape (B, M, 3, 3), and others, whichever it
            predicts.
        """
        joined = self.features(inputs)
        outputs: dict[str, Tensor] = {}
        if self.classes is not None:
            outputs["logits"] = self.classes(joined)
        if self.tensors is not None:
            outputs["tensors"] = self.tensors(joined)
        return outputs | {name: head(joined) for name, head in self.heads.items()}
