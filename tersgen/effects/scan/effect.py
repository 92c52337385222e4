"""How maps and cubes are scanned: blur by the tip, drift, blinks, shot noise, dead pixels.

Lines run along columns. The drift is a random walk from line to line, a blink dims some consecutive
pixels, and a dead pixel is 0 in all channels.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.store import store
from ...numeric.transforms import add_noise_clipped, blur, blur_radius, blur_weights
from ...random import streams
from ...random.normal import fill_normals
from ...random.philox import between, philox, uniform
from ...random.poisson import draw_counts, poisson_inverted
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import ArraySpec, Effect, Parameter, Tile, columns, spec
from ..image import has_clean_image, noise_level
from ..instrument.effect import logarithms
from ..instrument.kernels import log_between
from ..instrument.settings import Instrument
from ..scaling import ranged
from ..sections import Sections
from .kernels import dim, move_lines
from .settings import Scan as Section

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)

PARAMETERS = (
    Parameter("drift_rows", "pixel", "drift of the last line along rows (pixel)"),
    Parameter("drift_columns", "pixel", "drift of the last line along columns (pixel)"),
    Parameter("blur", "pixel", "sigma of the blur (pixel)"),
    Parameter("blinks", "1", "blinks"),
    Parameter("dead", "1", "dead pixels"),
    Parameter("electrons", "electron", "electrons at the value 1"),
)
"""What ``params/scan`` holds of each row, in order."""
_COLUMN = columns(PARAMETERS)
_DRIFT_ROWS, _DRIFT_COLUMNS = _COLUMN["drift_rows"], _COLUMN["drift_columns"]
_BLUR, _BLINKS, _DEAD = _COLUMN["blur"], _COLUMN["blinks"], _COLUMN["dead"]
_ELECTRONS = _COLUMN["electrons"]


class Numbers(NamedTuple):
    """The recipe's numbers; a logarithmic interval is (ln low, ln high - ln low)."""

    drift: float
    blur: F64
    blinks: float
    blink_pixels: int
    dead: float
    counted: bool
    electrons: F64
    noise: F64
    symmetric: bool


def noiseless(scan: Numbers) -> Numbers:
    """Return the numbers of a scan that shifts and dims, but adds no noise and keeps [0, 1]."""
    return scan._replace(counted=False, noise=np.zeros(2), symmetric=False)


class Scan(Effect[Section]):
    """Fills ``maps`` from ``image``, and ``cube`` from ``volume`` or that again.

    The clean ones are used up.
    """

    stage = "record"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        section = self.settings
        self._is_counted = recipe.counts_cubes
        self._numbers = Numbers(
            drift=section.drift_px,
            blur=np.array(section.blur_px, np.float64),
            blinks=section.blinks,
            blink_pixels=section.blink_pixels,
            dead=section.dead,
            counted=section.electrons[1] > 0,
            electrons=logarithms(section.electrons),
            noise=np.array(recipe.noise.map, np.float64),
            symmetric=recipe.fields.scale == "symmetric",
        )

    @classmethod
    def settings_of(cls, recipe: Sections) -> Section:
        """Return its section, which is in that of the instrument, or without one its defaults."""
        return Instrument().scan if recipe.instrument is None else recipe.instrument.scan

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are maps or cubes, made clean first."""
        return recipe.has_image and has_clean_image(recipe)

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return what happened in the scan of an instrument."""
        if recipe.instrument is None:
            return []
        text = "what happened in the scan; " + ", ".join(one.description for one in PARAMETERS)
        return [spec("params/scan", "float32", "1", text, scan_parameter=len(PARAMETERS))]

    def scratch(self) -> dict[str, ArraySpec]:
        """Return what happened, where it is not stored."""
        return {"params/scan": ArraySpec((len(PARAMETERS),), np.float32)}

    def apply(self, tile: Tile) -> None:
        """Scan maps and cubes.

        Each channel of a cube is scanned like one of a map: with the same drift, blur, blinks and
        dead pixels, but its own shot noise and noise. If a detector counts the cube after this, the
        channels stay in ``volume``, without noise.
        """
        shared = tile["params/scan"], tile["params/map_noise"]
        image, volume = tile.get("image"), tile.get("volume")
        if volume is not None:  # maps come last: what is recorded of noise is theirs
            numbers, target = self._numbers, tile["cube"]
            if self._is_counted:
                numbers, target = noiseless(numbers), volume
            planes = np.ascontiguousarray(np.moveaxis(volume, 3, 1))
            stored = np.empty(planes.shape, target.dtype)
            scan_maps(
                tile.index, tile.seed, numbers, streams.CUBE_SHOT_NOISE, streams.CUBE_NOISE,
                planes, *shared, stored,
            )  # fmt: skip
            target[...] = np.moveaxis(stored, 1, 3)
        if image is not None:
            scan_maps(
                tile.index, tile.seed, self._numbers, streams.MAP_SHOT_NOISE, streams.MAP_NOISE,
                image, *shared, tile["maps"],
            )  # fmt: skip


