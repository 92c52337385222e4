"""One way in for every file of measured spectra; the format is told by content, not by the name."""

import codecs
import os
from pathlib import Path

from ..errors import MeasurementError
from ..files import NoPlainFileError, open_input, why
from ..schema.loading import printable
from .instrument import instrument_format, read_instrument
from .jcamp import is_jcamp, read_jcamp
from .spectrum import Spectrum, ascending, shift_from_nm
from .text import parse_spectrum

LARGEST_TEXT = 1 << 24
"""Larger texts are refused: a spectrum of 500,000 points is smaller."""
LARGEST_FILE = 1 << 30
"""Larger files of instruments are refused."""


def read_spectra(path: str | Path, laser_nm: float | None = None) -> tuple[Spectrum, ...]:
    """Return the spectra in a file: one, or as many as an instrument's file holds.

    Parameters
    ----------
    path
        A text of two columns (``parse_spectrum``), JCAMP-DX, or a file of an instrument that
        RosettaSciIO reads: Renishaw .wdf, Horiba .xml, TriVista .tvf, EMSA.
    laser_nm
        Wavelength of the laser, nm: for axes of wavelengths.

    Raises
    ------
    MeasurementError
        If the file cannot be read, is too large, or holds no spectrum.
    MissingExtraError
        If it is an instrument's, and RosettaSciIO is not installed.
    """
    path = Path(path)
    name = printable(path.name)
    try:
        content = _content(path)
        kind = instrument_format(content)
        if kind is not None:
            return read_instrument(path, name, kind, laser_nm)
        text = _decoded(content)
        if is_jcamp(text):
            return (_from_jcamp(text, name, laser_nm),)
        return (parse_spectrum(text, name, laser_nm),)
    except MeasurementError as error:
        raise MeasurementError(f"{printable(str(path))}: {error}") from None


def read_spectrum(path: str | Path, laser_nm: float | None = None) -> Spectrum:
    """Return the one spectrum in a file; see ``read_spectra``.

    Raises
    ------
    MeasurementError
        If there is none, or several.
    """
    spectra = read_spectra(path, laser_nm)
    if len(spectra) != 1:
        raise MeasurementError(
            f"{printable(str(path))}: expected one spectrum, got {len(spectra)}; make a dataset "
            "of them: tersgen ingest"
        )
    return spectra[0]


def _content(path: Path) -> bytes:
    """Return the bytes of a file, or the beginning of a large one that an instrument wrote."""
    try:
        with open_input(path) as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(LARGEST_TEXT + 1)
    except FileNotFoundError:
        raise MeasurementError("expected a file of a measured spectrum, got no such file") from None
    except NoPlainFileError as error:
        got = str(error.strerror).removeprefix("expected a file, ")
        raise MeasurementError(f"expected a file of a measured spectrum, {got}") from None
    except OSError as error:
        raise MeasurementError(f"cannot be read: {why(error)}") from None
    largest = LARGEST_TEXT if instrument_format(content) is None else LARGEST_FILE
    if max(size, len(content)) > largest:
        raise MeasurementError(
            f"expected at most {largest >> 20} MiB, got more; keep one spectrum to a file"
        )
    return content


def _decoded(content: bytes) -> str:
    """Return the text: UTF-16 with a mark, as spreadsheets write it, UTF-8, or else Latin-1."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise MeasurementError("expected text, got bytes that are no UTF-16") from None
    if b"\0" in content:
        raise MeasurementError(
            "expected text, got a binary file; export the spectrum as text or CSV"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _from_jcamp(text: str, name: str, laser_nm: float | None) -> Spectrum:
    """Return the continuous spectrum in a JCAMP-DX text."""
    record = read_jcamp(text)
    if record.is_peaks:
        raise MeasurementError(
            "expected a spectrum, got a table of peaks; import it as a species: tersgen library "
            "import"
        )
    axis = record.x
    if record.x_unit == "nm":
        if laser_nm is None:
            raise MeasurementError(
                "expected Raman shifts in cm^-1, got an axis in nm; say which laser (--laser-nm)"
            )
        axis = shift_from_nm(axis, laser_nm)
    elif record.x_unit != "cm^-1":
        raise MeasurementError(f"expected an axis in cm^-1 or nm, got {record.x_unit!r}")
    return ascending(name, axis, record.y, record.notes)
