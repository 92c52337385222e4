"""ConvNeXt in one dimension, for spectra.

Source: Z. Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545. Normalisations are
over the channels of a point: none depends on the other rows of a batch.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import field

from .spectra import SpectrumModel
from .spectrum_inputs import SpectrumInputs, SpectrumOptions
from .vit import DropPath

_STD = 0.02
_EPS = 1e-6

Width = Annotated[int, Field(gt=0, le=1 << 13)]
Depth = Annotated[int, Field(gt=0, le=64)]


class ConvNextConfig(SpectrumOptions):
    """ConvNeXt in one dimension; the default is small enough for CPUs."""

    widths: tuple[Width, ...] = field("channels of each stage", "1", (32, 64, 128), max_length=16)
    depths: tuple[Depth, ...] = field("blocks of each stage", "1", (1, 1, 2), max_length=16)
    kernel: int = field("length of the depthwise kernels, odd", "point", 9, gt=0, le=255)
    stride: int = field("stride before each stage", "point", 4, gt=0, le=16)
    mlp_ratio: float = field("width of a block's inner layer over its own", "1", 2.0, gt=0, le=16)
    features: Literal["mean", "flat"] = field(
        "what the head sees of each channel: the mean over the points that are left, or every "
        "point",
        "1",
        "flat",
    )
    dropout: float = field("dropout before the head", "1", 0.1, ge=0, lt=1)
    drop_path: float = field("stochastic depth: rate of the last block", "1", 0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel: expected an odd length, got {self.kernel}")
        if not self.widths or len(self.widths) != len(self.depths):
            raise ValueError(
                f"depths: expected one for each of {len(self.widths)} widths, got "
                f"{len(self.depths)}, and at least one"
            )
        return self


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each point, shape (B, C, L)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return points of mean 0 and variance 1."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Block(nn.Module):
    """Depthwise convolution -> LayerNorm -> linear -> GELU -> linear -> residual."""

    def __init__(self, width: int, config: ConvNextConfig, drop_path: float) -> None:
        super().__init__()
        hidden = max(1, round(width * config.mlp_ratio))
        self.depthwise = nn.Conv1d(
            width, width, config.kernel, padding=config.kernel // 2, groups=width
        )
        self.norm = nn.LayerNorm(width, eps=_EPS)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Return x of the shape (B, C, L) as it came."""
        inner = self.mlp(self.norm(self.depthwise(x).transpose(1, 2)))
        out: Tensor = x + self.drop_path(inner.transpose(1, 2))
        return out


class SpectrumConvNext(nn.Module):
    """Spectra to features: stages of blocks, then all points that are left, or their mean.

    Parameters
    ----------
    config
        Widths, depths and so on.
    n_points
        Points L of a spectrum.
    """

    def __init__(self, config: ConvNextConfig, n_points: int) -> None:
        super().__init__()
        least = config.stride ** len(config.widths)
        if n_points < least:
            raise ConfigError(
                f"convnext.widths: expected spectra of at least {least} points for "
                f"{len(config.widths)} stages with stride {config.stride}, got {n_points}; take "
                "fewer widths, or a smaller stride"
            )
        self.inputs = SpectrumInputs(config, n_points)
        self.flat = config.features == "flat"
        n_left = -(-n_points // config.stride) // config.stride ** (len(config.widths) - 1)
        self.n_features = config.widths[-1] * (n_left if self.flat else 1)
        n_blocks = sum(config.depths)
        layers: list[nn.Module] = []
        channels, number = self.inputs.n_channels, 0
        for i, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
            if i:
                layers += [ChannelNorm(channels, eps=_EPS)]
                layers += [nn.Conv1d(channels, width, config.stride, config.stride)]
            else:  # windows of the stem overlap, so that no band falls between two of them
                reach = 2 * config.stride - 1
                layers += [nn.Conv1d(channels, width, reach, config.stride, config.stride - 1)]
                layers += [ChannelNorm(width, eps=_EPS)]
            for _ in range(depth):
                rate = config.drop_path * number / max(1, n_blocks - 1)
                layers.append(Block(width, config, rate))
                number += 1
            channels = width
        self.stages = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(channels, eps=_EPS)
        self.dropout = nn.Dropout(config.dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv1d) and module.bias is not None:
                nn.init.trunc_normal_(module.weight, std=_STD, a=-2 * _STD, b=2 * _STD)
                nn.init.zeros_(module.bias)

    def forward(self, spectra: Tensor, measured: Tensor) -> Tensor:
        """Return features, shape (B, n_features), of spectra and what was measured, (B, L)."""
        left = self.stages(self.inputs(spectra, measured))
        seen = left.transpose(1, 2) if self.flat else left.mean(dim=2)
        features: Tensor = self.dropout(self.norm(seen).flatten(1))
        return features


@register("ters_train.models", "convnext")
class ConvNextModel(SpectrumModel):
    """Spectra to classes, or other outputs that a task needs."""

    Options = ConvNextConfig
    branch = SpectrumConvNext
