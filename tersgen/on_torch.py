"""Rows of a recipe generated in plain torch operations, on a GPU or anywhere torch runs.

The values are those of :class:`~tersgen.generator.Generator`, bit for bit: what is rounded alike on
all devices is said in ``numeric.on_torch``. Only effects that have such a form can be made; tables
of a recipe (its modes, its constellations) are computed on the processor, once.
"""

import numpy as np
import torch
from torch import Tensor

from .effects.base import Effect
from .effects.chain import field_table, make_effects
from .effects.on_torch import TorchTile, torch_dtype
from .errors import ConfigError
from .recipe import GENERATOR_VERSION, Recipe
from .schema.fields import FieldSpec

_POINT_BYTES = 256
"""Bytes of working memory for each point of a spectrum or map."""
_TILE_BYTES = {"cpu": 256 << 20}
_DEVICE_BYTES = 8 << 30
"""Working memory of other devices, which need many rows at once to be busy."""


def device_named(device: "str | torch.device") -> torch.device:
    """Return a device that is there."""
    try:
        found = torch.device(device)
        torch.empty(1, dtype=torch.float64, device=found)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        text = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"device: expected cpu, cuda or another device of PyTorch with float64, got "
            f"{device!r}: {text[:200]}"
        ) from None
    return found


class TorchGenerator:
    """A resolved recipe, ready to make any of its rows on a device.

    Parameters
    ----------
    recipe
        A resolved recipe.
    device
        Where to make them.
    """

    def __init__(self, recipe: Recipe, device: "str | torch.device") -> None:
        if recipe.generator != GENERATOR_VERSION:
            raise ConfigError(
                f"generator: expected {GENERATOR_VERSION}, which this version of tersgen has, got "
                f"{recipe.generator}"
            )
        self.device = device_named(device)
        self._effects = make_effects(recipe, recipe.held_library)
        unable = [
            one.label() for one in self._effects
            if type(one).apply_on_torch is Effect.apply_on_torch
        ]  # fmt: skip
        if unable:
            raise ConfigError(
                f"device: expected effects that can be made in torch operations, got "
                f"{', '.join(unable)}; generate these rows without device"
            )
        self._seed = recipe.seed
        self.table = field_table(recipe)
        self._fields = {spec.name: spec for spec in self.table}
        dense = sum(int(np.prod(spec.shape)) for spec in self.table if spec.is_dense)
        budget = _TILE_BYTES.get(self.device.type, _DEVICE_BYTES)
        self._tile = max(1, budget // (_POINT_BYTES * max(1, dense)))

    def rows(self, index: Tensor) -> dict[str, Tensor]:
        """Return any rows, by field name, on the device.

        Parameters
        ----------
        index
            Their numbers, int64, shape (n,), in any order.
        """
        made = [self._tile_of(some) for some in torch.split(index.to(self.device), self._tile)]
        return {name: torch.cat([one[name] for one in made]) for name in self._fields}

    def _tile_of(self, index: Tensor) -> dict[str, Tensor]:
        tile = TorchTile(index, self._seed, self._fields)
        with torch.no_grad():
            for effect in self._effects:
                effect.apply_on_torch(tile)
        return {name: _as_read(spec, tile[name]) for name, spec in self._fields.items()}

    def block(self, start: int, stop: int) -> dict[str, Tensor]:
        """Return rows ``start`` to ``stop``, by field name, on the device."""
        if start == stop:
            return {
                spec.name: torch.empty(
                    (0, *spec.shape), dtype=torch_dtype(spec), device=self.device
                )
                for spec in self.table
            }
        return self.rows(torch.arange(start, stop, dtype=torch.int64))


def _as_read(spec: FieldSpec, values: Tensor) -> Tensor:
    """Return values as they are read: of a fixed-point array those of the nearest integers.

    These are the operations of ``numeric.fixed.round_values`` and of decoding.
    """
    one = spec.fixed_point
    if one is None:
        return values
    numbers = torch.tensor(
        [1 / one.scale, one.zero + 0.5, one.missing - 0.5, one.scale],
        dtype=torch.float32, device=values.device,
    )  # fmt: skip
    inverse, shift, top, scale = numbers
    steps = (values * inverse + shift).clamp(torch.zeros_like(top), top)
    decoded = (steps.to(torch.int32) - one.zero).to(torch.float32) * scale
    return torch.where(values.isnan(), values, decoded)
