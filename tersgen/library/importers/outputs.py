"""Outputs of quantum chemistry programs, through cclib: ORCA, Q-Chem, Gaussian, GAMESS, Dalton.

cclib reads frequencies, activities and the geometry; depolarization ratios, which it ignores,
are read here. None of these outputs has tensors of single atoms: for near-field maps a Gaussian
.fchk is needed, or ``tersgen library compute``.
"""

import io
import logging
import re
import warnings
from importlib import util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LibraryError, MissingExtraError
from ...plugins import register
from ...schema.species import Atom, Mode, Provenance, Species
from ..geometry import SYMBOLS, hill_formula
from ..importer import TextImporter
from ..invariants import REMARK, tensor_of
from ..sourcefile import SourceFile, one_line_errors

_HEAD = 200_000
_PROGRAMS = {
    "ORCA": "O   R   C   A",
    "Q-Chem": "A Quantum Leap Into The Future Of Chemistry",
    "Gaussian": "Gaussian, Inc.",
    "GAMESS": "GAMESS VERSION",
    "Firefly": "Firefly (PC GAMESS)",
    "Dalton": "Dalton - An Electronic Structure Program",
    "ADF": "Amsterdam Density Functional",
    "Turbomole": "TURBOMOLE",
    "NWChem": "Northwest Computational Chemistry Package",
    "Psi4": "Psi4: An Open-Source Ab Initio Electronic Structure Package",
    "Molpro": "PROGRAM SYSTEM MOLPRO",
    "Jaguar": "Jaguar",
}
_KEYWORDS = {
    "ORCA": "%elprop Polar 1 end with NumFreq",
    "Q-Chem": "DORAMAN TRUE",
    "Gaussian": "Freq=Raman",
    "GAMESS": "RUNTYP=RAMAN",
}
_ORCA_ROW = re.compile(r"^\s*(\d+):\s+(-?[\d.]+)\s+([\d.]+)\s+([\d.]+)\s*$", re.MULTILINE)
_RATIOS = re.compile(
    r"^\s*(?:Depolar \(P\)\s+--|Depolar \(P\):|Depolarization:)(.*)$", re.MULTILINE
)


def is_output(text: str) -> bool:
    """Tell whether a text is the output of a program whose prints cclib reads."""
    return _program(text) is not None


def _program(text: str) -> str | None:
    head = text[:_HEAD]
    return next((name for name, phrase in _PROGRAMS.items() if phrase in head), None)


def read_output(source: SourceFile, name: str) -> Species:
    """Return the species of a calculation of Raman activities.

    Modes of frequency <= 0 are left out and counted in the note of the provenance.

    Raises
    ------
    MissingExtraError
        If cclib is not installed.
    LibraryError
        If it cannot read the output, or finds no Raman activities in it.
    """
    program = _program(source.text) or "unknown"
    if util.find_spec("cclib") is None:
        raise MissingExtraError(
            f"{source.file}: expected cclib to read an output of {program}, got no such package; "
            "run: pip install 'tersgen[chem]'"
        )
    with one_line_errors(source.file):
        data = _parsed(source.text, program)
        frequencies, activities = _vibrations(data, program)
        ratios = _depolarization(source.text, program, frequencies)
        kept = np.flatnonzero(frequencies > 0)
        modes = sorted(
            (
                Mode(
                    frequency_cm1=float(frequencies[k]),
                    tensor=tensor_of(
                        float(activities[k]), None if ratios is None else float(ratios[k])
                    ),
                )
                for k in kept
            ),
            key=lambda mode: mode.frequency_cm1,
        )
        if not modes:
            raise LibraryError("expected at least one mode of positive frequency, got none")
        left_out = len(frequencies) - len(kept)
        isotropic = "isotropic tensors a * I with 45 a^2 = activity"
        remarks = [isotropic if ratios is None else REMARK]
        if left_out:
            remarks.append(f"{left_out} modes of frequency <= 0 left out")
        atoms, formula = _geometry(data)
        metadata = getattr(data, "metadata", {})
        version = str(metadata.get("package_version", "")).strip()
        return Species(
            name=name,
            modes=tuple(modes),
            atoms=atoms,
            formula=formula,
            provenance=Provenance(
                kind="output",
                program=f"{program} {version}".strip(),
                method=_method(metadata),
                file=source.file,
                sha256=source.sha256,
                note="; ".join(remarks),
            ),
        )


