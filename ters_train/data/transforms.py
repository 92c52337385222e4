"""Random changes to batches, on the batch's own device: Eqs. (1.5), (2.2)-(2.4), (10.1)-(10.3).

Every row draws its own numbers from (seed, epoch, row), each transform from its own stream. So
a row looks the same in whatever batch, on whatever rank and after a resume, and a transform that is
switched on changes none of the others. Only operations that round each number on its own are used:
the result does not depend on the size of the batch either.

In this order: transforms of plug-ins; maps are flipped and turned, and structure targets with them;
maps are blurred, given noise and clipped; spectra are shifted and stretched, rolled, given noise
and clipped, min-max scaled; both are standardised. Cubes are treated like maps.
"""

import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tersgen.errors import ConfigError
from tersgen.plugins import named_errors

from ..config import TransformConfig
from ..errors import PluginError
from ..parts import make
from . import randomness
from .draws import Draws
from .measured import MEASURED, measured
from .randomness import Key
from .symmetry import STRUCTURES, move_targets
from .symmetry import flip_and_turn as flip_and_turn

Batch = dict[str, Tensor]
"""Tensors by the names of the dataset's fields, and ``row``, the row numbers."""

_GROUP: Final = "ters_train.transforms"
SPECTRA, MAPS, CUBE, ROW = "spectra", "maps", "cube", "row"
BLUR_LEVELS = 4096
"""Sigmas that a blur is drawn from, evenly spaced from ``blur_px`` / BLUR_LEVELS up."""
_REACH_SIGMA = 4.0
_NUMBERS_AT_ONCE = 1 << 18
_EPS = 1e-12


class Stream(IntEnum):
    """The random numbers of a row: a stream for each transform."""

    FLIP_ROWS = 1
    FLIP_COLUMNS = 2
    QUARTER_TURNS = 3
    BLUR = 4
    ROLL = 5
    SHIFT = 6
    STRETCH = 7
    SPECTRUM_NOISE = 8
    MAP_NOISE = 9


_OF_MAPS = ("flip_rows", "flip_columns", "quarter_turns", "blur_px", "map_noise")
_OF_SPECTRA = ("roll_bins", "shift_bins", "stretch", "spectrum_noise", "minmax")


