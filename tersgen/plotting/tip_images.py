"""Ab-initio images of the modes of a molecule: amplitudes under a dipole at each tip of a grid."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..library.nearfield import atom_positions, centred, principal_axes
from ..schema.species import Species
from .images import Frame, Image, draw_atoms, plot_image
from .style import ANGSTROM, DOUBLE_IN, new_figure, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_MOST_MODES, _COLUMNS = 8, 4
_DIGITS = 5


class TipImages(NamedTuple):
    """The images of a species at the lowest height, as ``tersgen library image`` makes them."""

    x: Floats
    """Of the tips along the longest axis of the molecule, from its centre, Angstrom."""
    y: Floats
    """Along the second axis."""
    above: float
    """Height above the highest atom, Angstrom."""
    values: Floats
    """Amplitudes of the modes under an upright dipole, shape (modes, x, y)."""
    atoms: Floats
    """Along the same axes, shape (n_atoms, 3), Angstrom."""


def tip_images(species: Species) -> TipImages | None:
    """Return the images of a species, or None if it has none on a grid."""
    if not species.image_tips:
        return None
    positions = atom_positions(species)
    turn = principal_axes(positions)
    tips = np.round((np.array(species.image_tips) - positions.mean(axis=0)) @ turn.T, _DIGITS)
    x, y, z = (np.unique(one) for one in tips.T)
    if len(tips) != len(x) * len(y) * len(z):
        return None
    lowest = np.lexsort((tips[:, 1], tips[:, 0], tips[:, 2]))[: len(x) * len(y)]
    n = turn[2]
    weights = np.array([*n * n, 2 * n[0] * n[1], 2 * n[0] * n[2], 2 * n[1] * n[2]])
    values = np.array([np.array(mode.image)[lowest] @ weights for mode in species.modes])
    atoms = centred(positions) @ turn.T
    above = float(z[0] - atoms[:, 2].max())
    return TipImages(x, y, above, values.reshape(-1, len(x), len(y)), atoms)


def draw_tip_images(species: Species, images: TipImages) -> "Figure":
    """Draw the images of the eight strongest modes, with the atoms."""
    strongest = np.argsort(-np.square(images.values).mean(axis=(1, 2)), kind="stable")
    chosen = strongest[:_MOST_MODES].tolist()
    n_rows = -(-len(chosen) // _COLUMNS)
    figure = new_figure(DOUBLE_IN, 0.4 + 1.7 * n_rows)
    (top, bottom), (left, right) = (
        (axis[0] - half, axis[-1] + half)
        for axis in (images.x, images.y)
        for half in [0.5 * (axis[-1] - axis[0]) / max(len(axis) - 1, 1)]
    )
    panels = figure.subplots(n_rows, _COLUMNS, squeeze=False).ravel()
    for k, (axes, m) in enumerate(zip(panels, chosen, strict=False)):
        title = f"{species.modes[m].frequency_cm1:.0f} cm$^{{-1}}$"
        image = Image(title, images.values[m], signed=True)
        plot_image(axes, image, Frame((left, right, bottom, top), ANGSTROM))
        draw_atoms(axes, [one.symbol for one in species.atoms or ()], images.atoms, key=k == 0)
    for axes in panels[len(chosen) :]:
        axes.remove()
    figure.suptitle(
        f"{shown(species.name)}: amplitudes under a dipole {images.above:.3g} {ANGSTROM} above, in "
        f"{ANGSTROM}$^{{-4}}$ amu$^{{-1/2}}$"
    )
    return figure
