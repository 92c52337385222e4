"""Importing the field of a tip from the files of another program."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError
from ..schema.tipfield import TipField
from .sources import Fields, Placement, detect, reader


class Choice(NamedTuple):
    """Which of the fields in a file to take: by wavelength or number; else the only one."""

    nm: float | None = None
    number: int | None = None


def import_tip_field(
    path: Path,
    tip: tuple[float, float, float],
    placement: Placement,
    laser: Choice,
    scattered: Choice,
    scattered_path: Path | None = None,
    format: str | None = None,
) -> TipField:
    """Return the field in a file of another program.

    Parameters
    ----------
    path
        The file.
    tip
        Position of the tip's apex in its coordinates, Angstrom.
    placement
        Positions and units that the file may lack.
    laser, scattered
        Which field is that at the laser, and which at scattered wavelengths; without the latter,
        and without another file, both are the same.
    scattered_path
        File with the field at scattered wavelengths, if it is another one.
    format
        One of ``FORMATS``; by default detected.

    Raises
    ------
    ConfigError
        If a file is not as expected, or two files have different grids.
    """
    held = _read(path, placement, format)
    e_in = held.chosen(path, *laser)
    e_out = None
    if scattered_path is not None:
        other = _read(scattered_path, placement, format)
        for one, two in zip(held.axes, other.axes, strict=True):
            if one.shape != two.shape or not np.allclose(one, two, rtol=0, atol=1e-3):
                raise ConfigError(
                    f"{scattered_path}: expected the grid of {path}, got another; export both on "
                    "one grid"
                )
        e_out = other.chosen(scattered_path, *scattered)
    elif scattered != Choice():
        e_out = held.chosen(path, *scattered)
    try:
        return TipField(*held.axes, e_in, e_out, tip)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _read(path: Path, placement: Placement, format: str | None) -> Fields:
    return reader(format or detect(path))(path, placement)