class Transforms:
    """What is done to a batch between the dataset and the model.

    Parameters
    ----------
    config
        Which transforms, and how strong.
    seed
        Seed of the run.
    shapes
        Shape of one row of each input, ``{"spectra": (L,), "maps": (C, H, W)}`` or one of them, or
        ``{"cube": (H, W, C)}``.
    low
        Lower end of the dataset's range: 0, or -1 for data that are symmetric, which are not
        standardised again. Noise is in units of a range [0, 1], and twice that on [-1, 1].
    """

    def __init__(
        self,
        config: TransformConfig,
        seed: int,
        shapes: Mapping[str, tuple[int, ...]],
        low: float = 0.0,
    ) -> None:
        _check(config, shapes, low)
        self.config = config
        self.seed = seed
        self.low = low
        self._fields = tuple(name for name in (SPECTRA, MAPS, CUBE) if name in shapes)
        self._blur_table = blur_table(config.blur_px) if config.blur_px else None
        self._plugins = [(one.name, make(_GROUP, one)) for one in config.plugins]

    def __call__(self, batch: Batch, epoch: int, train: bool) -> Batch:
        """Return the batch as a model is fed it; the one that is given is left as it is.

        Parameters
        ----------
        batch
            ``spectra`` (B, L) and ``maps`` (B, C, H, W) or ``cube`` (B, H, W, C), float16 or
            float32, ``row`` (B,), int64, all on one device, and whatever else, which is handed on;
            structure targets in there are flipped and turned with the maps.
        epoch
            Epoch, from 0; it enters the random numbers.
        train
            Whether to change at random; else it is only min-max scaled and standardised.

        Returns
        -------
        dict
            The same with ``spectra``, ``maps`` and ``cube`` in float32, and with ``measured`` where
            spectra are changed.
        """
        if not train:
            return self.prepared(batch)
        for number, (name, change) in enumerate(self._plugins):
            draws = Draws(f"{number} {name}", Key(self.seed, epoch), batch[ROW])
            with named_errors("transform", name, change, PluginError):
                changed = change(dict(batch), draws)
            batch = _checked(name, changed, batch)
        if SPECTRA in self._fields and self._changes_spectra:
            batch = {**batch, MEASURED: self._moved(measured(batch), batch[ROW], epoch)}
        done = dict(batch)
        for name in self._fields:
            values = batch[name]
            rows_at_once = max(1, _NUMBERS_AT_ONCE // math.prod(values.shape[1:]))
            if values.device.type != "cpu" or len(values) <= rows_at_once:
                done[name] = self._changed(name, batch, epoch)
                continue
            # A few rows after the other stay in cache; a row does not know with which it comes.
            done[name] = torch.empty(values.shape, dtype=torch.float32)
            for first in range(0, len(values), rows_at_once):
                part = slice(first, first + rows_at_once)
                some = {one: batch[one][part] for one in (name, MEASURED, ROW) if one in batch}
                done[name][part] = self._changed(name, some, epoch)
        if self._moves and (MAPS in self._fields or CUBE in self._fields):
            moves = self._drawn_moves(Key(self.seed, epoch), batch[ROW])
            for name in STRUCTURES:
                if name in batch:
                    done[name] = move_targets(name, batch[name], *moves)
        return done

    def prepared(self, batch: Batch) -> Batch:
        """Return the batch with nothing changed at random: only min-max scaled and standardised.

        It needs no ``row``, and may be traced.
        """
        done = dict(batch)
        for name in self._fields:
            done[name] = self._scaled(name, batch[name].to(torch.float32))
        return done

    def _changed(self, name: str, batch: Batch, epoch: int) -> Tensor:
        """Return one field of a batch, changed; the tensor itself if nothing is to be done."""
        key, rows = Key(self.seed, epoch), batch[ROW]
        values = batch[name].to(torch.float32)
        if name == CUBE:
            changed = self._change_maps(values.permute(0, 3, 1, 2), key, rows)
            return self._scaled(name, changed.permute(0, 2, 3, 1))
        if name == SPECTRA:
            return self._scaled(name, self._change_spectra(values, batch.get(MEASURED), key, rows))
        return self._scaled(name, self._change_maps(values, key, rows))

    def _scaled(self, name: str, values: Tensor) -> Tensor:
        if name == SPECTRA and self.config.minmax:
            values = minmax(values, self.low)
        if self.config.standardise and self.low == 0.0:
            values = standardise(values)
        return values

    @property
    def _changes_spectra(self) -> bool:
        """Whether spectra are moved or given noise."""
        config = self.config
        changes = config.shift_bins, config.stretch, config.roll_bins, config.spectrum_noise
        return any(changes)

    def _drawn_axis(self, key: Key, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return shifts in points and stretches, float32, shape (B,)."""
        config = self.config
        shift = _around_zero(key, rows, Stream.SHIFT, config.shift_bins)
        return shift, _around_zero(key, rows, Stream.STRETCH, config.stretch)

    def _drawn_roll(self, key: Key, rows: Tensor) -> Tensor:
        """Return by how many points spectra are rolled, int64, shape (B,)."""
        n_rolls = 2 * self.config.roll_bins + 1
        bins = randomness.integers(key, rows, Stream.ROLL, 1, n_rolls) - self.config.roll_bins
        return bins[:, 0]

    def _change_spectra(
        self, spectra: Tensor, mask: Tensor | None, key: Key, rows: Tensor
    ) -> Tensor:
        config = self.config
        if config.shift_bins or config.stretch:
            spectra = shift_and_stretch(spectra, *self._drawn_axis(key, rows))
        if config.roll_bins:
            spectra = roll(spectra, self._drawn_roll(key, rows))
        if config.spectrum_noise and mask is not None:
            noise = randomness.normal(key, rows, Stream.SPECTRUM_NOISE, spectra.shape[1])
            noise *= mask  # there is none where nothing was measured
            spectra = self._noisy(spectra, noise, config.spectrum_noise)
        return spectra

    def _moved(self, mask: Tensor, rows: Tensor, epoch: int) -> Tensor:
        """Return what was measured, shape (B, L), where spectra are moved to."""
        config, key = self.config, Key(self.seed, epoch)
        if config.shift_bins or config.stretch:
            # a point between two is measured if both were; beyond the ends nothing was
            padded = functional.pad(mask, (1, 1))
            moved = shift_and_stretch(padded, *self._drawn_axis(key, rows))[:, 1:-1]
            mask = (moved == 1).to(mask)
        return roll(mask, self._drawn_roll(key, rows)) if config.roll_bins else mask

    @property
    def _moves(self) -> bool:
        """Whether maps are flipped or turned."""
        config = self.config
        return config.flip_rows or config.flip_columns or config.quarter_turns

    def _drawn_moves(self, key: Key, rows: Tensor) -> tuple[Tensor | None, ...]:
        """Return flips of rows and of columns and quarter turns, int64, shape (B,), or None."""
        config = self.config
        return tuple(
            randomness.integers(key, rows, stream, 1, below)[:, 0] if wanted else None
            for stream, below, wanted in (
                (Stream.FLIP_ROWS, 2, config.flip_rows),
                (Stream.FLIP_COLUMNS, 2, config.flip_columns),
                (Stream.QUARTER_TURNS, 4, config.quarter_turns),
            )
        )

    def _change_maps(self, maps: Tensor, key: Key, rows: Tensor) -> Tensor:
        config = self.config
        if self._moves:
            maps = flip_and_turn(maps, *self._drawn_moves(key, rows))
        if self._blur_table is not None:
            self._blur_table = self._blur_table.to(maps.device)
            level = randomness.integers(key, rows, Stream.BLUR, 1, BLUR_LEVELS)[:, 0]
            maps = blur(maps, self._blur_table[level])
        if config.map_noise:
            noise = randomness.normal(key, rows, Stream.MAP_NOISE, math.prod(maps.shape[1:]))
            maps = self._noisy(maps, noise.view(maps.shape), config.map_noise)
        return maps

    def _noisy(self, values: Tensor, noise: Tensor, sigma: float) -> Tensor:
        """Return clip(values + sigma noise), Eq. (10.3), in the place of the noise."""
        return noise.mul_(sigma * (1.0 - self.low)).add_(values).clamp_(self.low, 1.0)


def _checked(name: str, changed: object, before: Batch) -> Batch:
    """Return what a plug-in made of a batch, if it is a batch of the same rows and fields."""
    if not isinstance(changed, dict):
        got = f"got {type(changed).__name__}"
    elif missing := [field for field in before if field not in changed]:
        got = f"got no {', '.join(missing)}"
    elif wrong := [
        field
        for field, values in before.items()
        if not isinstance(changed[field], Tensor) or changed[field].shape != values.shape
    ]:
        one = changed[wrong[0]]
        shape = tuple(one.shape) if isinstance(one, Tensor) else type(one).__name__
        got = f"got {wrong[0]} of {shape} instead of {tuple(before[wrong[0]].shape)}"
    else:
        return changed
    raise PluginError(
        f"transform {name!r}: expected a dict with the fields and shapes of the batch that it is "
        f"given, {got}; return {{**batch, ...}}"
    )


def _check(config: TransformConfig, shapes: Mapping[str, tuple[int, ...]], low: float) -> None:
    if low not in (0.0, -1.0):
        raise ConfigError(f"expected data from 0 or -1 up to 1, got a lower end of {low}")
    for field, names in ((MAPS, _OF_MAPS), (SPECTRA, _OF_SPECTRA)):
        wanted = next((name for name in names if getattr(config, name)), None)
        if field == MAPS and CUBE in shapes:
            continue  # a cube is changed as a map is
        if field not in shapes and wanted is not None:
            raise ConfigError(
                f"transforms.{wanted}: expected {field} among the inputs that it changes, got "
                f"{', '.join(shapes) or 'none'}; leave it off"
            )
    if SPECTRA in shapes:
        n_points = shapes[SPECTRA][-1]
        for name in ("roll_bins", "shift_bins"):
            if getattr(config, name) >= n_points:
                raise ConfigError(
                    f"transforms.{name}: expected less than the {n_points} points of a spectrum, "
                    f"got {getattr(config, name)}"
                )
    if MAPS in shapes or CUBE in shapes:
        height, width = shapes[MAPS][-2:] if MAPS in shapes else shapes[CUBE][:2]
        if config.quarter_turns and height != width:
            raise ConfigError(
                f"transforms.quarter_turns: expected square maps, got {height} x {width}; "
                "leave it off, or use the flips"
            )
        if config.blur_px > max(height, width):
            raise ConfigError(
                f"transforms.blur_px: expected at most the {max(height, width)} pixels of the "
                f"longer side, got {config.blur_px}"
            )


def _around_zero(key: Key, rows: Tensor, stream: Stream, largest: float) -> Tensor:
    """Return uniform numbers in [-largest, largest), shape (B,)."""
    return randomness.uniform(key, rows, stream, 1)[:, 0].sub_(0.5).mul_(2.0 * largest)


def blur_table(blur_px: float) -> Tensor:
    """Return one half of the kernel of Eq. (2.4) for each sigma that is drawn from.

    Row i is exp(-n^2/(2 sigma^2))/Z for n = 0..r, sigma = blur_px (i + 1)/BLUR_LEVELS, with r four
    times ``blur_px``, rounded up, and Z the sum over -r..r; float32, shape (BLUR_LEVELS, r + 1). It
    is a table because an exponential on the device would give other last bits on another.
    """
    sigma = blur_px * np.arange(1, BLUR_LEVELS + 1) / BLUR_LEVELS
    n = np.arange(math.ceil(_REACH_SIGMA * blur_px) + 1)
    # In units of sigma beyond 40 all is 0; the cut keeps squares of tiny sigmas from overflowing.
    weights = np.exp(-0.5 * np.minimum(n / sigma[:, None], 40.0) ** 2)
    weights /= 2.0 * weights.sum(axis=1, keepdims=True) - 1.0
    return torch.from_numpy(weights.astype(np.float32))


def blur(maps: Tensor, weights: Tensor) -> Tensor:
    """Return I' = (I * k) * k^T, Eq. (2.4), edge pixels repeated outwards.

    Parameters
    ----------
    maps
        float32, shape (B, C, H, W).
    weights
        The half k[0..r] of each row's kernel, float32, shape (B, r + 1).
    """
    for _ in range(2):
        maps = _blur_rows(maps, weights).transpose(2, 3).contiguous()
    return maps


def _blur_rows(maps: Tensor, weights: Tensor) -> Tensor:
    """Return the sum over n of k[n] I(x - n, y)."""
    height, reach = maps.shape[2], weights.shape[1] - 1
    places = torch.arange(-reach, height + reach, device=maps.device).clamp_(0, height - 1)
    padded = maps.index_select(2, places)
    factors = weights[:, :, None, None, None]
    total = maps * factors[:, 0]
    for n in range(1, reach + 1):
        before = padded[:, :, reach - n : reach - n + height]
        after = padded[:, :, reach + n : reach + n + height]
        total.add_((before + after).mul_(factors[:, n]))
    return total


def shift_and_stretch(spectra: Tensor, shift: Tensor, stretch: Tensor) -> Tensor:
    """Return spectra whose axis is stretched about its middle, then shifted; edges are repeated.

    What was at point k is found at m + (k - m)(1 + e) + s, with the middle m = (L - 1)/2; between
    points it is interpolated linearly.

    Parameters
    ----------
    spectra
        float32, shape (B, L).
    shift
        s, points, float32, shape (B,).
    stretch
        e, float32, shape (B,), above -1.
    """
    length = spectra.shape[1]
    point = torch.arange(length, device=spectra.device)
    offset = point.to(torch.float32).sub_(0.5 * (length - 1))
    # As a small move from k, a place keeps more digits than as a large number of its own.
    move = (offset * stretch[:, None]).add_(shift[:, None]).neg_().div_((1.0 + stretch)[:, None])
    whole = move.floor()
    part = move.sub_(whole)
    left = whole.to(torch.int64).add_(point)
    right = (left + 1).clamp_(0, length - 1)
    before = spectra.gather(1, left.clamp_(0, length - 1))
    return spectra.gather(1, right).sub_(before).mul_(part).add_(before)


def roll(spectra: Tensor, bins: Tensor) -> Tensor:
    """Return S~[k] = S[(k - s) mod L], Eq. (10.2); s is int64, shape (B,)."""
    point = torch.arange(spectra.shape[1], device=spectra.device)
    return spectra.gather(1, (point - bins[:, None]).remainder_(spectra.shape[1]))


def minmax(spectra: Tensor, low: float = 0.0) -> Tensor:
    """Return (S - min S)/(max S - min S + eps), Eq. (1.5), stretched to [low, 1]."""
    least = spectra.amin(1, keepdim=True)
    span = spectra.amax(1, keepdim=True).sub_(least).add_(_EPS)
    scaled = (spectra - least).div_(span)
    return scaled.mul_(1.0 - low).add_(low) if low else scaled


def standardise(values: Tensor) -> Tensor:
    """Return (X - 0.5)/0.5, Eq. (10.1)."""
    return (values - 0.5).mul_(2.0)
