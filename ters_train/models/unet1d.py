"""The U-Net along the axis of spectra: spectra to a value at each of their points.

Source: O. Ronneberger, P. Fischer and T. Brox, "U-Net", MICCAI 2015, arXiv:1505.04597, in one
dimension, with padding and group normalisation.
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
from .model import Model, shape_of

_GROUPS = 8


class Unet1dConfig(Frozen):
    """The U-Net along the axis of spectra."""

    width: int = field("channels of the first level; each level below has twice as many", "1", 16,
                       gt=0, le=1024)  # fmt: skip
    depth: int = field("levels below the first, each of a quarter of the points", "1", 3,
                       gt=0, le=6)  # fmt: skip
    kernel: int = field("length of the kernels, odd", "point", 7, gt=0, le=255)


class DoubleConv1d(nn.Sequential):
    """Twice Conv1d -> GroupNorm -> ReLU."""

    def __init__(self, channels: int, width: int, kernel: int) -> None:
        layers: list[nn.Module] = []
        for inside in (channels, width):
            conv = nn.Conv1d(inside, width, kernel, padding=kernel // 2, bias=False)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            layers += [conv, nn.GroupNorm(math.gcd(width, _GROUPS), width), nn.ReLU()]
        super().__init__(*layers)


@register("ters_train.models", "unet1d")
class Unet1dModel(Model):
    """Spectra to outputs with a value at each point, shape (L,).

    Parameters
    ----------
    config
        The model, whole: one input, ``spectra`` (L,).
    options
        Width, depth, kernel.
    """

    Options = Unet1dConfig
    kinds = ("spectrum",)
    task = "denoising"
    batch_size = 64

    def __init__(self, config: ModelConfig, options: Unet1dConfig) -> None:
        super().__init__(config, options)
        (self.n_points,) = shape_of(config, "spectra", 1)
        if options.kernel % 2 == 0:
            raise ConfigError(f"unet1d.kernel: expected an odd length, got {options.kernel}")
        for name, shape in config.outputs.items():
            if shape != (self.n_points,):
                raise ConfigError(
                    f"model: expected unet1d to be asked for {self.n_points} points, got {name} of "
                    f"shape {shape}; take another model for this task"
                )
        self.step = 4**options.depth
        widths = [options.width << level for level in range(options.depth + 1)]
        self.first = DoubleConv1d(1, widths[0], options.kernel)
        self.down = nn.ModuleList(
            DoubleConv1d(above, below, options.kernel) for above, below in pairwise(widths)
        )
        self.pool = nn.MaxPool1d(4)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose1d(below, above, 4, 4) for below, above in pairs)
        self.joined = nn.ModuleList(
            DoubleConv1d(2 * above, above, options.kernel) for _, above in pairs
        )
        self.outputs = nn.Conv1d(options.width, len(config.outputs), 1)

    @classmethod
    def run_defaults(cls, options: BaseModel) -> dict[str, dict[str, Any]]:
        """Return a learning rate that suits a model without batch normalisation."""
        return {**super().run_defaults(options), "optim": {"lr": 4e-3}}

    @classmethod
    def suggest(cls, shapes: Mapping[str, Shape], wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return fewer levels for short spectra: at least four points are left at the bottom."""
        del wanted  # nothing else follows from them
        n_points = shapes["spectra"][0] if "spectra" in shapes else 1
        return {"depth": next((d for d in (3, 2, 1) if n_points >= 4 ** (d + 1)), 1)}

    def features(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the means over all points of the lowest level, shape (B, F)."""
        return self._levels(inputs)[-1].mean(dim=2)

    def _levels(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """Return the features of each level on the way down."""
        x = self.input_of(inputs, "spectra").to(self.outputs.weight.dtype).unsqueeze(1)
        missing = -self.n_points % self.step
        levels = [self.first(functional.pad(x, (0, missing), mode="replicate"))]
        for stage in self.down:
            levels.append(stage(self.pool(levels[-1])))
        return levels

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs by name, shape (B, L) each, of ``spectra``, shape (B, L)."""
        *levels, x = self._levels(inputs)
        for up, stage, level in zip(self.up, self.joined, reversed(levels), strict=True):
            x = stage(torch.cat([level, up(x)], dim=1))
        values = self.outputs(x)[:, :, : self.n_points]
        return dict(zip(self.config.outputs, values.unbind(dim=1), strict=True))
