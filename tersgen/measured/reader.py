"""The interface of readers of measured files: one class per format, built in or from a plug-in."""

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
from ..text import decode, printable, utf_16
from .axis import NOTHING_STATED, Stated
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
    bad: tuple[tuple[int, str], ...] = ()
    """Rows that cannot be used, and why."""
    cubes: NDArray[Any] | None = None
    """A spectrum at each pixel of a map, shape (n, H, W, L)."""
    steps_um: tuple[float, float] | None = None
    """Distance of the rows, and of the columns, of all cubes, if it is known."""
    positions_um: NDArray[np.float64] | None = None
    """Where each row was measured, x and y, shape (n, 2); of a cube, its first pixel."""
    notes: tuple[str, ...] = ()
    """What a user should know of all rows."""

    def without_bad(self) -> tuple["RowArrays", tuple[int, ...]]:
        """Return the rows that can be used, and which of all rows they are."""
        kept = np.delete(np.arange(self.n_rows), [row for row, _ in self.bad])
        places = tuple(kept.tolist())
        label, group, part = (
            None if names is None else tuple(names[row] for row in places)
            for names in (self.label, self.group, self.part)
        )
        spectra, maps, cubes, positions = (
            None if one is None else one[kept]
            for one in (self.spectra, self.maps, self.cubes, self.positions_um)
        )
        rows = self._replace(
            n_rows=len(places), spectra=spectra, maps=maps, label=label, group=group, part=part,
            bad=(), cubes=cubes, positions_um=positions,
        )  # fmt: skip
        return rows, places


class ReadOptions(NamedTuple):
    """What the user states about files that do not say it themselves."""

    laser_nm: float | None = None
    """Wavelength of the laser, nm: for axes of wavelengths."""
    axis: Axis | None = None
    """Axis of arrays that bring none, cm^-1."""
    cubes: bool = False
    """Whether arrays of three and four dimensions in .npy files are cubes and not maps."""
    stated: Stated = NOTHING_STATED
    """What the axis of files is, where they do not say it, or say it wrongly."""
    spectrum: str | None = None
    """Which spectrum of a file of several: its number, from 0, or its name in the file."""
    vacuum: bool = False
    """Whether wavelengths, the laser's too, are those in vacuum instead of air."""


NOTHING_SAID = ReadOptions()


class Reader(FileFormat):
    """A format of measured files; register it in the group ``tersgen.readers``."""

    @abstractmethod
    def read(
        self, path: Path, options: ReadOptions
    ) -> Spectrum | Iterable[Spectrum | MeasurementError] | RowArrays:
        """Return the spectra in a file; rows of arrays are for the built-in reader alone.

        In place of a spectrum of many that cannot be used, an error says why; it begins with the
        name of the spectrum.

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
    """Refuse a file of more bytes."""
    read_beginning(path, 0, largest)


def read_beginning(path: Path, count: int, largest: int | None = None) -> bytes:
    """Return the first bytes of a plain file."""
    try:
        with open_input(path) as file:
            size = os.fstat(file.fileno()).st_size
            if largest is not None and size > largest:
                raise MeasurementError(
                    f"expected at most {largest >> 20} MiB, got more; keep one spectrum to a file"
                )
            return file.read(min(count, size))  # as many bytes are allocated
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
    """Return a text, see ``text.decode``.

    ``whole`` says that it is the whole file, which may be refused, and not only its beginning.
    """
    if whole and b"\0" in content and utf_16(content) is None:
        raise MeasurementError(
            "expected text, got a binary file; export the spectrum as text or CSV"
        )
    try:
        return decode(content, "strict" if whole else "replace")
    except UnicodeDecodeError:
        raise MeasurementError("expected text, got bytes that are no UTF-16") from None
