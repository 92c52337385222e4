"""One sample's map: its species' constellation moved, turned and jittered, Eqs. (2.1)-(2.5)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import streams
from ..kernels._jit import kernel
from ..kernels.elementary import cos_sin_turn
from ..kernels.half import to_half
from ..kernels.hotspots import add_hotspots, fill_profile
from ..kernels.normal import fill_normals, normal_pair
from ..kernels.philox import between, philox
from ..kernels.transforms import add_noise_clipped, blur, flip_columns, quarter_turns
from .outputs import Outputs
from .spectrum import ranged
from .tables import Hotspots, Settings

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ZERO = np.float32(0.0)
_TURN = 6.283185307179586 * 2.0**-32
_EIGHTH = np.int64(2**29)


class ImageScratch(NamedTuple):
    """Working memory for one map at a time."""

    normals: F32
    image: F32
    other: F32
    rows: F32
    columns: F32
    weights: F32
    centre: F64
    amplitude: F64


@kernel
def image_scratch(height: int, width: int, n_hotspots: int) -> ImageScratch:
    """Return working memory for maps of H x W pixels from J hotspots."""
    return ImageScratch(
        np.empty((height * width + 3) // 4 * 4, np.float32),
        np.empty((height, width), np.float32),
        np.empty((height, width), np.float32),
        np.empty((n_hotspots, height), np.float32),
        np.empty((n_hotspots, width), np.float32),
        np.empty(n_hotspots, np.float32),
        np.empty((n_hotspots, 2), np.float64),
        np.empty(n_hotspots, np.float64),
    )


@kernel
def draw_hotspots(
    row: int, index: int, hotspots: Hotspots, settings: Settings, work: ImageScratch, out: Outputs
) -> None:
    """Draw where the hotspots of one sample lie, in pixels, and their profiles along both axes."""
    seed = settings.seed
    label = out.label[row]
    height, width = work.image.shape
    word, _, w2, w3 = philox(0, index, 0, seed, streams.PLACEMENT)
    cosine, sine, angle = 1.0, 0.0, 0.0
    if settings.turn:
        c, s = cos_sin_turn(word)
        cosine, sine = np.float64(c), np.float64(s)
        angle = np.float64(np.int64(word) - _EIGHTH) * _TURN
    down, right = normal_pair(w2, w3)
    move_rows = settings.move_px * np.float64(down)
    move_columns = settings.move_px * np.float64(right)
    out.angle[row] = angle
    out.move[row, 0] = move_rows
    out.move[row, 1] = move_columns
    for j in range(work.centre.shape[0]):
        w0, w1, _, _ = philox(j, index, 0, seed, streams.JITTER)
        down, right = normal_pair(w0, w1)
        x, y = hotspots.offset[label, j, 0], hotspots.offset[label, j, 1]
        centre_x = 0.5 * (height - 1) + (cosine * x - sine * y) + move_rows
        centre_y = 0.5 * (width - 1) + (sine * x + cosine * y) + move_columns
        work.centre[j, 0] = centre_x + settings.jitter_px * np.float64(down)
        work.centre[j, 1] = centre_y + settings.jitter_px * np.float64(right)
        w0, _, _, _ = philox(j, index, 0, seed, streams.AMPLITUDE)
        work.amplitude[j] = between(settings.amplitude[0], settings.amplitude[1], w0)
        fill_profile(work.rows[j], work.centre[j, 0], hotspots.sigma[label, j])
        fill_profile(work.columns[j], work.centre[j, 1], hotspots.sigma[label, j])


@kernel
def turn_positions(centre: F64, turns: int, flip: bool, size: int) -> None:
    """Move (x, y) pairs, shape (J, 2), as flip_columns after quarter_turns moves pixels."""
    last = size - 1.0
    for j in range(centre.shape[0]):
        for _ in range(turns):
            x, y = centre[j, 0], centre[j, 1]
            centre[j, 0], centre[j, 1] = last - y, x
        if flip:
            centre[j, 1] = last - centre[j, 1]


@kernel
def draw_map(
    row: int, index: int, hotspots: Hotspots, settings: Settings, work: ImageScratch, out: Outputs
) -> None:
    """Write the map of one sample, all channels: clip(sum + b + eta, 0, 1), Eq. (2.1)."""
    seed = settings.seed
    label = out.label[row]
    n_hotspots = work.centre.shape[0]
    height, width = work.image.shape
    draw_hotspots(row, index, hotspots, settings, work, out)

    symmetry = 0
    if settings.symmetry:
        word, _, _, _ = philox(0, index, 0, seed, streams.SYMMETRY)
        symmetry = int(np.int64(word) % 8)
        turn_positions(work.centre, symmetry % 4, symmetry >= 4, height)
    out.symmetry[row] = symmetry
    for j in range(n_hotspots):
        out.hotspots[row, j, 0] = work.centre[j, 0]
        out.hotspots[row, j, 1] = work.centre[j, 1]
        out.hotspots[row, j, 2] = hotspots.sigma[label, j]
        out.hotspots[row, j, 3] = work.amplitude[j]

    word, _, _, _ = philox(0, index, 0, seed, streams.MAP_NOISE_LEVEL)
    level = np.float32(between(settings.map_noise[0], settings.map_noise[1], word))
    word, _, _, _ = philox(0, index, 0, seed, streams.BACKGROUND)
    offset = np.float32(between(settings.background[0], settings.background[1], word))
    out.map_noise[row] = level
    out.background[row] = offset

    for channel in range(hotspots.amplitude.shape[1]):
        image, other = work.image, work.other
        image[:] = offset
        for j in range(n_hotspots):
            work.weights[j] = hotspots.amplitude[label, channel, j] * work.amplitude[j]
        add_hotspots(image, work.rows, work.columns, work.weights)
        if settings.blur.shape[0] > 0:
            blur(image, settings.blur, other)
        if symmetry % 4 > 0:
            quarter_turns(image, symmetry % 4, other)
            image, other = other, image
        if symmetry >= 4:
            flip_columns(image, other)
            image, other = other, image
        if level > _ZERO:
            fill_normals(work.normals, index, channel, seed, streams.MAP_NOISE)
        else:
            work.normals[:] = _ZERO
        flat = image.reshape(height * width)
        if out.half_maps.shape[0] > 0:
            half = out.half_maps[row, channel].reshape(height * width)
            for k in range(height * width):
                value = add_noise_clipped(flat[k], level * work.normals[k])
                half[k] = to_half(ranged(value, settings.symmetric))
        else:
            full = out.maps[row, channel].reshape(height * width)
            for k in range(height * width):
                value = add_noise_clipped(flat[k], level * work.normals[k])
                full[k] = ranged(value, settings.symmetric)


@kernel
def fill_maps(
    first: int, last: int, start: int, hotspots: Hotspots, settings: Settings, out: Outputs
) -> None:
    """Fill the maps of rows ``first`` to ``last``; row 0 is sample ``start``. Releases the GIL."""
    height = max(out.half_maps.shape[2], out.maps.shape[2])
    width = max(out.half_maps.shape[3], out.maps.shape[3])
    work = image_scratch(height, width, out.hotspots.shape[1])
    for row in range(first, last):
        draw_map(row, start + row, hotspots, settings, work, out)