def _parsed(text: str, program: str) -> Any:
    from cclib.io import ccread

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = ccread(io.StringIO(text), loglevel=logging.CRITICAL)
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise LibraryError(
            f"cclib cannot read this output of {program}; is it whole, and of a finished job? "
            f"({reason})"
        ) from error
    if data is None:
        raise LibraryError(f"cclib cannot read this output of {program}: it knows no such print")
    return data


def _vibrations(data: Any, program: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return frequencies (cm^-1) and activities (Angstrom^4/amu), shape (n_modes,)."""
    frequencies = getattr(data, "vibfreqs", None)
    if frequencies is None or not len(frequencies):
        raise LibraryError(
            f"expected vibrational frequencies in this output of {program}, got none"
        )
    activities = getattr(data, "vibramans", None)
    if activities is None or not len(activities):
        keyword = _KEYWORDS.get(program)
        hint = f": run it with {keyword}" if keyword else ""
        raise LibraryError(
            f"expected Raman activities in this output of {program}, got frequencies only{hint}"
        )
    one, other = np.asarray(frequencies, np.float64), np.asarray(activities, np.float64)
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise LibraryError(
            f"expected a finite activity of each of {len(one)} modes, got {len(other)}, or others"
        )
    return one, other


def _depolarization(
    text: str, program: str, frequencies: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the printed ratio of each mode for plane-polarised light, if there is one of each."""
    if program == "ORCA":
        table = text[text.rfind("RAMAN SPECTRUM") :] if "RAMAN SPECTRUM" in text else ""
        rows = [(float(m[2]), float(m[4])) for m in _ORCA_ROW.finditer(table.split("\n\nThe ")[0])]
        found = [ratio for _, ratio in rows]
        same = len(rows) == len(frequencies) and np.allclose(
            [place for place, _ in rows], frequencies, atol=0.02
        )
        return np.array(found) if same else None
    values = [float(x) for m in _RATIOS.finditer(text) for x in m[1].split() if _is_number(x)]
    return np.array(values) if len(values) == len(frequencies) else None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+\.\d+", text) is not None


def _geometry(data: Any) -> tuple[tuple[Atom, ...] | None, str | None]:
    """Return the last geometry, Angstrom, and the formula, if they are there."""
    numbers = getattr(data, "atomnos", None)
    coordinates = getattr(data, "atomcoords", None)
    if numbers is None or coordinates is None or not len(coordinates):
        return None, None
    symbols = [SYMBOLS[int(number)] for number in numbers]
    atoms = tuple(
        Atom(symbol=symbol, position=(float(x), float(y), float(z)))
        for symbol, (x, y, z) in zip(symbols, coordinates[-1], strict=True)
    )
    return atoms, hill_formula(np.asarray(numbers, np.int64))


def _method(metadata: dict[str, Any]) -> str | None:
    parts = (metadata.get("functional"), metadata.get("basis_set"))
    return "/".join(str(part) for part in parts if part) or None


@register("tersgen.importers", "output")
class Output(TextImporter):
    """Outputs of quantum chemistry programs."""

    format = "output of ORCA, Q-Chem, Gaussian and others"
    rank = 1

    def recognises(self, text: str) -> bool:
        """Return whether a text is the output of such a program."""
        return is_output(text)

    def read_source(self, source: SourceFile) -> Species:
        """Return the species of a text, see ``read_output``."""
        return read_output(source, source.species_name())
