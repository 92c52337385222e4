"""A band profile and an effect of the detector."""

import numpy as np

from tersgen.effects import (
    EffectSettings,
    NonNegativeInterval,
    Parameter,
    PluginEffect,
    between,
    field,
    kernel,
    philox,
    uniform,
)


class Fano(PluginEffect):
    """Fano profiles, ((q + e)^2 / (1 + e^2) - 1) / q^2, e = (nu - nu0) / (FWHM / 2).

    U. Fano, Phys. Rev. 124, 1866 (1961); Lorentzian for large q.
    """

    name = "fano"
    stage = "profile"

    class Settings(EffectSettings):
        """Settings."""

        q: float = field("asymmetry q", "1", 10.0, gt=0)

    def act(self, tile):
        """Fill the spectra."""
        add_fano(
            tile["position"], tile["intensity"], tile["fwhm"], tile["count"],
            self.recipe.grid.start_cm1, self.recipe.grid.step_cm1, self.settings.q, tile["line"],
        )  # fmt: skip


@kernel
def add_fano(position, intensity, fwhm, count, start, step, q, lines):
    """Sum the bands of each sample; their profiles have the area pi FWHM / 2."""
    for row in range(lines.shape[0]):
        for k in range(lines.shape[1]):
            total = 0.0
            for m in range(count[row]):
                half = 0.5 * fwhm[row, m]
                e = (start + k * step - position[row, m]) / half
                total += intensity[row, m] / half * ((q + e) ** 2 / (1.0 + e * e) - 1.0) / (q * q)
            lines[row, k] = total


class Etalon(PluginEffect):
    """Fringes of a back-thinned detector: signal times 1 + depth sin(2 pi nu / period + phase)."""

    name = "etalon"
    stage = "optics"
    parameters = (Parameter("depth", "1", "depth of the fringes"),)

    class Settings(EffectSettings):
        """Settings."""

        depth: NonNegativeInterval = field("depth of the fringes, drawn", "1", (0.0, 0.1))
        period_cm1: float = field("distance of two fringes", "cm^-1", 80.0, gt=0)

    def act(self, tile):
        """Multiply the spectra."""
        period = self.settings.period_cm1 / self.recipe.grid.step_cm1
        multiply(
            tile.index, tile.seed, self.stream, *self.settings.depth, period, tile["line"],
            self.recorded(tile, "depth"),
        )  # fmt: skip


@kernel
def multiply(start, seed, stream, low, high, period, lines, depths):
    """Draw depth and phase of each sample."""
    for row in range(lines.shape[0]):
        for_depth, for_phase, _, _ = philox(0, start + row, 0, seed, stream)
        depths[row] = between(low, high, for_depth)
        phase = uniform(for_phase)
        for k in range(lines.shape[1]):
            lines[row, k] *= 1.0 + depths[row] * np.sin(2.0 * np.pi * (k / period + phase))
