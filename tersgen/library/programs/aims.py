"""FHI-aims: what its script get_vibrations prints for finite differences of polarizabilities.

The table has a row for each of 3 N coordinates: number, frequency, zero-point energy, perhaps an
infrared intensity, and the Raman activity 45 a^2 + 7 gamma^2 (J. Neugebauer et al., J. Comput.
Chem. 23, 895 (2002), Eq. (42)). Translations and rotations are among them, and not named.
"""

import re

import numpy as np

from ...errors import LibraryError
from ..invariants import tensor_of
from ..sourcefile import quote
from ..vibrations import Vibrations, to_floats
from .printed import ISOTROPIC, last_section

_HEADING = re.compile(r"^ *List of all frequencies found:", re.MULTILINE)
_COLUMNS = re.compile(r"^ *Mode number +Frequency \[cm\^\(-1\)\].*$", re.MULTILINE)
_RAMAN = re.compile(r"Raman[- ]intensity \[Ang", re.IGNORECASE)
_N_RIGID = 6
_LARGEST_RIGID_CM1 = 50.0


def read_aims(text: str) -> Vibrations:
    """Return the vibrations of the last table with Raman activities."""
    keyword = "get_vibrations and its option for Raman intensities"
    section = last_section(text, _HEADING, _RAMAN, "FHI-aims", keyword)
    heading = _COLUMNS.search(section.text)
    if heading is None or not _RAMAN.search(heading[0]):
        raise LibraryError(
            "expected the columns 'Mode number', 'Frequency [cm^(-1)]' and 'Raman-intensity' of "
            f"FHI-aims, got {quote(heading[0].strip() if heading else section.text[:40])}"
        )
    n_columns = 2 + ("Zero point" in heading[0]) + ("IR" in heading[0]) + 1
    frequencies: list[float] = []
    activities: list[float] = []
    for line in section.text[heading.end() :].split("\n"):
        words = line.split()
        if not words and not frequencies:
            continue
        if not words or not words[0].isdecimal():
            break
        row = to_floats(words, n_columns, f"mode {len(frequencies) + 1} of FHI-aims")
        if row[0] != len(frequencies) + 1:
            raise LibraryError(
                f"expected mode {len(frequencies) + 1} in the table of FHI-aims, got {row[0]:g}"
            )
        frequencies.append(row[1])
        activities.append(row[-1])
    if not frequencies or len(frequencies) % 3:
        raise LibraryError(
            f"expected three modes for each atom in the table of FHI-aims, got {len(frequencies)}; "
            "is it whole?"
        )
    size = np.abs(frequencies)
    rigid = [int(k) for k in np.argsort(size)[:_N_RIGID] if size[k] < _LARGEST_RIGID_CM1]
    remark = f"{len(rigid)} modes nearest to 0 taken as translations and rotations"
    return Vibrations(
        frequencies_cm1=frequencies,
        tensors=[tensor_of(one, None) for one in activities],
        program="FHI-aims",
        remarks=(ISOTROPIC, *([remark] if rigid else []), *section.remarks),
        rigid=frozenset(rigid),
        start=section.start,
    )
