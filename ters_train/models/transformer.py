"""A small transformer for spectra: the blocks of the vision transformer on pieces of the axis."""

from typing import Any, Literal, Self

import torch
from pydantic import BaseModel, model_validator
from torch import Tensor, nn

from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import field

from .spectra import SpectrumModel
from .spectrum_inputs import SpectrumInputs, SpectrumOptions
from .vit import EMBEDDING_STD, Block, prime_factors

_LEAST_TOKENS = 4


class TransformerConfig(SpectrumOptions):
    """A transformer of spectra; positions of tokens are learnt."""

    position: bool = field("feed the position on the axis as a channel, too", "1", False)
    width: int = field("length of a token", "1", 64, gt=0, le=8192)
    depth: int = field("blocks", "1", 2, gt=0, le=256)
    heads: int = field("heads of the attention", "1", 4, gt=0, le=256)
    mlp_ratio: float = field("width of the MLP over that of a token", "1", 2.0, gt=0, le=32)
    patch: int = field("points of a token", "point", 32, gt=0, le=1024)
    features: Literal["mean", "flat"] = field(
        "what the head sees: the mean of the tokens, or every token", "1", "flat"
    )
    dropout: float = field("dropout in blocks and head", "1", 0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width: expected a multiple of {self.heads} heads, got {self.width}")
        return self


class SpectrumTransformer(nn.Module):
    """Spectra to features: the tokens after all blocks, or their mean.

    Tokens come from convolutions whose strides are the prime factors of a patch.

    Parameters
    ----------
    config
        Width, depth and so on.
    n_points
        Points L of a spectrum.
    """

    def __init__(self, config: TransformerConfig, n_points: int) -> None:
        super().__init__()
        n_tokens = -(-n_points // config.patch)
        if n_tokens < _LEAST_TOKENS:
            raise ConfigError(
                f"transformer.patch: expected at least {_LEAST_TOKENS} tokens, got {n_tokens} of "
                f"{n_points} points; take a smaller patch"
            )
        self.inputs = SpectrumInputs(config, n_points)
        self.flat = config.features == "flat"
        layers: list[nn.Module] = []
        channels, strides = self.inputs.n_channels, prime_factors(config.patch)
        for i, stride in enumerate(strides, start=1):
            width = max(16, config.width >> (len(strides) - i))
            conv = nn.Conv1d(channels, width, 2 * stride + 1, stride, stride)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            layers += [conv, nn.GroupNorm(1, width), nn.GELU()]
            channels = width
        self.stem = nn.Sequential(*layers)
        self.projection = nn.Linear(channels, config.width)
        with torch.no_grad():
            n_tokens = self.stem(torch.zeros(1, self.inputs.n_channels, n_points)).shape[2]
        self.n_features = config.width * (n_tokens if self.flat else 1)
        self.position = nn.Parameter(torch.empty(1, n_tokens, config.width))
        hidden = max(1, round(config.width * config.mlp_ratio))
        self.blocks = nn.Sequential(
            *(
                Block(config.width, config.heads, hidden, dropout=config.dropout, drop_path=0.0)
                for _ in range(config.depth)
            )
        )
        self.norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)
        cut = 2 * EMBEDDING_STD
        nn.init.trunc_normal_(self.position, std=EMBEDDING_STD, a=-cut, b=cut)

    def forward(self, spectra: Tensor, measured: Tensor) -> Tensor:
        """Return features, shape (B, n_features), of spectra and what was measured, (B, L)."""
        seen = self.stem(self.inputs(spectra, measured))
        tokens = self.projection(seen.transpose(1, 2)) + self.position
        seen = self.norm(self.blocks(self.dropout(tokens)))
        features: Tensor = self.dropout(seen.flatten(1) if self.flat else seen.mean(dim=1))
        return features


@register("ters_train.models", "transformer")
class TransformerModel(SpectrumModel):
    """Spectra to classes, or other outputs that a task needs."""

    Options = TransformerConfig
    branch = SpectrumTransformer
    batch_size = 64

    @classmethod
    def run_defaults(cls, options: BaseModel) -> dict[str, dict[str, Any]]:
        """Return a smaller learning rate than that of convolutions."""
        return {**super().run_defaults(options), "optim": {"lr": 1e-3}}
