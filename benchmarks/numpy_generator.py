"""The peer: the same samples made by batched NumPy, as an engineer who profiles would write them.

Everything that tersgen's kernels do for a recipe with Gaussian bands, random orientations and a
random background is done here with whole-array operations over a batch: float32 throughout, one
matrix product for all rotations of a sample, one for its hotspots, in-place passes over buffers
that are used again. Three schemes share this code:

``direct``  every Gaussian on the whole grid, ``standard_normal``: what one writes first;
``tuned``   Gaussians on a window of 5 standard deviations, scattered with ``np.add.at``;
``boxmuller``  as ``tuned``, and normals by Box-Muller from NumPy's vectorised log, sine and
cosine, which beats ``standard_normal`` where these have SIMD loops.

Run as a script it times the schemes and checks the statistics against tersgen's.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tersgen.dataset.recipes import load_recipe
from tersgen.effects.bands.effect import mode_table
from tersgen.effects.chain import field_table
from tersgen.effects.hotspots.effect import hotspot_table
from tersgen.generator import Generator
from tersgen.recipe import Recipe
from tersgen.resolution import resolve
from tersgen.schema.library import Library

Arrays = dict[str, NDArray[np.generic]]
F32 = NDArray[np.float32]

SCHEMES = ("direct", "tuned", "boxmuller")
BEST_ROWS = {"direct": 128, "tuned": 256, "boxmuller": 256}
"""Rows of a batch that were fastest, with 1 MB of second-level and 32 MB of third-level cache."""
Z_LIMIT = 6.0
CANONICAL = Path(__file__).parents[1] / "examples" / "canonical.toml"

_FWHM_PER_SIGMA = 2.3548200450309493
_REACH_SIGMA = 5.0
_TURN = np.float32(2 * np.pi)
_EPS = np.float32(1e-12)


def _require(recipe: Recipe) -> None:
    """Refuse recipes that this peer does not cover; the canonical sample is covered."""
    covered = (
        recipe.lineshape.profile == "gaussian"
        and recipe.geometry.orientation == "random"
        and recipe.geometry.incident == recipe.geometry.scattered == (0.0, 0.0, 1.0)
        and recipe.map.channels == 1
        and recipe.map.turn
        and recipe.map.blur_px == 0
        and recipe.perturbations.roll_bins == 0
        and not recipe.perturbations.symmetry
        and recipe.classes.balance == "balanced"
        and recipe.fields
        == type(recipe.fields)(n_modes=recipe.fields.n_modes, precision=recipe.fields.precision)
        and recipe.fields.precision == "float16"
    )
    if not covered:
        raise ValueError("expected the canonical recipe or one with the same effects")


class NumpyGenerator:
    """Makes batches of samples of a resolved recipe.

    Parameters
    ----------
    recipe
        A resolved recipe with the effects of the canonical sample.
    scheme
        One of ``SCHEMES``.
    rows
        Rows of a batch; by default the fastest.
    seed
        Seed of the random numbers.
    """

    def __init__(
        self, recipe: Recipe, scheme: str = "tuned", rows: int | None = None, seed: int = 1
    ) -> None:
        _require(recipe)
        assert isinstance(recipe.library, Library)
        self.recipe, self.scheme = recipe, scheme
        self.rows = rows = rows or BEST_ROWS[scheme]
        self.table = field_table(recipe)
        self.rng = np.random.Generator(np.random.PCG64DXSM(seed))
        modes, spots = mode_table(recipe, recipe.library), hotspot_table(recipe, recipe.library)
        counts = np.diff(modes.first)
        self._most = most = int(counts.max())
        place = np.arange(most) < counts[:, None]

        def padded(values: NDArray[np.float64], fill: float = 0.0) -> F32:
            table = np.full((len(counts), most, *values.shape[1:]), fill, np.float32)
            table[place] = values
            return table

        self._counts = counts.astype(np.int32)
        self._used = place
        self._frequency = padded(modes.frequency)
        self._fwhm = padded(modes.fwhm, 1.0)
        self._factor = padded(modes.factor)
        self._tensor = padded(modes.tensor.reshape(-1, 9))
        self._offset = spots.offset.astype(np.float32)
        self._sigma = spots.sigma.astype(np.float32)
        self._amplitude = spots.amplitude[:, 0].astype(np.float32)
        grid = recipe.grid
        widest = modes.fwhm.max() * recipe.perturbations.width[1] / _FWHM_PER_SIGMA / grid.step_cm1
        self._window = np.arange(2 * int(np.ceil(_REACH_SIGMA * widest)) + 1)
        self._points = np.arange(grid.n_points, dtype=np.float32)
        self._row_axis = np.arange(recipe.map.height, dtype=np.float32)
        self._column_axis = np.arange(recipe.map.width, dtype=np.float32)
        self._order = np.empty(0, np.int64)
        self.arrays: Arrays = {
            spec.name: np.zeros((rows, *spec.shape), spec.dtype) for spec in self.table
        }
        self._line = np.empty((rows, grid.n_points + 2 * len(self._window)), np.float32)
        self._noise = np.empty((rows, grid.n_points), np.float32)
        self._image = np.empty((rows, recipe.map.height, recipe.map.width), np.float32)
        self._pixels = np.empty_like(self._image)

    def _uniform(self, interval: tuple[float, float], *shape: int) -> F32:
        low, high = np.float32(interval[0]), np.float32(interval[1])
        drawn: F32 = self.rng.random((self.rows, *shape), np.float32) * (high - low) + low
        return drawn

    def _normal(self, *shape: int) -> F32:
        return self.rng.standard_normal((self.rows, *shape), np.float32)

    def _fill_normal(self, out: F32) -> None:
        if self.scheme != "boxmuller":
            self.rng.standard_normal(out=out, dtype=np.float32)
            return
        first, second = out.reshape(2, -1)
        self.rng.random(out=out, dtype=np.float32)
        radius = np.subtract(np.float32(1), first)
        np.log(radius, out=radius)
        radius *= np.float32(-2)
        np.sqrt(radius, out=radius)
        second *= _TURN
        np.cos(second, out=first)
        np.sin(second, out=second)
        first *= radius
        second *= radius

    def _labels(self) -> NDArray[np.int64]:
        n_classes = len(self._counts)
        while len(self._order) < self.rows:
            runs = np.tile(np.arange(n_classes), (max(1, self.rows // n_classes), 1))
            self._order = np.append(self._order, self.rng.permuted(runs, axis=1))
        labels, self._order = self._order[: self.rows], self._order[self.rows :]
        return labels

    def batch(self) -> Arrays:
        """Return the next batch; its arrays are overwritten by the batch after it."""
        label = self._labels()
        self.arrays["label"][:] = label
        self._spectra(*self._modes(label))
        self._maps(label)
        return self.arrays

    def _rotations(self) -> F32:
        """Draw orientations and return O kron O, which turns flattened tensors; (B, 9, 9)."""
        quaternion = self._normal(4)
        quaternion /= np.sqrt(np.einsum("bi,bi->b", quaternion, quaternion))[:, None]
        self.arrays["params/orientation"][:] = quaternion
        w, x, y, z = quaternion.T
        matrix = np.empty((self.rows, 3, 3), np.float32)
        matrix[:, 0] = np.stack(
            (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)), axis=-1
        )
        matrix[:, 1] = np.stack(
            (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)), axis=-1
        )
        matrix[:, 2] = np.stack(
            (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)), axis=-1
        )
        pairs = matrix[:, :, None, :, None] * matrix[:, None, :, None, :]
        return pairs.reshape(self.rows, 9, 9)

    def _modes(self, label: NDArray[np.int64]) -> tuple[F32, F32, F32]:
        """Fill sticks and tensors; return positions, intensities and widths, each (B, M)."""
        wobble, arrays, most = self.recipe.perturbations, self.arrays, self._most
        shift = np.float32(wobble.shift_cm1) * self._normal()
        width = self._uniform(wobble.width)
        tensors = np.matmul(self._tensor[label], self._rotations().transpose(0, 2, 1))
        position = self._normal(most)
        position *= np.float32(wobble.mode_shift_cm1)
        position += self._frequency[label]
        position += shift[:, None]
        intensity = self._normal(most)
        intensity *= np.float32(wobble.intensity)
        np.exp(intensity, out=intensity)
        intensity *= np.square(tensors[:, :, 8])
        intensity *= self._factor[label]
        if not self._used.all():
            position *= self._used[label]
        arrays["tensors"][:, :most] = tensors.reshape(self.rows, most, 3, 3)
        arrays["sticks/position"][:, :most] = position
        arrays["sticks/intensity"][:, :most] = intensity
        arrays["sticks/count"][:] = self._counts[label]
        arrays["params/shift"][:] = shift
        arrays["params/width"][:] = width
        return position, intensity, self._fwhm[label] * width[:, None]

    def _spectra(self, position: F32, area: F32, fwhm: F32) -> None:
        grid, arrays = self.recipe.grid, self.arrays
        sigma = fwhm * np.float32(1 / (_FWHM_PER_SIGMA * grid.step_cm1))
        centre = (position - np.float32(grid.start_cm1)) * np.float32(1 / grid.step_cm1)
        height = area / (sigma * np.float32(grid.step_cm1 * np.sqrt(2 * np.pi)))
        slope = np.reciprocal(sigma * sigma)
        slope *= np.float32(-0.5)
        if self.scheme == "direct":
            bands = self._points - centre[:, :, None]
            bands *= bands
            bands *= slope[:, :, None]
            np.exp(bands, out=bands)
            line = np.matmul(height[:, None, :], bands)[:, 0]
        else:
            line = self._scattered(centre, height, slope)
        level = self._uniform(self.recipe.noise.spectrum)
        arrays["params/spectrum_noise"][:] = level
        noise = self._noise
        self._fill_normal(noise)
        noise *= (level * line.max(axis=1))[:, None]  # the scale to a peak of 1 cancels later
        noise += line
        low = noise.min(axis=1, keepdims=True)
        noise -= low
        noise *= 1 / (noise.max(axis=1, keepdims=True) + _EPS)
        np.copyto(arrays["spectra"], noise, casting="same_kind")

    def _scattered(self, centre: F32, height: F32, slope: F32) -> F32:
        """Add each band on a window around its centre; return the lines, shape (B, L)."""
        n_points, margin = len(self._points), len(self._window)
        low = np.clip(np.rint(centre).astype(np.int64) - margin // 2, -margin, n_points)
        bands = self._window.astype(np.float32) - (centre - low.astype(np.float32))[:, :, None]
        bands *= bands
        bands *= slope[:, :, None]
        np.exp(bands, out=bands)
        bands *= height[:, :, None]
        low += margin + np.arange(self.rows)[:, None] * self._line.shape[1]
        self._line[:] = 0
        where = low[:, :, None] + self._window
        np.add.at(self._line.reshape(-1), where.reshape(-1), bands.reshape(-1))
        return self._line[:, margin : margin + n_points]

    def _maps(self, label: NDArray[np.int64]) -> None:
        spec, arrays, rows = self.recipe.map, self.arrays, self.rows
        n_hotspots = spec.n_hotspots
        angle = self._uniform((-0.25 * np.pi, 1.75 * np.pi))
        move = np.float32(spec.move_px) * self._normal(2)
        cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
        x, y = self._offset[label].transpose(2, 0, 1)
        centre = np.float32(spec.jitter_px) * self._normal(n_hotspots, 2)
        centre[..., 0] += cosine * x - sine * y + np.float32(0.5 * (spec.height - 1))
        centre[..., 1] += sine * x + cosine * y + np.float32(0.5 * (spec.width - 1))
        centre += move[:, None, :]
        sigma = self._sigma[label]
        amplitude = self._uniform(spec.amplitude, n_hotspots)
        background = self._uniform(spec.background)
        level = self._uniform(self.recipe.noise.map)
        hotspots = arrays["params/hotspots"]
        hotspots[..., :2], hotspots[..., 2], hotspots[..., 3] = centre, sigma, amplitude
        arrays["params/angle"][:], arrays["params/move"][:] = angle, move
        arrays["params/background"][:], arrays["params/map_noise"][:] = background, level

        slope = (np.float32(-0.5) / (sigma * sigma))[..., None]
        # the background is one more separable term: a constant row times ones
        down = np.empty((rows, n_hotspots + 1, spec.height), np.float32)
        right = np.ones((rows, n_hotspots + 1, spec.width), np.float32)
        for axis, profile, k in ((self._row_axis, down, 0), (self._column_axis, right, 1)):
            part = profile[:, :n_hotspots]
            np.subtract(axis, centre[..., k, None], out=part)
            part *= part
            part *= slope
            np.exp(part, out=part)
        down[:, :n_hotspots] *= (amplitude * self._amplitude[label])[..., None]
        down[:, n_hotspots] = background[:, None]
        np.matmul(down.transpose(0, 2, 1), right, out=self._image)
        self._fill_normal(self._pixels)
        self._pixels *= level[:, None, None]
        self._pixels += self._image
        np.clip(self._pixels, 0, 1, out=self._pixels)
        np.copyto(arrays["maps"][:, 0], self._pixels, casting="same_kind")


def samples_per_s(generator: NumpyGenerator, n: int) -> float:
    """Return the rate of making about ``n`` rows into buffers that are used again."""
    generator.batch()
    batches = max(1, n // generator.rows)
    start = time.perf_counter()
    for _ in range(batches):
        generator.batch()
    return batches * generator.rows / (time.perf_counter() - start)


def check_statistics(recipe: Recipe, scheme: str, n: int = 16384) -> dict[str, float]:
    """Compare means and mean squares of each value over ``n`` rows with tersgen's.

    Returns the largest |z| of any point, by field: difference of two means over its standard
    error. Above ``Z_LIMIT`` the two do not make the same distribution (about 5000 points are
    compared, so values around 4 are chance).

    Raises
    ------
    ValueError
        If a field differs by more than ``Z_LIMIT``.
    """
    peer = NumpyGenerator(recipe, scheme, rows=256)
    ours = Generator(recipe)
    names = [spec.name for spec in ours.table if spec.dtype != "int32"]
    sums = {name: np.zeros((2, 3, int(peer.arrays[name][0].size))) for name in names}
    blocks = n // peer.rows
    for k in range(blocks):
        pair = (peer.batch(), ours.block(k * peer.rows, (k + 1) * peer.rows))
        for side, arrays in enumerate(pair):
            for name in names:
                values = arrays[name].astype(np.float64).reshape(peer.rows, -1)
                squares = values * values
                sums[name][side] += values.sum(0), squares.sum(0), (squares * squares).sum(0)
    count = blocks * peer.rows
    result = {}
    for name in names:
        first, second, fourth = sums[name].transpose(1, 0, 2) / count
        worst = 0.0
        for mean, variance in ((first, second - first**2), (second, fourth - second**2)):
            error = np.sqrt(np.maximum(variance, 0).sum(0) / count)
            difference = np.abs(mean[0] - mean[1])
            scale = 1e-6 * np.abs(mean).max(0)  # constants may differ by rounding
            worst = max(worst, float((difference / (error + scale + 1e-30)).max()))
        result[name] = round(worst, 2)
    if max(result.values()) > Z_LIMIT:
        raise ValueError(f"expected |z| <= {Z_LIMIT} for every field, got {result}")
    return result


def main() -> int:
    """Time every scheme at several batch sizes, then check the statistics."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--n", type=int, default=8192, help="rows for each timing")
    parser.add_argument("--rows", type=int, nargs="*", default=[16, 32, 64, 128, 256, 1024])
    options = parser.parse_args()
    recipe = resolve(load_recipe(CANONICAL))
    for scheme in SCHEMES:
        rates = {
            rows: samples_per_s(NumpyGenerator(recipe, scheme, rows), options.n)
            for rows in options.rows
        }
        print(scheme, {rows: round(rate) for rows, rate in rates.items()}, "samples/s")
        worst = check_statistics(recipe, scheme)
        print(f"{scheme}: statistics agree, largest |z| by field {worst}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
