"""A model: the intensity in some bands of a spectrum, each with a centre and width to be learnt."""

import math

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from ters_train import Model, ModelConfig


class BandsOptions(BaseModel):
    """What a user can set: ``--set model.options.n_bands=8``."""

    n_bands: int = Field(16, gt=0, le=4096)


class Bands(Model):
    """Spectra to whatever a task asks for, through intensities in Gaussian windows."""

    Options = BandsOptions
    kinds = ("spectrum",)

    def __init__(self, config: ModelConfig, options: BandsOptions) -> None:
        super().__init__(config, options)
        (n_points,) = config.inputs["spectra"]
        self.centre = nn.Parameter(torch.linspace(-1, 1, options.n_bands))
        self.width = nn.Parameter(torch.full((options.n_bands,), 2 / options.n_bands))
        self.register_buffer("axis", torch.linspace(-1, 1, n_points), persistent=False)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(options.n_bands, math.prod(s)) for name, s in config.outputs.items()}
        )

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        distance = (self.axis[:, None] - self.centre) / self.width
        bands = self.input_of(inputs, "spectra") @ torch.exp(-0.5 * distance**2)
        shapes = self.config.outputs
        return {name: head(bands).reshape(-1, *shapes[name]) for name, head in self.heads.items()}
