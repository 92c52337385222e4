"""Rows of a recipe as torch tensors, while effects act on them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..schema.fields import FieldSpec
from .base import Array


def torch_dtype(spec: FieldSpec) -> torch.dtype:
    """Return the type in which a field is read."""
    found: torch.dtype = getattr(torch, spec.value_dtype.name)
    return found


class TorchTile:
    """Rows whose arrays are tensors on one device; they need not be consecutive.

    Parameters
    ----------
    index
        Sample of each row, int64, shape (n,).
    seed
        Seed of the recipe.
    fields
        The arrays that are wanted, by name.

    Attributes
    ----------
    arrays
        Tensors by name, shape (n, ...): effects read them, and replace or add some. Fields are
        kept in the type in which they are read.
    """

    def __init__(self, index: Tensor, seed: int, fields: Mapping[str, FieldSpec]) -> None:
        self.index = index
        self.seed = seed
        self.fields = fields
        self.arrays: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        """Return the tensor of a name."""
        return self.arrays[name]

    def __setitem__(self, name: str, values: Tensor) -> None:
        """Replace or add a tensor; a field is rounded to its type, to nearest even.

        Those that are stored as integers are rounded to these when all effects have acted.
        """
        spec = self.fields.get(name)
        self.arrays[name] = values if spec is None else values.to(torch_dtype(spec))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.index)

    def tensor(self, values: Array) -> Tensor:
        """Return a table of an effect as a tensor on the device."""
        return torch.as_tensor(values, device=self.index.device)
