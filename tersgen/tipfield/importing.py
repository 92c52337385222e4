"""Importing the field of a tip from the files of another program."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError
from ..formats import HEAD_BYTES, Chosen, Formats
from ..plugins import named_errors
from ..schema.tipfield import TipField
from .file import head_of
from .sources import FieldImporter, Fields, Placement

FORMATS = Formats(
    "tersgen.field_importers", FieldImporter, "tersgen field import --format", ConfigError
)

# Beyond these, positions are in another unit, and the field would be constant over a molecule.
_SMALLEST_ANGSTROM = 1.0
_LARGEST_ANGSTROM = 1e7


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
        Name of the importer; by default the one that recognises the file.
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


def choose_importer(path: Path, format: str | None = None) -> Chosen:
    """Return the importer of a file, by its content unless it is named."""
    found = FORMATS.choose(path, head_of(path, HEAD_BYTES), format)
    if found is None:
        raise ConfigError(
            f"{path}: expected a field of {FORMATS.known()}; got another file; name its format "
            "with --format"
        )
    return found


def _read(path: Path, placement: Placement, format: str | None) -> Fields:
    name, importer = choose_importer(path, format)
    with named_errors("field importer", name, type(importer), ConfigError):
        found: Fields = importer.read(path, placement)
        widest = max(float(np.ptp(axis)) for axis in found.axes)
        if not _SMALLEST_ANGSTROM <= widest <= _LARGEST_ANGSTROM:
            raise ConfigError(
                f"{path}: expected a grid 0.1 nm to 1 mm wide, got {widest / 10:.4g} nm; check the "
                "unit of its positions (.mat of Lumerical: m, of MNPBEM: nm), or --unit, --step"
            )
    return found
