"""Raman tensors of crystals as Phonopy-Spectroscopy writes them (YAML), and its peak tables.

J. M. Skelton et al., Phys. Chem. Chem. Phys. 19, 12452 (2017). The tensors are d(alpha)/dQ of a
unit cell in Angstrom^2 amu^-1/2 (the file spells the unit ``sqrt(amu) * Ang ^ 2``).
"""

import re
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ...errors import LibraryError
from ...plugins import register
from ...schema.species import Matrix3, Mode, Provenance, Species
from ...units import EV_CM1, THZ_CM1
from ..harmonic import to_matrix3
from ..importer import TextImporter
from ..sourcefile import SourceFile, quote

ASYMMETRY_TOLERANCE = 0.01
"""Largest |R_ij - R_ji| accepted, relative to the largest |R_ij|. Finite differences of printed
dielectric tensors leave about 0.002 in alpha-quartz; more means a wrong or a resonant tensor."""

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


@register("tersgen.importers", "phonopy")
class Phonopy(TextImporter):
    """Raman YAML files of Phonopy-Spectroscopy."""

    format = "Phonopy-Spectroscopy Raman YAML"

    def recognises(self, text: str) -> bool:
        """Return whether a text has their key."""
        return re.search(r"^raman_activities\s*:", text[:100_000], re.MULTILINE) is not None

    def read_source(self, source: SourceFile) -> Species:
        """Read the modes of a crystal; tensors are symmetrised."""
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
            name=source.species_name(),
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
    """Return the symmetric part of the tensor of a band, shape (3, 3)."""
    largest = float(np.abs(tensor).max())
    skew = float(np.abs(tensor - tensor.T).max())
    if not skew <= ASYMMETRY_TOLERANCE * largest:
        raise LibraryError(
            f"expected a symmetric tensor (within {ASYMMETRY_TOLERANCE:g} of its largest element), "
            f"got a difference of {skew:.3g} at a largest element of {largest:.3g} in band "
            f"#{number}"
        )
    return to_matrix3(0.5 * tensor + 0.5 * tensor.T)
