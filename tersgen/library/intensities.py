"""Strengths of bands in tables: what they mean, and how observed ones become activities.

A library holds activities, which do not depend on a laser. A spectrometer counts photons: their
number is an activity times the Stokes factor of its laser. docs/decisions/0022-intensities.md
"""

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError, TersWarning
from ..numeric.crosssection import PHOTON_COUNT, stokes_factor
from ..schema.base import Frozen, field
from ..schema.intervals import LARGEST
from ..schema.species import Observed
from ..units import wavelength_nm_to_cm1
from .sourcefile import quote

Intensity = Literal["activity", Observed]

REFERENCE_CM1 = 1000.0
"""Shift at which an observed area is taken as the activity, cm^-1: the scale is arbitrary."""
ASSUMED_LASER_NM = 532.0
ASSUMED_TEMPERATURE_K = 298.0
_SHORTEST_NM = 50.0
_LONGEST_RESPONSE = 200
_CLOSE = 0.82
"""Likeness from which a name counts as a misspelt one: lasr does, layer and density do not."""
_NUMBER = r"(\d+\.?\d*|\.\d+)"
_COMMENT = re.compile(r"#\s*([A-Za-z]+)\s*[:=](.*)")


class Statement(Frozen):
    """Stated kind and conditions of the strengths in a table; None where not stated."""

    intensity: Intensity | None = field("what the strengths are", "1", None)
    laser_nm: float | None = field(
        "laser of observed strengths", "nm", None, ge=_SHORTEST_NM, le=LARGEST
    )
    temperature_k: float | None = field(
        "temperature of the sample they were observed on", "K", None, gt=0, le=LARGEST
    )
    response: str | None = field(
        "corrected or uncorrected for the response of the instrument, and how",
        "1",
        None,
        pattern=r"^(un)?corrected\b",
        max_length=_LONGEST_RESPONSE,
    )


NOTHING_SAID = Statement()

_FIELDS = {
    "intensity": ("intensity", "activity, observed area or observed height"),
    "laser": ("laser_nm", "785 nm"),
    "temperature": ("temperature_k", "298 K"),
    "response": ("response", "corrected or uncorrected"),
}
"""Field of a statement, and what may be said, by the name that files have for it."""
Form = Callable[[str, str], str]
"""How a file states something: from a name and a text to a line."""


def comment(name: str, text: str) -> str:
    """Return the comment of a table that states something."""
    return f"# {name}: {text}"


def _allowed(form: Form, *names: str) -> str:
    """Return the statements that are understood, for messages."""
    return "; ".join(form(name, _FIELDS[name][1]) for name in names or _FIELDS)


@dataclass(frozen=True)
class Observation:
    """What the strengths of a table are, if observed, and how they were.

    Attributes
    ----------
    kind
        Areas or heights of bands, in photons.
    laser_nm, temperature_k
        Laser wavelength in nm, temperature of the sample in K.
    response
        Whether the response of the instrument was corrected, and how; None if not stated.
    assumed
        What of this is not stated in the table.
    """

    kind: Observed
    laser_nm: float
    temperature_k: float = ASSUMED_TEMPERATURE_K
    response: str | None = None
    assumed: tuple[str, ...] = ()

    def remarks(self) -> list[str]:
        """Return what a provenance says about it."""
        remarks = [
            f"activities from {self.kind}s at {self.laser_nm:g} nm and {self.temperature_k:g} K, "
            f"as photon counts, on the scale of those at {REFERENCE_CM1:g} cm^-1"
        ]
        if self.assumed:
            remarks.append(f"not stated and assumed: {', '.join(self.assumed)}")
        if (self.response or "").startswith("uncorrected"):
            remarks.append("the response of the instrument is not corrected")
        return remarks


def read_statement(lines: Iterable[tuple[str, str]], form: Form) -> Statement:
    """Return what lines of a file state of its strengths.

    Parameters
    ----------
    lines
        Name and text of each line that may be a statement; other names are skipped.
    form
        How such a line is written, for messages.
    """
    found: dict[str, str | float] = {}
    for name, text in lines:
        near = get_close_matches(name.lower(), _FIELDS, 1, _CLOSE)
        if not near:
            continue
        value = _value(near[0], " ".join(text.split())) if near[0] == name.lower() else None
        if value is None:
            raise LibraryError(f"expected {_allowed(form)}; got {quote(form(name, text.strip()))}")
        before = found.setdefault(near[0], value)
        if before != value:
            raise LibraryError(f"expected one {near[0]}, got {before} and {value}")
    return Statement.model_validate({_FIELDS[name][0]: value for name, value in found.items()})


def read_comments(text: str) -> Statement:
    """Return what the comments of a table state, such as ``# intensity: observed area``."""
    found = (_COMMENT.search(line) for line in text.splitlines() if "#" in line)
    return read_statement(((one[1], one[2]) for one in found if one), comment)


_KINDS: tuple[Intensity, ...] = ("activity", *get_args(Observed))


