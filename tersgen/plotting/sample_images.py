"""The images of a row of a dataset: channels of its map, bands of its cube, targets, scenes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dataset.dataset import Dataset
from ..errors import ConfigError
from .images import Image
from .style import shown

_MOST_PANELS = 64
_MOST_CHANNELS = 4


class DrawOptions(NamedTuple):
    """What is drawn of a sample."""

    channels: tuple[int, ...] | None = None
    """Channels of the map; None for those with most contrast, four at most."""
    band_cm1: tuple[float, float] | None = None
    """In place of the channels, the map of a band, or at a Raman shift if both ends are equal."""
    span_cm1: tuple[float, float] | None = None
    """Range of Raman shifts; None for the whole axis."""
    labels: bool = True
    """Whether peaks are labelled by position and irreducible representation."""
    atoms: bool = True
    """Whether atoms are drawn over maps where their places are known."""


def images_of(dataset: Dataset, sample: dict[str, Any], options: DrawOptions) -> list[Image]:
    """Return the images of a sample: of its map, and of its structure targets."""
    signed = dataset.scale == "symmetric"
    images: list[Image] = []
    if options.band_cm1 is not None:
        return [Image(*_band(dataset, sample, options.band_cm1), signed=signed)]
    if "maps" in sample:
        maps = sample["maps"]
        images += [
            Image(_channel_title(dataset, k, len(maps)), maps[k], signed=signed)
            for k in _channels(options.channels or _clearest(maps), len(maps))
        ]
    elif "cube" in sample:
        cube = np.asarray(sample["cube"], np.float32)
        chosen = options.channels
        if chosen is None:
            images.append(Image("mean of all channels", cube.mean(axis=2), signed=signed))
            chosen = (_strongest(cube),)
        for k in _channels(chosen, cube.shape[2]):
            title = _channel_title(dataset, k, cube.shape[2])
            images.append(Image(title, cube[:, :, k], signed=signed))
    if "structure/masks" in sample and options.channels is None:
        structure = dataset.recipe.structure
        names = (structure.elements if structure else None) or ()
        for name, mask in zip(names, sample["structure/masks"], strict=False):
            if mask.any():
                images.append(Image(f"atoms of {name}", mask, (0.0, 1.0)))
        if "structure/bonds" in sample:
            images.append(Image("bonds", sample["structure/bonds"], (0.0, 1.0)))
    if "scene/species" in sample and options.channels is None:
        images += scene_images(sample)
    return images[:_MOST_PANELS]


def scene_images(sample: dict[str, Any]) -> list[Image]:
    """Return the molecules of a scene, their species, and the species' fractions of the light.

    The fraction of the last one is what the others leave of the light.
    """
    numbers = sample["scene/instance"]
    images = [Image("molecules", numbers, (0.0, float(max(numbers.max(), 1))))]
    kinds, names = sample["scene/species"], list(sample.get("composition", ()))
    if len(names) < 2:
        return [*images, Image("covered by molecules", kinds > 0, (0.0, 1.0))]
    for k, name in enumerate(names):
        mask = kinds == 1 + int(sample["mixture/label"][k])
        images.append(Image(f"molecules of {shown(name)}", mask, (0.0, 1.0)))
    for k, name in enumerate(names[:-1]):
        images.append(Image(f"light of {shown(name)}", sample["scene/fraction"][k], (0.0, 1.0)))
    return images


def _clearest(maps: NDArray[Any]) -> list[int]:
    """Return up to four channels of a map, (C, H, W), those with most contrast, in their order.

    Others are often noise alone: a molecule has no strong mode in every band.
    """
    low, high = np.quantile(np.asarray(maps, np.float32), (0.5, 0.98), axis=(1, 2))
    return sorted(np.argsort(low - high, kind="stable")[:_MOST_CHANNELS].tolist())


def _strongest(cube: NDArray[np.float32]) -> int:
    """Return the channel of a cube, (H, W, channels), with most contrast, cosmic rays apart."""
    low, high = np.quantile(cube, (0.5, 0.98), axis=(0, 1))
    return int((high - low).argmax())


def _channels(chosen: Sequence[int] | None, n_channels: int) -> Sequence[int]:
    if chosen is None:
        return range(n_channels)
    wrong = [k for k in chosen if not -n_channels <= k < n_channels]
    if wrong:
        raise ConfigError(f"expected channels from 0 to {n_channels - 1}, got {wrong[0]}")
    return [k % n_channels for k in chosen]


def _bands_of(dataset: Dataset) -> tuple[tuple[float, float], ...]:
    """Return the range of Raman shifts of each channel of the maps, cm^-1, where there are any."""
    known = dataset.coordinates
    if {"band_low", "band_high"} <= known.keys():
        return tuple(zip(known["band_low"].values, known["band_high"].values, strict=True))
    basis: Any = dataset.basis  # of datasets built before there were coordinates
    source = basis if dataset.kind == "measured" else basis.nearfield
    return tuple(getattr(source, "bands", None) or ())


def _channel_title(dataset: Dataset, k: int, n_channels: int) -> str:
    axis = dataset.axes.get("shift_channel")
    if axis is not None and axis.n == n_channels:
        return f"{axis.points()[k]:.0f} cm$^{{-1}}$"
    bands = _bands_of(dataset)
    if len(bands) == n_channels:
        return f"{bands[k][0]:g}-{bands[k][1]:g} cm$^{{-1}}$"
    return "map" if n_channels == 1 else f"channel {k} of {n_channels}"


def _band(
    dataset: Dataset, sample: dict[str, Any], band: tuple[float, float]
) -> tuple[str, NDArray[Any]]:
    """Return the map of a band: of a cube the mean of its channels there, of maps their band.

    Of a cube and a single Raman shift it is the nearest channel.
    """
    low, high = band
    asked = f"{low:g}" if low == high else f"{low:g}-{high:g}"
    if "cube" in sample:
        points = dataset.axes["shift_channel"].points()
        step = abs(points[1] - points[0]) if len(points) > 1 else np.inf
        inside = (points >= low) & (points <= high)
        if low == high:
            k = int(np.abs(points - low).argmin())
            inside = (np.arange(len(points)) == k) & (abs(points[k] - low) <= step)
        if inside.any():
            title = f"{points[inside][0]:.0f}" if low == high else asked
            mean = np.asarray(sample["cube"][:, :, inside], np.float32).mean(axis=2)
            return f"{title} cm$^{{-1}}$", mean
        raise ConfigError(
            f"{dataset.path}: expected Raman shifts from {points[0]:g} to {points[-1]:g} cm^-1, "
            f"got {asked}"
        )
    bands = _bands_of(dataset)
    for k, (first, last) in enumerate(bands):
        if "maps" in sample and (first <= low == high < last or (first, last) == band):
            return _channel_title(dataset, k, len(bands)), sample["maps"][k]
    got = ", ".join(f"{one[0]:g}-{one[1]:g}" for one in bands) or "maps without Raman shifts"
    raise ConfigError(f"{dataset.path}: expected maps of the band {asked} cm^-1, got {got}")
