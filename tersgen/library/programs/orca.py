"""ORCA, versions 4 to 6: outputs of ``%elprop Polar 1 end`` with ``NumFreq``."""

import re

import numpy as np
from numpy.typing import NDArray

from ...errors import LibraryError
from ..invariants import REMARK, tensor_of
from ..vibrations import Vibrations, to_float
from .printed import (
    COORDINATES,
    GeometryTable,
    check_activities,
    check_number,
    geometry_before,
    last_section,
)

KEYWORD = "%elprop Polar 1 end with NumFreq"
_SECTION = re.compile(r"^VIBRATIONAL FREQUENCIES\s*$", re.MULTILINE)
_RAMAN = re.compile(r"^RAMAN SPECTRUM\s*$", re.MULTILINE)
_FREQUENCY = re.compile(r"^ *(\d{1,6}): +(\S+) +cm\*\*-1", re.MULTILINE)
_ROW = re.compile(r"^ *(\d{1,6}): +(\S+) +(\S+) +(\S+) *$")
_SCALING = re.compile(r"Scaling factor for frequencies = +(\S+)")
_VERSION = re.compile(r"Program Version +(\S+)")
_INPUT = re.compile(r"^\| +\d+> *!(.*)$", re.MULTILINE)
_GEOMETRY = (
    GeometryTable(
        re.compile(r"^CARTESIAN COORDINATES \(ANGSTROEM\)\s*$", re.MULTILINE),
        re.compile(r"\s*([A-Z][a-z]?)" + COORDINATES + r"\s*$"),
    ),
)
_COUNT = re.compile(r"\d{1,6}", re.ASCII)
_SAME_CM1 = 0.02


def read_orca(text: str) -> Vibrations:
    """Return the vibrations of the last job in an output of ORCA that has a Raman spectrum."""
    section = last_section(text, _SECTION, _RAMAN, "ORCA", KEYWORD)
    before, after = _RAMAN.split(section.text, maxsplit=1)
    listed = {int(one[1]): to_float(one[2]) for one in _FREQUENCY.finditer(before)}
    numbers, rows = _table(after)
    for number, (frequency, _, _) in zip(numbers, rows, strict=True):
        if abs(listed.get(number, np.inf) - frequency) > _SAME_CM1:
            raise LibraryError(
                f"expected mode {number} of the Raman spectrum among the frequencies, got "
                f"{frequency:g} cm^-1, which is none of them"
            )
    if numbers[-1] != max(listed):
        raise LibraryError(
            f"expected a Raman spectrum of the modes up to {max(listed)} in this output of ORCA, "
            f"got those up to {numbers[-1]}; is it whole?"
        )
    check_activities(listed, numbers, "ORCA")
    if len(set(numbers)) < len(numbers):
        raise LibraryError("expected each mode once in the Raman spectrum of ORCA, got some twice")
    atoms = geometry_before(text, section.start, _GEOMETRY)
    check_number(len(numbers), atoms, "ORCA")
    version = _VERSION.search(text)
    method = _INPUT.search(text)
    scaling = _SCALING.search(section.text)
    return Vibrations(
        frequencies_cm1=[row[0] for row in rows],
        tensors=[tensor_of(row[1], row[2]) for row in rows],
        program=f"ORCA {version[1]}" if version else "ORCA",
        remarks=(REMARK, *section.remarks),
        method=" ".join(method[1].split()) if method else None,
        atoms=atoms,
        displacements=_displacements(section.text, numbers, len(atoms or ())),
        scaling=to_float(scaling[1]) if scaling else 1.0,
        start=section.start,
    )


def _table(text: str) -> tuple[list[int], list[tuple[float, float, float]]]:
    """Return mode numbers, and frequency, activity and depolarization ratio of each."""
    numbers: list[int] = []
    rows: list[tuple[float, float, float]] = []
    for line in text.split("\n")[1:]:
        row = _ROW.match(line)
        if row:
            numbers.append(int(row[1]))
            # a mode without activity may have no ratio: -nan
            activity = to_float(row[3])
            rows.append((to_float(row[2]), activity, to_float(row[4]) if activity else 0.0))
        elif rows:
            if line.strip():
                raise LibraryError(
                    f"expected mode, frequency, activity and depolarization ratio in the Raman "
                    f"spectrum, got {line.strip()[:40]!r}"
                )
            return numbers, rows
    raise LibraryError(
        "expected a whole Raman spectrum in this output of ORCA, got one that is cut off"
    )


def _displacements(text: str, numbers: list[int], n_atoms: int) -> NDArray[np.float64] | None:
    """Return the normal modes as they are printed, shape (n_modes, n_atoms, 3), if they are."""
    start = text.find("NORMAL MODES")
    size = 3 * n_atoms
    if start < 0 or max(numbers) >= size:
        return None
    matrix = read_matrix(text[start:].split("\n"), size, size, "normal modes")
    return None if matrix is None else matrix[:, numbers].T.reshape(len(numbers), n_atoms, 3)


def read_matrix(
    lines: list[str], n_rows: int, n_columns: int, what: str
) -> NDArray[np.float64] | None:
    """Return a matrix that ORCA prints in blocks of columns; None where it is not whole.

    A block begins with the numbers of its columns; each row begins with its own number.

    Raises
    ------
    LibraryError
        If an element is no number; ``what`` says of which matrix.
    """
    matrix = np.full((n_rows, n_columns), np.nan)
    columns: list[int] = []
    done = 0
    for line in lines:
        words = line.split()
        if words and all(_COUNT.fullmatch(word) for word in words):
            columns = [int(word) for word in words]
        elif columns and len(words) == len(columns) + 1 and _COUNT.fullmatch(words[0]):
            row = int(words[0])
            if row >= n_rows or max(columns) >= n_columns:
                return None
            try:
                matrix[row, columns] = [to_float(word) for word in words[1:]]
            except LibraryError as error:
                raise LibraryError(f"{what}: {error}") from None
            done += len(columns)
        elif done:
            break
        if done == n_rows * n_columns:
            break
    return matrix if np.isfinite(matrix).all() else None