def _value(name: str, text: str) -> str | float | None:
    """Return the value of a statement, None if it is none of those allowed."""
    if name == "intensity":
        return text.lower() if text.lower() in _KINDS else None
    if name == "response":
        right = re.fullmatch(r"((?:un)?corrected)\b(.*)", text, re.IGNORECASE)
        return right[1].lower() + right[2] if right and len(text) <= _LONGEST_RESPONSE else None
    unit, least = ("nm", _SHORTEST_NM) if name == "laser" else ("K", 0.0)
    number = re.fullmatch(rf"{_NUMBER}\s*{unit}", text, re.ASCII | re.IGNORECASE)
    value = float(number[1]) if number else 0.0
    return value if value > 0 and least <= value <= LARGEST else None


def headed_intensity(heading: str) -> Intensity | None:
    """Return what the heading of a column says that its strengths are; None for an intensity.

    >>> headed_intensity("peak_height"), headed_intensity("Intensity (a.u.)")
    ('observed height', None)
    """
    found = [kind for kind in _KINDS if kind.removeprefix("observed ") in heading.lower()]
    return found[0] if len(found) == 1 else None


def agreed(said: Statement, options: Statement) -> Statement:
    """Return what a file and a user's options say together."""
    values = said.model_dump(exclude_none=True)
    for name, value in options.model_dump(exclude_none=True).items():
        if values.setdefault(name, value) != value:
            raise LibraryError(
                f"expected one {name}, got {values[name]} in the file and {value} as an option; "
                "leave out the wrong one"
            )
    return Statement.model_validate(values)


def decide(said: Statement, headed: Intensity | None, usual: Observed) -> Observation | None:
    """Return how the strengths of a table were observed; None if they are activities.

    A table whose strengths are not known to be activities has observed ones: what it leaves open
    is assumed, whether a heading, a comment or an option says the rest or nothing does, and
    ``warn_of_assumed`` says so.

    Parameters
    ----------
    said
        What the file and options state.
    headed
        What the heading of the column says.
    usual
        What strengths are if nothing states it.
    """
    kind = said.intensity or headed
    if headed not in (None, kind):
        raise LibraryError(
            f"expected the {kind} that is stated, got a column with the heading of {headed}; "
            "change either"
        )
    if kind == "activity":
        if said != Statement(intensity=said.intensity):
            raise LibraryError(
                "expected activities alone, got a laser, temperature or response with them, "
                "which belong to observed strengths; leave it out, or state that they are observed"
            )
        return None
    assumed = [] if kind else [str(usual)]
    assumed += [] if said.laser_nm else [f"{ASSUMED_LASER_NM:g} nm"]
    assumed += [] if said.temperature_k else [f"{ASSUMED_TEMPERATURE_K:g} K"]
    return Observation(
        kind or usual,
        said.laser_nm or ASSUMED_LASER_NM,
        said.temperature_k or ASSUMED_TEMPERATURE_K,
        said.response,
        tuple(assumed),
    )


def warn_of_assumed(seen: Observation, file: str, form: Form, one_width: bool = False) -> None:
    """Warn if the kind, the laser or the widths of observed strengths are assumed.

    A usual temperature needs no warning, as it matters less: 10 K are 2 % at 200 cm^-1, and nothing
    at 3000 cm^-1. ``one_width`` says that several heights have no widths.
    """
    temperature = f"{ASSUMED_TEMPERATURE_K:g} K"
    if any(one != temperature for one in seen.assumed):
        warnings.warn(
            f"{file}: does not state all of its intensities; assumed {', '.join(seen.assumed)}; "
            f"state them in the file ({_allowed(form, 'intensity', 'laser')}) or by --intensity "
            "and --laser-nm",
            TersWarning,
            stacklevel=2,
        )
    if one_width:
        warnings.warn(
            f"{file}: has observed heights without widths; assumed one width of all bands; add a "
            "column of widths, or give areas",
            TersWarning,
            stacklevel=2,
        )


def to_activities(rows: NDArray[np.float64], seen: Observation) -> NDArray[np.float64]:
    """Return sticks with activities instead of observed photon counts.

    A height times its width is an area, for profiles of one shape; an area over the Stokes factor
    for photon counts (D. A. Long, "The Raman Effect" (2002), ch. 5), relative to that at
    1000 cm^-1, is an activity. Heights without any width are taken as of bands of one width.

    Parameters
    ----------
    rows
        Position > 0 (cm^-1), strength and width (cm^-1, NaN where not known), shape (n, 3).
    seen
        What the strengths are.

    Raises
    ------
    LibraryError
        If only some heights have a width, or a band lies beyond the laser's wavenumber.
    """
    laser = wavelength_nm_to_cm1(seen.laser_nm)
    position, strength, width = rows.T
    if (position >= laser).any():
        raise LibraryError(
            f"expected shifts below the {laser:.0f} cm^-1 of a laser of {seen.laser_nm:g} nm, got "
            f"{position.max():g}"
        )
    known = ~np.isnan(width)
    if seen.kind == "observed height" and known.any():
        if not known.all():
            raise LibraryError(
                "expected a width for every observed height or for none, got some; give the "
                "others, or areas"
            )
        strength = strength * width
    reference = stokes_factor(REFERENCE_CM1, laser, seen.temperature_k, PHOTON_COUNT)
    factor = [
        stokes_factor(one, laser, seen.temperature_k, PHOTON_COUNT) for one in position.tolist()
    ]
    return np.column_stack([position, strength * (reference / np.array(factor)), width])
