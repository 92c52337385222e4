"""Programs that print modes side by side, one labelled line per quantity.

Gaussian, the ``g98.out`` of xtb, Q-Chem, GAMESS and Firefly.
"""

import re
from typing import NamedTuple

from ...errors import LibraryError
from ..invariants import REMARK, tensor_of
from ..sourcefile import quote
from ..vibrations import Vibrations, to_float
from .printed import (
    BOHR,
    COORDINATES,
    ISOTROPIC,
    GeometryTable,
    check_number,
    geometry_before,
    last_section,
)


class Labels(NamedTuple):
    """How a program prints vibrations and geometries."""

    program: str
    keyword: str
    """What to ask the program for, for messages."""
    section: str
    """What the vibrations of a job begin with."""
    frequency: str
    activity: str
    ratio: str
    geometry: tuple[GeometryTable, ...]
    version: str
    method: tuple[str, ...] = ()
    """What is joined by slashes to the level of theory."""
    rigid: str = r"(?!)"
    """First and last number of the modes that are translations or rotations."""


_ORIENTATION = GeometryTable(
    re.compile(r"(?:Standard|Input|Z-Matrix) orientation: *$", re.MULTILINE),
    re.compile(r"\s*\d+\s+(\d{1,3})\s+-?\d+" + COORDINATES),
)
GAUSSIAN = Labels(
    program="Gaussian",
    keyword="freq=raman",
    section=r"^ *Harmonic frequencies \(cm\*\*-1\)",
    frequency=r"^ *Frequencies --(?!-)(.*)$",  # with three dashes it is another print of them
    activity=r"^ *Raman Activ\w* --(?!-)(.*)$",
    ratio=r"^ *Depolar(?: \(P\))? *--(?!-)(.*)$",
    geometry=(_ORIENTATION,),
    version=r"Gaussian (\d\d): +(\S+)",
    method=(r"^ *#[PNTpnt]? +(\S.*)$",),
)
XTB = GAUSSIAN._replace(program="xtb", keyword="--raman", version=r"(?!)", method=())
QCHEM = Labels(
    program="Q-Chem",
    keyword="DORAMAN TRUE",
    section=r"VIBRATIONAL ANALYSIS  ",
    frequency=r"^ *Frequency:(.*)$",
    activity=r"^ *Raman Intens:(.*)$",
    ratio=r"^ *Depolar:(.*)$",
    geometry=(
        GeometryTable(
            re.compile(r"Standard Nuclear Orientation \(Angstroms\)"),
            re.compile(r"\s*\d+\s+([A-Z][a-z]?)" + COORDINATES),
        ),
    ),
    version=r"Q-Chem (\d[\w.]*)",
    method=(r"(?i)^ *(?:method|exchange) *[= ] *(\S+)", r"(?i)^ *basis *[= ] *(\S+)"),
)
_CHARGES = r"\s*[A-Za-z]\S*\s+(\d+)\.0" + COORDINATES
GAMESS = Labels(
    program="GAMESS",
    keyword="RUNTYP=RAMAN",
    section=r"^ *FREQUENCIES IN CM\*\*-1",
    frequency=r"^ *FREQUENCY:(.*)$",
    activity=r"^ *RAMAN ACTIVITY:(.*)$",
    ratio=r"^ *DEPOLARIZATION:(.*)$",
    geometry=(
        GeometryTable(re.compile(r"COORDINATES \(BOHR\)"), re.compile(_CHARGES), BOHR),
        GeometryTable(
            re.compile(r"COORDINATES OF ALL ATOMS ARE \(ANGS\)"), re.compile(_CHARGES)
        ),
    ),
    version=r"GAMESS VERSION = +(\d.*?) +\*",
    rigid=r"MODES +(\d+) +TO +(\d+) +ARE TAKEN AS ROTATIONS AND TRANSLATIONS",
)  # fmt: skip
FIREFLY = GAMESS._replace(program="Firefly", version=r"Firefly version (\d[\d.]*)")
_RIGID_BEFORE = 4000
"""Characters before the section of GAMESS in which it says which modes are rigid."""


def read_blocks(text: str, labels: Labels) -> Vibrations:
    """Return the vibrations of the last job in an output that has Raman activities."""
    activity = re.compile(labels.activity, re.MULTILINE)
    heading = re.compile(labels.section, re.MULTILINE)
    section = last_section(text, heading, activity, labels.program, labels.keyword)
    lines = re.compile(
        "|".join(f"(?:{one})" for one in (labels.frequency, labels.activity, labels.ratio)),
        re.MULTILINE,
    )
    frequencies: list[float] = []
    activities: list[float] = []
    ratios: list[float] = []
    for found in lines.finditer(section.text):
        which = found.lastindex or 1
        _check_turn(which, len(frequencies), len(activities), labels.program)
        (frequencies, activities, ratios)[which - 1].extend(_numbers(found[which]))
    if len(activities) != len(frequencies) or len(ratios) not in (0, len(frequencies)):
        raise LibraryError(
            f"expected an activity and a depolarization ratio of each of {len(frequencies)} modes "
            f"in this output of {labels.program}, got {len(activities)} and {len(ratios)}; is it "
            "whole?"
        )
    atoms = geometry_before(text, section.start, labels.geometry)
    check_number(len(frequencies), atoms, labels.program)
    version = re.search(labels.version, text, re.MULTILINE)
    method = [re.search(one, text, re.MULTILINE) for one in labels.method]
    return Vibrations(
        frequencies_cm1=frequencies,
        tensors=[
            # a mode without activity may have any ratio
            tensor_of(one, ratios[number] if ratios and one else None)
            for number, one in enumerate(activities)
        ],
        program=" ".join([labels.program, *(version.groups() if version else ())]),
        remarks=(REMARK if ratios else ISOTROPIC, *section.remarks),
        method="/".join(one[1].strip() for one in method if one) or None,
        atoms=atoms,
        rigid=_rigid(text, section.start, labels.rigid),
        start=section.start,
    )


def _check_turn(which: int, n_frequencies: int, n_activities: int, program: str) -> None:
    """Refuse a block of modes that comes after one without activities."""
    if which == 1 and n_frequencies != n_activities:
        raise LibraryError(
            f"expected activities of all modes in this output of {program}, got none after mode "
            f"{n_activities}; is it damaged?"
        )


def _numbers(text: str) -> list[float]:
    """Return the numbers of a line; an I after one says that a frequency is imaginary."""
    values: list[float] = []
    for word in text.split():
        if word in ("I", "i"):
            if not values:
                raise LibraryError(f"expected numbers, got {quote(text.strip())}")
            values[-1] = -values[-1]
        else:
            # columns that run into each other: -1234.5678-1234.5678
            values.extend(to_float(one) for one in re.split(r"(?<=\d)(?=-\d)", word))
    return values


def _rigid(text: str, start: int, pattern: str) -> frozenset[int]:
    found = list(re.finditer(pattern, text[max(0, start - _RIGID_BEFORE) : start + _RIGID_BEFORE]))
    if not found:
        return frozenset()
    first, last = int(found[-1][1][:6]), int(found[-1][2][:6])
    return frozenset(range(max(0, first - 1), min(last, first + 6)))
