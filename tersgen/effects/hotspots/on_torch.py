"""Maps from hotspots, in torch operations."""

from typing import NamedTuple

import torch
from torch import Tensor

from ...numeric.on_torch import cos_sin_turn, exp, quotient, word_bits
from ...random import streams
from ...random.on_torch import between, normals, normals_of, philox
from ..on_torch import TorchTile
from . import effect


class Placed(NamedTuple):
    """Where the hotspots of each sample lie."""

    centre: Tensor
    """Rows and columns, float64, shape (n, J, 2), pixel."""
    sigma: Tensor
    """Float64, shape (n, J), pixel."""
    amplitude: Tensor
    """Factor on that of the species, float64, shape (n, J)."""
    angle: Tensor
    move: Tensor
    """Float64, shape (n, 2), pixel."""


def place_hotspots(
    tile: TorchTile, table: effect.Constellations, numbers: effect.Numbers, height: int, width: int
) -> Placed:
    """Draw where the hotspots of each sample lie."""
    index, seed, species = tile.index, tile.seed, tile["species"]
    word, _, w2, w3 = philox(0, index, 0, seed, streams.PLACEMENT)
    angle = torch.zeros(len(tile), dtype=torch.float64, device=index.device)
    cosine, sine = angle + 1.0, angle
    if numbers.turn:
        cosine, sine = (one.double() for one in cos_sin_turn(word_bits(word)))
        angle = (word - int(effect._EIGHTH)).double() * effect._TURN
    move = torch.stack([numbers.move_px * one.double() for one in normals_of(w2, w3)], 1)
    offset = tile.tensor(table.offset)[species]
    sigma = tile.tensor(table.sigma)[species]
    centre, amplitude = torch.empty_like(offset), torch.empty_like(sigma)
    for j in range(sigma.shape[1]):
        w0, w1, _, _ = philox(j, index, 0, seed, streams.JITTER)
        down, right = (numbers.jitter_px * one.double() for one in normals_of(w0, w1))
        x, y = offset[:, j, 0], offset[:, j, 1]
        centre[:, j, 0] = 0.5 * (height - 1) + (cosine * x - sine * y) + move[:, 0] + down
        centre[:, j, 1] = 0.5 * (width - 1) + (sine * x + cosine * y) + move[:, 1] + right
        w0, _, _, _ = philox(j, index, 0, seed, streams.AMPLITUDE)
        amplitude[:, j] = between(float(numbers.amplitude[0]), float(numbers.amplitude[1]), w0)
    return Placed(centre, sigma, amplitude, angle, move)


def _profile(centre: Tensor, sigma: Tensor, n: int) -> Tensor:
    """Return the profile of each hotspot along an axis of n pixels, float32, shape (..., n)."""
    slope = quotient(-0.5, sigma * sigma, sigma).float()[..., None]
    x = torch.arange(n, device=centre.device).float() - centre.float()[..., None]
    return exp(slope * (x * x))


def _add_hotspots(image: Tensor, rows: Tensor, columns: Tensor, amplitudes: Tensor) -> Tensor:
    """Return images (n, H, W) with hotspots added, four at a time as ``add_hotspots`` does."""
    n_hotspots = amplitudes.shape[1]
    shared = n_hotspots - n_hotspots % 4

    def one(j: int) -> Tensor:
        weight = amplitudes[:, j, None] * rows[:, j]
        return weight[:, :, None] * columns[:, j, None, :]

    for j in range(0, shared, 4):
        image = image + ((one(j) + one(j + 1)) + (one(j + 2) + one(j + 3)))
    for j in range(shared, n_hotspots):
        image = image + one(j)
    return image


def _blurred(image: Tensor, weights: Tensor) -> Tensor:
    """Return images (n, H, W) blurred along rows' axis, then columns'; edges are repeated."""
    radius = len(weights) // 2
    for axis in (1, 2):
        length = image.shape[axis]
        place = torch.arange(-radius, length + radius, device=image.device).clamp(0, length - 1)
        source = image.index_select(axis, place)
        total = torch.zeros_like(image)
        for n, weight in enumerate(weights.tolist()):
            total = total + weight * source.narrow(axis, n, length)
        image = total
    return image


def turned(image: Tensor, symmetry: Tensor) -> Tensor:
    """Return images (n, H, H) after quarter turns (modulo 4), with columns flipped from 4 on."""
    out = image
    for turns in range(1, 4):
        now = (symmetry % 4 == turns)[:, None, None]
        out = torch.where(now, torch.rot90(image, turns, (1, 2)), out)
    return torch.where((symmetry >= 4)[:, None, None], out.flip(2), out)


def turned_positions(centre: Tensor, symmetry: Tensor, size: int) -> Tensor:
    """Return positions (n, J, 2) moved as ``turned`` moves pixels."""
    last = size - 1.0
    x, y = centre[..., 0], centre[..., 1]
    for turn in range(1, 4):
        now = (symmetry % 4 >= turn)[:, None]
        x, y = torch.where(now, last - y, x), torch.where(now, x, y)
    y = torch.where((symmetry >= 4)[:, None], last - y, y)
    return torch.stack([x, y], 2)


def draw_maps(
    tile: TorchTile, table: effect.Constellations, numbers: effect.Numbers, weights: Tensor | None,
    noise: tuple[float, float], symmetric: bool, with_symmetry: bool, size: tuple[int, int, int],
) -> None:  # fmt: skip
    """Fill the maps of samples, and what is recorded of them; ``size`` is (C, H, W)."""
    index, seed, (n_channels, height, width) = tile.index, tile.seed, size
    placed = place_hotspots(tile, table, numbers, height, width)
    rows = _profile(placed.centre[..., 0], placed.sigma, height)
    columns = _profile(placed.centre[..., 1], placed.sigma, width)
    centre, symmetry = placed.centre, torch.zeros_like(index)
    if with_symmetry:
        word, _, _, _ = philox(0, index, 0, seed, streams.SYMMETRY)
        symmetry = word % 8
        centre = turned_positions(centre, symmetry, height)
        tile["params/symmetry"] = symmetry
    tile["params/hotspots"] = torch.stack(
        [centre[..., 0], centre[..., 1], placed.sigma, placed.amplitude], 2
    )
    tile["params/angle"], tile["params/move"] = placed.angle, placed.move
    word, _, _, _ = philox(0, index, 0, seed, streams.MAP_NOISE_LEVEL)
    level = between(*noise, word).float()
    word, _, _, _ = philox(0, index, 0, seed, streams.BACKGROUND)
    low, high = (float(one) for one in numbers.background)
    offset = between(low, high, word).float()
    tile["params/background"], tile["params/map_noise"] = offset, level
    amplitude = tile.tensor(table.amplitude)[tile["species"]]
    planes = []
    for channel in range(n_channels):
        image = offset[:, None, None].expand(-1, height, width)
        image = _add_hotspots(
            image, rows, columns, (amplitude[:, channel] * placed.amplitude).float()
        )
        if weights is not None:
            image = _blurred(image, weights)
        if with_symmetry:
            image = turned(image, symmetry)
        drawn = normals(height * width, index, channel, seed, streams.MAP_NOISE)
        drawn = torch.where(level[:, None] > 0.0, level[:, None] * drawn, level[:, None] * 0.0)
        value = image.reshape(len(tile), -1) + drawn
        value = torch.where(value < 0.0, 0.0, value)
        value = torch.where(value > 1.0, 1.0, value)
        planes.append(((value - 0.5) * 2.0 if symmetric else value).reshape(-1, height, width))
    tile["maps"] = torch.stack(planes, 1)
