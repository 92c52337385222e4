"""Molecules to compute, as users give them: a SMILES, or a .smi, .xyz, .mol or .sdf file."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ..errors import LibraryError
from ..files import read_input, why
from ..schema.base import IN_WORDS, NAME
from ..text import decode
from .engine import Molecule
from .geometry import read_xyz
from .smiles import (
    conformers_of_smiles,
    has_stereocentres,
    molecule_of_block,
    molecule_of_smiles,
    require_rdkit,
    sketch_block,
    sketch_smiles,
)
from .sourcefile import clean_name, species_name

_LARGEST = 1 << 30
_SUFFIXES = (".smi", ".smiles", ".xyz", ".mol", ".sdf", ".sd")
_HEADINGS = ("smiles", "canonical_smiles", "isomeric_smiles")
_END_OF_RECORD = "$$$$"


class Entry(NamedTuple):
    """A molecule of a list."""

    number: int
    """Its line of a .smi file, or its number in an .sdf file, from 1."""
    name: str
    """Empty if it has none yet."""
    kind: Literal["smiles", "mol", "xyz"]
    text: str
    """The SMILES, or the text of the file or record."""
    charge: int = 0
    """Charge of the molecule of an .xyz file, e; the other formats state it."""
    file: str | None = None
    sha256: str | None = None
    """Of the file, or of the record of an .sdf file."""

    @property
    def shown(self) -> str:
        """Name and number, for messages."""
        return f"molecule {self.number} ({self.name or self.text.split()[0][:40]})"


def read_entries(source: str, name: str | None = None, charge: int = 0) -> list[Entry]:
    """Return the molecules of a source.

    Parameters
    ----------
    source
        A SMILES, or the path of a file.
    name
        Name of the molecule, if there is one; by default that in the file, or the file's name.
    charge
        Charge of the molecule of an .xyz file, e.
    """
    if name and clean_name(name) != name:
        raise LibraryError(f"--name: expected {IN_WORDS[NAME]}, at most 64, got {name[:80]!r}")
    path = Path(source)
    suffix = path.suffix.lower()
    is_file = suffix in _SUFFIXES or path.is_file()
    if charge and not (is_file and suffix == ".xyz"):
        raise LibraryError(
            f"expected a charge for an .xyz file only, got {charge} for {source[:80]}, which "
            "states its own"
        )
    if not is_file:
        require_rdkit()
        return [Entry(1, name or "", "smiles", source)]
    if suffix not in _SUFFIXES:
        raise LibraryError(
            f"{source}: expected a SMILES or a file {', '.join(_SUFFIXES)}, got {path.name!r}"
        )
    if suffix != ".xyz":
        require_rdkit()
    try:
        content = read_input(path, _LARGEST)
    except OSError as error:
        raise LibraryError(f"{source}: expected a file, cannot read it: {why(error)}") from None
    if len(content) > _LARGEST:
        raise LibraryError(f"{source}: expected at most {_LARGEST} bytes, got more")
    text = decode(content)
    if suffix == ".xyz":
        entries = [Entry(1, species_name(path), "xyz", text, charge)]
    elif suffix in (".smi", ".smiles"):
        entries = [*_smiles_lines(text)]
    else:
        entries = [*_records(text, species_name(path), suffix == ".mol")]
    if not entries:
        raise LibraryError(f"{source}: expected at least one molecule, got none")
    if name and len(entries) > 1:
        raise LibraryError(
            f"--name: expected one molecule, got the {len(entries)} of {source}; name them there"
        )
    return [_of_file(entry._replace(name=name or entry.name), path, content) for entry in entries]


def _of_file(entry: Entry, path: Path, content: bytes) -> Entry:
    """Return an entry with the name of its file; a SMILES needs none."""
    if entry.kind == "smiles":
        return entry
    text = content if path.suffix.lower() in (".xyz", ".mol") else entry.text.encode()
    return entry._replace(file=path.name, sha256=hashlib.sha256(text).hexdigest())


def _smiles_lines(text: str) -> Iterator[Entry]:
    """Yield the molecules of lines with a SMILES and, after a space or tab, an optional name."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split(maxsplit=1)
        if not words or words[0].startswith("#"):
            continue
        if number == 1 and words[0].lower() in _HEADINGS:
            continue
        name = clean_name(words[1]) if len(words) > 1 else ""
        yield Entry(number, name, "smiles", words[0])


def _records(text: str, stem: str, is_single: bool) -> Iterator[Entry]:
    """Yield the molecules of an .sdf file; their names are in the first lines of records."""
    records: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith(_END_OF_RECORD):
            records.append([])
        else:
            records[-1].append(line)
    if not any(line.strip() for line in records[-1]):
        records.pop()
    for number, lines in enumerate(records, 1):
        title = lines[0].strip() if lines else ""
        default = stem if is_single else f"{stem}-{number}"
        yield Entry(number, clean_name(title) if title else default, "mol", "\n".join(lines) + "\n")


def sketch(entry: Entry) -> tuple[Entry, Molecule]:
    """Return an entry with a name, and its molecule without a geometry, both of which are fast."""
    if entry.kind == "xyz":
        molecule = make_molecule(entry)
    elif entry.kind == "mol":
        molecule = sketch_block(entry.text, entry.name)
    else:
        molecule = sketch_smiles(entry.text, entry.name)
        entry = entry._replace(name=molecule.name)
    return entry, molecule


def make_molecule(entry: Entry) -> Molecule:
    """Return the molecule of an entry, at a starting geometry."""
    if entry.kind == "smiles":
        return molecule_of_smiles(entry.text, entry.name)
    if entry.kind == "mol":
        return molecule_of_block(entry.text, entry.name)
    numbers, coordinates = read_xyz(entry.text)
    return Molecule(entry.name, numbers, np.asarray(coordinates, np.float64), entry.charge)


def make_conformers(entry: Entry, most: int) -> tuple[list[Molecule], bool]:
    """Return starting geometries of an entry, and whether their mirror images belong to it, too."""
    if entry.kind != "smiles":
        raise LibraryError("expected a SMILES for conformers, got coordinates; leave --conformers")
    starts = conformers_of_smiles(entry.text, entry.name, most)
    return starts, not has_stereocentres(entry.text)
