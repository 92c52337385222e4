"""Structures that a U-Net has predicted, the .npz files of ``ters-train predict``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, MeasurementError
from ..measured.npy import open_arrays
from .images import Image, frame_of, plot_image
from .style import DOUBLE_IN, new_figure, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ARRAYS = ("masks", "symbols", "atom_rows", "atom_elements")
_PANEL_IN = 1.75


def holds_structures(path: Path) -> bool:
    """Return whether a file has the arrays of predicted structures."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    try:
        with open_arrays(path) as content:
            return not content.is_single and set(_ARRAYS) <= set(content.names)
    except MeasurementError:
        return False  # the reader of measured files says why


def draw_structures(path: Path, rows: Sequence[int]) -> "Figure":
    """Return the probabilities of atoms, by element, and of bonds in some maps, a line for each."""
    try:
        with open_arrays(path) as content:
            arrays = {k: content.read(k) for k in (*_ARRAYS, "bonds") if k in content.names}
    except MeasurementError as error:
        raise ConfigError(f"{path}: {error}") from None
    masks, symbols = arrays["masks"], arrays["symbols"]
    if masks.ndim != 4 or symbols.shape != masks.shape[1:2]:
        raise ConfigError(
            f"{path}: expected masks of shape (maps, elements, rows, columns) and a symbol of each "
            f"element, got {masks.shape} and {symbols.shape}"
        )
    wrong = [row for row in rows if not -len(masks) <= row < len(masks)]
    if wrong:
        raise ConfigError(f"{path}: expected maps from 0 to {len(masks) - 1}, got {wrong[0]}")
    columns = len(symbols) + ("bonds" in arrays)
    figure = new_figure(DOUBLE_IN, 0.35 + _PANEL_IN * len(rows))
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for line, row in zip(panels, rows, strict=True):
        for axes, image in zip(line, _images(arrays, row % len(masks)), strict=True):
            plot_image(axes, image, frame_of({}, image.values.shape))
    figure.suptitle(f"{shown(path.name)}, probabilities")
    return figure


def _images(arrays: dict[str, NDArray[Any]], row: int) -> list[Image]:
    inside = arrays["atom_elements"][arrays["atom_rows"] == row]
    found = [
        Image(f"{shown(str(symbol))}: {int((inside == k).sum())} (map {row})", mask, (0.0, 1.0))
        for k, (symbol, mask) in enumerate(
            zip(arrays["symbols"], np.asarray(arrays["masks"][row], np.float32), strict=True)
        )
    ]
    if "bonds" in arrays:
        found.append(Image("bonds", np.asarray(arrays["bonds"][row], np.float32), (0.0, 1.0)))
    return found
