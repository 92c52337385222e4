"""The vision transformer for maps, Eqs. (5.1)-(5.4).

Source: A. Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021, arXiv:2010.11929.
Convolutional stem: T. Xiao et al., NeurIPS 2021, arXiv:2106.14881.
Stochastic depth: G. Huang et al., ECCV 2016, arXiv:1603.09382.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from pydantic import BaseModel, model_validator
from torch import Tensor, nn
from torch.nn import functional

from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import Frozen, field

from ..config import ModelConfig, Shape
from .branches import BranchModel
from .model import shape_of

EMBEDDING_STD = 0.02
"""Standard deviation of initial class token and positions (ViT), cut at two of them."""
LEAST_CHANNELS = 8
"""Fewest channels of a convolutional stem."""

VIT_SIZES: dict[str, tuple[int, int, int]] = {
    "pico": (128, 2, 4),
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
}
"""Width, depth and heads of the named sizes: DeiT's and ViT's, and a smaller one for CPUs."""


class VitConfig(Frozen):
    """The vision transformer of Eqs. (5.1)-(5.4)."""

    size: Literal["pico", "tiny", "small", "base", "custom"] = field(
        "a named size, or custom with width, depth and heads", "1", "pico"
    )
    width: int = field("length of a token; of a custom size", "1", 192, gt=0, le=8192)
    depth: int = field("blocks; of a custom size", "1", 12, gt=0, le=256)
    heads: int = field("heads of the attention; of a custom size", "1", 3, gt=0, le=256)
    mlp_ratio: float = field("width of the MLP over that of a token", "1", 4.0, gt=0, le=32)
    patch: int = field("side P of a patch", "pixel", 8, gt=0, le=1024)
    stem: Literal["conv", "linear"] = field(
        "how patches become tokens: strided convolutions, which learn small details from fewer "
        "maps, or the projection of Eq. (5.1)",
        "1",
        "conv",
    )
    stem_depth: int = field(
        "convolutions of each stage of the stem after the first stage; new runs have 2", "1", 1,
        gt=0, le=8,
    )  # fmt: skip
    repeat_channels: bool = field("repeat a one-channel map to three channels", "1", False)
    dropout: float = field("dropout in blocks and head", "1", 0.0, ge=0, lt=1)
    drop_path: float = field("stochastic depth: rate of the last block", "1", 0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        width, _, heads = self.dimensions
        if width % heads:
            raise ValueError(f"width: expected a multiple of {heads} heads, got {width}")
        return self

    @property
    def dimensions(self) -> tuple[int, int, int]:
        """Width, depth and heads."""
        return VIT_SIZES.get(self.size, (self.width, self.depth, self.heads))


class PatchEmbedding(nn.Module):
    """Maps to tokens, Eq. (5.1): N flattened patches of C P^2 values, projected by E.

    Parameters
    ----------
    shape
        Channels, rows and columns (C, H, W) of a map; P divides H and W.
    patch
        Side P of a patch, pixel.
    width
        Length D of a token.
    """

    def __init__(self, shape: tuple[int, int, int], patch: int, width: int) -> None:
        super().__init__()
        self.shape = shape
        self.patch = patch
        self.n_patches = (shape[1] // patch) * (shape[2] // patch)
        self.projection = nn.Linear(shape[0] * patch * patch, width)

    def forward(self, maps: Tensor) -> Tensor:
        """Return tokens, shape (B, N, D), row by row of maps of shape (B, C, H, W)."""
        c, h, w = self.shape
        p = self.patch
        x = maps.reshape(-1, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5)
        tokens: Tensor = self.projection(x.reshape(-1, self.n_patches, c * p * p))
        return tokens


class ConvolutionalStem(nn.Module):
    """Maps to the N tokens of Eq. (5.1), by convolutions whose strides are the prime factors of P.

    Stages of Conv2d -> BatchNorm -> ReLU, each with half as many channels as the next, the last
    with D; then a 1 x 1 convolution, which is the projection E. Windows overlap.

    Parameters
    ----------
    shape
        Channels, rows and columns (C, H, W) of a map; P divides H and W.
    patch
        Side P of a patch, pixel.
    width
        Length D of a token.
    depth
        Convolutions of each stage after the first; all but one of a stage have the stride 1.
    """

    def __init__(self, shape: tuple[int, int, int], patch: int, width: int, depth: int = 1) -> None:
        super().__init__()
        self.n_patches = (shape[1] // patch) * (shape[2] // patch)
        strides = prime_factors(patch)
        layers: list[nn.Module] = []
        channels = shape[0]
        for i, stride in enumerate(strides, start=1):
            features = max(width >> (len(strides) - i), LEAST_CHANNELS)
            for step in (stride, *(1,) * (depth - 1 if i > 1 else 0)):
                # odd; with a padding of 1, H / step rows are left
                kernel = 3 if step == 1 else step + 1 + step % 2
                conv = nn.Conv2d(channels, features, kernel, step, padding=1, bias=False)
                nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                layers += [conv, nn.BatchNorm2d(features), nn.ReLU()]
                channels = features
        self.stages = nn.Sequential(*layers)
        self.projection = nn.Linear(channels, width)

    def forward(self, maps: Tensor) -> Tensor:
        """Return tokens, shape (B, N, D), row by row of maps of shape (B, C, H, W)."""
        tokens: Tensor = self.projection(self.stages(maps).flatten(2).transpose(1, 2))
        return tokens


def prime_factors(number: int) -> list[int]:
    """Return the prime factors of a positive number, rising.

    Examples
    --------
    >>> prime_factors(24)
    [2, 2, 2, 3]
    """
    factors = []
    factor = 2
    while number > 1:
        while number % factor == 0:
            factors.append(factor)
            number //= factor
        factor += 1
    return factors


class Attention(nn.Module):
    """Multi-head self-attention softmax(Q K^T / sqrt(d_k)) V, Eq. (5.2)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens that have seen each other; shape (B, N, D) as they came."""
        n, width = x.shape[1:]
        qkv = self.qkv(x).reshape(-1, n, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        seen = functional.scaled_dot_product_attention(q, k, v)
        mixed: Tensor = self.out(seen.transpose(1, 2).reshape(-1, n, width))
        return mixed


class DropPath(nn.Module):
    """Stochastic depth: a residual branch is left out of a sample with probability ``rate``.

    Those that stay are scaled by 1/(1 - rate), so that the expectation is that of evaluation.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """Return the branch, shape (B, N, D), with some of the B samples zero."""
        if not self.training or self.rate == 0.0:
            return branch
        keep = 1.0 - self.rate
        kept = torch.rand(branch.shape[0], 1, 1, device=branch.device) < keep
        return branch * (kept / keep).to(branch.dtype)


