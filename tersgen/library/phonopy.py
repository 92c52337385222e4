"""Raman tensors of crystals as Phonopy-Spectroscopy writes them (YAML), and its peak tables.

J. M. Skelton et al., Phys. Chem. Chem. Phys. 19, 12452 (2017). The tensors are d(alpha)/dQ of a
unit cell in Angstrom^2 amu^-1/2 (the file spells the unit ``sqrt(amu) * Ang ^ 2``).
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ..errors import LibraryError
from ..schema.species import Matrix3, Mode, Provenance, Species
from ..units import EV_CM1, THZ_CM1
from .harmonic import to_matrix3
from .sourcefile import SourceFile, one_line_errors, quote

ASYMMETRY_TOLERANCE = 0.01
"""Largest |R_ij - R_ji| accepted, relative to the largest |R_ij|. Finite differences of printed
dielectric tensors leave about 0.002 in alpha-quartz; more means a wrong or a resonant tensor."""

PEAK_TOLERANCE_CM1 = 0.05
"""A band belongs to the peak of a table nearer than this: tables print at least two decimals."""

MEV_CM1 = EV_CM1 / 1000
"""One meV over hc, in cm^-1 (exact)."""

_UNITS = {"thz": THZ_CM1, "inv_cm": 1.0, "cm^-1": 1.0, "mev": MEV_CM1}

# The C loader is ten times faster and as safe; it is missing from some builds of PyYAML.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Band(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    frequency: float
    raman_tensor: Matrix3


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore")

    frequency_units: str
    raman_activities: list[_Band]


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


def is_phonopy(text: str) -> bool:
    """Tell whether a text is a Raman YAML file of Phonopy-Spectroscopy."""
    return re.search(r"^raman_activities\s*:", text[:100_000], re.MULTILINE) is not None


def read_phonopy(source: SourceFile, name: str) -> Species:
    """Read the modes of a crystal; tensors are symmetrised.

    Parameters
    ----------
    source
        The file.
    name
        Name of the species.

    Raises
    ------
    LibraryError
        If the file is foreign or damaged, in an unknown unit, or holds a tensor whose asymmetry
        exceeds ASYMMETRY_TOLERANCE.
    """
    with one_line_errors(source):
        try:
            content = yaml.load(source.text, Loader=_Loader)
        except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
            reason = quote(" ".join(str(error).split()), 120)
            raise LibraryError(f"expected YAML, got a syntax error: {reason}") from error
        document = _Document.model_validate(content)
        unit = _UNITS.get(document.frequency_units.strip().lower())
        if unit is None:
            raise LibraryError(
                f"expected frequencies in {', '.join(_UNITS)}, got "
                f"{quote(document.frequency_units)}"
            )
        kept: list[Mode] = []
        for number, band in enumerate(document.raman_activities):
            if band.frequency > 0:
                tensor = symmetrised(np.array(band.raman_tensor), number)
                kept.append(Mode(frequency_cm1=band.frequency * unit, tensor=tensor))
        if not kept:
            raise LibraryError("expected at least one band of positive frequency, got none")
        left_out = len(document.raman_activities) - len(kept)
        remarks = ["tensors symmetrised"]
        if left_out:
            remarks.append(f"{left_out} modes of frequency <= 0 left out")
        return Species(
            name=name,
            modes=tuple(sorted(kept, key=lambda mode: mode.frequency_cm1)),
            provenance=Provenance(
                kind="phonopy",
                program="Phonopy-Spectroscopy",
                file=source.file,
                sha256=source.sha256,
                note="; ".join(remarks),
            ),
        )


def symmetrised(tensor: NDArray[np.float64], number: int) -> Matrix3:
    """Return the symmetric part of the tensor of a band, shape (3, 3).

    Raises
    ------
    LibraryError
        If its asymmetry exceeds ASYMMETRY_TOLERANCE.
    """
    largest = float(np.abs(tensor).max())
    skew = float(np.abs(tensor - tensor.T).max())
    if not skew <= ASYMMETRY_TOLERANCE * largest:
        raise LibraryError(
            f"expected a symmetric tensor (within {ASYMMETRY_TOLERANCE:g} of its largest element), "
            f"got a difference of {skew:.3g} at a largest element of {largest:.3g} in band "
            f"#{number}"
        )
    return to_matrix3(0.5 * tensor + 0.5 * tensor.T)


def read_peak_table(source: SourceFile) -> tuple[Peak, ...]:
    """Read a peak table: columns frequency, irrep, intensity, FWHM, in cm^-1 and Angstrom^4/amu.

    The first line is a heading; the columns irrep and FWHM may be missing.

    Raises
    ------
    LibraryError
        If a line has other columns or a number that is not finite.
    """
    lines = [line for line in source.text.splitlines() if line.strip() and line[0] != "#"]
    peaks: list[Peak] = []
    with one_line_errors(source):
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

    Raises
    ------
    LibraryError
        If a peak belongs to no mode: the table is then another crystal's.
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
