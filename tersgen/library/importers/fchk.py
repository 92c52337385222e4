"""Gaussian formatted checkpoint files (.fchk) of a calculation with ``freq=raman``.

Format: "Format of the Formatted Checkpoint File", Gaussian documentation, appendix; a header line
holds a name of 40 characters, a type and either a value or ``N=`` and a count.
"""

import re

import numpy as np
from numpy.typing import NDArray

from ...errors import LibraryError
from ...plugins import register
from ...schema.species import Atom, Provenance, Species
from ...units import BOHR_ANGSTROM
from ..geometry import SYMBOLS, hill_formula
from ..harmonic import NormalModes, atom_tensors, build_modes, normal_modes
from ..importer import TextImporter
from ..sourcefile import SourceFile, quote

Floats = NDArray[np.float64]

_HEADER = re.compile(
    r"^([A-Z][^\n]{39}) {3}([IRCHL])(?: {3}N= *(\d{1,12})| +(\S+)) *\r?$", re.MULTILINE
)
_INTEGER = re.compile(r"[+-]?\d{1,12}", re.ASCII)
# The exponent is required: without it a number cut off by the end of the file would pass.
# Fortran drops the E where the exponent has three digits: 1.2345678-100.
_REAL = re.compile(r"([+-]?\d*\.\d+)(?:[EeDd]([+-]\d{2,3})|([+-]\d{3}))", re.ASCII)
_ORDER = ((0, 1, 3), (1, 2, 4), (3, 4, 5))
"""Place of each element of a symmetric matrix in the order xx, xy, yy, xz, yz, zz."""


@register("tersgen.importers", "fchk")
class Fchk(TextImporter):
    """Formatted checkpoints of Gaussian."""

    format = "Gaussian formatted checkpoint"

    def recognises(self, text: str) -> bool:
        """Return whether a text begins like a formatted checkpoint file."""
        found = _HEADER.search(text, 0, 2000)
        return found is not None and found[1].strip() == "Number of atoms"

    def read_source(self, source: SourceFile) -> Species:
        """Read a molecule with its modes and per-atom Raman tensors.

        Modes come from ``Vib-Modes`` where the file has them (``freq=(raman,savenm)``), else from
        the Hessian. All real modes are kept, silent ones too.
        """
        if not self.recognises(source.text):
            raise LibraryError(
                f"expected a Gaussian formatted checkpoint, got a text that begins with "
                f"{quote(source.text[:60])}; make one with: formchk job.chk job.fchk"
            )
        arrays = _Arrays(source.text)
        if "Polarizability Derivatives" not in arrays.found:
            raise LibraryError(
                "expected the entry 'Polarizability Derivatives', got none: from Gaussian run the "
                "calculation with freq=raman and formchk again; a .fchk of Q-Chem has none, import "
                "its output (DORAMAN TRUE) instead"
            )
        numbers = arrays.read("Atomic numbers").astype(np.int64)
        n_atoms = len(numbers)
        if not n_atoms or numbers.min() < 1 or numbers.max() >= len(SYMBOLS):
            got = f"{numbers.min()} to {numbers.max()}" if n_atoms else "none"
            raise LibraryError(f"expected atomic numbers of 1 to 118, got {got}")
        coordinates = arrays.read("Current cartesian coordinates", 3 * n_atoms).reshape(-1, 3)
        packed = arrays.read("Polarizability Derivatives", 18 * n_atoms).reshape(n_atoms, 3, 6)
        stored = "Vib-Modes" in arrays.found and "Vib-E2" in arrays.found
        modes = _stored_modes(arrays, n_atoms) if stored else _modes(arrays, coordinates)
        if not len(modes.frequencies_cm1):
            raise LibraryError("expected at least one real mode, got only imaginary ones")
        charge = arrays.read("Charge", 1)[0] if "Charge" in arrays.found else 0
        remarks = ["modes as stored" if stored else "modes from the Hessian"]
        if modes.n_imaginary:
            remarks.append(f"{modes.n_imaginary} modes of frequency <= 0 left out")
        return Species(
            name=source.species_name(),
            modes=build_modes(
                modes.frequencies_cm1, atom_tensors(modes.displacements, packed[..., _ORDER])
            ),
            provenance=Provenance(
                kind="fchk",
                program=arrays.line("Gaussian Version"),
                method=_method(source.text),
                file=source.file,
                sha256=source.sha256,
                note="; ".join(remarks),
            ),
            formula=hill_formula(numbers),
            charge=int(charge) or None,
            atoms=tuple(
                Atom(symbol=SYMBOLS[number], position=(float(x), float(y), float(z)))
                for number, (x, y, z) in zip(numbers, coordinates * BOHR_ANGSTROM, strict=True)
            ),
        )


