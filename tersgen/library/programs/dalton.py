"""Dalton (``.RAMAN``) and GAMESS-UK (``RUNTYPE RAMAN``), which print invariants of the tensors.

Dalton's columns ``Alpha**2`` and ``Beta(a)**2`` are a^2 and gamma^2; its ``Pol.Int.`` is 45 a^2 +
4 gamma^2, one polarization of the scattered light, and not the activity 45 a^2 + 7 gamma^2.
"""

import math
import re

from ...errors import LibraryError
from ...schema.species import Matrix3
from ..invariants import REMARK, tensor_of_invariants
from ..sourcefile import quote
from ..vibrations import Vibrations, to_float, to_floats
from .printed import (
    BOHR,
    COORDINATES,
    GeometryTable,
    Section,
    check_activities,
    check_number,
    geometry_before,
    last_section,
)

DALTON_KEYWORD = ".RAMAN in **PROPERTIES"
GAMESS_UK_KEYWORD = "RUNTYPE RAMAN"
_DALTON_SECTION = re.compile(r"Vibrational Frequencies and IR Intensities")
_DALTON_RAMAN = re.compile(r"Raman related properties for freq\. +(\S+) au.*$", re.MULTILINE)
_DALTON_ROW = re.compile(r"^ *(\d{1,6}) +[A-Z]\S{0,7} +(\d+\.\d+) +\d+\.\d+ +\d", re.MULTILINE)
"""A mode in the table of frequencies and infrared intensities; an imaginary one has an i."""
_DALTON_COLUMNS = [
    "Mode", "Freq.", "Alpha**2", "Beta(a)**2", "Pol.Int.", "Depol.Int.", "Dep.", "Ratio",
]  # fmt: skip
_DALTON_GEOMETRY = (
    GeometryTable(
        re.compile(r"Molecular geometry \(au\)"),
        re.compile(r"\s*([A-Z][a-z]?)(?:\s*[\w/]+)?" + COORDINATES + r"\s*$"),
        BOHR,
    ),
)
_UK_RAMAN = re.compile(r"\* +raman data +\*", re.IGNORECASE)
_HOLE = re.compile(r"\d.*\*{2}|\*{2}.*\d")
"""Numbers of which one was too large to be printed."""
_UK_GEOMETRY = (
    GeometryTable(
        re.compile(r"coordinates \(a\.u\.\) - prior to orientation"),
        re.compile(r"\s*\d+\s+([a-z]{1,2})" + COORDINATES),
        BOHR,
    ),
)
_TOLERANCE = 2e-3
"""Relative difference of printed intensities from those of the printed invariants."""


def read_dalton(text: str) -> Vibrations:
    """Return the vibrations of the last job in an output of Dalton that has a Raman table."""
    section = last_section(text, _DALTON_SECTION, _DALTON_RAMAN, "Dalton", DALTON_KEYWORD)
    tables = list(_DALTON_RAMAN.finditer(section.text))
    static = [one for one in tables if re.fullmatch(r"0?\.?0+", one[1])]
    table = (static or tables)[-1]
    remarks = [REMARK, *section.remarks]
    if not static:
        remarks.append(f"tensors at {table[1][:12]} hartree: {' '.join(table[0].split())[-40:]}")
    lines = [line.split() for line in section.text[table.end() :].split("\n")]
    columns = next((line for line in lines[:6] if line[:2] == ["Mode", "Freq."]), [])
    if columns != _DALTON_COLUMNS:
        raise LibraryError(
            f"expected the columns {', '.join(_DALTON_COLUMNS[:5])} of Dalton, got "
            f"{' '.join(columns)[:60]!r}"
        )
    frequencies: list[float] = []
    tensors: list[Matrix3] = []
    numbers: list[int] = []
    for words in lines[lines.index(columns) + 1 :]:
        if not words or not words[0].isdecimal():
            if frequencies:
                break
            continue
        what = f"mode {words[0][:6]} of the Raman table"
        imaginary = len(words) > 1 and words[1].endswith("i")
        if imaginary:
            words[1] = "-" + words[1].strip("-i")
        row = to_floats(words[1:], 6, what)
        _check_intensity(45 * row[1] + 4 * row[2], row[3], what)
        numbers.append(int(words[0][:6]))
        frequencies.append(row[0])
        tensors.append(tensor_of_invariants(math.sqrt(max(0.0, row[1])), row[2]))
    listed = _DALTON_ROW.finditer(section.text, 0, tables[0].start())
    check_activities({int(one[1]): to_float(one[2]) for one in listed}, numbers, "Dalton")
    atoms = geometry_before(text, section.start, _DALTON_GEOMETRY)
    check_number(len(frequencies), atoms, "Dalton")
    version = re.search(r"output from DALTON\D{0,20}([\d.]+)", text)
    basis = re.search(r'Basis set used is "([^"\n]{1,40})"', text)
    return Vibrations(
        frequencies_cm1=frequencies,
        tensors=tensors,
        program=f"Dalton {version[1]}" if version else "Dalton",
        remarks=remarks,
        method=basis[1] if basis else None,
        atoms=atoms,
        start=section.start,
    )


def read_gamess_uk(text: str) -> Vibrations:
    """Return the vibrations of the last Raman table in an output of GAMESS-UK."""
    heading = re.compile(r"harmonic frequencies \(cm\*\*-1\)|\* +raman data +\*", re.IGNORECASE)
    section: Section = last_section(text, heading, _UK_RAMAN, "GAMESS-UK", GAMESS_UK_KEYWORD)
    frequencies: list[float] = []
    tensors: list[Matrix3] = []
    for line in section.text.split("\n"):
        words = line.split()
        if len(words) == 5 and re.fullmatch(r"-?\d+\.\d+", words[0]):
            what = f"the Raman data of mode {len(frequencies) + 1}"
            frequency, mean, anisotropy, activity, _ = to_floats(words, 5, what)
            _check_intensity(45 * mean**2 + 7 * anisotropy**2, activity, what)
            frequencies.append(frequency)
            tensors.append(tensor_of_invariants(mean, anisotropy**2))
        elif _HOLE.search(line) or (len(words) > 1 and re.match(r"-?\d", words[0])):
            raise LibraryError(
                f"expected five numbers in the Raman data of GAMESS-UK, got {quote(line.strip())}"
            )
        elif words and frequencies:
            break
    atoms = geometry_before(text, section.start, _UK_GEOMETRY)
    check_number(len(frequencies), atoms, "GAMESS-UK")
    version = re.search(r"version +(\d+\.\d+)", text)
    return Vibrations(
        frequencies_cm1=frequencies,
        tensors=tensors,
        program=f"GAMESS-UK {version[1]}" if version else "GAMESS-UK",
        remarks=(REMARK, *section.remarks),
        atoms=atoms,
        start=section.start,
    )


def _check_intensity(made: float, printed: float, what: str) -> None:
    if not abs(made - printed) <= _TOLERANCE * abs(printed) + 1e-3:
        raise LibraryError(
            f"{what}: expected the intensity {made:.6g} of the printed invariants, got {printed:g}"
        )
