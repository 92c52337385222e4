"""CASTEP: phonons at Gamma with Raman activities, from the .castep or the .phonon file.

The .castep file prints the Raman susceptibility tensor of each mode, in (A/amu)^(1/2): multiplied
by the square root of the cell volume it is the Raman tensor. The resulting activities are compared
with the printed ones. The .phonon file has only the activities.
"""

import math
import re

import numpy as np

from ...errors import LibraryError
from ...numeric.tensor import activity
from ...plugins import register
from ...schema.species import Matrix3, Species
from ...units import WAVENUMBERS, stated_unit
from ..harmonic import to_matrix3
from ..importer import TextImporter
from ..invariants import tensor_of
from ..programs.printed import ISOTROPIC, last_of
from ..sourcefile import SourceFile, quote
from ..vibrations import Vibrations, to_float, to_floats

KEYWORD = "task : phonon+efield and calculate_raman : true"
_VERSION = re.compile(r"CASTEP version +(\S+?) *\|")
_VOLUME = re.compile(r"[Cc]ell volume = +(\S+) +A\*\*3")
_HEADING = re.compile(r"^ \+ +N +Frequency .*$", re.MULTILINE)
_TENSORS = re.compile(r"Raman Susceptibility Tensors")
_GAMMA = re.compile(r"q-pt= +\d+ +\(? *-?0\.0+ +-?0\.0+ +-?0\.0+ *\)? +\S+ *(.*)$", re.MULTILINE)
_MODE = re.compile(r"Mode number: +(\d+)")
_TOLERANCE = 0.02
_ROUNDING = 2e-6
"""Twice the last decimal of the printed tensors."""


@register("tersgen.importers", "castep")
class Castep(TextImporter):
    """Outputs of CASTEP."""

    format = "CASTEP .castep"
    rank = 1

    def recognises(self, text: str) -> bool:
        """Return whether a text has the banner of CASTEP."""
        return _VERSION.search(text) is not None

    def read_source(self, source: SourceFile) -> Species:
        """Return the species of a .castep file, with full Raman tensors."""
        text = source.text
        tensors_at = [found.end() for found in _TENSORS.finditer(text)]
        before = tensors_at[-2] if len(tensors_at) > 1 else 0
        stop = tensors_at[-1] if tensors_at else 0
        # the first table of the last job: later ones are of other directions or q
        headings = (one for one in _HEADING.finditer(text, before, stop) if "raman" in one[0])
        heading = next(headings, None)
        if heading is None:
            raise LibraryError(
                "expected Raman activities and tensors in this output of CASTEP, got none: run it "
                f"with {KEYWORD}"
            )
        rows = _frequency_rows(text[heading.end() : stop])
        volume = list(_VOLUME.finditer(text, 0, heading.start()))
        if not volume:
            raise LibraryError("expected the volume of the cell in this output of CASTEP, got none")
        root = math.sqrt(max(0.0, to_float(volume[-1][1])))
        tensors = _tensors(text[stop:], root, len(rows))
        for number, (tensor, (_, printed)) in enumerate(zip(tensors, rows, strict=True), 1):
            made = activity(np.array(tensor))
            slack = _ROUNDING * root * 20 * math.sqrt(abs(printed)) + 1e-4
            if not abs(made - printed) <= _TOLERANCE * abs(printed) + slack:
                raise LibraryError(
                    f"mode {number}: expected the activity {printed:g} that CASTEP prints, got "
                    f"{made:.4g} of its tensor"
                )
        version = _VERSION.search(text)
        return Vibrations(
            frequencies_cm1=[frequency for frequency, _ in rows],
            tensors=tensors,
            program=f"CASTEP {version[1]}" if version else "CASTEP",
            remarks=["transverse modes at Gamma", *last_of(len(tensors_at))],
        ).species(source)


