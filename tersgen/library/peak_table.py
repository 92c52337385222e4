"""Tables of peaks that add widths and irreps to modes without them, such as phonons from DFT."""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import LibraryError
from ..schema.species import Mode, Species
from .sourcefile import SourceFile, one_line_errors, quote

PEAK_TOLERANCE_CM1 = 0.05
"""A band belongs to the peak of a table nearer than this: tables print at least two decimals."""


@dataclass(frozen=True)
class Peak:
    """One line of a peak table.

    Attributes
    ----------
    frequency_cm1
        Position in cm^-1.
    irrep
        Irreducible representation, None where the table has none.
    intensity
        Activity in Angstrom^4/amu, summed over a degenerate set.
    fwhm_cm1
        Full width at half maximum in cm^-1, None where the table has none.
    """

    frequency_cm1: float
    irrep: str | None
    intensity: float
    fwhm_cm1: float | None


def read_peak_table(source: SourceFile) -> tuple[Peak, ...]:
    """Read a peak table: columns frequency, irrep, intensity, FWHM, in cm^-1 and Angstrom^4/amu.

    The first line is a heading; the columns irrep and FWHM may be missing.
    """
    lines = [line for line in source.text.splitlines() if line.strip() and line[0] != "#"]
    peaks: list[Peak] = []
    with one_line_errors(source.file):
        for number, line in enumerate(lines):
            fields = line.split()
            labels = [word for word in fields if not _is_number(word)]
            values = [float(word) for word in fields if _is_number(word)]
            if number == 0 and labels and not _is_number(fields[0]):
                continue
            usable = len(values) in (2, 3) and len(labels) <= 1 and _is_number(fields[0])
            if not usable or not all(math.isfinite(value) and value > 0 for value in values):
                raise LibraryError(
                    "expected a line of positive frequency, irrep, intensity and width, got "
                    f"{quote(line.strip())}"
                )
            irrep = labels[0] if labels else None
            fwhm = values[2] if len(values) == 3 else None
            peaks.append(Peak(values[0], irrep, values[1], fwhm))
        if not peaks:
            raise LibraryError("expected a table of peaks, got none")
    return tuple(peaks)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def attach_peaks(species: Species, peaks: tuple[Peak, ...], file: str) -> Species:
    """Return the species with the widths and irreps of a peak table.

    Each mode takes those of the peak within PEAK_TOLERANCE_CM1 of it; degenerate partners share a
    peak, and modes without one, which are inactive, stay as they are.
    """
    positions = np.array([peak.frequency_cm1 for peak in peaks])
    used: set[int] = set()
    modes: list[Mode] = []
    for mode in species.modes:
        gaps = np.abs(positions - mode.frequency_cm1)
        nearest = int(gaps.argmin())
        if gaps[nearest] > PEAK_TOLERANCE_CM1:
            modes.append(mode)
            continue
        used.add(nearest)
        peak = peaks[nearest]
        update = {"irrep": peak.irrep, "fwhm_cm1": peak.fwhm_cm1}
        modes.append(Mode.model_validate(mode.model_dump() | update))
    missing = [peak.frequency_cm1 for number, peak in enumerate(peaks) if number not in used]
    if missing:
        raise LibraryError(
            f"{file}: expected a mode of {species.name} within {PEAK_TOLERANCE_CM1} cm^-1 of each "
            f"peak, got none at {missing[0]:.3f} cm^-1; is it the table of another file?"
        )
    note = "; ".join(filter(None, [species.provenance.note, f"widths and irreps from {file}"]))
    provenance = species.provenance.model_copy(update={"note": note})
    return species.model_copy(update={"modes": tuple(modes), "provenance": provenance})
