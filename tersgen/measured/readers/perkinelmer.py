"""PerkinElmer Spectrum .sp: members of one data set, each with its type and size.

Member numbers are those of PerkinElmer's own import tools for MATLAB (S. Westlake, 2007).
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasurementError
from ...plugins import register
from ..binary import Content
from ..measurement import SHIFT, Measurement, StoredAxis, take
from ..reader import Reader, ReadOptions, shown_name

_MAGIC = b"PEPE"
_FIRST_MEMBER = 44
_DATA_SET = 120
_RANGE, _INTERVAL, _COUNT, _X_LABEL, _Y_LABEL = -29838, -29836, -29835, -29833, -29832
_DATA = -29828
_RAMAN = re.compile(rb"raman", re.IGNORECASE)
_WAVENUMBERS = re.compile(r"cm-1|cm\^-1|1/cm|raman", re.IGNORECASE)
_NOT_SCATTERED = re.compile(r"%|^\s*A\s*$|abs|refl|trans|log|EGY", re.IGNORECASE)


@register("tersgen.readers", "perkinelmer")
class PerkinElmer(Reader):
    """A Raman spectrum of Spectrum."""

    format = "PerkinElmer .sp"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins with the signature of PerkinElmer."""
        return head.startswith(_MAGIC)

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return the spectrum; a file that nowhere says Raman is refused, as most are infrared."""
        content = Content(path)
        members, left = _members(content)
        x_label, y_label = (_label(content, members, key) for key in (_X_LABEL, _Y_LABEL))
        if _NOT_SCATTERED.search(y_label) or not _WAVENUMBERS.search(x_label):
            raise MeasurementError(
                f"expected Raman intensities over cm^-1, got a .sp of {y_label!r:.40} over "
                f"{x_label!r:.40}"
            )
        if not _RAMAN.search(content.data):
            raise MeasurementError(
                f"expected a .sp that says that it is Raman, got {y_label!r:.40} over "
                f"{x_label!r:.40}; export it as text with the heading 'Raman shift (cm-1)'"
            )
        axis, values = _spectrum(content, members)
        name = shown_name(path)
        return take(name, StoredAxis.coded(SHIFT, "cm-1", axis), [values], options, left=left)


def _members(content: Content) -> tuple[dict[int, int], list[str]]:
    """Return where each member's content begins, after its type code, and what is left."""
    members: dict[int, int] = {}
    n_others, at = 0, _FIRST_MEMBER
    while at + 6 <= len(content):
        key, size = content.unpack("<hi", at, "a member")
        at += 6
        if key == _DATA_SET:  # members stand inside it
            continue
        content.part(at, size, f"a member {key}")
        n_others += key not in (_RANGE, _INTERVAL, _COUNT, _X_LABEL, _Y_LABEL, _DATA)
        members.setdefault(key, at + 2)
        at += size
    missing = [key for key in (_RANGE, _COUNT, _DATA) if key not in members]
    if missing:
        raise MeasurementError(
            f"expected range, number of points and data in a .sp, got no member {missing[0]}; is "
            "it whole?"
        )
    return members, [f"{n_others} other members (history, instrument)"] if n_others else []


def _label(content: Content, members: dict[int, int], key: int) -> str:
    if key not in members:
        return ""
    (length,) = content.unpack("<h", members[key], "a label")
    return content.text(members[key] + 2, length, "a label")


def _spectrum(
    content: Content, members: dict[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, last = content.unpack("<dd", members[_RANGE], "a range")
    (n_points,) = content.unpack("<i", members[_COUNT], "a number of points")
    (size,) = content.unpack("<i", members[_DATA], "data")
    if n_points < 2 or size != 8 * n_points:
        raise MeasurementError(f"expected data of {n_points} points, got {size} bytes")
    if _INTERVAL in members:
        (step,) = content.unpack("<d", members[_INTERVAL], "an interval")
        if not abs(abs(step) * (n_points - 1) - abs(last - first)) <= abs(step):
            raise MeasurementError(
                f"expected {n_points} points from {first:g} to {last:g}, got an interval of "
                f"{step:g}"
            )
    values = content.values("<f8", n_points, members[_DATA] + 4, "data")
    return np.linspace(first, last, n_points), values
