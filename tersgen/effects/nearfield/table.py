"""What the near-field kernels read: geometry, atom tensors and bands as flat arrays and numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...library.nearfield import centred, require_geometry, require_sites
from ...schema.library import Library
from ...schema.tipfield import TipField
from ...units import wavelength_nm_to_cm1
from ..bands.effect import DETECTIONS, stokes_factors
from ..bands.frequency_errors import ModeShifts, mode_shifts
from ..bands.selection import ModeChoice, mode_widths
from ..plasmon.effect import POWERS
from ..sections import Sections
from . import kernels
from .gridfield import GridField, grid_field
from .settings import NearField
from .sites import SiteModes, site_modes

F64 = NDArray[np.float64]

_FIELDS = {
    "plane": kernels.PLANE,
    "gaussian_z": kernels.GAUSSIAN_Z,
    "radial": kernels.RADIAL,
    "dipole": kernels.DIPOLE,
    "grid": kernels.GRID,
}


class NearModes(NamedTuple):
    """Atoms and modes of all K species, one after the other; dark modes take part too."""

    first_atom: NDArray[np.int64]
    """First atom of each species and the end, shape (K + 1,)."""
    first_mode: NDArray[np.int64]
    """First mode of each species and the end, shape (K + 1,)."""
    first_share: NDArray[np.int64]
    """First atom tensor of each mode, those of its atoms follow; (modes,)."""
    position: F64
    """Atoms from the mean of their species, shape (atoms, 3), Angstrom."""
    share: F64
    """Atom tensors of the library, all of them: xx, yy, zz, xy, xz, yz; shape (shares, 6),
    Angstrom^2 amu^-1/2. 10,000 species have 400 MB of them, so there is no second copy."""
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
    shift: ModeShifts
    sites: SiteModes


class NearNumbers(NamedTuple):
    """The recipe's numbers for near-field maps; an interval is a float64 array (low, high)."""

    field: int
    sites: bool
    """Whether the response is that at sites, not that of atoms."""
    width: F64
    aspect: F64
    height: F64
    radius: F64
    """Of the apex, Angstrom."""
    tilt: F64
    """Of the dipole, degree."""
    azimuth: F64
    grid: GridField
    laser_nm: float
    laser_cm1: float
    power: int
    """Of the scattered wavenumber in the Stokes factor."""
    temperature_k: float
    detection: int
    anti_stokes: bool
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
    amplitude: F64
    background: F64
    uncertain_frequencies: bool
    intensity: float


def near_table(recipe: Sections, library: Library) -> NearModes:
    """Return atoms and modes of every species, and their sites if the response is at sites."""
    uses_sites = recipe.nearfield is not None and recipe.nearfield.response == "sites"
    if uses_sites:
        require_sites(library)
    else:
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
    of_species = choice.species[mode]
    n_atoms = np.diff(first_atom)[of_species]
    return NearModes(
        first_atom=first_atom,
        first_mode=first_mode,
        first_share=first_share[of_species] + n_atoms * (mode - choice.first[of_species]),
        position=centred(position, first_atom),
        share=share,
        frequency=choice.frequency[line],
        fwhm=mode_widths(library, recipe)[line],
        factor=stokes_factors(choice.frequency[line], recipe),
        bright=of_set[partner],
        dark=partner - first_mode[of_species],
        shift=mode_shifts(recipe, library, choice.frequency[line], of_species),
        sites=site_modes(library, uses_sites, _means(position, first_atom)),
    )


def _means(position: F64, first_atom: NDArray[np.int64]) -> F64:
    """Return the mean of the atoms of each species, shape (K, 3), Angstrom."""
    moved = position - centred(position, first_atom)
    return moved[first_atom[:-1]]


def near_numbers(recipe: Sections, near: NearField) -> NearNumbers:
    """Return the numbers of a recipe and its section nearfield."""
    size = recipe.map
    rows, columns = near.frame_angstrom
    n_channels = recipe.n_channels if recipe.fields.cube else 0
    edges = recipe.grid.start_cm1 + near.channel_cm1 * np.arange(n_channels + 1, dtype=np.float64)
    held = near.grid_field if isinstance(near.grid_field, TipField) else None
    return NearNumbers(
        field=_FIELDS[near.tip_field],
        sites=near.response == "sites",
        width=np.array(near.width_angstrom, np.float64),
        aspect=np.array(near.aspect, np.float64),
        height=np.array(near.height_angstrom, np.float64),
        radius=np.array(near.apex_radius_angstrom, np.float64),
        tilt=np.array(near.dipole_tilt_deg, np.float64),
        azimuth=np.array(near.dipole_azimuth_deg, np.float64),
        grid=grid_field(held),
        laser_nm=recipe.geometry.laser_nm,
        laser_cm1=wavelength_nm_to_cm1(recipe.geometry.laser_nm),
        power=POWERS[recipe.geometry.detection],
        temperature_k=recipe.geometry.temperature_k,
        detection=DETECTIONS[recipe.geometry.detection],
        anti_stokes=recipe.grid.start_cm1 < 0,
        apex=near.apex_angstrom,
        pixel=np.array([rows / size.height, columns / size.width], np.float64),
        n_rows=size.height,
        n_columns=size.width,
        bands=np.array(near.bands if recipe.fields.maps else (), np.float64).reshape(-1, 2),
        channels=np.stack([edges[:-1], edges[1:]], axis=1),
        maps=recipe.fields.maps,
        cube=recipe.fields.cube,
        amplitude=np.array(recipe.map.amplitude, np.float64),
        background=np.array(recipe.map.background, np.float64),
        uncertain_frequencies=recipe.perturbations.uncertain_frequencies,
        intensity=recipe.perturbations.intensity,
    )
