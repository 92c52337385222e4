"""What all maps and cubes share: noise, Eqs. (2.1) and (10.3), clipping and storing.

Normally the kernel that makes a map also finishes it: noise, clipping to [0, 1] and storing in one
pass. If a scan or a plug-in acts on maps, they are first made without noise, and finished after it.
"""

import numpy as np
from numpy.typing import NDArray

from ..numeric._jit import kernel
from ..numeric.store import store
from ..numeric.transforms import add_noise_clipped
from ..random import streams
from ..random.normal import fill_normals
from ..random.philox import between, philox
from ..schema.fields import FieldSpec
from .base import spec
from .plugged import plugged
from .scaling import ranged, signal
from .sections import Sections

F32 = NDArray[np.float32]

_ZERO = np.float32(0.0)


def has_clean_image(recipe: Sections) -> bool:
    """Return whether maps and cubes are made clean first."""
    return recipe.instrument is not None or any(one.stage == "image" for one in plugged(recipe))


def image_numbers(recipe: Sections) -> tuple[float, float, bool]:
    """Return smallest and largest noise and whether the range is [-1, 1], of maps as made first."""
    if has_clean_image(recipe):
        return 0.0, 0.0, False
    return *recipe.noise.map, recipe.fields.scale == "symmetric"


def map_fields(
    recipe: Sections, n_channels: int, text: str = "intensity maps with noise, clipped"
) -> list[FieldSpec]:
    """Return the description of maps, if they are asked for, and of what all images record."""
    sizes = {"channel": n_channels, "row": recipe.map.height, "column": recipe.map.width}
    maps = signal(recipe, "maps", text, **sizes)
    noise = "standard deviation of the noise of a pixel"
    return [
        *([maps] if recipe.fields.maps else []),
        spec("params/background", "float32", "1", "offset b"),
        spec("params/map_noise", "float32", "1", noise),
    ]


@kernel
def noise_level(index: int, seed: int, low: float, high: float) -> np.float32:
    """Return the level of a sample's noise, uniform in [low, high]."""
    word, _, _, _ = philox(0, index, 0, seed, streams.MAP_NOISE_LEVEL)
    return np.float32(between(low, high, word))


@kernel
def finish(
    values: F32, scale: np.float32, offset: np.float32, level: np.float32, noise: F32, index: int,
    block: int, seed: int, stream: int, symmetric: bool, out: F32,
) -> None:  # fmt: skip
    """Store clip(scale x value + b + noise, 0, 1) of a plane, in the range asked for."""
    if level > _ZERO:
        fill_normals(noise, index, block, seed, stream)
    else:
        noise[:] = _ZERO
    for k in range(values.shape[0]):
        value = add_noise_clipped(values[k] * scale + offset, level * noise[k])
        store(out, k, ranged(value, symmetric))
