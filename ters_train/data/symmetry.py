"""The eight symmetries of a square, of maps and of the structure targets that lie on them."""

import torch
from torch import Tensor

from .fields import BONDS, INSTANCE_MAP, MASKS, POSITIONS, SPECIES_MAP

STRUCTURES = (MASKS, BONDS, POSITIONS, SPECIES_MAP, INSTANCE_MAP)
"""Targets that are flipped and turned with the maps that show them."""


def chosen(choice: Tensor, changed: Tensor, values: Tensor) -> Tensor:
    """Return changed rows where chosen and values elsewhere; ``choice`` is bool, shape (B,)."""
    return torch.where(choice.view(-1, *[1] * (values.ndim - 1)), changed, values)


def flip_and_turn(
    maps: Tensor, flip_rows: Tensor | None, flip_columns: Tensor | None, turns: Tensor | None
) -> Tensor:
    """Return maps flipped by Eq. (2.2), then turned by Eq. (2.3) counter-clockwise.

    All are one of the eight symmetries of a square: perhaps the transpose, then perhaps flips.

    Parameters
    ----------
    maps
        Shape (B, C, H, W); H = W if there are turns.
    flip_rows, flip_columns
        1 for the rows x, or the columns y, to be flipped, int64, shape (B,); None for none.
    turns
        Quarter turns 0..3, as of ``numpy.rot90``, int64, shape (B,); None for none.
    """
    if turns is not None:
        none = torch.zeros_like(turns)
        rows = none if flip_rows is None else flip_rows
        columns = none if flip_columns is None else flip_columns
        odd = (turns & 1) == 1
        maps = chosen(odd, maps.transpose(2, 3), maps)
        # After the transpose a flip of rows is one of columns; a turn brings flips of its own.
        flip_rows = torch.where(odd, columns, rows) ^ ((turns + 1) >> 1 & 1)
        flip_columns = torch.where(odd, rows, columns) ^ (turns >> 1 & 1)
    if flip_rows is not None:
        maps = chosen(flip_rows == 1, maps.flip(2), maps)
    if flip_columns is not None:
        maps = chosen(flip_columns == 1, maps.flip(3), maps)
    return maps


def move_targets(
    name: str,
    values: Tensor,
    flip_rows: Tensor | None,
    flip_columns: Tensor | None,
    turns: Tensor | None,
) -> Tensor:
    """Return targets of pixels or atoms moved as :func:`flip_and_turn` moves the maps.

    Parameters
    ----------
    name
        Which: masks, shape (B, E, H, W); bonds, species or molecules, (B, H, W);
        positions, (B, N, 3), Angstrom, x along rows and y along columns from the frame's centre.
    values
        Their values.
    flip_rows, flip_columns, turns
        As there.
    """
    if name in (BONDS, SPECIES_MAP, INSTANCE_MAP):
        return flip_and_turn(values[:, None], flip_rows, flip_columns, turns)[:, 0]
    if name == MASKS:
        return flip_and_turn(values, flip_rows, flip_columns, turns)
    x, y, z = values.unbind(-1)
    if flip_rows is not None:
        x = chosen(flip_rows == 1, -x, x)
    if flip_columns is not None:
        y = chosen(flip_columns == 1, -y, y)
    if turns is not None:  # counter-clockwise with x down and y to the right: (x, y) to (-y, x)
        for turn in range(1, 4):
            x, y = chosen(turns >= turn, -y, x), chosen(turns >= turn, x, y)
    return torch.stack([x, y, z], dim=-1)
