"""The interface of importers of fields: one class for each format, built in or from a plug-in."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..formats import FileFormat

F64 = NDArray[np.float64]


class Placement(NamedTuple):
    """Position of a grid, for files that do not state it; None for what was not given."""

    step: F64 | None
    """Spacing of grid points, shape (3,), Angstrom."""
    origin: F64 | None
    """First grid point, shape (3,), Angstrom."""
    unit_angstrom: float | None
    """Unit of positions, Angstrom."""


class Fields(NamedTuple):
    """Fields on one grid, of which each is at one wavelength."""

    axes: tuple[F64, F64, F64]
    """Rising positions, Angstrom."""
    fields: list[NDArray[Any]]
    """Complex, shape (3, nx, ny, nz)."""
    wavelengths_nm: tuple[float, ...] = ()
    """Of each field; nothing if the file does not say."""

    def chosen(self, path: Path, nm: float | None, number: int | None) -> NDArray[Any]:
        """Return the field nearest to a wavelength, or by its number from 1; else the only one.

        Raises
        ------
        ConfigError
            If there is none, or several and neither is given.
        """
        n = len(self.fields)
        shown = ", ".join(f"{one:g}" for one in self.wavelengths_nm[:8]) or "unknown wavelengths"
        if number is not None:
            if not 1 <= number <= n:
                raise ConfigError(f"{path}: expected a field from 1 to {n}, got number {number}")
            return self.fields[number - 1]
        if nm is not None:
            if not self.wavelengths_nm:
                raise ConfigError(
                    f"{path}: expected fields of known wavelengths, got {n} of unknown ones; "
                    "choose one with --number"
                )
            nearest = min(range(n), key=lambda k: abs(self.wavelengths_nm[k] - nm))
            if abs(self.wavelengths_nm[nearest] - nm) > 0.02 * nm:
                raise ConfigError(f"{path}: expected a field at {nm:g} nm, got {shown} nm")
            return self.fields[nearest]
        if n != 1:
            raise ConfigError(
                f"{path}: expected one field, got {n} ({shown}); choose with --laser-nm or --number"
            )
        return self.fields[0]


class FieldImporter(FileFormat):
    """A format of files of fields; register it in the group ``tersgen.field_importers``."""

    @abstractmethod
    def read(self, path: Path, placement: Placement) -> Fields:
        """Return the fields in a file; ``regular`` in ``points`` evens out uneven grids.

        Raises
        ------
        ConfigError
            If it is not what was expected, or needs a position that is not given.
        """
