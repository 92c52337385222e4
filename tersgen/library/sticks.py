"""Sticks (bands with a position, a strength and perhaps a width) as species."""

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..schema.species import Mode, Observed, Provenance, Species
from .intensities import Form, Intensity, Statement, decide, to_activities, warn_of_assumed
from .sourcefile import SourceFile

Floats = NDArray[np.float64]

ABSOLUTE_CM1 = 8000.0
"""If all positions lie above this they are no Raman shifts: H2 is at 4161 cm^-1."""
FEWEST_POINTS = 32
"""Fewer points are never taken for a spectrum: overtones of a progression are as evenly spaced."""
_STEP_CHANGE = 0.1
"""Relative change from one step of an axis to the next; those of sticks change by their size."""
_REGULAR = 0.8
"""Part of the steps of an axis that change by less: detectors are joined, windows cut out."""
_FEWEST_SMOOTH = 100
_SMOOTH = 0.4
"""Ratio of J. von Neumann, Ann. Math. Stat. 12, 367 (1941), of ranks of strengths along the axis: 2
for independent ones."""
_DENSE_CM1 = 10.0


def sticks_species(
    source: SourceFile, rows: Floats, kind: Literal["sticks", "peaks"],
    said: Statement, headed: Intensity | None, usual: Observed, form: Form,
    notes: tuple[str, ...] = (),
) -> Species:  # fmt: skip
    """Return the species of sticks: modes with the tensor a * I, 45 a^2 = activity.

    Parameters
    ----------
    source
        The file.
    rows
        Position (cm^-1), strength and width (cm^-1, NaN where not known), shape (n, 3).
    kind
        Kind of the source.
    said
        What the file and a user state of the strengths.
    headed
        What the heading of the column says about them.
    usual
        What they are if nothing states it.
    form
        How a line of a statement is written, for messages.
    notes
        What else the provenance says.
    """
    refuse_spectrum(rows)
    seen = decide(said, headed, usual)
    kept = rows[rows[:, 0] > 0]
    if not len(kept):
        raise LibraryError("expected at least one stick at a positive position, got none")
    if kept[:, 0].min() > ABSOLUTE_CM1:
        raise LibraryError(
            f"expected Raman shifts, got positions from {kept[:, 0].min():g} cm^-1, all above "
            f"{ABSOLUTE_CM1:g}: absolute wavenumbers or photon energies? subtract them from the "
            "laser's"
        )
    remarks = ["isotropic tensors a * I with 45 a^2 = intensity"]
    observed: dict[str, Any] = {}
    one_width = False
    if seen is not None:
        kept = to_activities(kept, seen)
        remarks = ["isotropic tensors a * I with 45 a^2 = activity", *seen.remarks()]
        one_width = seen.kind == "observed height" and bool(np.isnan(kept[:, 2]).all())
        if one_width:
            remarks.append("one width of all bands assumed, as none is known")
        observed = {
            "intensity": seen.kind,
            "laser_nm": seen.laser_nm,
            "observed_temperature_k": seen.temperature_k,
            "response": seen.response,
        }
    if len(kept) < len(rows):
        remarks.append(f"{len(rows) - len(kept)} sticks at positions <= 0 left out")
    modes = []
    for position, activity, width in kept[np.argsort(kept[:, 0], kind="stable")].tolist():
        a = math.sqrt(activity / 45.0)
        modes.append(
            Mode(
                frequency_cm1=position,
                tensor=((a, 0.0, 0.0), (0.0, a, 0.0), (0.0, 0.0, a)),
                fwhm_cm1=None if math.isnan(width) else width,
            )
        )
    if seen is not None:
        warn_of_assumed(seen, source.file, form, one_width and len(kept) > 1)
    return Species(
        name=source.species_name(),
        modes=tuple(modes),
        provenance=Provenance(
            kind=kind,
            file=source.file,
            sha256=source.sha256,
            note="; ".join([*remarks, *notes]),
            **observed,
        ),
    )


def refuse_spectrum(rows: Floats) -> None:
    """Refuse points of a spectrum: so many of an even axis, or a dense and smooth curve.

    The steps of an axis, of a grating or in wavenumbers, change little from one to the next; those
    between modes change by their own size. Strengths of neighbouring points of a spectrum are
    alike; those of neighbouring modes are not.

    Parameters
    ----------
    rows
        Position and strength, then whatever, shape (n, 2 or more), in the order of the file.
    """
    positions, strengths = rows[:, 0], rows[:, 1]
    n = len(positions)
    if n < FEWEST_POINTS:
        return
    steps = np.diff(positions)
    typical = float(np.median(np.abs(steps)))
    changes = np.abs(np.diff(steps))
    regular = float(np.mean(changes <= _STEP_CHANGE * typical)) if typical else 0.0
    rounding = 1.01 * _resolution(positions)
    if rounding < typical:  # as printed, steps of 1.9 are 1 or 2
        regular = max(regular, float(np.mean(changes <= rounding)))
    order = np.argsort(positions, kind="stable")
    span = float(np.ptp(positions))
    dense = n >= _FEWEST_SMOOTH and span <= _DENSE_CM1 * n
    if regular >= _REGULAR or (dense and _roughness(strengths[order]) < _SMOOTH):
        shape = "evenly spaced points" if regular >= _REGULAR else "points of a smooth curve"
        raise LibraryError(
            f"expected sticks, got {n} {shape}, which are a spectrum; make a dataset of it: "
            "tersgen ingest"
        )


def _resolution(positions: Floats) -> float:
    """Return the last decimal that positions are printed with, at most six."""
    for decimals in range(6):
        if np.abs(positions - np.round(positions, decimals)).max() < 1e-9 * 10**-decimals + 1e-12:
            return float(10.0**-decimals)
    return 0.0


def _roughness(strengths: Floats) -> float:
    """Return the ratio of von Neumann of the ranks of strengths: small for a smooth curve."""
    ranks = np.empty(len(strengths))
    # equal strengths have equal ranks, or a baseline of zeros would be rough
    _, inverse, counts = np.unique(strengths, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - 0.5 * counts)[inverse]
    variance = float(np.mean((ranks - ranks.mean()) ** 2))
    if variance == 0:
        return 2.0
    return float(np.mean(np.diff(ranks) ** 2)) / variance
