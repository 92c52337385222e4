"""From a measured file to spectra: the reader is chosen by the content of the file."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import MeasurementError
from ..formats import HEAD_BYTES, Formats
from ..plugins import is_built_in, named_errors
from ..schema.plugin import PluginRecord
from ..text import printable
from .axis import Stated, kind_named, unit_named
from .measurement import Measurement
from .reader import NOTHING_SAID, Reader, ReadOptions, RowArrays, read_beginning, shown_name
from .readers.arrays import axis_of
from .spectrum import Spectrum, ascending

_MOST_NAMES = 5
FORMATS = Formats("tersgen.readers", Reader, "tersgen ingest --reader", MeasurementError)


def read_options(
    axis: str | None = None,
    unit: str | None = None,
    vacuum: bool = False,
    spectrum: str | None = None,
    laser_nm: float | None = None,
) -> ReadOptions:
    """Return what a user states of files: ``axis`` is a kind, or the axis itself."""
    kind = kind_named(axis)
    return ReadOptions(
        laser_nm=laser_nm,
        axis=None if kind or axis is None else axis_of(axis),
        stated=Stated(kind, unit_named(unit)),
        spectrum=spectrum,
        vacuum=vacuum,
    )


class ReadFile(NamedTuple):
    """What is in a measured file, and who read it."""

    content: tuple[Spectrum | MeasurementError, ...] | RowArrays
    """In place of a spectrum of many that cannot be used, an error says why."""
    reader: PluginRecord | None
    """The reader, if it is from outside."""
    format: str = ""
    """What its reader calls its format."""
    taken: Measurement | None = None
    """What the reader says that it took, if it does."""


def read_file(path: Path, options: ReadOptions, reader: str | None = None) -> ReadFile:
    """Return the spectra, or the rows of arrays, in a file.

    Parameters
    ----------
    path
        A file that a reader reads: a built-in one (``measured/readers``), one of an installed
        package, or of a module that was imported as a plug-in.
    options
        What the file may not say itself.
    reader
        Name of the reader; by default the one that recognises the file.
    """
    try:
        head = read_beginning(path, HEAD_BYTES)
        chosen = FORMATS.choose(path, head, reader)
        if chosen is None:
            raise MeasurementError(
                "expected a file that a reader is for, got one that none recognises; choose one "
                "with --reader"
            )
        part = type(chosen.part)
        # Damaged numbers may overflow; what is not finite is refused as such.
        guarded = named_errors("reader", chosen.name, part, MeasurementError)
        with guarded, np.errstate(all="ignore"):
            found = chosen.part.read(path, options)
            if isinstance(found, RowArrays) and is_built_in(part):
                if options.spectrum is not None:
                    raise MeasurementError("expected a file of spectra for --spectrum, got arrays")
                return ReadFile(found, None, part.format)
            taken = found if isinstance(found, Measurement) else None
            spectra = (found,) if isinstance(found, Spectrum) else tuple(found)
            if options.spectrum is not None:
                spectra = (_named(spectra, shown_name(path), options.spectrum),)
            if len(spectra) == 1 and isinstance(spectra[0], MeasurementError):
                raise type(spectra[0])(str(spectra[0]).removeprefix(f"{shown_name(path)}: "))
            if is_built_in(part):
                return ReadFile(spectra, None, part.format, taken)
            record = PluginRecord.of(chosen.name, part)
            return ReadFile(_checked(spectra), record, part.format, taken)
    except MeasurementError as error:
        raise type(error)(printable(f"{path}: {error}")) from None


def _named(
    spectra: tuple[Spectrum | MeasurementError, ...], file: str, wanted: str
) -> Spectrum | MeasurementError:
    """Return the spectrum of a file whose number, or name in brackets, is wanted."""
    names = [one.name if isinstance(one, Spectrum) else str(one) for one in spectra]
    found = [k for k, name in enumerate(names) if name.startswith(f"{file}[{wanted}]")]
    if len(found) == 1:
        return spectra[found[0]]
    if not found and wanted.isdecimal() and int(wanted) < len(spectra):
        return spectra[int(wanted)]
    inside = [name.removeprefix(file)[1:].partition("]")[0] for name in names]
    known = f"0 to {len(spectra) - 1}"
    if inside[0] != "0":
        known += f", or a name as {', '.join(map(repr, inside[:_MOST_NAMES]))}"
    raise MeasurementError(f"--spectrum: expected {known}, got {printable(wanted)[:40]!r}")


def _checked(spectra: tuple[object, ...]) -> tuple[Spectrum | MeasurementError, ...]:
    """Return the spectra of a reader from outside, which promise nothing."""
    checked: list[Spectrum | MeasurementError] = []
    for one in spectra:
        if isinstance(one, MeasurementError):
            checked.append(MeasurementError(printable(str(one))))
            continue
        if not isinstance(one, Spectrum):
            raise MeasurementError(f"expected spectra, got {one!r:.80}")
        shift, intensity = (np.asarray(v, np.float64) for v in (one.shift_cm1, one.intensity))
        if shift.ndim != 1 or shift.shape != intensity.shape:
            raise MeasurementError(
                f"expected an intensity for each Raman shift, got shapes {intensity.shape} and "
                f"{shift.shape}"
            )
        notes = tuple(printable(note) for note in one.notes)
        spectrum = ascending(printable(one.name), shift, intensity, notes, one.axis)
        checked.append(replace(spectrum, position_um=one.position_um))
    if not checked:
        raise MeasurementError("expected at least one spectrum, got none")
    return tuple(checked)


def read_spectra(
    path: str | Path, laser_nm: float | None = None, options: ReadOptions = NOTHING_SAID
) -> tuple[Spectrum, ...]:
    """Return the spectra in a file: one, or as many as an instrument's file holds.

    ``laser_nm`` takes precedence over the laser in ``options``.

    Raises
    ------
    MeasurementError, MissingExtraError, ConfigError
        As ``read_file``; and if it holds arrays, or one of the spectra cannot be used.
    """
    options = options._replace(laser_nm=laser_nm or options.laser_nm)
    content = read_file(Path(path), options).content
    if isinstance(content, RowArrays):
        raise MeasurementError(
            f"{printable(str(path))}: expected text, or a file of an instrument, got arrays of "
            "NumPy; make a dataset of them: tersgen ingest"
        )
    for one in content:
        if isinstance(one, MeasurementError):
            raise MeasurementError(f"{printable(str(path))}: {one}")
    return tuple(one for one in content if isinstance(one, Spectrum))


def read_spectrum(
    path: str | Path, laser_nm: float | None = None, options: ReadOptions = NOTHING_SAID
) -> Spectrum:
    """Return the one spectrum in a file; see ``read_spectra``.

    Raises
    ------
    MeasurementError
        If there is none, or several.
    """
    spectra = read_spectra(path, laser_nm, options)
    if len(spectra) != 1:
        raise MeasurementError(
            f"{printable(str(path))}: expected one spectrum, got {len(spectra)}; choose one: "
            "--spectrum 0, or make a dataset of them: tersgen ingest"
        )
    return spectra[0]
