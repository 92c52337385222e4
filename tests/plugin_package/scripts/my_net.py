"""A network of one's own, a file beside one's data: ``--model my_net:Net``."""

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """Knows nothing of ters_train: it takes a spectrum and returns a row of numbers."""

    def __init__(self, input_shape: tuple[int], n_classes: int, width: int = 16) -> None:
        super().__init__()
        self.hidden = nn.Linear(input_shape[0], width)
        self.dropout = nn.Dropout(0.1)
        self.last = nn.Linear(width, n_classes)

    def forward(self, spectra: Tensor) -> Tensor:
        return self.last(self.dropout(torch.relu(self.hidden(spectra))))
