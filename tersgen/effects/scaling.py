"""Min-max scaling of a spectrum, Eq. (1.5), and of any array to [-1, 1], Eq. (10.1)."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..numeric._jit import inlined, kernel
from ..numeric.lineshape import extent
from ..numeric.store import store
from ..numeric.transforms import standardise
from ..schema.fields import FieldSpec
from ..schema.fixed_point import BITS, FixedPoint
from .base import Effect, Tile, spec
from .sections import Sections
from .settings import Fields

if TYPE_CHECKING:
    from .on_torch import TorchTile

F32 = NDArray[np.float32]

_EPS = np.float32(1e-12)
_HALF, _ONE = np.float32(0.5), np.float32(1.0)


def signal(recipe: Sections, name: str, text: str, **sizes: int) -> FieldSpec:
    """Return the description of spectra, maps or a cube in the precision and range asked for."""
    span = (-1.0, 1.0) if recipe.fields.scale == "symmetric" else (0.0, 1.0)
    text = f"{text} to [{span[0]:g}, {span[1]:g}]"
    precision = recipe.precision
    if precision == "float16" or precision == "float32":
        return spec(name, precision, "1", text, **sizes).model_copy(update={"span": span})
    update = {
        "span": span,
        "dtype": "uint8" if precision == "uint8" else "uint16",
        "fixed_point": FixedPoint.of(BITS[precision], span),
    }
    return spec(name, "float32", "1", text, **sizes).model_copy(update=update)


@inlined
def ranged(value: np.float32, symmetric: bool) -> np.float32:
    """Return a value of [0, 1] as it is, or in [-1, 1] by Eq. (10.1)."""
    return standardise(value, _HALF, _HALF) if symmetric else value


class Scaling(Effect[Fields]):
    """Scales ``line`` to its range and stores it as ``spectra``."""

    stage = "record"

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are spectra."""
        return recipe.fields.spectra

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return the spectra."""
        text = "Raman spectra with noise, min-max scaled"
        return [signal(recipe, "spectra", text, raman_shift=recipe.grid.n_points)]

    def apply(self, tile: Tile) -> None:
        """Scale and store."""
        symmetric = self.settings.scale == "symmetric"
        scale_spectra(tile["line"], symmetric, tile["spectra"])

    def apply_on_torch(self, tile: "TorchTile") -> None:
        """Scale and store."""
        from ..numeric.on_torch import extent, quotient

        low, high = extent(tile["line"])
        scale = quotient(1.0, high - low + float(_EPS), low)
        values = ((tile["line"] - low) * scale).clamp(max=1.0)
        tile["spectra"] = (values - 0.5) * 2.0 if self.settings.scale == "symmetric" else values


@kernel
def scale_spectra(lines: F32, symmetric: bool, out: F32) -> None:
    """Store (S - min S)/(max S - min S + eps) of spectra, shape (n, L): Eq. (1.5)."""
    for row in range(lines.shape[0]):
        line, stored = lines[row], out[row]
        low, high = extent(line)
        scale = _ONE / (high - low + _EPS)
        for k in range(line.shape[0]):
            store(stored, k, ranged(min((line[k] - low) * scale, _ONE), symmetric))
