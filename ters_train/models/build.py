"""A model from its configuration alone: branches and heads, or the U-Net."""

import torch
from torch import Tensor, nn

from tersgen.errors import ConfigError

from ..config import ModelConfig
from .cnn import SpectrumCnn
from .heads import ClassHead, TensorHead
from .unet import StructureModel
from .vit import MapVit


class TersModel(nn.Module):
    """Spectra, maps or both to classes and, if asked for, Raman tensors.

    The features of both branches are put behind each other; all heads read them.

    Parameters
    ----------
    config
        The model, whole.

    Raises
    ------
    ConfigError
        If the stages of the CNN would leave less than one point of a spectrum.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.shapes: dict[str, tuple[int, ...]] = {}
        branches: dict[str, SpectrumCnn | MapVit] = {}
        if config.cnn is not None and config.spectrum is not None:
            branches["spectra"] = SpectrumCnn(config.cnn, config.spectrum)
            self.shapes["spectra"] = (config.spectrum,)
        if config.vit is not None and config.map is not None:
            branches["maps"] = MapVit(config.vit, config.map)
            self.shapes["maps"] = config.map
        n_features = sum(branch.n_features for branch in branches.values())
        self.branches = nn.ModuleDict(branches)
        self.classes = ClassHead(n_features, config.n_classes)
        modes = config.tensor_modes
        self.tensors = TensorHead(n_features, modes) if modes is not None else None

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what the model makes of a batch.

        Parameters
        ----------
        inputs
            ``"spectra"``, shape (B, L), and ``"maps"``, shape (B, C, H, W), whichever the model
            sees, of any floating type; what else is in there is left alone.

        Returns
        -------
        dict
            ``"logits"``, shape (B, K); and ``"tensors"``, shape (B, M, 3, 3), if it predicts them.

        Raises
        ------
        ConfigError
            If an input is missing or has another shape than the model is for.
        """
        dtype = self.classes.linear.weight.dtype
        features = []
        for name, branch in self.branches.items():
            x = inputs.get(name)
            shape = self.shapes[name]
            if x is None or tuple(x.shape[1:]) != shape:
                came = "none" if x is None else f"shape {tuple(x.shape)}"
                raise ConfigError(
                    f"{name}: expected shape (B, {', '.join(map(str, shape))}), got {came}; "
                    "the model is for data of one shape"
                )
            features.append(branch(x.to(dtype)))
        joined = torch.cat(features, dim=1)
        outputs: dict[str, Tensor] = {"logits": self.classes(joined)}
        if self.tensors is not None:
            outputs["tensors"] = self.tensors(joined)
        return outputs


Model = TersModel | StructureModel
"""A model of either kind."""


def build_model(config: ModelConfig) -> Model:
    """Return a model with fresh weights, drawn from the global generator of torch.

    Raises
    ------
    ConfigError
        If the stages of the CNN would leave less than one point of a spectrum.
    """
    return TersModel(config) if config.unet is None else StructureModel(config)
