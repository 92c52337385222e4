"""The detector's effect on cubes: it counts the electrons of each channel of each pixel.

Its input is the cube after the scan: blurred, shifted line by line, dimmed by blinks, without light
in dead pixels. Counts are those of ``effect.py``, Eq. (11.2), with the gain, bias and read noise of
the spectrum of the sample. They are then scaled by the lowest and the highest of the whole cube,
like measured cubes.
"""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.lineshape import extent
from ...numeric.store import store
from ...random import streams
from ...random.normal import fill_normals, normal_pair
from ...random.philox import between, philox, uniform
from ...random.poisson import LEAST_NORMAL, draw_counts, poisson_inverted, poisson_normal
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import Effect, Parameter, Tile, columns, spec
from ..scaling import ranged
from ..sections import Sections
from .effect import DetectorNumbers, detector_numbers, draw_camera
from .kernels import RAY_POINTS, add_ray, convert, log_between
from .settings import Instrument

F32 = NDArray[np.float32]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_EPS = np.float32(1e-12)

PARAMETERS = (
    Parameter("electrons", "electron", "electrons at the highest point"),
    Parameter("dark", "electron", "dark electrons"),
    Parameter("gain", "count/electron", "gain (counts per electron)"),
    Parameter("bias", "count", "bias (counts)"),
    Parameter("read_noise", "electron", "read noise (electrons)"),
    Parameter("rays", "1", "cosmic rays"),
    Parameter("saturated", "1", "saturated channels, summed over pixels"),
    Parameter("counts_at_0", "count", "counts at 0"),
    Parameter("counts_to_1", "count", "counts from 0 to 1"),
)
"""What ``params/cube_detector`` holds of each row, in order."""
_COLUMN = columns(PARAMETERS)
_ELECTRONS, _DARK, _GAIN = _COLUMN["electrons"], _COLUMN["dark"], _COLUMN["gain"]
_BIAS, _READ, _RAYS = _COLUMN["bias"], _COLUMN["read_noise"], _COLUMN["rays"]
_SATURATED, _AT_0, _TO_1 = _COLUMN["saturated"], _COLUMN["counts_at_0"], _COLUMN["counts_to_1"]


class CubeDetector(Effect[Instrument]):
    """Fills ``cube`` with the counts of ``volume``, which is overwritten."""

    stage = "record"
    section = "instrument"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self._numbers = detector_numbers(self.settings, self.settings.cube)
        self._symmetric = recipe.fields.scale == "symmetric"

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are cubes whose electrons are counted."""
        return recipe.counts_cubes

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:  # noqa: ARG003 - the same for all
        """Return what the detector did."""
        text = "what the detector did to the cube; "
        text += ", ".join(one.description for one in PARAMETERS)
        sizes = {"cube_detector_parameter": len(PARAMETERS)}
        return [spec("params/cube_detector", "float32", "1", text, **sizes)]

    def apply(self, tile: Tile) -> None:
        """Count."""
        volume = tile["volume"]
        lines = (*volume.shape[:2], -1)
        count_cubes(
            tile.index, tile.seed, self._numbers, volume.reshape(lines), volume.shape[3],
            tile["params/cube_detector"], self._symmetric, tile["cube"].reshape(lines),
        )  # fmt: skip


@kernel
def add_rays(index: int, seed: int, detector: DetectorNumbers, highest: float, pixels: F32) -> int:
    """Add cosmic rays to the electrons of pixels, shape (pixels, channels); return their number."""
    n_pixels, n_channels = pixels.shape
    mean = detector.rays * np.float64(n_pixels)
    w0, w1, _, _ = philox(0, index, 0, seed, streams.CUBE_COSMIC_RAYS)
    if mean < np.float64(LEAST_NORMAL):
        n_rays = int(poisson_inverted(mean, w0))
    else:
        n_rays = int(poisson_normal(np.float32(mean), normal_pair(w0, w1)[0]))
    for r in range(n_rays):
        w0, w1, w2, w3 = philox(1 + r, index, 0, seed, streams.CUBE_COSMIC_RAYS)
        pixel = int(np.float64(uniform(w0)) * n_pixels)
        channel = int(np.float64(uniform(w1)) * n_channels)
        low, ratio = detector.ray_height[0], detector.ray_height[1]
        height = highest * log_between(low, ratio, uniform(w2))
        n_points = 1 + int(w3 % np.uint32(RAY_POINTS))
        add_ray(pixels[pixel], channel, height, n_points, bool(w3 & np.uint32(256)))
    return n_rays


@kernel
def count_cubes(
    start: int, seed: int, detector: DetectorNumbers, cubes: F32, n_channels: int, recorded: F32,
    symmetric: bool, out: F32,
) -> None:  # fmt: skip
    """Store the counts of cubes, shape (n, H, W x channels), scaled by lowest and highest.

    A line of the scan is a block of random numbers.
    """
    n_lines, n_line = cubes.shape[1:]
    normals = np.empty((n_line + 3) // 4 * 4, np.float32)
    full_well, largest = np.float32(detector.full_well), np.float32(detector.largest)
    highest_count = largest if largest > _ZERO else np.float32(np.inf)
    for row in range(cubes.shape[0]):
        index, cube, params = start + row, cubes[row], recorded[row]
        flat = cube.reshape(cube.size)
        w0, w1, _, _ = philox(0, index, 0, seed, streams.CUBE_EXPOSURE)
        highest = log_between(detector.electrons[0], detector.electrons[1], uniform(w0))
        dark = between(detector.dark[0], detector.dark[1], w1)
        gain, bias, read = draw_camera(index, seed, detector)
        params[_ELECTRONS], params[_DARK], params[_GAIN] = highest, dark, gain
        params[_BIAS], params[_READ] = bias, read
        _, peak = extent(flat)
        exposure = np.float32(highest / np.float64(peak)) if peak > _ZERO else _ZERO
        level = np.float32(dark)
        for x in range(n_lines):
            line = cube[x]
            for k in range(n_line):
                line[k] = exposure * line[k] + level
            draw_counts(line, normals, index, x, seed, streams.CUBE_SHOT_NOISE)
        pixels = flat.reshape(cube.size // n_channels, n_channels)
        params[_RAYS] = add_rays(index, seed, detector, highest, pixels)
        factor, offset, sigma = np.float32(gain), np.float32(bias), np.float32(read)
        saturated = 0
        for x in range(n_lines):
            line = cube[x]
            fill_normals(normals, index, x, seed, streams.CUBE_READ_NOISE)
            for k in range(n_line):
                held = line[k]
                counts = convert(held, factor, offset, sigma * normals[k], full_well, largest)
                saturated += int((held >= full_well) | (counts >= highest_count))
                line[k] = counts
        low, high = extent(flat)
        scale = _ONE / (high - low + _EPS)
        params[_SATURATED], params[_AT_0], params[_TO_1] = saturated, low, high - low + _EPS
        stored = out[row].reshape(cube.size)
        for k in range(cube.size):
            store(stored, k, ranged(min((flat[k] - low) * scale, _ONE), symmetric))
