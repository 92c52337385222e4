"""Maps as images: in Angstrom where the frame is known, with atoms over them if wanted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..schema.fields import Axis
from .style import ANGSTROM, DIVERGING, SEQUENTIAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ELEMENTS = {
    "H": ("#FFFFFF", "o"), "C": ("#404040", "o"), "N": ("#0072B2", "s"), "O": ("#D55E00", "D"),
    "S": ("#E69F00", "^"), "F": ("#009E73", "v"), "Cl": ("#009E73", "P"), "Br": ("#CC79A7", "X"),
}  # fmt: skip
"""Colour and marker of elements: both differ, so that grey prints tell them apart, too."""
_OTHER = ("#56B4E9", "*")
_UNITS = {"Angstrom": ANGSTROM, "um": "\u00b5m"}


class Frame(NamedTuple):
    """Where the pixels of a map lie."""

    extent: tuple[float, float, float, float]
    """Left, right, bottom and top, for ``imshow``."""
    unit: str


def frame_of(axes: dict[str, Axis], shape: tuple[int, int]) -> Frame:
    """Return the frame of maps of so many rows and columns: Angstrom if it is known, or pixels."""
    rows, columns = axes.get("row"), axes.get("column")
    if rows is None or columns is None:
        return Frame((-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5), "pixel")
    (top, bottom), (left, right) = (
        (one.start - half, one.stop + half)
        for one in (rows, columns)
        for half in [0.5 * (one.stop - one.start) / max(one.n - 1, 1)]
    )
    unit = _UNITS.get(rows.unit, rows.unit)
    return Frame((left, right, bottom, top), unit)


class Image(NamedTuple):
    """A map to draw."""

    title: str
    values: NDArray[Any]
    """Shape (H, W)."""
    span: tuple[float, float] | None = None
    """Ends of the colours; None for those of the values, with a scale beside the map."""
    signed: bool = False
    """Whether values are of both signs: then white is zero."""


def plot_image(axes: "Axes", image: Image, frame: Frame) -> None:
    """Draw a map, with its scale unless its span is known.

    Parameters
    ----------
    axes
        Where.
    image
        Values and title.
    frame
        Where the pixels lie.
    """
    values = np.asarray(image.values, np.float32)
    span = image.span
    if image.signed and span is None:
        most = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
        span = -most, most
    drawn = axes.imshow(
        values, origin="upper", extent=frame.extent, cmap=DIVERGING if image.signed else SEQUENTIAL,
        vmin=span and span[0], vmax=span and span[1],
    )  # fmt: skip
    figure = axes.get_figure()
    if figure is not None and image.span is None:
        figure.colorbar(drawn, cax=axes.inset_axes((1.04, 0.0, 0.05, 1.0)))  # as high as the map
    axes.set_title(image.title)
    # x runs down the rows of near-field maps, and along those of measured ones
    down, across = {"pixel": ("row", "column"), ANGSTROM: ("x", "y")}.get(frame.unit, ("y", "x"))
    axes.set_xlabel(f"{across} / {frame.unit}")
    axes.set_ylabel(f"{down} / {frame.unit}")


def draw_atoms(
    axes: "Axes",
    symbols: Sequence[str],
    positions: NDArray[Any],
    bonds: Sequence[tuple[int, int]] = (),
    key: bool = True,
) -> None:
    """Draw atoms over a map, and a key to their elements.

    Parameters
    ----------
    axes
        A map in Angstrom.
    symbols
        Of n atoms.
    positions
        Rows (x) and columns (y) from the centre, Angstrom, shape (n, 2) or more columns.
    bonds
        Pairs of atoms.
    key
        Whether to add the key.
    """
    for one, other in bonds:
        ends = positions[[one, other]]
        axes.plot(ends[:, 1], ends[:, 0], color="white", linewidth=0.7, alpha=0.8)
    for symbol in dict.fromkeys(symbols):
        chosen = [k for k, one in enumerate(symbols) if one == symbol]
        colour, marker = _ELEMENTS.get(symbol, _OTHER)
        axes.plot(
            positions[chosen, 1], positions[chosen, 0], linestyle="none", marker=marker,
            markersize=3.2, markerfacecolor=colour, markeredgecolor="black", markeredgewidth=0.4,
            label=symbol,
        )  # fmt: skip
    if key and len(symbols):
        axes.legend(
            loc="upper right", fontsize=6, handletextpad=0.1, borderpad=0.3, frameon=True,
            framealpha=0.75, facecolor="white", edgecolor="none",
        )  # fmt: skip
