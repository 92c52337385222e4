"""Tables of modes as text: Raman tensors by component, and the invariants of vasp_raman.py.

vasp_raman.py: A. Fonari and S. Stauffer, https://github.com/raman-sc/VASP (2013).
"""

import math
import re

import numpy as np

from ...errors import LibraryError
from ...plugins import register
from ...schema.species import Mode, Provenance, Species
from ...units import BOHR_ANGSTROM, WAVENUMBERS, stated_unit
from ..importer import TextImporter
from ..invariants import REMARK, tensor_of_invariants
from ..sourcefile import SourceFile, quote
from .phonopy import symmetrised

_VASP = re.compile(r"^#\s*mode\s+freq\(cm-1\)\s+alpha\s+beta2\s+activity", re.MULTILINE)
_COMPONENTS = ("xx", "xy", "xz", "yx", "yy", "yz", "zx", "zy", "zz")
_SIX = ("xx", "yy", "zz", "xy", "xz", "yz")
_FREQUENCY = ("freq", "wavenumber", "shift", "position")
_SYMBOL = ("omega", "nu", "f")
_WIDTH = ("width", "fwhm")
_NUMBER = ("mode", "index", "number", "no", "no.")
_UNITS = {
    "angstrom^2 amu^-1/2": 1.0,
    "a^2 amu^-1/2": 1.0,
    "bohr^2 amu^-1/2": BOHR_ANGSTROM**2,
    "arb. units": 1.0,
}
"""Units of tensors, as a heading gives them in brackets after xx, in Angstrom^2 amu^-1/2."""


@register("tersgen.importers", "vasp_raman")
class VaspRaman(TextImporter):
    """Files of vasp_raman.py."""

    format = "vasp_raman.dat"

    def recognises(self, text: str) -> bool:
        """Return whether a text has the heading of that program."""
        return _VASP.search(text[:20_000]) is not None

    def read_source(self, source: SourceFile) -> Species:
        """Read the modes of a vasp_raman.dat: columns mode, frequency, alpha, beta^2, activity.

        alpha is the mean of the tensor, beta^2 its gamma^2; activities are checked against
        45 alpha^2 + 7 beta^2.
        """
        modes, left_out = [], 0
        for line in source.text.splitlines():
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            values = _numbers(line.split(), line, 5)
            _, frequency, mean, squared, activity = values
            if abs(45 * mean**2 + 7 * squared - activity) > 1e-3 * abs(activity) + 1e-4:
                raise LibraryError(
                    f"expected the activity 45 alpha^2 + 7 beta2, got {activity:g} in {quote(line)}"
                )
            if frequency <= 0:
                left_out += 1
                continue
            modes.append(Mode(frequency_cm1=frequency, tensor=tensor_of_invariants(mean, squared)))
        return _species(source, modes, left_out, [REMARK], "vasp_raman.py")


@register("tersgen.importers", "tensor_table")
class TensorTable(TextImporter):
    """Tables of Raman tensors."""

    format = "table of Raman tensors"

    def recognises(self, text: str) -> bool:
        """Return whether a text has a heading with components of tensors."""
        heading = next((line for line in text[:20_000].splitlines() if line.strip()), "")
        words = [_bare(word) for word in _cells(heading.lstrip("# "))]
        return {"xx", "yy", "zz"} <= set(words)

    def read_source(self, source: SourceFile) -> Species:
        """Read a table of frequencies and Raman tensors, six or nine components each.

        The heading names the columns, in any order: ``frequency`` (cm^-1, or ``frequency [THz]``),
        ``xx [Angstrom^2 amu^-1/2]``, ``yy`` and so on, and perhaps ``width`` (FWHM) and ``mode`` (a
        number that is skipped). Without a unit after xx the table is refused.
        """
        lines = [line for line in source.text.splitlines() if line.strip()]
        heading = _cells(lines[0].lstrip("# ")) if lines else []
        names = [_bare(word) for word in heading]
        columns = [name for name in names if name in _COMPONENTS]
        if len(set(columns)) != len(columns) or set(columns) not in (
            set(_SIX),
            set(_COMPONENTS),
        ):
            raise LibraryError(
                f"expected the columns {', '.join(_SIX)} (or all nine), got {', '.join(columns)}"
            )
        unit = _tensor_unit(heading, names)
        at, per_cm1 = _frequency_column(heading, names)
        width_at = next((k for k, name in enumerate(names) if _begins(name, _WIDTH)), None)
        per_width = per_cm1 if width_at is None else _wavenumber(heading[width_at], per_cm1)
        modes, left_out = [], 0
        for number, line in enumerate(lines[1:]):
            values = _numbers(_cells(line), line, len(names))
            if values[at] <= 0:
                left_out += 1
                continue
            tensor = np.zeros((3, 3))
            for column, value in zip(names, values, strict=True):
                if column in _COMPONENTS:
                    i, j = "xyz".index(column[0]), "xyz".index(column[1])
                    tensor[i, j] = value * unit
                    if len(columns) == len(_SIX):
                        tensor[j, i] = value * unit
            width = None if width_at is None else values[width_at] * per_width
            if width is not None and width <= 0:
                raise LibraryError(f"expected a width > 0, got {quote(line.strip())}")
            modes.append(
                Mode(
                    frequency_cm1=values[at] * per_cm1,
                    tensor=symmetrised(tensor, number),
                    fwhm_cm1=width,
                )
            )
        return _species(source, modes, left_out, ["tensors symmetrised"], None)


