"""From masks to atoms: where the atoms of a mask are, and which of the true ones they are.

A mask is compared with what one atom looks like (a matched filter); an atom is where the response
is largest within a radius and at least half of that of a whole atom. So touching discs are
separated, unlike with connected components.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .options import StructureOptions

LEAST_LIKENESS = 0.5
MATCH_ANGSTROM = 0.5
"""A predicted atom is a true one if it is as near as this, in the plane."""

_TIE_BREAK = 1e-9


def atom_kernel(targets: StructureOptions, pixel: tuple[float, float]) -> Tensor:
    """Return an atom on the pixels within its radius, over the sum of its squares; (2 r + 1, ...).

    The likeness of a mask with one whole atom is 1 then.
    """
    radius = targets.radius_angstrom
    reach = [int(radius / size) for size in pixel]
    x, y = (
        torch.arange(-n, n + 1, dtype=torch.float64) * size
        for n, size in zip(reach, pixel, strict=True)
    )
    squared = x[:, None] ** 2 + y[None, :] ** 2
    profile = torch.ones_like(squared)
    if targets.shape == "gaussian":
        profile = torch.exp2(-squared / radius**2)
    profile = torch.where(squared <= radius**2, profile, 0.0)
    return (profile / profile.square().sum()).float()


def find_atoms(shares: Tensor, targets: StructureOptions) -> tuple[Tensor, Tensor]:
    """Return the atoms in masks.

    Parameters
    ----------
    shares
        Masks in [0, 1], shape (B, E, H, W).
    targets
        What an atom looks like, and the frame.

    Returns
    -------
    where
        Row of the batch and element of each atom, int64, shape (n, 2); by row, then by element.
    places
        x and y from the frame's centre, Angstrom, float32, shape (n, 2).
    """
    height, width = shares.shape[2:]
    rows, columns = targets.frame_angstrom
    pixel = (rows / height, columns / width)
    kernel = atom_kernel(targets, pixel).to(shares.device)
    flat = shares.float().reshape(-1, 1, height, width)
    padding = (kernel.shape[0] // 2, kernel.shape[1] // 2)
    likeness = functional.conv2d(flat, kernel[None, None], padding=padding)[:, 0]
    # of equal neighbours the last is the peak
    order = torch.arange(height * width, device=shares.device).reshape(height, width)
    ranked = likeness.double() + _TIE_BREAK * order / (height * width)
    window = (2 * max(1, padding[0]) + 1, 2 * max(1, padding[1]) + 1)
    around = (window[0] // 2, window[1] // 2)
    highest = functional.max_pool2d(ranked[:, None], window, stride=1, padding=around)[:, 0]
    found = ((ranked == highest) & (likeness >= LEAST_LIKENESS)).nonzero()
    image, row, column = found.unbind(1)
    x = row + _offset(likeness, image, row, column, 0)
    y = column + _offset(likeness, image, row, column, 1)
    places = torch.stack(
        [(x - 0.5 * (height - 1)) * pixel[0], (y - 0.5 * (width - 1)) * pixel[1]], dim=1
    )
    n_elements = shares.shape[1]
    return torch.stack([image // n_elements, image % n_elements], dim=1), places.float()


def _offset(likeness: Tensor, image: Tensor, row: Tensor, column: Tensor, axis: int) -> Tensor:
    """Return where between the pixels a peak is along an axis: that of the parabola of three."""
    last = likeness.shape[1 + axis] - 1
    at = row if axis == 0 else column

    def value(step: int) -> Tensor:
        moved = (at + step).clamp(0, last)
        index = (image, moved, column) if axis == 0 else (image, row, moved)
        return likeness[index]

    before, here, after = value(-1), value(0), value(1)
    curve = before - 2 * here + after
    offset = 0.5 * (before - after) / torch.where(curve < 0, curve, -1.0)
    inside = (curve < 0) & (at > 0) & (at < last)
    return torch.where(inside, offset.clamp(-0.5, 0.5), 0.0)


def matched(found: list[list[float]], true: list[list[float]]) -> list[float]:
    """Return the distances of matched atoms, Angstrom: the nearest pairs first, each atom once.

    Parameters
    ----------
    found, true
        Places (x, y), Angstrom.

    Examples
    --------
    >>> matched([[0.0, 0.25], [5.0, 5.0]], [[0.0, 0.0], [0.0, 0.375]])
    [0.125]
    """
    pairs = sorted(
        (distance, i, j)
        for i, a in enumerate(found)
        for j, b in enumerate(true)
        if (distance := math.hypot(a[0] - b[0], a[1] - b[1])) <= MATCH_ANGSTROM
    )
    distances, used_found, used_true = [], set(), set()
    for distance, i, j in pairs:
        if i not in used_found and j not in used_true:
            distances.append(distance)
            used_found.add(i)
            used_true.add(j)
    return distances
