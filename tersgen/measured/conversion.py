"""Raman shifts from the numbers of an axis whose meaning is decided, see ``axis.py``."""

from ..errors import MeasurementError
from ..units import WAVENUMBERS
from .axis import OPTIONS, TITLES, AxisMeaning, Values, quoted, range_of, shown
from .axis_numbers import LEAST_OPTICAL, MOST_SHIFT
from .axis_words import WAVELENGTHS
from .wavelengths import shift_from_nm

_LARGEST_FIRST = 6000.0
_SAME_LASER = 0.005
_FARTHEST_BEFORE = 20_000.0
"""A spectrometer for the visible begins so far before the laser at most, cm^-1."""


def to_shift(
    values: Values, meaning: AxisMeaning, laser_nm: float | None, vacuum: bool = False
) -> tuple[Values, tuple[str, ...]]:
    """Return an axis as Raman shifts in cm^-1, shape (N,), and what a user should know of it.

    Parameters
    ----------
    values
        The numbers of the axis, shape (N,).
    meaning
        What they are.
    laser_nm
        Wavelength of the laser, nm: for all but Raman shifts. For absolute wavenumbers and photon
        energies its wavenumber is 1e7 / laser_nm.
    vacuum
        Whether wavelengths, the laser's too, are those in vacuum instead of air.
    """
    kind, unit = meaning.kind, meaning.unit
    if kind == "shift":
        notes = () if unit == "cm-1" else (f"axis converted from {shown(unit)} to cm^-1",)
        shift = values * WAVENUMBERS[unit]
        if not _within_limits(shift, LEAST_OPTICAL):
            raise MeasurementError(
                f"expected {_limits(LEAST_OPTICAL)}, got {range_of(values, unit)}; is the axis "
                f"absolute, or in another unit? {OPTIONS}"
            )
        return shift, (*meaning.notes, *notes)
    what = TITLES[kind]
    if laser_nm is None:
        seen = f" ({' and '.join(map(quoted, meaning.evidence[:2]))})" if meaning.evidence else ""
        raise MeasurementError(
            f"expected Raman shifts in cm^-1, got {what} in {shown(unit)}{seen}; say which laser "
            "(--laser-nm)"
        )
    if kind == "wavelength":
        what = f"{what} ({'vacuum' if vacuum else 'air'})"
        shift = shift_from_nm(values * WAVELENGTHS[unit], laser_nm, vacuum)
    else:
        shift = 1e7 / laser_nm - values * WAVENUMBERS[unit]
    if (
        shift.max() <= 0
        or shift.min() > _LARGEST_FIRST
        or not _within_limits(shift, _FARTHEST_BEFORE)
    ):
        raise MeasurementError(
            f"expected {_limits(_FARTHEST_BEFORE)} for a laser of {laser_nm:g} nm, got "
            f"{shift.min():.0f} to {shift.max():.0f} cm^-1 from {what} of {range_of(values)} "
            f"{shown(unit)}; is it the right laser? Are they {TITLES[kind]}? If so, leave out rows "
            "beyond these limits"
        )
    note = f"axis converted from {what} in {shown(unit)} with a laser of {laser_nm:g} nm"
    return shift, (*meaning.notes, note)


def chosen_laser(
    stated_nm: float | None, meaning: AxisMeaning, laser_nm: float | None
) -> tuple[float | None, tuple[str, ...]]:
    """Return the laser by which an axis is converted, nm, and what a user should know of it.

    Parameters
    ----------
    stated_nm
        Laser by the heading of the file.
    meaning
        What the axis is.
    laser_nm
        Laser by the user, who wins.
    """
    if stated_nm is None or meaning.kind == "shift":
        return laser_nm, ()
    if laser_nm is None:
        return stated_nm, (f"laser of {stated_nm:g} nm, as the heading says",)
    differs = abs(stated_nm / laser_nm - 1) > _SAME_LASER
    return laser_nm, (
        f"the heading says a laser of {stated_nm:g} nm, --laser-nm another",
    ) * differs


def _limits(before: float) -> str:
    return f"Raman shifts of {-before:g} to {MOST_SHIFT:g} cm^-1"


def _within_limits(shift: Values, before: float) -> bool:
    """Return whether no shift is beyond those of a spectrum; NaN is refused elsewhere."""
    return not ((shift < -before) | (shift > MOST_SHIFT)).any()
