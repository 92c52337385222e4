"""Models of the package timm by name, ``timm:convnext_atto``, with random initial weights.

Maps and cubes are images of their channels. A spectrum is folded into a square image of one
channel, row by row, so that neighbours on the axis are adjacent, and what is left over
repeats its last point. Images smaller than ``size`` are interpolated to it: these models halve an
image five times over. R. Wightman, "PyTorch Image Models", doi:10.5281/zenodo.4414861.
"""

import math
import re
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tersgen.errors import ConfigError, MissingExtraError
from tersgen.plugins import register
from tersgen.schema.base import Frozen, field
from tersgen.text import did_you_mean

from ..config import ModelConfig
from .model import Model

_STRIDE = 32
"""Pixels of the input for one of the last feature map, as in nearly all of these models."""
_LEAST_SIDE = 64
_NAME = re.compile(r"[a-z0-9_]{1,100}")
_REFUSED = (
    "pretrained",
    "checkpoint",
    "cache",
    "num_classes",
    "in_chans",
    "img_size",
    "features_only",
)
"""Beginnings of arguments that load files, or that follow from the data."""


class TimmConfig(Frozen):
    """A model of timm."""

    size: int | None = field(
        "side of the square images that it sees; by default that of the data, but at least 64, and "
        "a multiple of 32",
        "pixel",
        None,
        gt=0,
        le=4096,
    )
    arguments: dict[str, bool | int | float | str] = field(
        "arguments of the model, as timm names them, such as drop_path_rate", "1", {}, max_length=64
    )


@register("ters_train.models", "timm")
class TimmModel(Model):
    """A model of timm on spectra, maps or cubes, for any task that asks for one row of numbers.

    Parameters
    ----------
    config
        The model, whole; its name is ``timm:NAME``.
    options
        Size of the images, and arguments.
    """

    Options = TimmConfig
    takes_argument = True

    def __init__(self, config: ModelConfig, options: TimmConfig) -> None:
        super().__init__(config, options)
        if len(config.inputs) != 1 or len(config.outputs) != 1:
            raise ConfigError(
                f"{config.name}: expected one input and one output, got "
                f"{', '.join([*config.inputs, *config.outputs])}; take another model"
            )
        ((self.input, shape),) = config.inputs.items()
        ((self.output, self.output_shape),) = config.outputs.items()
        self.side, channels = 0, 1
        if len(shape) == 1:
            self.side = math.isqrt(shape[0] - 1) + 1
            least = self.side
        elif self.input == "cube":
            least, channels = max(shape[:2]), shape[2]
        else:
            least, channels = max(shape[1:]), shape[0]
        self.size = options.size or max(_LEAST_SIDE, -(-least // _STRIDE) * _STRIDE)
        self.image_model = _create(
            config.name.partition(":")[2],
            channels,
            math.prod(self.output_shape),
            self.size,
            options.arguments,
        )
        names = {id(value): name for name, value in self.named_parameters()}
        head = self.image_model.get_classifier()  # type: ignore[operator]
        if self.output == "logits" and isinstance(head, nn.Module):
            self.class_rows = tuple(names[id(value)] for value in head.parameters())

    def images(self, x: Tensor) -> Tensor:
        """Return square images, shape (B, C, size, size), of rows of the input."""
        if self.side:
            left = self.side**2 - x.shape[1]
            folded = torch.cat([x, x[:, -1:].expand(-1, left)], dim=1)
            x = folded.reshape(-1, 1, self.side, self.side)
        elif self.input == "cube":
            x = x.permute(0, 3, 1, 2)
        if x.shape[2:] == (self.size, self.size):
            return x
        return functional.interpolate(
            x, (self.size, self.size), mode="bilinear", align_corners=False
        )

    def features(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return what the classifier of the image model reads, shape (B, F)."""
        dtype = next(self.parameters()).dtype
        images = self.images(self.input_of(inputs, self.input).to(dtype))
        found = self.image_model.forward_features(images)  # type: ignore[operator]
        features: Tensor = self.image_model.forward_head(found, pre_logits=True)  # type: ignore[operator]
        return features.flatten(1)

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the output that is asked for, shape (B, ...)."""
        dtype = next(self.parameters()).dtype
        found: Tensor = self.image_model(self.images(self.input_of(inputs, self.input).to(dtype)))
        return {self.output: found.reshape(-1, *self.output_shape)}


def _create(
    name: str, channels: int, n_outputs: int, size: int, arguments: dict[str, Any]
) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise MissingExtraError(
            f"timm:{name} needs the packages timm and torchvision, of which {error.name or error} "
            "cannot be imported: pip install timm"
        ) from None
    except RuntimeError as error:  # what torchvision raises
        raise MissingExtraError(
            f"timm:{name} needs a torchvision built for torch {torch.__version__}, got one that "
            f"fails: {' '.join(str(error).split())[:100]}; install the torchvision of the same "
            "release and for the same device as torch"
        ) from None
    if not _NAME.fullmatch(name) or not timm.is_model(name):
        raise ConfigError(
            f"model: expected a model of timm {timm.__version__}, such as timm:convnext_atto, "
            f"got {'timm:' + name!r}{did_you_mean(name, timm.list_models())}"
        )
    refused = [one for one in arguments if one.startswith(_REFUSED)]
    if refused:
        raise ConfigError(
            f"model.options.arguments: expected no {refused[0]}, which follows from the data or "
            "loads a file; leave it out"
        )
    settings = timm.get_pretrained_cfg(name, allow_unregistered=True)
    fixed = {"img_size": size} if getattr(settings, "fixed_input_size", False) else {}
    try:
        model: nn.Module = timm.create_model(
            name, in_chans=channels, num_classes=n_outputs, **fixed, **arguments
        )
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigError(f"timm:{name}: cannot be made: {' '.join(str(error).split())}") from None
    return model