def _begins(name: str, words: tuple[str, ...]) -> bool:
    return re.split(r"[\s_/]", name)[0] in words or name in words


def _frequency_column(heading: list[str], names: list[str]) -> tuple[int, float]:
    """Return the column of frequencies, and their unit in cm^-1."""
    known = (*_COMPONENTS, *_WIDTH, *_NUMBER)
    places = [
        k
        for k, name in enumerate(names)
        if any(word in name for word in _FREQUENCY) or _begins(name, _SYMBOL)
    ]
    unknown = [one for k, one in enumerate(names) if k not in places and not _begins(one, known)]
    if len(places) != 1 or unknown:
        raise LibraryError(
            f"expected the columns frequency, {', '.join(_SIX)} (or all nine), and perhaps width "
            f"and mode, got {quote(', '.join(heading))}"
        )
    return places[0], _wavenumber(heading[places[0]], 1.0)


def _wavenumber(heading: str, default: float) -> float:
    """Return the unit that a heading states, in cm^-1."""
    unit = stated_unit(heading)
    if unit is None:
        return default
    if unit not in WAVENUMBERS:
        raise LibraryError(
            f"expected frequencies in one of {', '.join(WAVENUMBERS)}, got {quote(unit)}"
        )
    return WAVENUMBERS[unit]


def _tensor_unit(heading: list[str], names: list[str]) -> float:
    """Return the unit of all components, as stated after xx."""
    stated = {}
    for words, name in zip(heading, names, strict=True):
        found = re.search(r"[(\[](.*)[)\]]", words)
        if name in _COMPONENTS and (found or name == "xx"):
            text = found[1].lower().replace("\u00c5", "a").replace("\u00e5", "a") if found else ""
            stated[name] = " ".join(text.split())
    if len(set(stated.values())) > 1:
        raise LibraryError(f"expected one unit of all components, got {quote(str(stated)[:120])}")
    if stated["xx"] not in _UNITS:
        raise LibraryError(
            f"expected a unit in brackets after xx, one of {', '.join(_UNITS)}, got "
            f"{quote(stated['xx'])}"
        )
    return _UNITS[stated["xx"]]


def _bare(word: str) -> str:
    return re.sub(r"[(\[].*", "", word).strip().lower()


def _cells(line: str) -> list[str]:
    for separator in (";", ",", "\t"):
        if separator in line:
            return [cell.strip() for cell in line.split(separator)]
    return line.split()


def _numbers(cells: list[str], line: str, count: int) -> list[float]:
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        values = []
    if len(values) != count or not all(map(math.isfinite, values)):
        raise LibraryError(f"expected {count} finite numbers, got {quote(line.strip())}")
    return values


def _species(
    source: SourceFile, modes: list[Mode], left_out: int, remarks: list[str],
    program: str | None,
) -> Species:  # fmt: skip
    if not modes:
        raise LibraryError("expected at least one mode of positive frequency, got none")
    if left_out:
        remarks = [*remarks, f"{left_out} modes of frequency <= 0 left out"]
    return Species(
        name=source.species_name(),
        modes=tuple(sorted(modes, key=lambda mode: mode.frequency_cm1)),
        provenance=Provenance(
            kind="table", program=program, file=source.file, sha256=source.sha256,
            note="; ".join(remarks),
        ),
    )  # fmt: skip