def _frequency_rows(text: str) -> list[tuple[float, float]]:
    """Return frequency and activity of each mode in the table of CASTEP."""
    rows: list[tuple[float, float]] = []
    for line in text.split("\n")[1:]:
        words = line.strip().strip("+").split()
        if words and words[0].isdecimal():
            # an irrep stands before, and Y or N after the intensities
            numbers = [word for word in words[1:] if not re.fullmatch(r"[A-Za-z]\w*|Y|N", word)]
            if int(words[0][:6]) != len(rows) + 1:
                raise LibraryError(
                    f"expected mode {len(rows) + 1} in the table of CASTEP, got mode "
                    f"{words[0][:6]}; is it whole?"
                )
            frequency, _, raman = to_floats(numbers, 3, f"mode {words[0][:6]}")
            rows.append((frequency, raman))
        elif rows:
            return rows
    raise LibraryError("expected a table of frequencies in this output of CASTEP, got none")


def _tensors(text: str, root: float, n_modes: int) -> list[Matrix3]:
    """Return the tensors of all modes, in Angstrom^2 amu^-1/2."""
    tensors: list[Matrix3] = []
    rows: list[list[float]] = []
    expected = 0
    for line in text.split("\n"):
        mode = _MODE.search(line)
        words = line.strip().strip("+").split()
        if mode:
            expected += 1
            if int(mode[1][:6]) != expected:
                raise LibraryError(f"expected the tensor of mode {expected}, got {mode[1][:6]}")
        elif expected and len(rows) < 3 and words and re.match(r"[-\d*]", words[0]):
            rows.append(to_floats(words[:3], 3, f"the tensor of mode {expected}"))
            if len(rows) == 3:
                matrix = np.array(rows) * root
                tensors.append(to_matrix3(0.5 * (matrix + matrix.T)))
                rows = []
        if len(tensors) == n_modes:
            return tensors
    raise LibraryError(f"expected tensors of {n_modes} modes, got {len(tensors)}; is it whole?")


@register("tersgen.importers", "castep_phonon")
class CastepPhonon(TextImporter):
    """Phonon files of CASTEP."""

    format = "CASTEP .phonon"

    def recognises(self, text: str) -> bool:
        """Return whether a text begins as such a file."""
        return text.lstrip().startswith("BEGIN header") and "Number of branches" in text

    def read_source(self, source: SourceFile) -> Species:
        """Return the species of a .phonon file, isotropic tensors of the printed activities."""
        text = source.text
        # with a direction after the weight, the modes are split into longitudinal and transverse
        gamma = next((one for one in _GAMMA.finditer(text) if not one[1].strip()), None)
        if gamma is None:
            raise LibraryError("expected phonons at Gamma in this .phonon file, got none")
        header = text[: gamma.start()]
        branches = re.search(r"Number of branches +(\d{1,6})\s", header)
        per_cm1 = _unit(header)
        rows = []
        for line in text[gamma.end() :].split("\n")[1:]:
            words = line.split()
            if not words or not words[0].isdecimal():
                break
            if len(words) < 4 or "Raman" not in header:
                raise LibraryError(
                    "expected Raman activities in this .phonon file of CASTEP, got none: run it "
                    f"with {KEYWORD}"
                )
            rows.append(to_floats(words[1:4], 3, f"mode {words[0][:6]}"))
        if not branches or len(rows) != int(branches[1]):
            raise LibraryError(
                f"expected {branches[1] if branches else 'a number of'} branches, got {len(rows)}; "
                "is the file whole?"
            )
        return Vibrations(
            frequencies_cm1=[row[0] * per_cm1 for row in rows],
            tensors=[tensor_of(row[2], None) for row in rows],
            program="CASTEP",
            remarks=[ISOTROPIC, "the .castep file has the tensors"],
        ).species(source)


def _unit(header: str) -> float:
    """Return the unit of frequencies in cm^-1; that of activities has to be A^4/amu."""
    found = re.search(r"Frequencies in +(\S+)", header)
    unit = stated_unit(f"({found[1]})") if found else None
    if unit not in WAVENUMBERS:
        raise LibraryError(
            f"expected frequencies in one of {', '.join(WAVENUMBERS)}, got {quote(str(unit))}"
        )
    raman = re.search(r"Raman activities in +(\S.*?) *$", header, re.MULTILINE)
    if raman and raman[1].replace(" ", "").lower() != "a**4amu**(-1)":
        raise LibraryError(f"expected activities in A**4 amu**(-1), got {quote(raman[1])}")
    return WAVENUMBERS[unit]
