"""Statistics of batch normalisation, computed for the weights that are scored.

While it trains, a layer keeps a moving average of the mean and variance of its last ten batches or
so. Where weights move fast, or are averaged, that is not the mean and variance of the weights that
are scored: accuracies on val drop for an epoch (decision 72). So they are computed anew before each
scoring, from rows of the training set.

Source: Y. Wu, J. Johnson, "Rethinking 'batch' in BatchNorm", arXiv:2105.07576, section 3.2.
"""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..data.stream import Batch
from ..data.transforms import Transforms
from .optimiser import Precision

N_BATCHES = 16
"""Training batches from which they are computed."""


def tracking_layers(model: nn.Module) -> list[_BatchNorm]:
    """Return the layers of a model that keep statistics of batches."""
    return [
        layer
        for layer in model.modules()
        if isinstance(layer, _BatchNorm) and layer.track_running_stats
    ]


@torch.no_grad()
def recompute(
    model: nn.Module, batches: Iterable[Batch], transforms: Transforms, precision: Precision
) -> None:
    """Replace the statistics of a model's layers by their means over batches, on its device."""
    layers = tracking_layers(model)
    momenta = [layer.momentum for layer in layers]
    model.eval()  # without dropout, as the model is scored
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # each batch counts the same
        layer.train()
    for batch in batches:
        with precision.autocast():
            model(transforms(batch, 0, train=True))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.eval()
