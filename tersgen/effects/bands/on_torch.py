"""Orientation and modes of samples of one species, in torch operations."""

from typing import NamedTuple

import torch
from torch import Tensor

from ...numeric.on_torch import exp, root
from ...random import streams
from ...random.on_torch import between, normals_at, normals_of, philox
from ..on_torch import TorchTile
from .effect import Modes, Numbers

_VECTOR = 64
"""Modes are drawn in whole vectors."""


def random_quaternions(index: Tensor, seed: int) -> Tensor:
    """Return a random unit quaternion for each sample, float64, shape (n, 4)."""
    words = philox(0, index, 0, seed, streams.ORIENTATION)
    pairs = (*normals_of(words[0], words[1]), *normals_of(words[2], words[3]))
    w, x, y, z = (one.double() for one in pairs)
    norm = root(w * w + x * x + y * y + z * z)
    return torch.stack([w / norm, x / norm, y / norm, z / norm], 1)


def _matrix(quaternion: Tensor) -> list[list[Tensor]]:
    """Return the elements of rotation matrices, shape (n, 1) each, of quaternions (n, 4)."""
    w, x, y, z = (quaternion[:, k, None] for k in range(4))
    one = w * w + x * x + y * y + z * z

    def twice(value: Tensor) -> Tensor:
        return value + value

    def diagonal(value: Tensor) -> Tensor:
        return one - value - value

    return [
        [diagonal(y * y + z * z), twice(x * y - z * w), twice(x * z + y * w)],
        [twice(x * y + z * w), diagonal(x * x + z * z), twice(y * z - x * w)],
        [twice(x * z - y * w), twice(y * z + x * w), diagonal(x * x + y * y)],
    ]


def _rotated(tensor: Tensor, matrix: list[list[Tensor]]) -> Tensor:
    """Return tensors (n, M, 3, 3) turned by the matrix of each row."""
    out = torch.empty_like(tensor)
    for i in range(3):
        a, b, c = matrix[i]
        left = [
            a * tensor[..., 0, k] + b * tensor[..., 1, k] + c * tensor[..., 2, k] for k in range(3)
        ]
        for j in range(i, 3):
            d, e, f = matrix[j]
            out[..., i, j] = out[..., j, i] = left[0] * d + left[1] * e + left[2] * f
    return out


def _scattered(tensor: Tensor, numbers: Numbers) -> Tensor:
    """Return |e_s^T R e_i|^2 of tensors (..., 3, 3)."""
    amplitude = torch.zeros_like(tensor[..., 0, 0])
    for i in range(3):
        for j in range(3):
            part = float(numbers.scattered[i]) * tensor[..., i, j] * float(numbers.incident[j])
            amplitude = amplitude + part
    return amplitude * amplitude


class Drawn(NamedTuple):
    """The modes of each sample, shape (n, M); 0 beyond ``n_modes``."""

    position: Tensor
    intensity: Tensor
    fwhm: Tensor
    tensor: Tensor
    """In the frame that is recorded, shape (n, M, 3, 3)."""
    n_modes: Tensor
    shift: Tensor
    width: Tensor


def draw_modes(
    tile: TorchTile, modes: Modes, numbers: Numbers, averaged: Tensor, most: int
) -> Drawn:
    """Draw the modes of samples, float64.

    ``averaged`` has the intensity of each mode over all orientations, shape (total,).
    """
    index, seed = tile.index, tile.seed
    w0, w1, _, _ = philox(0, index, 0, seed, streams.SHIFT)
    shift = numbers.shift_cm1 * normals_of(w0, w1)[0].double()
    word, _, _, _ = philox(0, index, 0, seed, streams.WIDTH)
    width = between(numbers.narrowest, numbers.broadest, word)
    first = tile.tensor(modes.first)
    start = first[tile["species"]]
    count = first[tile["species"] + 1] - start
    number = torch.arange(most, device=index.device)
    there = number < count[:, None]
    mode = torch.where(there, start[:, None] + number, 0)
    partner = tile.tensor(modes.partner)[mode]
    length = (count + _VECTOR - 1) // _VECTOR * _VECTOR

    def normals(stream: int) -> Tensor:
        return normals_at(partner, length, index, 0, seed, stream).double()

    own = tile.tensor(modes.shift.own)[mode] * normals(streams.MODE_SHIFT)
    position = tile.tensor(modes.frequency)[mode] + shift[:, None] + own
    if numbers.uncertain_frequencies:
        words = philox(0, index, 0, seed, streams.FREQUENCY_ERROR)
        pairs = (*normals_of(words[0], words[1]), *normals_of(words[2], words[3]))
        errors = torch.stack(pairs, 1).double().gather(1, tile.tensor(modes.shift.family)[mode])
        position = position + tile.tensor(modes.shift.common)[mode] * errors
    fwhm = tile.tensor(modes.fwhm)[mode] * width[:, None]
    tensor = tile.tensor(modes.tensor)[mode]
    if numbers.averaged:
        strength = averaged[mode]
    else:
        tensor = _rotated(tensor, _matrix(tile["quaternion"]))
        strength = _scattered(tensor, numbers)
    jitter = exp((numbers.intensity * normals(streams.INTENSITY)).float())
    intensity = strength * tile.tensor(modes.factor)[mode] * jitter.double()
    position, intensity, fwhm = (
        torch.where(there, values, 0.0) for values in (position, intensity, fwhm)
    )
    tensor = torch.where(there[..., None, None], tensor, 0.0)
    return Drawn(position, intensity, fwhm, tensor, count, shift, width)


def padded(values: Tensor, n_modes: int) -> Tensor:
    """Return values of modes, shape (n, M, ...), with ``n_modes`` modes: more are 0."""
    room = values.new_zeros((len(values), n_modes, *values.shape[2:]))
    room[:, : values.shape[1]] = values
    return room
