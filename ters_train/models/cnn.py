"""The 1D convolutional network for spectra, Eq. (4.1)."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import field

from ..config import Shape
from .spectra import SpectrumModel
from .spectrum_inputs import SpectrumInputs, SpectrumOptions

GROUPS = 8
"""Most groups of a group normalisation; fewer where they would not divide the channels."""


Width = Annotated[int, Field(gt=0, le=1 << 16)]


class CnnConfig(SpectrumOptions):
    """The 1D convolutional network of Eq. (4.1): stages of convolutions, each with a pooling."""

    widths: tuple[Width, ...] = field(
        "channels of each stage", "1", (16, 32, 64, 128), max_length=64
    )
    depth: int = field("convolutions of each stage", "1", 1, gt=0, le=16)
    kernel: int = field("length of the kernels, odd", "point", 7, gt=0, le=255)
    stride: int = field("stride of the first convolution of each stage", "point", 4, gt=0, le=16)
    dilation: int = field("dilation of the convolutions", "point", 1, gt=0, le=64)
    norm: Literal["batch", "group", "layer", "none"] = field("normalisation", "1", "batch")
    pool: Literal["max", "mean", "none"] = field(
        "pooling after each stage; by default strides take its place, which is faster",
        "1",
        "none",
    )
    pool_size: int = field("length and stride of the pooling", "point", 4, gt=1, le=64)
    features: Literal["mean", "flat"] = field(
        "what the head sees of each channel: the mean over the points that are left, or every "
        "point, which distinguishes bands that are slightly shifted; new runs of the CNN have flat",
        "1",
        "mean",
    )
    hidden: int = field(
        "units of a layer with ReLU before the head, which reads heights of bands against each "
        "other; 0 for none",
        "1",
        0,
        ge=0,
        le=1 << 14,
    )
    dropout: float = field("dropout before that layer and the head", "1", 0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel: expected an odd length, got {self.kernel}")
        if not self.widths:
            raise ValueError("widths: expected at least one stage, got none")
        return self


class SpectrumCnn(nn.Module):
    """Spectra to features: stages of Conv1d -> Norm -> ReLU -> Pool, Eq. (4.1).

    A stage has ``depth`` convolutions, the first of them with the stride, and then one pooling.
    After the last stage each channel is averaged over the points that are left or, by option, all
    of them are features; by option, a layer with ReLU combines them. A convolution and a mean do
    not know *where* on the axis a band is: by option, a channel of the input carries the position,
    from -1 to 1.

    Parameters
    ----------
    config
        Widths, depth, kernel and so on.
    n_points
        Points L of a spectrum.
    """

    def __init__(self, config: CnnConfig, n_points: int) -> None:
        super().__init__()
        _check_length(config, n_points)
        self.n_points = n_points
        self.flat = config.features == "flat"
        n_left = stage_lengths(config, n_points)[-1] if self.flat else 1
        self.n_features = config.widths[-1] * n_left
        self.inputs = SpectrumInputs(config, n_points)
        layers: list[nn.Module] = []
        channels = self.inputs.n_channels
        for width in config.widths:
            for j in range(config.depth):
                layers += _convolution(config, channels, width, config.stride if j == 0 else 1)
                channels = width
            if config.pool == "max":
                layers.append(nn.MaxPool1d(config.pool_size))
            elif config.pool == "mean":
                layers.append(nn.AvgPool1d(config.pool_size))
        self.stages = nn.Sequential(*layers)
        self.dropout = nn.Dropout(config.dropout)
        self.hidden: nn.Module | None = None
        if config.hidden:
            self.hidden = _hidden(self.n_features, config.hidden)
            self.n_features = config.hidden

    def forward(self, spectra: Tensor, measured: Tensor) -> Tensor:
        """Return features, shape (B, n_features), of spectra and what was measured, (B, L)."""
        left = self.stages(self.inputs(spectra, measured))
        features: Tensor = self.dropout(left.flatten(1) if self.flat else left.mean(dim=2))
        if self.hidden is not None:
            features = self.dropout(self.hidden(features))
        return features


def _hidden(n_features: int, n_units: int) -> nn.Module:
    linear = nn.Linear(n_features, n_units)
    nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
    nn.init.zeros_(linear.bias)
    return nn.Sequential(linear, nn.ReLU())


def _convolution(config: CnnConfig, channels: int, width: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv1d(
        channels,
        width,
        config.kernel,
        stride=stride,
        padding=config.dilation * (config.kernel - 1) // 2,
        dilation=config.dilation,
        bias=config.norm == "none",  # a normalisation takes the bias away, or brings its own
    )
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    norm: list[nn.Module] = []
    if config.norm == "batch":
        norm.append(nn.BatchNorm1d(width))
    elif config.norm == "group":
        norm.append(nn.GroupNorm(math.gcd(width, GROUPS), width))
    elif config.norm == "layer":
        norm.append(nn.GroupNorm(1, width))  # over channels and points
    return [conv, *norm, nn.ReLU()]


def stage_lengths(config: CnnConfig, n_points: int) -> list[int]:
    """Return the points that each stage leaves of a spectrum of ``n_points``; may reach 0."""
    lengths = []
    for _ in config.widths:
        n_points = -(-n_points // config.stride)  # padded by half a kernel, its length is odd
        if config.pool != "none":
            n_points //= config.pool_size
        lengths.append(n_points)
    return lengths


def _check_length(config: CnnConfig, n_points: int) -> None:
    lengths = stage_lengths(config, n_points)
    n_fit = sum(length > 0 for length in lengths)
    if n_fit < len(lengths):
        raise ConfigError(
            f"cnn.widths: expected at most {n_fit} stages with stride {config.stride} and "
            f"pool_size {config.pool_size} for spectra of {n_points} points, got {len(lengths)}; "
            "take fewer widths, or a smaller stride or pool_size"
        )


@register("ters_train.models", "cnn")
class CnnModel(SpectrumModel):
    """Spectra to classes, or other outputs that a task needs."""

    Options = CnnConfig
    branch = SpectrumCnn

    @classmethod
    def suggest(cls, shapes: Mapping[str, Shape], wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs and features of new runs, and the networks of new classifiers."""
        return {**super().suggest(shapes, wanted), "features": "flat", "members": 4}
