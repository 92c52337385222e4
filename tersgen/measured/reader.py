"""What a reader of measured files is: one class for each format, built in or from outside."""

import codecs
import os
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from ..files import NoPlainFileError, open_input, why
from ..formats import FileFormat
from ..schema.loading import printable
from .spectrum import Spectrum

LARGEST_TEXT = 1 << 24
"""Larger texts are refused: a spectrum of 500,000 points is smaller."""

Axis = NDArray[np.float64] | tuple[float, float]
"""All Raman shifts of an axis, shape (L,), or its ends, between which they are evenly spaced."""


class RowArrays(NamedTuple):
    """Rows of one NumPy file."""

    n_rows: int
    spectra: NDArray[Any] | None
    """Intensities, shape (n, L)."""
    shift_cm1: NDArray[np.float64] | None
    """Raman shifts, strictly rising, shape (L,)."""
    maps: NDArray[Any] | None
    """Shape (n, C, H, W)."""
    label: tuple[str, ...] | None
    group: tuple[str, ...] | None
    part: tuple[str, ...] | None


class ReadOptions(NamedTuple):
    """What a user says of files that do not say it themselves."""

    laser_nm: float | None = None
    """Wavelength of the laser, nm: for axes of wavelengths."""
    axis: Axis | None = None
    """Axis of arrays that bring none, cm^-1."""


class Reader(FileFormat):
    """A format of measured files; register it in the group ``tersgen.readers``."""

    @abstractmethod
    def read(self, path: Path, options: ReadOptions) -> Spectrum | Iterable[Spectrum] | RowArrays:
        """Return the spectra in a file; rows of arrays are for the built-in reader alone.

        Raises
        ------
        MeasurementError
            If the file is damaged, or the meaning of its axis is not known; the message says what
            was expected and what came, without the name of the file.
        """


def shown_name(path: Path) -> str:
    """Return the name of a file, safe to print: what its spectrum is called."""
    return printable(path.name)


def check_size(path: Path, largest: int) -> None:
    """Refuse a file of more bytes.

    Raises
    ------
    MeasurementError
        If it has more, or is not there.
    """
    read_beginning(path, 0, largest)


def read_beginning(path: Path, count: int, largest: int | None = None) -> bytes:
    """Return the first bytes of a plain file.

    Raises
    ------
    MeasurementError
        If it cannot be read, or has more than ``largest`` bytes.
    """
    try:
        with open_input(path) as file:
            size = os.fstat(file.fileno()).st_size
            if largest is not None and size > largest:
                raise MeasurementError(
                    f"expected at most {largest >> 20} MiB, got more; keep one spectrum to a file"
                )
            return file.read(count)
    except FileNotFoundError:
        raise MeasurementError("expected a file of a measured spectrum, got no such file") from None
    except NoPlainFileError as error:
        got = str(error.strerror).removeprefix("expected a file, ")
        raise MeasurementError(f"expected a file of a measured spectrum, {got}") from None
    except OSError as error:
        raise MeasurementError(f"cannot be read: {why(error)}") from None


def read_text(path: Path) -> str:
    """Return the text of a file of at most 16 MiB, see ``decoded``.

    Raises
    ------
    MeasurementError
        If it cannot be read, is too large, or no text.
    """
    return decoded(read_beginning(path, LARGEST_TEXT, LARGEST_TEXT))


def decoded(content: bytes, whole: bool = True) -> str:
    """Return a text: UTF-16 with a mark, as spreadsheets write it, UTF-8, or else Latin-1.

    ``whole`` says that it is the whole file, which may be refused, and not only its beginning.

    Raises
    ------
    MeasurementError
        If the whole file is no text.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16", errors="strict" if whole else "replace")
        except UnicodeDecodeError:
            raise MeasurementError("expected text, got bytes that are no UTF-16") from None
    if whole and b"\0" in content:
        raise MeasurementError(
            "expected text, got a binary file; export the spectrum as text or CSV"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
