"""What is predicted from the features: classes, Eqs. (4.2) and (5.4), Raman tensors, numbers."""

import math

from torch import Tensor, nn

OUTPUT_STD = 0.02
"""Standard deviation of the last weights (DeiT), cut at two: no class is favoured at the start."""


class ClassHead(nn.Module):
    """Features to logits W h + b; their softmax, Eqs. (4.2) and (5.4), is left to the loss."""

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_features, n_classes)
        _initialise_output(self.linear)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape (B, K), of features of shape (B, F)."""
        logits: Tensor = self.linear(features)
        return logits


class TensorHead(nn.Module):
    """Features to the Raman tensors of M modes, in units of the sample's RMS (see the loss).

    One hidden layer, and nothing that forces the tensors to be symmetric: that is what the
    regulariser, Eq. (3.2), is for.
    """

    def __init__(self, n_features: int, n_modes: int) -> None:
        super().__init__()
        self.n_modes = n_modes
        self.hidden = nn.Linear(n_features, n_features)
        self.activation = nn.GELU()
        self.linear = nn.Linear(n_features, 9 * n_modes)
        nn.init.kaiming_normal_(self.hidden.weight, nonlinearity="relu")
        nn.init.zeros_(self.hidden.bias)
        _initialise_output(self.linear)

    def forward(self, features: Tensor) -> Tensor:
        """Return tensors, shape (B, M, 3, 3), of features of shape (B, F)."""
        flat: Tensor = self.linear(self.activation(self.hidden(features)))
        return flat.reshape(-1, self.n_modes, 3, 3)


class ValueHead(nn.Module):
    """Features to numbers of any shape, W h + b."""

    def __init__(self, n_features: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.linear = nn.Linear(n_features, math.prod(shape))
        _initialise_output(self.linear)

    def forward(self, features: Tensor) -> Tensor:
        """Return numbers, shape (B, ...), of features of shape (B, F)."""
        flat: Tensor = self.linear(features)
        return flat.reshape(-1, *self.shape)


def _initialise_output(layer: nn.Linear) -> None:
    nn.init.trunc_normal_(layer.weight, std=OUTPUT_STD, a=-2 * OUTPUT_STD, b=2 * OUTPUT_STD)
    nn.init.zeros_(layer.bias)