class ScanScratch(NamedTuple):
    """Working memory for one map at a time."""

    image: F32
    normals: F32
    steps: F32
    rows: F64
    columns: F64


@kernel
def scan_scratch(height: int, width: int) -> ScanScratch:
    """Return working memory for maps of H x W pixels."""
    return ScanScratch(
        np.empty((height, width), np.float32),
        np.empty((height * width + 3) // 4 * 4, np.float32),
        np.empty((2 * height + 3) // 4 * 4, np.float32),
        np.zeros(height, np.float64),
        np.zeros(height, np.float64),
    )


@kernel
def _draw_drift(index: int, seed: int, drift: float, work: ScanScratch) -> None:
    """Fill the drift of each line: a random walk that ends ``drift`` away, each direction."""
    height = work.rows.shape[0]
    step = drift / np.sqrt(np.float64(max(1, height - 1)))
    fill_normals(work.steps, index, streams.ONLY, seed, streams.DRIFT)
    for x in range(1, height):
        work.rows[x] = work.rows[x - 1] + step * np.float64(work.steps[x])
        work.columns[x] = work.columns[x - 1] + step * np.float64(work.steps[height + x])


@kernel
def _blink(index: int, n_blinks: int, scan: Numbers, seed: int, image: F32) -> None:
    for b in range(n_blinks):
        w0, w1, w2, _ = philox(1 + b, index, 0, seed, streams.BLINKS)
        first = int(np.float64(uniform(w0)) * image.size)
        length = 1 + int(np.float64(uniform(w1)) * scan.blink_pixels)
        dim(image, first, length, uniform(w2))


@kernel
def _dead_pixel(d: int, index: int, n_pixels: int, seed: int) -> int:
    word, _, _, _ = philox(1 + d, index, 0, seed, streams.DEAD_PIXELS)
    return int(np.float64(uniform(word)) * n_pixels)


@kernel
def scan_maps(
    start: int, seed: int, scan: Numbers, shot_stream: int, noise_stream: int, clean: F32,
    recorded: F32, levels: F32, maps: F32,
) -> None:  # fmt: skip
    """Fill maps from clean ones, float32, shape (n, C, H, W), which are used up."""
    n_channels, height, width = clean.shape[1:]
    work = scan_scratch(height, width)
    n_pixels = height * width
    dead = ranged(_ZERO, scan.symmetric)
    for row in range(clean.shape[0]):
        index = start + row
        params = recorded[row]
        w0, _, _, _ = philox(0, index, 0, seed, streams.TIP_BLUR)
        sigma = between(scan.blur[0], scan.blur[1], w0)
        weights = np.empty(2 * blur_radius(sigma) + 1, np.float32)
        if sigma > 0.0:
            blur_weights(sigma, weights)
        _draw_drift(index, seed, scan.drift, work)
        w0, _, _, _ = philox(0, index, 0, seed, streams.BLINKS)
        n_blinks = int(poisson_inverted(scan.blinks, w0))
        w0, _, _, _ = philox(0, index, 0, seed, streams.DEAD_PIXELS)
        n_dead = int(poisson_inverted(scan.dead, w0))
        w0, _, _, _ = philox(0, index, 0, seed, streams.MAP_EXPOSURE)
        electrons = log_between(scan.electrons[0], scan.electrons[1], uniform(w0))
        level = noise_level(index, seed, scan.noise[0], scan.noise[1])
        levels[row] = level
        params[_DRIFT_ROWS] = work.rows[height - 1]
        params[_DRIFT_COLUMNS] = work.columns[height - 1]
        params[_BLUR], params[_BLINKS], params[_DEAD] = sigma, n_blinks, n_dead
        params[_ELECTRONS] = electrons if scan.counted else 0.0
        for channel in range(n_channels):
            image, other = clean[row, channel], work.image
            if sigma > 0.0:
                blur(image, weights, other)
            if scan.drift > 0.0:
                move_lines(image, work.rows, work.columns, other)
                image = other
            _blink(index, n_blinks, scan, seed, image)
            flat, stored = image.reshape(n_pixels), maps[row, channel].reshape(n_pixels)
            share = _ONE
            if scan.counted:
                exposure = np.float32(electrons)
                share = _ONE / exposure
                for k in range(n_pixels):
                    flat[k] = exposure * max(flat[k], _ZERO)
                draw_counts(flat, work.normals, index, channel, seed, shot_stream)
            if level > _ZERO:
                fill_normals(work.normals, index, channel, seed, noise_stream)
            else:
                work.normals[:] = _ZERO
            for k in range(n_pixels):
                value = add_noise_clipped(share * flat[k], level * work.normals[k])
                store(stored, k, ranged(value, scan.symmetric))
            for d in range(n_dead):
                store(stored, _dead_pixel(d, index, n_pixels, seed), dead)
