"""One sample's map as it is scanned: blur by the tip, drift, blinks, shot noise, dead pixels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import streams
from ..kernels._jit import kernel
from ..kernels.half import to_half
from ..kernels.instrument import log_between
from ..kernels.normal import fill_normals
from ..kernels.philox import between, philox, uniform
from ..kernels.poisson import draw_counts, poisson_inverted
from ..kernels.scan import dim, move_lines
from ..kernels.transforms import add_noise_clipped, blur, blur_radius, blur_weights
from ..schema.instrument import Scan
from .instrument import logarithms
from .outputs import Outputs
from .spectrum import ranged
from .tables import Settings

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


class ScanSettings(NamedTuple):
    """The numbers of a scan; a logarithmic interval is (ln low, ln high - ln low)."""

    drift: float
    blur: F64
    blinks: float
    blink_pixels: int
    dead: float
    counted: bool
    electrons: F64
    noise: F64
    shot_stream: int
    noise_stream: int


def scan_settings(spec: Scan, noise: tuple[float, float]) -> ScanSettings:
    """Return the numbers of a scan; ``noise`` is the interval of a pixel's Gaussian noise."""
    return ScanSettings(
        drift=spec.drift_px,
        blur=np.array(spec.blur_px, np.float64),
        blinks=spec.blinks,
        blink_pixels=spec.blink_pixels,
        dead=spec.dead,
        counted=spec.electrons[1] > 0,
        electrons=logarithms(spec.electrons),
        noise=np.array(noise, np.float64),
        shot_stream=streams.MAP_SHOT_NOISE,
        noise_stream=streams.MAP_NOISE,
    )


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
    fill_normals(work.steps, index, 0, seed, streams.DRIFT)
    for x in range(1, height):
        work.rows[x] = work.rows[x - 1] + step * np.float64(work.steps[x])
        work.columns[x] = work.columns[x - 1] + step * np.float64(work.steps[height + x])


@kernel
def _blink(index: int, n_blinks: int, scan: ScanSettings, seed: int, image: F32) -> None:
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
def fill_scanned_rows(
    first: int, last: int, start: int, clean: F32, settings: Settings, scan: ScanSettings,
    out: Outputs,
) -> None:  # fmt: skip
    """Fill the maps of rows ``first`` to ``last`` from clean ones, shape (n, C, H, W). No GIL.

    The clean ones are used up.
    """
    n_channels, height, width = clean.shape[1:]
    work = scan_scratch(height, width)
    seed, n_pixels = settings.seed, height * width
    dead = ranged(_ZERO, settings.symmetric)
    for row in range(first, last):
        index = start + row
        params = out.scan[row]
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
        w0, _, _, _ = philox(0, index, 0, seed, streams.MAP_NOISE_LEVEL)
        level = np.float32(between(scan.noise[0], scan.noise[1], w0))
        out.map_noise[row] = level
        params[0], params[1] = work.rows[height - 1], work.columns[height - 1]
        params[2], params[3], params[4] = sigma, n_blinks, n_dead
        params[5] = electrons if scan.counted else 0.0
        for channel in range(n_channels):
            image, other = clean[row, channel], work.image
            if sigma > 0.0:
                blur(image, weights, other)
            if scan.drift > 0.0:
                move_lines(image, work.rows, work.columns, other)
                image = other
            _blink(index, n_blinks, scan, seed, image)
            flat = image.reshape(n_pixels)
            share = _ONE
            if scan.counted:
                exposure = np.float32(electrons)
                share = _ONE / exposure
                for k in range(n_pixels):
                    flat[k] = exposure * max(flat[k], _ZERO)
                draw_counts(flat, work.normals, index, channel, seed, scan.shot_stream)
            if level > _ZERO:
                fill_normals(work.normals, index, channel, seed, scan.noise_stream)
            else:
                work.normals[:] = _ZERO
            normals = work.normals
            if out.half_maps.shape[0] > 0:
                half = out.half_maps[row, channel].reshape(n_pixels)
                for k in range(n_pixels):
                    value = add_noise_clipped(share * flat[k], level * normals[k])
                    half[k] = to_half(ranged(value, settings.symmetric))
                for d in range(n_dead):
                    half[_dead_pixel(d, index, n_pixels, seed)] = to_half(dead)
            else:
                full = out.maps[row, channel].reshape(n_pixels)
                for k in range(n_pixels):
                    value = add_noise_clipped(share * flat[k], level * normals[k])
                    full[k] = ranged(value, settings.symmetric)
                for d in range(n_dead):
                    full[_dead_pixel(d, index, n_pixels, seed)] = dead


def fill_scanned_cubes(
    first: int, last: int, start: int, clean: F32, settings: Settings, scan: ScanSettings,
    out: Outputs,
) -> None:  # fmt: skip
    """Fill the cubes of rows ``first`` to ``last`` from clean ones, shape (n, H, W, channels).

    Each channel is scanned as one of a map is: with the same drift, blur, blinks and dead pixels,
    but shot noise and noise of its own.
    """
    planes = np.ascontiguousarray(np.moveaxis(clean[first:last], 3, 1))
    scanned = out._replace(
        half_maps=np.empty((0, *planes.shape[1:]), np.uint16),
        maps=np.empty_like(planes),
        scan=out.scan[first:last],
        map_noise=out.map_noise[first:last],
    )
    own = scan._replace(shot_stream=streams.CUBE_SHOT_NOISE, noise_stream=streams.CUBE_NOISE)
    fill_scanned_rows(0, last - first, start + first, planes, settings, own, scanned)
    target = out.half_cube.view(np.float16) if len(out.half_cube) else out.cube
    target[first:last] = np.moveaxis(scanned.maps, 1, 3)
