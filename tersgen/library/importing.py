"""From a file of modes to species: the importer is chosen by the content of the file."""

import hashlib
from pathlib import Path
from typing import cast

import numpy as np

from ..errors import LibraryError
from ..formats import HEAD_BYTES, Chosen, Formats
from ..numeric.tensor import activity
from ..plugins import is_built_in, named_errors
from ..schema.library import Library
from ..schema.plugin import PluginRecord
from ..schema.species import Species
from ..text import command
from .importer import Importer, ObservedImporter
from .intensities import NOTHING_SAID, Statement
from .libraryfile import check_library, has_library, read_library
from .peak_table import attach_peaks, read_peak_table
from .sourcefile import decoded, one_line_errors, open_source, quote, read_beginning
from .stick_table import resembles_stick_table

FORMATS = Formats("tersgen.importers", Importer, "tersgen library import --importer", LibraryError)


MOST_UNCERTAIN_CM1 = 500.0
"""Largest uncertainty of frequencies that can be stated."""
_TO_COMPUTE = {".xyz": "a geometry"} | dict.fromkeys((".smi", ".smiles"), "a list of SMILES")
_TABLES = (".csv", ".txt", ".dat", ".tsv")


def load_library(path: Path, said: Statement = NOTHING_SAID) -> Library:
    """Return the library in a library file, or in any other file of modes.

    Species of a library file are read as they are needed. What is ``said`` of strengths is only for
    tables whose strengths may be observed ones.
    """
    if has_library(path):
        _refuse_statement(path, "library file", said)
        library = read_library(path)
        check_library(library, path)
        return library
    return Library(read_species(path, said=said))


def read_species(
    path: Path,
    name: str | None = None,
    peaks: Path | None = None,
    importer: str | None = None,
    said: Statement = NOTHING_SAID,
    scale: float | None = None,
    uncertainty: float | None = None,
) -> tuple[Species, ...]:
    """Read the species of a file in any known format.

    Parameters
    ----------
    path
        A library file, or a file that an importer reads: a built-in one (``library/importers``),
        one of an installed package, or of a module that was imported as a plug-in; but for a
        library file at most one gibibyte.
    name
        Name of the species; by default made from the file's name.
    peaks
        A peak table (frequency, irrep, intensity, width) whose widths and irreps the modes take.
    importer
        Name of the importer; by default the one that recognises the file.
    said
        Kind of the strengths in a table of sticks or peaks that does not state it.
    scale
        Factor on the frequencies: harmonic ones of a level of theory are too high.
    uncertainty
        Standard deviation of the frequencies from measured ones, cm^-1, to be stored with them.

    Returns
    -------
    tuple of Species
        One, or as many as a library holds. Modes of frequency <= 0 are left out and counted in
        the provenance's note.

    Raises
    ------
    LibraryError
        If the file is missing, too large, in no known format or in two, damaged, or without any
        Raman-active mode; or if what is said contradicts it, or its frequencies were observed and
        cannot be scaled.
    ConfigError
        If there is no such importer, or one cannot be imported.
    """
    if importer is None and has_library(path):
        species = tuple(load_library(path, said).species)
    else:
        species = _imported(path, _chosen(path, importer), said)
    if name is not None:
        species = _named(species, name, path)
    if peaks is not None:
        source = open_source(peaks)
        table = read_peak_table(source)
        with one_line_errors(source.file):
            species = tuple(attach_peaks(one, table, source.file) for one in species)
    if scale is not None:
        with one_line_errors(path.name):
            species = tuple(_scaled(one, scale) for one in species)
    if uncertainty is not None:
        if not 0 <= uncertainty <= MOST_UNCERTAIN_CM1:
            raise LibraryError(
                f"expected an uncertainty of 0 to {MOST_UNCERTAIN_CM1:g} cm^-1, got {uncertainty:g}"
            )
        stated = {"frequency_uncertainty_cm1": uncertainty}
        species = tuple(one.model_copy(update=stated) for one in species)
    return species


