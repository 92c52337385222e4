"""The U-Net for structure targets: maps to masks of atoms and a map of bonds, pixel by pixel.

Source: O. Ronneberger, P. Fischer and T. Brox, "U-Net", MICCAI 2015, arXiv:1505.04597; here with
padding, so that what comes out lies on what went in, and group normalisation (Y. Wu and K. He,
arXiv:1803.08494), whose results depend on no other row of a batch.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from tersgen.errors import ConfigError

from ..config import ModelConfig, UnetConfig

GROUPS = 8
"""Most groups of a group normalisation; fewer where they would not divide the channels."""
RARE_LOGIT = -4.0
"""Bias of the outputs at the start: sigmoid(-4) is 2 %, about as rare as an atom's pixels are."""


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


class StructureModel(nn.Module):
    """Maps or cubes to logits of masks and bonds.

    Parameters
    ----------
    config
        The model, whole, with ``unet``, ``structure`` and ``map``.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if config.unet is None or config.structure is None or config.map is None:
            raise ConfigError("expected a model with unet, structure and map, got another")
        self.config = config
        self.array = config.unet.array
        channels, height, width = config.map
        shape = (height, width, channels) if self.array == "cube" else config.map
        self.shapes: dict[str, tuple[int, ...]] = {self.array: shape}
        self.n_elements = len(config.structure.elements)
        self.unet = Unet(config.unet, channels)
        n_outputs = self.n_elements + config.structure.bonds
        self.outputs = nn.Conv2d(config.unet.width, n_outputs, 1)
        nn.init.xavier_uniform_(self.outputs.weight)
        if self.outputs.bias is not None:  # it is there, but torch's types do not know
            nn.init.constant_(self.outputs.bias, RARE_LOGIT)

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
            Logits: ``"masks"``, shape (B, E, H, W), and ``"bonds"``, shape (B, H, W), if it draws
            them.

        Raises
        ------
        ConfigError
            If the input is missing or has another shape than the model is for.
        """
        x, shape = inputs.get(self.array), self.shapes[self.array]
        if x is None or tuple(x.shape[1:]) != shape:
            came = "none" if x is None else f"shape {tuple(x.shape)}"
            raise ConfigError(
                f"{self.array}: expected shape (B, {', '.join(map(str, shape))}), got {came}; "
                "the model is for data of one shape"
            )
        if self.array == "cube":
            x = x.permute(0, 3, 1, 2)
        logits = self.outputs(self.unet(x.to(self.outputs.weight.dtype)))
        outputs: dict[str, Tensor] = {"masks": logits[:, : self.n_elements]}
        if logits.shape[1] > self.n_elements:
            outputs["bonds"] = logits[:, self.n_elements]
        return outputs
