"""Modes of a sample: positions, widths and intensities, Eqs. (3.1) and (3.2).

The intensity of mode m is |e_s^T R alpha_m R^T e_i|^2, its tensor alpha_m turned by the molecule's
rotation R, times the Stokes factor of its shift. Each sample shifts all its modes and broadens them
by a factor; each mode is shifted by a normal deviate and its intensity multiplied by a log-normal
one. Degenerate modes of one set share both: they are one band. Errors of calculated frequencies
come on top, if asked for (``frequency_errors``).
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric import crosssection
from ...numeric._jit import kernel
from ...numeric.crosssection import REFERENCE_SHIFT_CM1
from ...numeric.elementary import exp
from ...numeric.tensor import (
    activity,
    averaged_intensity,
    quaternion_to_matrix,
    rotate,
    scattered_intensity,
)
from ...random import streams
from ...random.normal import fill_normals, normal_pair
from ...random.philox import between, philox
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ...units import wavelength_nm_to_cm1
from ..base import ArraySpec, Effect, Tile, spec
from ..mixture.effect import component_sizes
from ..sections import Sections
from ..settings import Fields
from ..substrate.effect import images_of
from ..substrate.kernels import turn_with_image
from .frequency_errors import MOST_FAMILIES, ModeShifts, draw_family_errors, mode_shifts
from .orientation import unit_vector
from .selection import ModeChoice, mode_widths
from .settings import Perturbations

if TYPE_CHECKING:
    from ..on_torch import TorchTile

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

DETECTIONS = {
    "activity": crosssection.NO_FACTOR,
    "power": crosssection.FOURTH_POWER,
    "photons": crosssection.PHOTON_COUNT,
}
_ZERO = np.float32(0.0)


class Modes(NamedTuple):
    """The modes in use of all K species, one species after the other."""

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
    shift: ModeShifts


class Numbers(NamedTuple):
    """The recipe's numbers."""

    incident: F64
    scattered: F64
    shift_cm1: float
    uncertain_frequencies: bool
    narrowest: float
    broadest: float
    intensity: float
    averaged: bool
    analysed: bool
    """Whether only the polarization ``scattered`` is detected."""
    mixed: bool
    of_signal: bool
    """Whether fractions of a mixture are those of the signal."""


def stokes_factors(frequency: F64, recipe: Sections) -> F64:
    """Return the Stokes factor at each frequency relative to that at 1000 cm^-1, float64."""
    laser = wavelength_nm_to_cm1(recipe.geometry.laser_nm)
    temperature = recipe.geometry.temperature_k
    form = DETECTIONS[recipe.geometry.detection]
    out = np.empty(len(frequency))
    crosssection.relative_stokes_factors(
        frequency, REFERENCE_SHIFT_CM1, laser, temperature, form, out
    )
    return out


def resolved_modes(recipe: Sections) -> int:
    """Return the modes that sticks and tensors are padded to."""
    if recipe.fields.n_modes is None:
        raise ValueError("expected a resolved recipe with fields.n_modes set, got None")
    return recipe.fields.n_modes


def mode_table(recipe: Sections, library: Library) -> Modes:
    """Return the modes in use of every species, by rising frequency."""
    choice = ModeChoice(library, recipe)
    mode, first = choice.in_use()
    partner = choice.partners(mode)
    line = mode[partner]  # partners are one line: at one place, with one width
    species = choice.species[mode]
    return Modes(
        first=first,
        frequency=choice.frequency[line],
        tensor=choice.tensor[mode],
        fwhm=mode_widths(library, recipe)[line],
        factor=stokes_factors(choice.frequency[line], recipe),
        partner=partner - first[species],
        shift=mode_shifts(recipe, library, choice.frequency[line], species),
    )


