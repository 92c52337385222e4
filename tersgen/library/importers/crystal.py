"""CRYSTAL 14, 17 and 23: Raman intensities of powders (``INTRAMAN``).

The output itself states that I_par = 45 a^2 + 4 gamma^2 and I_perp = 3 gamma^2, times the volume
and normalised to the strongest peak, each summed over degenerate modes. L. Maschio et al., J. Chem.
Phys. 139, 164101 (2013). Intensities for a temperature and a laser (``RAMANEXP``) are refused.
"""

import re
import warnings

from ...errors import LibraryError, TersWarning
from ...plugins import register
from ...schema.species import Matrix3, Species
from ..importer import TextImporter
from ..invariants import REMARK, tensor_of_invariants
from ..programs.printed import last_of
from ..sourcefile import SourceFile, quote
from ..vibrations import RIGID_CM1, Vibrations, to_floats

KEYWORD = "INTENS, INTRAMAN and INTCPHF in FREQCALC"
_BANNER = re.compile(r"^ *\* +(CRYSTAL ?\d\d) +\*", re.MULTILINE)
_HEADING = re.compile(r"POLYCRYSTALLINE ISOTROPIC INTENSITIES \(ARBITRARY UNITS\)")
_BARE = re.compile(r"INTENSITIES +DO +NOT +TAKE +INTO +ACCOUNT +TEMPERATURE")
_ROW = re.compile(r" *(\d{1,6})- *(\d{1,6}) +(\S+) +\((.{1,6}?) *\) +(.*\S)")
_LISTED = re.compile(
    r"^ *(\d{1,6})- *(\d{1,6}) +\S+ +(-?\d+\.\d+) +-?\d+\.\d+ +\(.{1,6}?\) +[AI] \(.*\) +A *$",
    re.MULTILINE,
)
"""A Raman-active mode in the table of all: eigenvalue, cm^-1, THz, irrep, infrared, Raman."""
_ROUNDING = 0.02
"""Intensities are printed with two decimals, of 1000 for the strongest."""


@register("tersgen.importers", "crystal")
class Crystal(TextImporter):
    """Outputs of CRYSTAL."""

    format = "output of CRYSTAL"
    rank = 1

    def recognises(self, text: str) -> bool:
        """Return whether a text has the banner of CRYSTAL."""
        return _BANNER.search(text) is not None

    def read_source(self, source: SourceFile) -> Species:
        """Return the species of an output of CRYSTAL.

        Warns of modes that CRYSTAL lists as Raman-active without an intensity.
        """
        text = source.text
        headings = list(_HEADING.finditer(text))
        if not headings:
            raise LibraryError(
                "expected Raman intensities in this output of CRYSTAL, got none: run it with "
                f"{KEYWORD}"
            )
        if not _BARE.search(text, 0, headings[-1].start()):
            raise LibraryError(
                "expected Raman intensities that do not take temperature and laser into account, "
                "got an output that does not say so; run CRYSTAL without RAMANEXP"
            )
        frequencies: list[float] = []
        tensors: list[Matrix3] = []
        irreps: list[str | None] = []
        numbers: set[int] = set()
        for line in text[headings[-1].end() :].split("\n")[1:]:
            row = _ROW.fullmatch(line.rstrip())
            if row:
                first, last = int(row[1]), int(row[2])
                if not 0 <= last - first < 6:
                    raise LibraryError(f"expected degenerate modes, got {quote(line.strip())}")
                what = f"modes {row[1]}-{row[2]}"
                frequency = to_floats([row[3]], 1, what)[0]
                intensities = to_floats(row[5].split(), 3, what)
                tensor = _tensor(intensities, last - first + 1, what)
                numbers.update(range(first, last + 1))
                for _ in range(first, last + 1):
                    frequencies.append(frequency)
                    tensors.append(tensor)
                    irreps.append(row[4].strip())
            elif tensors and line.strip():
                raise LibraryError(f"expected a row of intensities, got {quote(line.strip())}")
            elif tensors:
                break
        _warn_of_missing(source, headings[-1].start(), numbers)
        banner = _BANNER.search(text)
        return Vibrations(
            frequencies_cm1=frequencies,
            tensors=tensors,
            irreps=irreps,
            program=banner[1] if banner else "CRYSTAL",
            remarks=[
                REMARK,
                "activities on an arbitrary scale, the strongest 1000; inactive modes not printed",
                *last_of(len(headings)),
            ],
        ).species(source)


def _warn_of_missing(source: SourceFile, stop: int, numbers: set[int]) -> None:
    """Warn of modes that are listed as Raman-active before a place, but have no intensity."""
    listed = {int(one[1]): one for one in _LISTED.finditer(source.text, 0, stop)}
    missing = [
        one for first, one in listed.items() if first not in numbers and float(one[3]) >= RIGID_CM1
    ]
    if missing:
        more = f" and of {len(missing) - 1} more" if len(missing) > 1 else ""
        warnings.warn(
            f"{source.file}: expected the Raman intensity of mode {missing[0][1]} "
            f"({float(missing[0][3]):.2f} cm^-1){more}, which CRYSTAL lists as active, got none; "
            "left out; check that the output is whole",
            TersWarning,
            stacklevel=3,
        )


def _tensor(intensities: list[float], count: int, what: str) -> Matrix3:
    """Return the tensor of each of some degenerate modes: I_tot, I_par and I_perp are of all."""
    total, along, across = intensities
    isotropic = along - 4.0 / 3.0 * across
    slack = _ROUNDING + 1e-4 * total
    if not abs(total - along - across) <= slack or not isotropic >= -slack or across < 0:
        raise LibraryError(
            f"{what}: expected I_tot = I_par + I_perp and I_perp <= 3/4 I_par, got {total:g}, "
            f"{along:g} and {across:g}"
        )
    mean_squared = max(0.0, isotropic) / 45.0 / count
    return tensor_of_invariants(mean_squared**0.5, across / 3.0 / count)
