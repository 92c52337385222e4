"""Additive Gaussian noise of a spectrum, Eq. (10.3), and its circular roll, Eq. (10.2)."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.transforms import roll
from ...random import streams
from ...random.normal import fill_normals
from ...random.philox import between, philox
from ...schema.fields import FieldSpec
from ..bands.settings import Perturbations
from ..base import Effect, Tile, spec
from ..sections import Sections
from .settings import Noise as Section

if TYPE_CHECKING:
    from ..on_torch import TorchTile

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

_ZERO = np.float32(0.0)


class Roll(Effect[Perturbations]):
    """Rolls ``line`` by up to so many points, either way."""

    stage = "optics"
    section = "perturbations"

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether spectra are rolled."""
        return recipe.fields.spectra and recipe.perturbations.roll_bins > 0

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:  # noqa: ARG003 - the same for all
        """Return the roll."""
        return [spec("params/roll", "int32", "point", "circular roll")]

    def apply(self, tile: Tile) -> None:
        """Draw the roll."""
        most = self.settings.roll_bins
        roll_lines(tile.index, tile.seed, most, tile["line"], tile["params/roll"])

    def apply_on_torch(self, tile: "TorchTile") -> None:
        """Draw the roll."""
        from . import on_torch

        on_torch.roll_lines(tile, self.settings.roll_bins)


@kernel
def roll_lines(start: int, seed: int, most: int, lines: F32, bins: I32) -> None:
    """Roll spectra in place by -most to most points."""
    rolled = np.empty(lines.shape[1], np.float32)
    for row in range(lines.shape[0]):
        word, _, _, _ = philox(0, start + row, 0, seed, streams.ROLL)
        bins[row] = int(np.int64(word) % (2 * most + 1)) - most
        line = lines[row]
        roll(line, bins[row], rolled)
        for k in range(line.shape[0]):
            line[k] = rolled[k]


class Noise(Effect[Section]):
    """Adds noise to ``line``, its level over the highest point drawn for each sample."""

    stage = "signal"
    section = "noise"

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are spectra whose electrons are not counted."""
        return recipe.fields.spectra and not recipe.counts_electrons

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:  # noqa: ARG003 - the same for all
        """Return the level."""
        text = "standard deviation of the noise over the height of the strongest band"
        return [spec("params/spectrum_noise", "float32", "1", text)]

    def apply(self, tile: Tile) -> None:
        """Add the noise."""
        low, high = self.settings.spectrum
        add_noise(tile.index, tile.seed, low, high, tile["line"], tile["params/spectrum_noise"])

    def apply_on_torch(self, tile: "TorchTile") -> None:
        """Add the noise."""
        from . import on_torch

        on_torch.add_noise(tile, *self.settings.spectrum)


@kernel
def add_noise(start: int, seed: int, low: float, high: float, lines: F32, levels: F32) -> None:
    """Add noise to spectra, shape (n, L), with a level uniform in [low, high]."""
    n_points = lines.shape[1]
    normals = np.empty((n_points + 3) // 4 * 4, np.float32)
    for row in range(lines.shape[0]):
        word, _, _, _ = philox(0, start + row, 0, seed, streams.SPECTRUM_NOISE_LEVEL)
        level = np.float32(between(low, high, word))
        levels[row] = level
        if level > _ZERO:
            line = lines[row]
            fill_normals(normals, start + row, streams.ONLY, seed, streams.SPECTRUM_NOISE)
            for k in range(n_points):
                line[k] += level * normals[k]
