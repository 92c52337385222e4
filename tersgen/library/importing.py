"""One way in for every file of modes; the format is told by content, not by the file's ending."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import LibraryError
from ..kernels.tensor import activity
from ..schema.library import Library, LibraryDocument
from ..schema.species import Species
from .fchk import is_fchk, read_fchk
from .libraryfile import check_library, has_library, read_library
from .outputs import is_output, read_output
from .peaks import is_jcamp, read_peaks
from .phonopy import attach_peaks, is_phonopy, read_peak_table, read_phonopy
from .sourcefile import SourceFile, one_line_errors, open_source, quote
from .sticks import is_sticks, read_sticks
from .tables import is_tensor_table, is_vasp_raman, read_tensor_table, read_vasp_raman


class Importer(NamedTuple):
    """A format: what it is called, whether a text is in it, and how it is read.

    ``read`` takes the source and the name that the user gave, None if none was.
    """

    format: str
    recognise: Callable[[str], bool]
    read: Callable[[SourceFile, str | None], tuple[Species, ...]]


def _single(
    reader: Callable[[SourceFile, str], Species],
) -> Callable[[SourceFile, str | None], tuple[Species, ...]]:
    """Adapt a reader of one species, which is named after its file by default."""

    def read(source: SourceFile, name: str | None) -> tuple[Species, ...]:
        return (reader(source, source.species_name() if name is None else name),)

    return read


def _is_library(text: str) -> bool:
    return text.lstrip()[:1] == "{" and ('"modes"' in text or '"species"' in text)


def _read_library(source: SourceFile, name: str | None) -> tuple[Species, ...]:
    """Read a library, or a single species, as JSON of the schema; its provenance is kept."""
    with one_line_errors(source):
        if '"species"' in source.text:
            species = LibraryDocument.model_validate_json(source.text).species
        else:
            species = (Species.model_validate_json(source.text),)
        return _named(species, name)


def _named(species: tuple[Species, ...], name: str | None) -> tuple[Species, ...]:
    """Return species as they are, or the only one under a name that a user gave."""
    if name is None:
        return species
    if len(species) > 1:
        raise LibraryError(
            f"expected one species to be named {quote(name)}, got {len(species)}; "
            "leave the name out"
        )
    return (Species.model_validate(species[0].model_dump() | {"name": name}),)


IMPORTERS = (
    Importer("Gaussian formatted checkpoint", is_fchk, _single(read_fchk)),
    Importer("Phonopy-Spectroscopy Raman YAML", is_phonopy, _single(read_phonopy)),
    Importer("library JSON", _is_library, _read_library),
    Importer("output of ORCA, Q-Chem, Gaussian and others", is_output, _single(read_output)),
    Importer("vasp_raman.dat", is_vasp_raman, _single(read_vasp_raman)),
    Importer("JCAMP-DX table of peaks", is_jcamp, _single(read_peaks)),
    Importer("table of Raman tensors", is_tensor_table, _single(read_tensor_table)),
    # Last, because it asks for least.
    Importer("table of sticks", is_sticks, _single(read_sticks)),
)
"""Formats in the order in which they are tried."""


def load_library(path: Path) -> Library:
    """Return the library in a library file, or in any other file of modes.

    Species of a library file are read as they are needed.

    Raises
    ------
    LibraryError
        If it is none, or damaged.
    """
    if has_library(path):
        library = read_library(path)
        check_library(library, path)
        return library
    return Library(read_species(path))


def read_species(
    path: Path, name: str | None = None, peaks: Path | None = None
) -> tuple[Species, ...]:
    """Read the species of a file in any known format.

    Parameters
    ----------
    path
        A library file, a Gaussian formatted checkpoint, an output that cclib reads (ORCA, Q-Chem,
        Gaussian and others), a Raman YAML file of Phonopy-Spectroscopy, a vasp_raman.dat, a table
        of Raman tensors, a JCAMP-DX table of peaks, a library or species as JSON, or a table of
        sticks; but for a library file at most one gibibyte.
    name
        Name of the species; by default made from the file's name.
    peaks
        A peak table (frequency, irrep, intensity, width) whose widths and irreps the modes take.

    Returns
    -------
    tuple of Species
        One, or as many as a library holds. Modes of frequency <= 0 are left out and counted in
        the provenance's note.

    Raises
    ------
    LibraryError
        If the file is missing, too large, in no known format, damaged, or without any
        Raman-active mode.
    """
    if has_library(path):
        species = _named(tuple(load_library(path).species), name)
    else:
        species = read_source(open_source(path), name)
    if peaks is None:
        return species
    source = open_source(peaks)
    table = read_peak_table(source)
    with one_line_errors(source):
        return tuple(attach_peaks(one, table, source.file) for one in species)


def read_source(source: SourceFile, name: str | None = None) -> tuple[Species, ...]:
    """Read the species of a file's content; see ``read_species``."""
    for importer in IMPORTERS:
        if importer.recognise(source.text):
            species = importer.read(source, name)
            with one_line_errors(source):
                for one in species:
                    _refuse_silent(one)
            return species
    if Path(source.file).suffix.lower() == ".xyz":
        raise LibraryError(
            f"{source.file}: expected modes and Raman tensors, got a geometry; compute them from "
            f"it: tersgen library compute {source.file} -o {Path(source.file).stem}.json"
        )
    known = "; ".join(importer.format for importer in IMPORTERS)
    raise LibraryError(
        f"{source.file}: expected one of these formats: {known}; got a file that begins with "
        f"{quote(source.text[:60])}"
    )


def _refuse_silent(species: Species) -> None:
    activities = np.array([activity(np.array(mode.tensor)) for mode in species.modes])
    if not np.isfinite(activities).all():
        raise LibraryError(f"expected finite Raman activities of {species.name}, got overflow")
    if not (activities > 0).any():
        raise LibraryError(
            f"expected at least one Raman-active mode of {species.name}, got activity 0 in all "
            f"{len(activities)}"
        )