class Block(nn.Module):
    """A pre-norm block, Eq. (5.3): LN -> MSA -> residual -> LN -> MLP -> residual."""

    def __init__(
        self, width: int, heads: int, hidden: int, *, dropout: float, drop_path: float
    ) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, width),
        )
        self.dropout = nn.Dropout(dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens of the shape (B, N, D) as they came."""
        x = x + self.drop_path(self.dropout(self.attention(self.norm_1(x))))
        out: Tensor = x + self.drop_path(self.dropout(self.mlp(self.norm_2(x))))
        return out


class MapVit(nn.Module):
    """Maps to features: the class token after all blocks, Eqs. (5.1)-(5.3).

    Tokens come from a convolutional stem or, by option, from the projection of Eq. (5.1).

    Parameters
    ----------
    config
        Size, patch and so on.
    shape
        Channels, rows and columns (C, H, W) of a map; the patch divides H and W.
    """

    def __init__(self, config: VitConfig, shape: tuple[int, int, int]) -> None:
        super().__init__()
        width, depth, heads = config.dimensions
        self.shape = shape
        self.n_features = width
        self.repeat = 3 if config.repeat_channels else 1
        seen = (shape[0] * self.repeat, shape[1], shape[2])
        self.embedding = (
            ConvolutionalStem(seen, config.patch, width, config.stem_depth)
            if config.stem == "conv"
            else PatchEmbedding(seen, config.patch, width)
        )
        self.class_token = nn.Parameter(torch.empty(1, 1, width))
        self.position = nn.Parameter(torch.empty(1, 1 + self.embedding.n_patches, width))
        self.dropout = nn.Dropout(config.dropout)
        hidden = max(1, round(width * config.mlp_ratio))
        self.blocks = nn.Sequential(
            *(
                Block(
                    width,
                    heads,
                    hidden,
                    dropout=config.dropout,
                    drop_path=config.drop_path * i / max(depth - 1, 1),
                )
                for i in range(depth)
            )
        )
        self.norm = nn.LayerNorm(width)
        self._initialise()

    def _initialise(self) -> None:
        for parameter in (self.class_token, self.position):
            cut = 2 * EMBEDDING_STD
            nn.init.trunc_normal_(parameter, std=EMBEDDING_STD, a=-cut, b=cut)
        # Glorot, as in the paper's own code: the fixed 0.02 of DeiT suits a width of 768, and with
        # narrow tokens all patches look the same for thousands of steps
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, Attention):
                for part in module.qkv.weight.chunk(3):  # three layers in one
                    nn.init.xavier_uniform_(part)

    def forward(self, maps: Tensor) -> Tensor:
        """Return features, shape (B, n_features), of maps of shape (B, C, H, W)."""
        if self.repeat > 1:
            maps = maps.repeat(1, self.repeat, 1, 1)
        patches = self.embedding(maps)
        first = self.class_token.expand(patches.shape[0], -1, -1).to(patches.dtype)
        tokens = torch.cat([first, patches], dim=1) + self.position
        tokens = self.blocks(self.dropout(tokens))
        features: Tensor = self.dropout(self.norm(tokens[:, 0]))
        return features


def check_map(options: VitConfig, shape: tuple[int, int, int]) -> None:
    """Refuse maps that patches do not cover."""
    channels, height, width = shape
    if min(height, width) < 2:
        raise ConfigError(
            "expected maps of at least 2 x 2 pixels for a vision transformer, got "
            f"{height} x {width}"
        )
    if height % options.patch or width % options.patch:
        raise ConfigError(
            f"vit.patch: expected a divisor of {height} and {width}, got {options.patch}"
        )
    if options.repeat_channels and channels != 1:
        raise ConfigError(f"vit.repeat_channels: expected maps of one channel, got {channels}")


def suggest_options(shapes: Mapping[str, Shape], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the side of the patches that suits a size and a map, and what small models need.

    Named sizes of the literature have patches of at most 8 pixels, at least two of them a side;
    the size for CPUs has larger ones, at least four a side.
    """
    _, height, width = shapes["maps"]
    is_pico = wanted.get("size", "pico") == "pico"
    largest, least = (32, 4) if is_pico else (8, 2)
    fitting = (
        p
        for p in range(largest, 0, -1)
        if height % p == 0 and width % p == 0 and least * p <= min(height, width)
    )
    options: dict[str, Any] = {"patch": next(fitting, 1), "stem_depth": 2}
    return {**options, "mlp_ratio": 2.0, "drop_path": 0.0} if is_pico else options


def map_branch(config: ModelConfig, options: VitConfig) -> MapVit:
    """Return the branch for the maps of a model."""
    channels, height, width = shape_of(config, "maps", 3)
    check_map(options, (channels, height, width))
    return MapVit(options, (channels, height, width))


@register("ters_train.models", "vit")
class VitModel(BranchModel):
    """Maps to classes, or other outputs that a task needs."""

    Options = VitConfig
    kinds = ("map",)
    sizes = tuple(VIT_SIZES)

    def __init__(self, config: ModelConfig, options: VitConfig) -> None:
        super().__init__(config, options, {"maps": map_branch(config, options)})

    @classmethod
    def suggest(cls, shapes: Mapping[str, Shape], wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return what suits the maps and the size."""
        return suggest_options(shapes, wanted)

    @classmethod
    def run_defaults(cls, options: BaseModel) -> dict[str, dict[str, Any]]:
        """Return small batches and steps for the smallest size, which learns from few rows."""
        is_pico = isinstance(options, VitConfig) and options.size == "pico"
        return {"order": {"batch_size": 32}, "optim": {"lr": 1e-3}} if is_pico else {}