def _scaled(species: Species, factor: float) -> Species:
    """Return a species with scaled frequencies; its provenance has the product of all factors."""
    if not 0.5 <= factor <= 1.5:
        raise LibraryError(f"expected a factor of 0.5 to 1.5 on frequencies, got {factor:g}")
    origin = species.provenance
    if origin.intensity is not None or origin.kind in ("published", "random", "unknown"):
        raise LibraryError(
            f"expected calculated frequencies of {species.name} for --scale, got "
            f"{'observed' if origin.intensity is not None else origin.kind} ones; leave it out"
        )
    modes = tuple(
        mode.model_copy(update={"frequency_cm1": mode.frequency_cm1 * factor})
        for mode in species.modes
    )
    provenance = origin.model_copy(update={"scaling": origin.scaling * factor})
    return species.model_copy(update={"modes": modes, "provenance": provenance})


def _chosen(path: Path, importer: str | None) -> Chosen:
    head = read_beginning(path, HEAD_BYTES)[:HEAD_BYTES]
    chosen = FORMATS.choose(path, head, importer)
    if chosen is not None:
        return chosen
    what = _TO_COMPUTE.get(path.suffix.lower())
    if what is not None:
        raise LibraryError(
            f"{path.name}: expected modes and Raman tensors, got {what}; compute them from "
            f"it: {command('tersgen', 'library', 'compute', path, '-o', path.stem + '.json')}"
        )
    text = decoded(head)
    if path.suffix.lower() in _TABLES and resembles_stick_table(text):
        # its importer says what is wrong, and with which line
        return cast("Chosen", FORMATS.choose(path, head, "sticks"))
    raise LibraryError(
        f"{path.name}: expected one of these formats: library file (.tlib); {FORMATS.known()}; "
        f"got a file that begins with {quote(text[:20])}"
    )


def _imported(path: Path, chosen: Chosen, said: Statement) -> tuple[Species, ...]:
    """Return the species of a file as an importer reads them."""
    part = type(chosen.part)
    observed = chosen.part if isinstance(chosen.part, ObservedImporter) else None
    if observed is None:
        _refuse_statement(path, part.format, said)
    with (
        one_line_errors(path.name),
        named_errors("importer", chosen.name, part, LibraryError),
    ):
        if observed is None:
            found = chosen.part.read(path)
        else:
            found = observed.read_table(open_source(path), said)
        species = (found,) if isinstance(found, Species) else tuple(found)
        if not species or not all(isinstance(one, Species) for one in species):
            raise LibraryError(f"expected one Species or several, got {found!r:.80}")
        if not is_built_in(part):
            species = _with_origin(species, path, PluginRecord.of(chosen.name, part))
    with one_line_errors(path.name):
        for one in species:
            _refuse_silent(one)
    return species


def _with_origin(
    species: tuple[Species, ...], path: Path, record: PluginRecord
) -> tuple[Species, ...]:
    """Return species whose provenance names their file and the importer that read it."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    update = {"file": path.name, "sha256": sha256, "importer": record}
    return tuple(
        one.model_copy(update={"provenance": one.provenance.model_copy(update=update)})
        for one in species
    )


def _named(species: tuple[Species, ...], name: str, path: Path) -> tuple[Species, ...]:
    """Return the only species of a file under a name that a user gave."""
    if len(species) > 1:
        raise LibraryError(
            f"{path.name}: expected one species to be named {quote(name)}, got {len(species)}; "
            "leave the name out"
        )
    with one_line_errors(path.name):
        return (Species.model_validate(species[0].model_dump() | {"name": name}),)


def _refuse_statement(path: Path, format_name: str, said: Statement) -> None:
    if said != NOTHING_SAID:
        raise LibraryError(
            f"{path.name}: expected a table of sticks or peaks for --intensity, --laser-nm and "
            f"--temperature-k, got a {format_name}, whose strengths are known; state those of a "
            "table in its comments instead"
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