class Bands(Effect[Perturbations]):
    """Fills ``position``, ``intensity`` and ``fwhm``, float64, shape (n, M), of ``count`` modes.

    The modes of a mixture's species follow one another. Intensities are in Angstrom^4/amu times
    the Stokes factor, and of a mixture times the fraction.
    """

    stage = "modes"
    section = "perturbations"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self._modes = mode_table(recipe, library)
        self._most = int(np.diff(self._modes.first).max())
        spread = self.settings
        self._numbers = Numbers(
            incident=unit_vector(recipe.geometry.incident),
            scattered=unit_vector(recipe.geometry.scattered),
            shift_cm1=spread.shift_cm1,
            uncertain_frequencies=spread.uncertain_frequencies,
            narrowest=spread.width[0],
            broadest=spread.width[1],
            intensity=spread.intensity,
            averaged=recipe.geometry.is_averaged,
            analysed=recipe.geometry.orientation != "powder",
            mixed=recipe.mixture is not None,
            of_signal=recipe.mixture is not None and recipe.mixture.of == "signal",
        )

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return tensors, if asked for, and what is drawn for the whole spectrum."""
        each, n_modes = component_sizes(recipe), resolved_modes(recipe)
        made = [
            spec("params/shift", "float32", "cm^-1", "shift of the whole spectrum"),
            spec("params/width", "float32", "1", "factor on all widths"),
        ]
        if recipe.fields.tensors:
            frame = "molecular" if recipe.geometry.is_averaged else "laboratory"
            text = f"Raman tensor of each mode in the {frame} frame; 0 beyond count"
            sizes = {**each, "mode": n_modes, "cartesian_1": 3, "cartesian_2": 3}
            made.append(spec("tensors", "float32", "Angstrom^2 amu^-1/2", text, **sizes))
        return made

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the modes that other effects read."""
        most = self._most * self.recipe.n_components
        each = ArraySpec((most,), np.float64)
        return {
            "position": each, "intensity": each, "fwhm": each, "count": ArraySpec((), np.int64),
            "component_count": ArraySpec((self.recipe.n_components,), np.int64),
        }  # fmt: skip

    def apply(self, tile: Tile) -> None:
        """Draw the modes."""
        tensors = tile.get("tensors") if self.recipe.fields.tensors else None
        if tensors is not None:
            n_modes = self.recipe.fields.n_modes or 0
            tensors = tensors.reshape(len(tensors), self.recipe.n_components, n_modes, 3, 3)
        draw_bands(
            tile.index, tile.seed, self._modes, self._numbers, tile["species"], tile["fraction"],
            tile["n_components"], tile["quaternion"], images_of(tile), tile["position"],
            tile["intensity"], tile["fwhm"], tile["count"], tile["component_count"],
            tile["params/shift"], tile["params/width"], tensors,
        )  # fmt: skip

    def apply_on_torch(self, tile: "TorchTile") -> None:
        """Draw the modes."""
        from . import on_torch

        modes, numbers = self._modes, self._numbers
        averaged = np.array([average_of(one, numbers) for one in modes.tensor])
        drawn = on_torch.draw_modes(tile, modes, numbers, tile.tensor(averaged), self._most)
        for name in ("position", "intensity", "fwhm"):
            tile[name] = getattr(drawn, name)
        tile["count"] = drawn.n_modes
        tile["params/shift"], tile["params/width"] = drawn.shift, drawn.width
        if self.recipe.fields.tensors:
            tile["tensors"] = on_torch.padded(drawn.tensor, resolved_modes(self.recipe))


class Sticks(Effect[Fields]):
    """Records ``position`` and ``intensity`` as they are before an instrument moves the axis."""

    stage = "modes"

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether sticks are asked for."""
        return recipe.fields.sticks

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return positions, intensities and how many there are."""
        each, mixture, n_modes = component_sizes(recipe), recipe.mixture, resolved_modes(recipe)
        text = "Raman shift of each mode, shifted as drawn; 0 beyond count"
        made = [spec("sticks/position", "float32", "cm^-1", text, **each, mode=n_modes)]
        text = "intensity of each mode, Stokes factor over that at 1000 cm^-1; 0 beyond count"
        unit = "Angstrom^4 amu^-1"
        if mixture is not None:
            share = "signal" if mixture.of == "signal" else "molecules"
            unit = "1" if mixture.of == "signal" else unit
            text = text.replace(";", f", times the fraction of the {share};")
        made.append(spec("sticks/intensity", "float32", unit, text, **each, mode=n_modes))
        made.append(spec("sticks/count", "int32", "1", "number of modes", **each))
        return made

    def apply(self, tile: Tile) -> None:
        """Record."""
        counts = tile["component_count"]
        shape = (*counts.shape, self.recipe.fields.n_modes or 0)
        record_sticks(
            counts, tile["position"], tile["intensity"], tile["sticks/position"].reshape(shape),
            tile["sticks/intensity"].reshape(shape), tile["sticks/count"].reshape(counts.shape),
        )  # fmt: skip

    def apply_on_torch(self, tile: "TorchTile") -> None:
        """Record."""
        from .on_torch import padded

        for name in ("position", "intensity"):
            tile[f"sticks/{name}"] = padded(tile[name], resolved_modes(self.recipe))
        tile["sticks/count"] = tile["count"]


@kernel
def record_sticks(
    counts: NDArray[np.int64], position: F64, intensity: F64, stick_position: F32,
    stick_intensity: F32, stick_count: I32,
) -> None:  # fmt: skip
    """Write the modes of each species of a sample, shape (n, S, M); 0 beyond its ``counts``."""
    for row in range(counts.shape[0]):
        at = 0
        for c in range(counts.shape[1]):
            count = counts[row, c]
            stick_count[row, c] = count
            for m in range(stick_position.shape[2]):
                there = m < count
                stick_position[row, c, m] = position[row, at + m] if there else 0.0
                stick_intensity[row, c, m] = intensity[row, at + m] if there else 0.0
            at += count


