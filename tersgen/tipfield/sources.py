"""The results of importers of fields, and the importers by the names of their formats."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .file import head_of

F64 = NDArray[np.float64]

BEGINNING = 1 << 16
"""Bytes from which formats are detected."""

FORMATS = {
    "meep": "Meep, HDF5",
    "lumerical": "Lumerical, .mat",
    "mnpbem": "MNPBEM, .mat",
    "comsol": "COMSOL, text",
    "cube": "potential as a Gaussian cube",
}
"""Importers, each a module of this package with ``matches`` and ``read``, in words."""


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


Read = Callable[[Path, Placement], Fields]


def detect(path: Path) -> str:
    """Return the format of a file, by its content.

    Raises
    ------
    ConfigError
        If it is none of those known.
    """
    head = head_of(path, BEGINNING)
    for name in FORMATS:
        if import_module(f".{name}", __package__).matches(path, head):
            return name
    raise ConfigError(
        f"{path}: expected a field of {'; '.join(FORMATS.values())}; got another file; name its "
        "format with --format"
    )


def reader(name: str) -> Read:
    """Return the module that reads a format."""
    read: Read = import_module(f".{name}", __package__).read
    return read
