"""Measured spectra in texts that spectrometers export: two columns, shift and intensity."""

from pathlib import Path

from ...errors import MeasurementError
from ...plugins import register
from ..axis import (
    OPTIONS,
    AxisMeaning,
    Evidence,
    Stated,
    Values,
    decide_axis,
    quoted,
)
from ..axis_numbers import could_be_wavelengths
from ..columns import fields_of, read_table
from ..conversion import chosen_laser, to_shift
from ..heading import Heading, read_heading
from ..reader import NOTHING_SAID, Reader, ReadOptions, read_beginning, read_text, shown_name
from ..signatures import refuse_other_files
from ..spectrum import Spectrum, ascending

_HEAD_BYTES = 1024


def parse_spectrum(text: str, name: str, options: ReadOptions = NOTHING_SAID) -> Spectrum:
    """Return the spectrum in a text of two columns, see ``columns.read_table``: axis and intensity.

    What comes before the first row of numbers is a heading; it says what the axis is, and that is
    converted to Raman shifts. Text after the last row is ignored. The axis may rise or fall; where
    it repeats a value, intensities are averaged.

    Parameters
    ----------
    text
        The text.
    name
        Name of its file, safe to print.
    options
        What the user states about the axis and the laser.

    Raises
    ------
    MeasurementError
        If it is no such text, holds several spectra, or its axis is none of a Raman spectrum or not
        known; without the name of the file.
    """
    table = read_table(text)
    heading = read_heading(table.heading, table.footer, fields_of)
    values, intensity = table.column(0), table.column(1)
    meaning = _decided(heading, values, options.stated)
    laser, notes = chosen_laser(heading.laser_nm, meaning, options.laser_nm)
    table.check_direction(values)
    shift, converted = to_shift(values, meaning, laser, options.vacuum)
    return ascending(name, shift, intensity, (*notes, *converted), meaning)


def _decided(heading: Heading, values: Values, stated: Stated) -> AxisMeaning:
    """Return what the axis is, by what names it, or else by what mentions it."""
    if heading.axis or stated.kind is not None or stated.unit is not None:
        return decide_axis(heading.axis, values, stated)
    foreign = [one for one in heading.mentions if _is_foreign(one)]
    named = [one for one in heading.mentions if one not in foreign]
    if named:
        return decide_axis(named, values, stated)
    seen = foreign[0].text if foreign else heading.optical
    is_wavelength = not foreign or foreign[0].meaning.kind == "wavelength"
    may = "wavelengths" if is_wavelength else "another unit"
    if seen is not None and (not is_wavelength or could_be_wavelengths(values, heading.laser_nm)):
        raise MeasurementError(
            f"expected an axis whose unit is known, got {quoted(seen)} in the heading, which may "
            f"mean {may}; {OPTIONS}, and --laser-nm; or name the columns above the numbers, "
            "'Raman shift (cm-1)' or 'Wavelength (nm)'"
        )
    return decide_axis((), values, stated)


def _is_foreign(one: Evidence) -> bool:
    """Return whether a line mentions wavelengths, perhaps of the laser, or a unit not in cm^-1."""
    return one.meaning.kind == "wavelength" or one.meaning.unit not in (None, "cm-1")


@register("tersgen.readers", "text")
class Text(Reader):
    """Texts of two columns: what no other reader is for, so that errors say what was expected."""

    format = "text of two columns"
    rank = 2

    def matches(self, path: Path, head: bytes) -> bool:
        """Return True: whatever is no such text is refused when it is read."""
        return True

    def read(self, path: Path, options: ReadOptions) -> Spectrum:
        """Return the spectrum in a text, see ``parse_spectrum``."""
        refuse_other_files(read_beginning(path, _HEAD_BYTES))
        return parse_spectrum(read_text(path), shown_name(path), options)
