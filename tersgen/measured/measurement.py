"""What a reader took from a file of an instrument: spectra, their axis as stored, and positions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from .axis import TITLES, AxisMeaning, Evidence, Kind, decide_axis, shown
from .axis_words import Meaning
from .conversion import to_shift
from .reader import ReadOptions
from .spectrum import Spectrum, tried

MOST_VALUES = 1 << 26
"""Files of more intensities are refused: as float64 these are 512 MiB."""
MOST_SPECTRA = 1_000_000
"""Files of more spectra are refused."""

SHIFT: Kind = "shift"
WAVELENGTH: Kind = "wavelength"
ABSOLUTE: Kind = "absolute"
ENERGY: Kind = "energy"


class StoredAxis(NamedTuple):
    """A spectral axis as a file has it."""

    evidence: Sequence[Evidence]
    """What the file says of it."""
    values: NDArray[np.float64] | Sequence[NDArray[np.float64]]
    """One axis of all spectra, shape (N,), or one for each."""

    @classmethod
    def coded(
        cls, kind: Kind, unit: str, values: NDArray[np.float64] | Sequence[NDArray[np.float64]]
    ) -> Self:
        """Return an axis whose kind and unit, one of ``axis.UNITS``, follow from the format."""
        return cls([Evidence(f"{TITLES[kind]} in {shown(unit)}", Meaning(kind, unit))], values)


@dataclass(frozen=True, eq=False)
class Measurement:
    """The spectra of one file, and what its reader took and left.

    Attributes
    ----------
    spectra
        The spectra, with Raman shifts; in place of one that cannot be used, why not.
    meaning
        What the axis was taken for.
    laser_nm
        Wavelength of the laser, nm, by the file or by the user; None if neither says.
    left
        What is in the file and was not taken.
    """

    spectra: tuple[Spectrum | MeasurementError, ...]
    meaning: AxisMeaning
    laser_nm: float | None = None
    left: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Spectrum | MeasurementError]:
        """Iterate over the spectra, as a reader's result is read."""
        return iter(self.spectra)


def take(
    name: str,
    axis: StoredAxis,
    rows: NDArray[Any] | Sequence[NDArray[Any]],
    options: ReadOptions,
    *,
    laser_nm: float | None = None,
    names: Sequence[str] | None = None,
    positions_um: NDArray[np.float64] | None = None,
    notes: tuple[str, ...] = (),
    left: Sequence[str] = (),
) -> Measurement:
    """Return the measurement of rows of intensities over a stored axis.

    Parameters
    ----------
    name
        Name of the file, safe to print; of several spectra each is followed by its number.
    axis
        The axis, or one for each row.
    rows
        Intensities, shape (n, N), or n arrays of their own lengths.
    options
        What the user says; it wins over the file.
    laser_nm
        Wavelength of the laser by the file, nm.
    names
        What each row is called in the file, safe to print.
    positions_um
        Where each row was measured, x and y in micrometres, shape (n, 2).
    notes
        What a user should know of every row.
    left
        What was not taken.
    """
    if not len(rows):
        raise MeasurementError("expected a spectrum, got none")
    check_count(0, len(rows))
    laser = options.laser_nm or laser_nm
    axes = axis.values if isinstance(axis.values, list | tuple) else [np.asarray(axis.values)]
    if not len(axes[0]):
        raise MeasurementError("expected an axis, got none of its values")
    meaning = decide_axis(axis.evidence, axes[0], options.stated)
    spectra: list[Spectrum | MeasurementError] = []
    last: Spectrum | None = None
    for k, row in enumerate(rows):
        if k < len(axes):
            shift, converted = to_shift(axes[k], meaning, laser, options.vacuum)
        if len(shift) != len(row):
            raise MeasurementError(f"expected {len(shift)} intensities, got {len(row)}")
        called = name if len(rows) == 1 else f"{name}[{names[k] if names else k}]"
        values = np.asarray(row, np.float64)
        one = tried(called, shift, values, (*converted, *notes), meaning)
        if isinstance(one, Spectrum):
            if last is not None and np.array_equal(one.shift_cm1, last.shift_cm1):
                one = replace(one, shift_cm1=last.shift_cm1)  # keep one copy of it
            last = one
        spectra.append(one)
    return Measurement(placed(tuple(spectra), positions_um), meaning, laser, tuple(left))


def placed(
    spectra: tuple[Spectrum | MeasurementError, ...], positions_um: NDArray[np.float64] | None
) -> tuple[Spectrum | MeasurementError, ...]:
    """Return spectra with their positions, shape (n, 2), if there is one for each."""
    if positions_um is None or len(positions_um) != len(spectra):
        return spectra
    return tuple(
        replace(one, position_um=(float(x), float(y))) if isinstance(one, Spectrum) else one
        for one, (x, y) in zip(spectra, positions_um, strict=True)
    )


def check_count(n_values: int, n_spectra: int = 1) -> None:
    """Refuse more intensities, or more spectra, than fit into memory."""
    if n_values > MOST_VALUES:
        raise MeasurementError(
            f"expected at most {MOST_VALUES} intensities, got {n_values}; split the file"
        )
    if n_spectra > MOST_SPECTRA:
        raise MeasurementError(
            f"expected at most {MOST_SPECTRA} spectra, got {n_spectra}; split the file"
        )
