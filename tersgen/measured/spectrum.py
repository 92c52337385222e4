"""A measured spectrum: its axis as measured, its intensities, and what was done to it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from .axis import AxisMeaning
from .wavelengths import shift_from_nm as shift_from_nm


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A measured spectrum.

    Attributes
    ----------
    name
        Name of its file, without folders; safe to print.
    shift_cm1
        Raman shifts, cm^-1, strictly ascending, float64, shape (N,), N >= 2.
    intensity
        Intensities in any unit, finite, float64, shape (N,).
    notes
        What was done to it that a user should know.
    axis
        What its axis was in the file, if its reader tells.
    position_um
        Where it was measured, x and y in micrometres, if its file says so.
    """

    name: str
    shift_cm1: NDArray[np.float64]
    intensity: NDArray[np.float64]
    notes: tuple[str, ...] = ()
    axis: AxisMeaning | None = None
    position_um: tuple[float, float] | None = None

    def summary(self) -> dict[str, Any]:
        """Return what is worth showing of it, as JSON takes it."""
        return {
            "name": self.name,
            "points": len(self.shift_cm1),
            "start_cm1": float(self.shift_cm1[0]),
            "stop_cm1": float(self.shift_cm1[-1]),
            "axis": None if self.axis is None else self.axis.summary(),
            "notes": list(self.notes),
        }


def ascending(
    name: str,
    shift_cm1: NDArray[np.float64],
    intensity: NDArray[np.float64],
    notes: tuple[str, ...] = (),
    axis: AxisMeaning | None = None,
) -> Spectrum:
    """Return a spectrum from an axis that rises or falls throughout, and may repeat values.

    Where it repeats a value, intensities are averaged, with a note.

    Raises
    ------
    MeasurementError
        If the axis turns, has fewer than two values, or a number is not finite.
    """
    if not (np.isfinite(shift_cm1).all() and np.isfinite(intensity).all()):
        raise MeasurementError("expected finite shifts and intensities, got NaN or infinity")
    if turning_point(shift_cm1) is not None:
        raise MeasurementError(
            "expected an axis that rises or falls throughout, got one that turns"
        )
    if len(shift_cm1) > 1 and shift_cm1[0] > shift_cm1[-1]:
        shift_cm1, intensity = shift_cm1[::-1], intensity[::-1]
    unique, place, counts = np.unique(shift_cm1, return_inverse=True, return_counts=True)
    if len(unique) < 2:
        got = f"{unique[0]:g} only" if len(unique) else "none"
        raise MeasurementError(f"expected at least two Raman shifts, got {got}")
    # Divided first: the sum of the largest numbers would be infinite.
    values = np.bincount(place, intensity / counts[place]).astype(np.float64)
    if len(unique) < len(shift_cm1):
        n_repeated = np.count_nonzero(counts > 1)
        what = "Raman shift" if n_repeated == 1 else "Raman shifts"
        again = f"{n_repeated} {what} given more than once: intensities averaged"
        notes = (*notes, again)
    return Spectrum(name, unique, values, notes, axis)


def tried(
    name: str,
    shift_cm1: NDArray[np.float64],
    intensity: NDArray[np.float64],
    notes: tuple[str, ...] = (),
    axis: AxisMeaning | None = None,
) -> Spectrum | MeasurementError:
    """Return a spectrum of many in a file, see ``ascending``, or what is wrong with it."""
    try:
        return ascending(name, shift_cm1, intensity, notes, axis)
    except MeasurementError as error:
        return MeasurementError(f"{name}: {error}")


def turning_point(axis: NDArray[np.float64]) -> int | None:
    """Return the place of the first value that goes back on the direction of an axis, or None."""
    steps = np.sign(np.diff(axis))
    moving = np.flatnonzero(steps)
    if not len(moving):
        return None
    turns = np.flatnonzero(steps == -steps[moving[0]])
    return int(turns[0]) + 1 if len(turns) else None