@kernel
def average_of(tensor: F64, numbers: Numbers) -> float:
    """Return the intensity averaged over all orientations, of one polarization or of both.

    Both add up to (45 a^2 + 7 gamma^2)/45: D. A. Long, "The Raman Effect" (2002), Table 5.2(a).
    """
    if numbers.analysed:
        return averaged_intensity(tensor, numbers.incident, numbers.scattered)
    return activity(tensor) / 45.0


@kernel
def _draw_component(
    index: int, seed: int, c: int, species: int, modes: Modes, numbers: Numbers, shift: float,
    width: float, matrix: F64, normals: F32, errors: F64, tensor: F64, position: F64,
    intensity: F64, fwhm: F64, tensors: F32,
) -> int:  # fmt: skip
    """Draw the modes of one species of a sample; return how many there are.

    ``matrix`` brings its tensors into the laboratory frame.
    """
    first = modes.first[species]
    count = modes.first[species + 1] - first
    # whole vectors of draws, as many as this species needs: others do not matter
    normals = normals[: (count + 63) // 64 * 64]
    fill_normals(normals, index, c, seed, streams.MODE_SHIFT)
    for m in range(count):
        own = modes.shift.own[first + m] * np.float64(normals[modes.partner[first + m]])
        position[m] = modes.frequency[first + m] + shift + own
        fwhm[m] = modes.fwhm[first + m] * width
    if numbers.uncertain_frequencies:
        draw_family_errors(errors, index, c, seed)
        for m in range(count):
            family = modes.shift.family[first + m]
            position[m] += modes.shift.common[first + m] * errors[family]
    fill_normals(normals, index, c, seed, streams.INTENSITY)
    for m in range(count):
        alpha = modes.tensor[first + m]
        if numbers.averaged:
            strength = average_of(alpha, numbers)
            lab = alpha
        else:
            rotate(alpha, matrix, tensor)
            strength = scattered_intensity(tensor, numbers.incident, numbers.scattered)
            lab = tensor
        normal = np.float64(normals[modes.partner[first + m]])
        jitter = exp(np.float32(numbers.intensity * normal))
        intensity[m] = strength * modes.factor[first + m] * np.float64(jitter)
        if tensors.shape[0] > 0:
            for i in range(3):
                for j in range(3):
                    tensors[m, i, j] = lab[i, j]
    return count


@kernel
def draw_bands(
    start: int, seed: int, modes: Modes, numbers: Numbers, species: I32, fraction: F32,
    n_components: I32, quaternion: F64, images: F64, position: F64, intensity: F64, fwhm: F64,
    total_count: NDArray[np.int64], component_count: NDArray[np.int64], shifts: F32, widths: F32,
    tensors: F32 | None,
) -> None:  # fmt: skip
    """Draw the modes of samples from ``start`` on, and record tensors if they are asked for.

    ``images`` are the factors of image dipoles, empty without a substrate.
    """
    normals = np.empty((position.shape[1] + 63) // 64 * 64, np.float32)
    matrix, tensor = np.empty((3, 3), np.float64), np.empty((3, 3), np.float64)
    turned = np.empty((3, 3), np.float64)
    errors = np.empty(MOST_FAMILIES, np.float64)
    nowhere = np.empty((0, 3, 3), np.float32)
    for row in range(position.shape[0]):
        index = start + row
        w0, w1, _, _ = philox(0, index, 0, seed, streams.SHIFT)
        normal, _ = normal_pair(w0, w1)
        shift = numbers.shift_cm1 * np.float64(normal)
        w0, _, _, _ = philox(0, index, 0, seed, streams.WIDTH)
        width = between(numbers.narrowest, numbers.broadest, w0)
        shifts[row] = shift
        widths[row] = width
        at = 0
        for c in range(species.shape[1]):
            count, lab = 0, nowhere
            if tensors is not None:
                lab = tensors[row, c]
            if c < n_components[row]:
                quaternion_to_matrix(quaternion[row, c], matrix)
                frame = matrix
                if images.shape[0] > 0:
                    turn_with_image(images[row, c], matrix, turned)
                    frame = turned
                count = _draw_component(
                    index, seed, c, species[row, c], modes, numbers, shift, width, frame, normals,
                    errors, tensor, position[row, at:], intensity[row, at:], fwhm[row, at:], lab,
                )  # fmt: skip
            if numbers.mixed:
                scale = float(fraction[row, c])
                if numbers.of_signal:
                    total = 0.0
                    for m in range(at, at + count):
                        total += intensity[row, m]
                    scale = scale / total if total > 0.0 else 0.0
                for m in range(at, at + count):
                    intensity[row, m] *= scale
            lab[count:] = _ZERO
            component_count[row, c] = count
            at += count
        total_count[row] = at
