"""What the outputs of all programs have in common: jobs, geometries, numbers of modes."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from ...errors import LibraryError
from ...schema.species import Atom
from ...units import BOHR_ANGSTROM
from ..vibrations import RIGID_CM1, atom, to_float

ISOTROPIC = "isotropic tensors a * I with 45 a^2 = activity"
_LINES_BEFORE_ATOMS = 8


class Section(NamedTuple):
    """The part of an output that belongs to one job."""

    start: int
    """Where it begins in the output."""
    text: str
    remarks: tuple[str, ...]
    """What is said of other jobs."""


def last_section(
    text: str, heading: re.Pattern[str], needed: re.Pattern[str], program: str, keyword: str
) -> Section:
    """Return the last section of an output that has Raman activities.

    Parameters
    ----------
    text
        The output.
    heading
        What the vibrations of each job begin with.
    needed
        What a section with activities has.
    program
        Name of the program, for messages.
    keyword
        What a user has to ask the program for.
    """
    starts = [found.start() for found in heading.finditer(text)]
    if not starts:
        raise LibraryError(
            f"expected vibrational frequencies in this output of {program}, got none; is it whole?"
        )
    sections = [
        text[start:stop] for start, stop in zip(starts, [*starts[1:], len(text)], strict=True)
    ]
    fitting = [number for number, one in enumerate(sections) if needed.search(one)]
    if not fitting:
        raise LibraryError(
            f"expected Raman activities in this output of {program}, got frequencies only: run it "
            f"with {keyword}"
        )
    last = fitting[-1]
    remarks = last_of(len(fitting))
    if last < len(sections) - 1:
        remarks.append("a later job without Raman activities skipped")
    return Section(starts[last], sections[last], tuple(remarks))


def last_of(n_jobs: int) -> list[str]:
    """Return what is said of the job that is read, if it is not the only one."""
    return [f"the last of {n_jobs} jobs with Raman activities in the output"] if n_jobs > 1 else []


class GeometryTable(NamedTuple):
    """How a program prints a geometry."""

    heading: re.Pattern[str]
    row: re.Pattern[str]
    """Groups: the element by symbol or number, then x, y and z."""
    unit_angstrom: float = 1.0


COORDINATES = r"\s+(-?\d+\.\d+)\s+(-?\d+\.\d+)\s+(-?\d+\.\d+)"
BOHR = BOHR_ANGSTROM


def geometry_before(
    text: str, stop: int, tables: Sequence[GeometryTable]
) -> tuple[Atom, ...] | None:
    """Return the last geometry that is printed before a place, Angstrom.

    None without one, or if it has ghosts or dummies: what is not an element.
    """
    found = [
        (one.end(), table) for table in tables for one in table.heading.finditer(text, 0, stop)
    ]
    if not found:
        return None
    place, table = max(found, key=lambda one: one[0])
    atoms: list[Atom] = []
    skipped = 0
    while place < len(text):
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        row = table.row.match(text[place:end])
        place = end + 1
        if row:
            position = [to_float(row[axis]) * table.unit_angstrom for axis in (2, 3, 4)]
            try:
                atoms.append(atom(row[1], position))
            except LibraryError:
                return None
        elif atoms or skipped > _LINES_BEFORE_ATOMS:
            break
        else:
            skipped += 1
    return tuple(atoms) or None


def check_activities(listed: Mapping[int, float], numbers: Collection[int], program: str) -> None:
    """Refuse a table of activities that lacks a mode that has a frequency.

    Parameters
    ----------
    listed
        Frequency of each mode, cm^-1, by its number. Rigid motions and imaginary modes, which are
        left out anyway, may lack an activity.
    numbers
        Numbers of the modes in the table.
    program
        Name of the program, for messages.
    """
    known = set(numbers)
    missing = [one for one, shift in listed.items() if shift >= RIGID_CM1 and one not in known]
    if missing:
        more = f" and of {len(missing) - 1} more" if len(missing) > 1 else ""
        raise LibraryError(
            f"expected the Raman activity of mode {missing[0]} ({listed[missing[0]]:.2f} cm^-1)"
            f"{more} in this output of {program}, got none; is it whole, and of a finished job?"
        )


def check_number(n_modes: int, atoms: Sequence[Atom] | None, program: str) -> None:
    """Refuse a print that lacks modes: an output that was cut off."""
    if atoms is None:
        return
    size = 3 * len(atoms)
    if n_modes not in (size, size - 5, size - 6):
        raise LibraryError(
            f"expected {max(size - 6, 1)} modes of the {len(atoms)} atoms in this output of "
            f"{program}, got {n_modes}; is it whole, and of a finished job?"
        )
