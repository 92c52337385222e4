"""What the sampling kernels read: a resolved recipe as flat arrays and numbers."""

import hashlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import crosssection, hotspots, lineshape, philox, streams
from ..kernels.elementary import cos_sin_turn
from ..kernels.transforms import blur_radius, blur_weights
from ..library.nearfield import principal_axes, rotation_quaternion
from ..library.selection import ModeChoice, mode_widths
from ..schema.hotspots import Map
from ..schema.library import Library
from ..schema.recipe import Recipe
from ..units import wavelength_nm_to_cm1

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_PROFILES = {
    "gaussian": lineshape.GAUSSIAN,
    "lorentzian": lineshape.LORENTZIAN,
    "pseudo_voigt": lineshape.PSEUDO_VOIGT,
}
_DETECTIONS = {
    "activity": crosssection.NO_FACTOR,
    "power": crosssection.FOURTH_POWER,
    "photons": crosssection.PHOTON_COUNT,
}
_ORIENTATIONS = {"random": 0, "fixed": 1, "averaged": 2, "flat": 3, "tilted": 4}
_IDENTITY = (1.0, 0.0, 0.0, 0.0)
REFERENCE_SHIFT_CM1 = 1000.0
"""Stokes factors are relative to the one at this shift."""


class Modes(NamedTuple):
    """The modes in use of all K species, one after the other."""

    first: NDArray[np.int64]
    """First mode of each species and the end, shape (K + 1,)."""
    frequency: F64
    """Shape (total,), cm^-1."""
    tensor: F64
    """Shape (total, 3, 3), molecular frame, Angstrom^2 amu^-1/2."""
    fwhm: F64
    """Shape (total,), cm^-1."""
    factor: F64
    """Stokes factor relative to that at 1000 cm^-1, shape (total,)."""
    partner: NDArray[np.int64]
    """First mode of its degenerate set, counted from the species' first; they share draws."""
    frame: F64
    """Quaternion that lays each species flat, shape (K, 4); the identity where none is asked."""


class Hotspots(NamedTuple):
    """The constellation of each species."""

    offset: F64
    """Rows and columns from the centre, shape (K, J, 2), pixel."""
    sigma: F64
    """Shape (K, J), pixel."""
    amplitude: F64
    """EF over the largest EF of the species, Eq. (2.5); shape (K, C, J)."""


class Settings(NamedTuple):
    """The recipe's numbers; an interval is a float64 array (low, high)."""

    seed: int
    start_cm1: float
    step_cm1: float
    profile: int
    mixing: float
    orientation: int
    tilt_half_turns: float
    """Largest tilt over two turns: half the angle, as a share of a turn."""
    quaternion: F64
    incident: F64
    scattered: F64
    shift_cm1: float
    mode_shift_cm1: float
    width: F64
    intensity: float
    roll_bins: int
    spectrum_noise: F64
    map_noise: F64
    move_px: float
    jitter_px: float
    turn: bool
    amplitude: F64
    background: F64
    symmetry: bool
    blur: F32
    """Weights of Eq. (2.4); shape (0,) for none."""
    symmetric: bool
    spectra: bool
    maps: bool
    sticks: bool
    tensors: bool
    mixed: bool
    of_signal: bool
    """Whether fractions of a mixture are those of the signal."""


def stokes_factors(frequency: F64, recipe: Recipe) -> F64:
    """Return the Stokes factor at each frequency relative to that at 1000 cm^-1, float64."""
    laser = wavelength_nm_to_cm1(recipe.geometry.laser_nm)
    temperature = recipe.geometry.temperature_k
    form = _DETECTIONS[recipe.geometry.detection]
    reference = crosssection.stokes_factor(REFERENCE_SHIFT_CM1, laser, temperature, form)
    return np.array(
        [
            crosssection.stokes_factor(one, laser, temperature, form) / reference
            for one in frequency.tolist()
        ],
        np.float64,
    )


def mode_table(recipe: Recipe, library: Library) -> Modes:
    """Return the modes in use of every species, by rising frequency."""
    choice = ModeChoice(library, recipe)
    mode, first = choice.in_use()
    partner = choice.partners(mode)
    line = mode[partner]  # partners are one line: at one place, with one width
    frame = [_IDENTITY] * len(library)
    if recipe.nearfield is not None:
        position, atoms = library.array("position")
        places = np.split(position, atoms[1:-1])
        frame = [rotation_quaternion(principal_axes(one)) for one in places]
    return Modes(
        first=first,
        frequency=choice.frequency[line],
        tensor=choice.tensor[mode],
        fwhm=mode_widths(library, recipe)[line],
        factor=stokes_factors(choice.frequency[line], recipe),
        partner=partner - first[choice.species[mode]],
        frame=np.array(frame, np.float64),
    )


