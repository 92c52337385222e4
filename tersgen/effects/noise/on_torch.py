"""Noise and roll of a spectrum, in torch operations."""

import torch

from ...random import streams
from ...random.on_torch import between, normals, philox
from ..on_torch import TorchTile


def roll_lines(tile: TorchTile, most: int) -> None:
    """Roll spectra by -most to most points."""
    word, _, _, _ = philox(0, tile.index, 0, tile.seed, streams.ROLL)
    bins = word % (2 * most + 1) - most
    lines = tile["line"]
    place = torch.arange(lines.shape[1], device=lines.device)
    tile["line"] = lines.gather(1, torch.remainder(place - bins[:, None], lines.shape[1]))
    tile["params/roll"] = bins


def add_noise(tile: TorchTile, low: float, high: float) -> None:
    """Add noise to spectra, with a level uniform in [low, high]."""
    index, seed, lines = tile.index, tile.seed, tile["line"]
    word, _, _, _ = philox(0, index, 0, seed, streams.SPECTRUM_NOISE_LEVEL)
    level = between(low, high, word).float()
    tile["params/spectrum_noise"] = level
    noise = normals(lines.shape[1], index, 0, seed, streams.SPECTRUM_NOISE)
    noisy = lines + level[:, None] * noise
    tile["line"] = torch.where(level[:, None] > 0.0, noisy, lines)
