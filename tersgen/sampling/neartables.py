"""What the near-field kernels read: geometry, atom tensors and bands as flat arrays and numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import nearfield
from ..library.nearfield import centred, require_geometry
from ..library.selection import ModeChoice, mode_widths
from ..schema.library import Library, matrices
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
    """Place of the mode's draws among the modes of the spectrum, -1 if it is not one; (modes,)."""
    dark: NDArray[np.int64]
    """Place of the draws of a mode that is not one, among all modes of the species; (modes,)."""


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


def near_table(recipe: Recipe, library: Library) -> NearModes:
    """Return atoms and modes of every species.

    Raises
    ------
    LibraryError
        If a species has no atom positions or atom tensors.
    """
    require_geometry(library)
    choice = ModeChoice(library, recipe)
    mode, first_mode = choice.with_dark()
    partner = choice.partners(mode)
    line = mode[partner]
    bright = np.full(len(choice.frequency), -1)
    used, first_used = choice.in_use()
    bright[used] = choice.partners(used) - first_used[choice.species[used]]
    # a set has the draws of its bright modes, if it has any
    of_set = np.full(len(mode), -1)
    np.maximum.at(of_set, partner, bright[mode])
    position, first_atom = library.array("position")
    share, first_share = library.array("atom_tensor")
    n_atoms = np.diff(first_atom)[choice.species[mode]]
    # the atom tensors of each mode in use, one mode after the other
    starts = first_share[choice.species[mode]] + n_atoms * (
        mode - choice.first[choice.species[mode]]
    )
    ends = np.cumsum(n_atoms)
    rows = np.arange(ends[-1]) + np.repeat(starts - (ends - n_atoms), n_atoms)
    return NearModes(
        first_atom=first_atom,
        first_mode=first_mode,
        first_share=np.concatenate([[0], ends])[first_mode],
        position=np.concatenate([centred(one) for one in np.split(position, first_atom[1:-1])]),
        share=matrices(share[rows]),
        frequency=choice.frequency[line],
        fwhm=mode_widths(library, recipe)[line],
        factor=stokes_factors(choice.frequency[line], recipe),
        bright=of_set[partner],
        dark=partner - first_mode[choice.species[mode]],
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