def name_index(name: str) -> int:
    """Return the index of a species' random streams: from its name, not its place in a library."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def _between(interval: tuple[float, float], word: np.uint32) -> float:
    return interval[0] + (interval[1] - interval[0]) * float(philox.uniform(word))


def _constellation(name: str, spec: Map, seed: int) -> tuple[F64, F64, F64]:
    index: Any = np.uint64(name_index(name))
    radius = spec.radius * min(spec.height, spec.width)
    offset = np.empty((spec.n_hotspots, 2))
    sigma = np.empty(spec.n_hotspots)
    enhancement = np.empty((spec.channels, spec.n_hotspots))
    for j in range(spec.n_hotspots):
        w0, w1, w2, _ = philox.philox(j, index, 0, seed, streams.CONSTELLATION)
        distance = radius * float(np.sqrt(np.float64(philox.uniform(w0))))
        cosine, sine = cos_sin_turn(w1)
        offset[j] = distance * float(cosine), distance * float(sine)
        sigma[j] = _between(spec.sigma_px, w2)
        for c in range(spec.channels):
            w0, w1, _, _ = philox.philox(j, index, 1 + c, seed, streams.CONSTELLATION)
            enhancement[c, j] = hotspots.enhancement_factor(
                _between(spec.field_factor, w0), _between(spec.field_factor, w1)
            )
    return offset, sigma, enhancement / enhancement.max()


def hotspot_table(recipe: Recipe, library: Library) -> Hotspots:
    """Return the constellation of every species, a function of its name and the seed."""
    drawn = [_constellation(name, recipe.map, recipe.seed) for name in library.names]
    return Hotspots(*(np.stack(arrays) for arrays in zip(*drawn, strict=True)))


def _unit(vector: tuple[float, ...]) -> F64:
    array = np.array(vector, np.float64)
    total = 0.0
    for value in vector:
        total += value * value
    return array / np.sqrt(total)


def settings(recipe: Recipe) -> Settings:
    """Return the recipe's numbers."""
    weights = np.empty(0, np.float32)
    if recipe.map.blur_px > 0:
        weights = np.empty(2 * blur_radius(recipe.map.blur_px) + 1, np.float32)
        blur_weights(recipe.map.blur_px, weights)
    near, orientation = recipe.nearfield, str(recipe.geometry.orientation)
    if near is not None and orientation == "random":
        orientation = near.orientation
    return Settings(
        seed=recipe.seed,
        start_cm1=recipe.grid.start_cm1,
        step_cm1=recipe.grid.step_cm1,
        profile=_PROFILES[recipe.lineshape.profile],
        mixing=recipe.lineshape.mixing,
        orientation=_ORIENTATIONS[orientation],
        tilt_half_turns=0.0 if near is None else near.max_tilt_deg / 720.0,
        quaternion=_unit(recipe.geometry.quaternion),
        incident=_unit(recipe.geometry.incident),
        scattered=_unit(recipe.geometry.scattered),
        shift_cm1=recipe.perturbations.shift_cm1,
        mode_shift_cm1=recipe.perturbations.mode_shift_cm1,
        width=np.array(recipe.perturbations.width, np.float64),
        intensity=recipe.perturbations.intensity,
        roll_bins=recipe.perturbations.roll_bins,
        spectrum_noise=np.array(recipe.noise.spectrum, np.float64),
        map_noise=np.array(recipe.noise.map, np.float64),
        move_px=recipe.map.move_px,
        jitter_px=recipe.map.jitter_px,
        turn=recipe.map.turn,
        amplitude=np.array(recipe.map.amplitude, np.float64),
        background=np.array(recipe.map.background, np.float64),
        symmetry=recipe.perturbations.symmetry,
        blur=weights,
        symmetric=recipe.fields.scale == "symmetric",
        spectra=recipe.fields.spectra,
        maps=recipe.fields.maps and near is None,
        sticks=recipe.fields.sticks,
        tensors=recipe.fields.tensors,
        mixed=recipe.mixture is not None,
        of_signal=recipe.mixture is not None and recipe.mixture.of == "signal",
    )