class _Arrays:
    """The entries of a file, found in one pass and read when asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: dict[str, re.Match[str]] = {}
        self.ends: dict[str, int] = {}
        self.twice: set[str] = set()
        last: str | None = None
        for header in _HEADER.finditer(text):
            if last is not None:
                self.ends[last] = header.start()
            last = header[1].strip()
            if last in self.found:
                self.twice.add(last)
            self.found[last] = header
        if last is not None:
            self.ends[last] = len(text)
            if self.found[last][2] in "IR":
                # A file that was cut off ends in a short entry: said before anything is missed.
                self._read(last, None)

    def line(self, name: str) -> str | None:
        """Return the words of a character entry, None where it is missing."""
        header = self.found.get(name)
        if header is None:
            return None
        return " ".join(self.text[header.end() : self.ends[name]].split())[:80] or None

    def read(self, name: str, expected: int | None = None) -> Floats:
        """Return a numeric entry, checked against its own count and the expected one."""
        if name in self.twice:
            # Q-Chem writes some entries twice, but none of those that matter here
            raise LibraryError(f"expected one entry {name!r}, got two; which of them counts?")
        return self._read(name, expected)

    def _read(self, name: str, expected: int | None) -> Floats:
        header = self.found.get(name)
        if header is None or header[2] not in "IR":
            raise LibraryError(f"expected the entry {name!r}, got none; is the file complete?")
        if header[3] is None:
            words = [header[4]]
            count = 1
        else:
            # What is there is counted, and the count in the header only compared with it.
            words = self.text[header.end() : self.ends[name]].split()
            count = int(header[3])
        overflowed = next((word for word in words if "*" in word), None)
        if overflowed is not None:
            raise LibraryError(f"expected numbers in {name!r}, got {quote(overflowed)}: overflow")
        if len(words) != count:
            raise LibraryError(
                f"expected {count} values of {name!r}, got {len(words)}; "
                "the file is truncated or damaged"
            )
        if expected is not None and count != expected:
            raise LibraryError(
                f"expected {expected} values of {name!r} for this molecule, got {count}"
            )
        try:
            values = np.array([_number(word, header[2]) for word in words], np.float64)
        except ValueError as error:
            raise LibraryError(f"expected numbers in {name!r}, got {error}") from error
        return values


def _number(word: str, kind: str) -> float:
    if kind == "I" and _INTEGER.fullmatch(word):
        return float(word)
    real = _REAL.fullmatch(word)
    value = float(f"{real[1]}E{real[2] or real[3]}") if real else np.inf
    if kind == "I" or not np.isfinite(value):
        raise ValueError(quote(word))
    return value


def _stored_modes(arrays: _Arrays, n_atoms: int) -> NormalModes:
    """Take the modes that Gaussian stored: unit Cartesian displacements and reduced masses."""
    count = arrays.read("Number of Normal Modes", 1)[0]
    n_modes = int(count)
    if not 1 <= n_modes <= 3 * n_atoms or n_modes != count:
        raise LibraryError(f"expected 1 to {3 * n_atoms} normal modes, got {count:g}")
    table = arrays.read("Vib-E2")
    if len(table) < 2 * n_modes:
        raise LibraryError(f"expected {2 * n_modes} or more values of 'Vib-E2', got {len(table)}")
    frequencies, reduced_masses = table[:n_modes], table[n_modes : 2 * n_modes]
    units = arrays.read("Vib-Modes", n_modes * 3 * n_atoms).reshape(n_modes, n_atoms, 3)
    lengths = np.linalg.norm(units, axis=(1, 2))
    if not (reduced_masses > 0).all() or not (np.abs(lengths - 1.0) < 1e-2).all():
        raise LibraryError(
            "expected positive reduced masses and displacements of length 1, got masses from "
            f"{reduced_masses.min():g} and lengths of {lengths.min():g} to {lengths.max():g}; the "
            "file is damaged"
        )
    real = frequencies > 0
    displacements = units / np.sqrt(reduced_masses)[:, None, None]
    return NormalModes(frequencies[real], displacements[real], displacements[~real])


def _modes(arrays: _Arrays, coordinates: Floats) -> NormalModes:
    """Diagonalise the Hessian, stored as a lower triangle in hartree/bohr^2."""
    n_atoms = len(coordinates)
    size = 3 * n_atoms
    triangle = arrays.read("Cartesian Force Constants", size * (size + 1) // 2)
    hessian = np.zeros((size, size))
    hessian[np.tril_indices(size)] = triangle
    hessian = hessian + np.tril(hessian, -1).T
    masses = "Vib-AtMass" if "Vib-AtMass" in arrays.found else "Real atomic weights"
    return normal_modes(hessian, arrays.read(masses, n_atoms), coordinates)


def _method(text: str) -> str | None:
    """Return method/basis from the second line: job type, method and basis in columns."""
    lines = text[:400].splitlines()
    words = lines[1].split() if len(lines) > 1 else []
    return "/".join(words[1:3])[:80] if len(words) >= 3 else None
