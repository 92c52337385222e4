"""What the near-field kernels read: geometry, atom tensors and bands as flat arrays and numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import nearfield
from ..library.nearfield import centred_positions, require_geometry
from ..library.selection import select_modes
from ..schema.library import Library, Mode, Species
from ..schema.recipe import Recipe
from .tables import stokes_factors

F64 = NDArray[np.float64]

_FIELDS = {
    "plane": nearfield.PLANE,
    "gaussian_z": nearfield.GAUSSIAN_Z,
    "radial": nearfield.RADIAL,
}


class NearModes(NamedTuple):
    """Atoms and modes of all K species, one after the other; dark modes take part too."""

    first_atom: NDArray[np.int64]
    """First atom of each species and the end, shape (K + 1,)."""
    first_mode: NDArray[np.int64]
    """First mode of each species and the end, shape (K + 1,)."""
    first_share: NDArray[np.int64]
    """First atom tensor of each species: those of a mode's atoms follow each other; (K + 1,)."""
    position: F64
    """Atoms from the mean of their species, shape (atoms, 3), Angstrom."""
    share: F64
    """Atom tensors, shape (shares, 3, 3), symmetric, Angstrom^2 amu^-1/2."""
    frequency: F64
    """Shape (modes,), cm^-1."""
    fwhm: F64
    """Shape (modes,), cm^-1."""
    factor: F64
    """Stokes factor relative to that at 1000 cm^-1, shape (modes,)."""
    bright: NDArray[np.int64]
    """Place of the mode among those of the spectrum, -1 if it is not among them; (modes,)."""


class NearSettings(NamedTuple):
    """The recipe's numbers for near-field maps; an interval is a float64 array (low, high)."""

    field: int
    width: F64
    aspect: F64
    height: F64
    apex: float
    pixel: F64
    """Distance of two pixels along rows' and columns' axes, shape (2,), Angstrom."""
    n_rows: int
    n_columns: int
    bands: F64
    """First and last shift of each band of the map, shape (C, 2), cm^-1; none without maps."""
    channels: F64
    """The same of the cube's channels; none without a cube."""
    maps: bool
    cube: bool


def modes_on_grid(species: Species, recipe: Recipe) -> list[Mode]:
    """Return the modes of a species on the recipe's grid, dark ones too, by rising frequency."""
    grid = recipe.grid
    inside = [m for m in species.modes if grid.start_cm1 <= m.frequency_cm1 <= grid.stop_cm1]
    return sorted(inside, key=lambda mode: mode.frequency_cm1)


def near_table(recipe: Recipe, library: Library) -> NearModes:
    """Return atoms and modes of every species.

    Raises
    ------
    LibraryError
        If a species has no atom positions or atom tensors.
    """
    first_atom, first_mode, first_share = [0], [0], [0]
    positions, shares, bright = [], [], []
    modes: list[Mode] = []
    for species in library.species:
        require_geometry(species)
        inside = modes_on_grid(species, recipe)
        place = {id(mode): k for k, mode in enumerate(select_modes(species, recipe))}
        bright += [place.get(id(mode), -1) for mode in inside]
        modes += inside
        positions.append(centred_positions(species))
        tensors = np.array([mode.atom_tensors for mode in inside], np.float64).reshape(-1, 3, 3)
        shares.append(0.5 * (tensors + tensors.swapaxes(1, 2)))
        first_atom.append(first_atom[-1] + len(positions[-1]))
        first_mode.append(len(modes))
        first_share.append(first_share[-1] + len(tensors))
    return NearModes(
        first_atom=np.array(first_atom, np.int64),
        first_mode=np.array(first_mode, np.int64),
        first_share=np.array(first_share, np.int64),
        position=np.concatenate(positions),
        share=np.concatenate(shares),
        frequency=np.array([mode.frequency_cm1 for mode in modes], np.float64),
        fwhm=np.array([mode.fwhm_cm1 or recipe.lineshape.fwhm_cm1 for mode in modes], np.float64),
        factor=stokes_factors(modes, recipe),
        bright=np.array(bright, np.int64),
    )


def near_settings(recipe: Recipe) -> NearSettings:
    """Return the numbers of a recipe that has a section nearfield."""
    near, size = recipe.nearfield, recipe.map
    if near is None:
        raise ValueError("expected a recipe with a section nearfield, got none")
    rows, columns = near.frame_angstrom
    n_channels = recipe.n_channels if recipe.fields.cube else 0
    edges = recipe.grid.start_cm1 + near.channel_cm1 * np.arange(n_channels + 1, dtype=np.float64)
    return NearSettings(
        field=_FIELDS[near.tip_field],
        width=np.array(near.width_angstrom, np.float64),
        aspect=np.array(near.aspect, np.float64),
        height=np.array(near.height_angstrom, np.float64),
        apex=near.apex_angstrom,
        pixel=np.array([rows / size.height, columns / size.width], np.float64),
        n_rows=size.height,
        n_columns=size.width,
        bands=np.array(near.bands if recipe.fields.maps else (), np.float64).reshape(-1, 2),
        channels=np.stack([edges[:-1], edges[1:]], axis=1),
        maps=recipe.fields.maps,
        cube=recipe.fields.cube,
    )
