"""The U-Net for structure targets: maps to masks of atoms and a map of bonds, pixel by pixel.

Source: O. Ronneberger, P. Fischer and T. Brox, "U-Net", MICCAI 2015, arXiv:1505.04597; here with
padding, so that output and input have the same pixels, and group normalisation (Y. Wu and K. He,
arXiv:1803.08494), whose results depend on no other row of a batch.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.nn import functional

from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import Frozen, field

from ..config import ModelConfig, Shape
from .model import Model

GROUPS = 8
"""Most groups of a group normalisation; fewer where they would not divide the channels."""
RARE_LOGIT = -4.0
"""Bias of the outputs at the start: sigmoid(-4) is 2 %, about as rare as an atom's pixels are."""


_DEPTHS = (4, 3, 2, 1)
_LARGE_IMAGE = 96


class UnetConfig(Frozen):
    """The U-Net for structure targets: O. Ronneberger et al., MICCAI 2015, arXiv:1505.04597."""

    width: int = field("channels of the first level; each level below has twice as many", "1", 16,
                       gt=0, le=1024)  # fmt: skip
    depth: int = field("levels below the first, each of half the pixels", "1", 4, gt=0, le=10)
    block: int = field(
        "side of the blocks of pixels that are channels of one pixel at the first level, and are "
        "put back after the last; 1 for none, new runs have up to 2",
        "pixel",
        1,
        gt=0,
        le=64,
    )
    dropout: float = field("dropout of whole channels at the bottom", "1", 0.0, ge=0, lt=1)


class DoubleConv(nn.Sequential):
    """Twice Conv2d (3 x 3) -> GroupNorm -> ReLU."""

    def __init__(self, channels: int, width: int) -> None:
        layers: list[nn.Module] = []
        for inside in (channels, width):
            conv = nn.Conv2d(inside, width, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            layers += [conv, nn.GroupNorm(math.gcd(width, GROUPS), width), nn.ReLU()]
        super().__init__(*layers)


class Unet(nn.Module):
    """Images to features of every pixel: down ``depth`` levels and up again, levels joined.

    Parameters
    ----------
    config
        Width, depth, dropout.
    channels
        Channels C of an image.
    """

    def __init__(self, config: UnetConfig, channels: int) -> None:
        super().__init__()
        widths = [config.width << level for level in range(config.depth + 1)]
        self.first = DoubleConv(channels, widths[0])
        self.down = nn.ModuleList(DoubleConv(above, below) for above, below in pairwise(widths))
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout2d(config.dropout)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(below, above, 2, 2) for below, above in pairs)
        self.joined = nn.ModuleList(DoubleConv(2 * above, above) for _, above in pairs)

    def forward(self, images: Tensor) -> Tensor:
        """Return features, shape (B, width, H, W), of images of shape (B, C, H, W)."""
        x: Tensor = self.first(images)
        levels = []
        for stage in self.down:
            levels.append(x)
            x = stage(self.pool(x))
        x = self.dropout(x)
        for up, stage, level in zip(self.up, self.joined, reversed(levels), strict=True):
            x = stage(torch.cat([level, up(x)], dim=1))
        return x


@register("ters_train.models", "unet")
class UnetModel(Model):
    """Maps or cubes to logits of every pixel: an output (E, H, W) is E channels, (H, W) is one.

    Parameters
    ----------
    config
        The model, whole: one input, ``maps`` (C, H, W) or ``cube`` (H, W, C).
    options
        Width, depth, dropout.
    """

    Options = UnetConfig
    kinds = ("map", "cube")
    task = "structure"
    batch_size = 16  # images as large as these take memory at each level

    def __init__(self, config: ModelConfig, options: UnetConfig) -> None:
        super().__init__(config, options)
        (self.array,) = config.inputs
        channels, height, width = _image(config.inputs)
        step = options.block << options.depth
        if height % step or width % step:
            factor = "" if options.block == 1 else f"{options.block} * "
            raise ConfigError(
                f"unet.depth: expected rows and columns that {step} divides, {factor}"
                f"2^{options.depth}, got {height} x {width}; take a smaller depth or block"
            )
        for name, shape in config.outputs.items():
            if len(shape) not in (2, 3) or shape[-2:] != (height, width):
                raise ConfigError(
                    f"model: expected unet to be asked for pixels, {height} x {width}, got {name} "
                    f"of shape {shape}; take another model for this task"
                )
        self.block = options.block
        self.unet = Unet(options, channels * self.block**2)
        n_channels = sum(map(_channels, config.outputs.values()))
        self.outputs = nn.Conv2d(options.width, n_channels * self.block**2, 1)
        nn.init.xavier_uniform_(self.outputs.weight)
        if self.outputs.bias is not None:  # it is there, but torch's types do not know
            nn.init.constant_(self.outputs.bias, RARE_LOGIT)

    @classmethod
    def run_defaults(cls, options: BaseModel) -> dict[str, dict[str, Any]]:
        """Return a learning rate that suits a model without batch normalisation."""
        return {**super().run_defaults(options), "optim": {"lr": 4e-3}}

    @classmethod
    def suggest(cls, shapes: Mapping[str, Shape], wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return blocks of 2 x 2 pixels for large images, and the levels: up to 4.

        Blocks make a step four times as fast; in small images atoms are as small as a block. There
        are at least 4 pixels at the bottom.
        """
        _, height, width = _image(shapes)
        is_large = min(height, width) >= _LARGE_IMAGE and height % 4 == width % 4 == 0
        block = wanted.get("block", 2 if is_large else 1)
        for depth in _DEPTHS if isinstance(block, int) else ():
            step = block << depth
            if height % step == 0 and width % step == 0 and min(height, width) >= 4 * step:
                return {"block": block, "depth": depth}
        return {"block": block, "depth": 1}

    def features(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the means over all pixels of the features of a pixel, shape (B, width)."""
        return self._pixels(inputs).mean(dim=(2, 3))

    def _pixels(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the features of each block of pixels, shape (B, width, H / block, W / block)."""
        x = self.input_of(inputs, self.array)
        if self.array == "cube":
            x = x.permute(0, 3, 1, 2)
        pixels: Tensor = self.unet(
            functional.pixel_unshuffle(x.to(self.outputs.weight.dtype), self.block)
        )
        return pixels

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what the model makes of a batch.

        Parameters
        ----------
        inputs
            ``"maps"``, shape (B, C, H, W), or ``"cube"``, shape (B, H, W, C), whichever it sees, of
            any floating type; what else is in there is left alone.

        Returns
        -------
        dict
            Logits, ``"masks"``, shape (B, E, H, W), and ``"bonds"``, shape (B, H, W), say.
        """
        logits = functional.pixel_shuffle(self.outputs(self._pixels(inputs)), self.block)
        outputs: dict[str, Tensor] = {}
        first = 0
        for name, shape in self.config.outputs.items():
            part = logits[:, first : first + _channels(shape)]
            outputs[name] = part if len(shape) == 3 else part[:, 0]
            first += _channels(shape)
        return outputs


def _channels(shape: Shape) -> int:
    return shape[0] if len(shape) == 3 else 1


def _image(shapes: Mapping[str, Shape]) -> tuple[int, int, int]:
    """Return channels, rows and columns (C, H, W) of the one input."""
    if len(shapes) != 1 or len(shape := next(iter(shapes.values()))) != 3:
        raise ConfigError(f"model.inputs: expected maps or a cube for unet, got {dict(shapes)}")
    first, second, third = shape
    return (third, first, second) if "cube" in shapes else (first, second, third)
