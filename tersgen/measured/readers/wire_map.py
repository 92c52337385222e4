"""Renishaw WiRE maps and series exported as .txt: a row for each point, with its position."""

import re
from pathlib import Path

import numpy as np

from ...errors import MeasurementError
from ...plugins import register
from ...text import printable
from ..measurement import SHIFT, Measurement, StoredAxis, take
from ..positions import starts_of_spectra
from ..reader import Reader, ReadOptions, shown_name
from ..table import numbers, read_lines

_HEADING = re.compile(
    r"(\ufeff)?#(?P<places>(X\t+#Y\t+(#Z\t+)?|[^#\t]+\t+)#)Wave\t+#Intensity\s*", re.IGNORECASE
)
_HEADING_BYTES = re.compile(
    rb"(\xef\xbb\xbf)?#(X\t+#Y\t+(#Z\t+)?|[^#\t\r\n]+\t+)#Wave\t+#Intensity\s", re.IGNORECASE
)


@register("tersgen.readers", "wire_map")
class WireMap(Reader):
    """Maps (#X #Y #Wave #Intensity) and series (#Time #Wave #Intensity) of WiRE as text."""

    format = "WiRE map .txt"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins with the heading of a map."""
        return _HEADING_BYTES.match(head) is not None

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return the spectra with x and y in micrometres; another place is left."""
        lines = read_lines(path)
        if _HEADING.fullmatch(lines[0]) is None:
            raise MeasurementError(
                f"expected the heading '#X #Y #Wave #Intensity', got {printable(lines[0])[:60]!r}"
            )
        names = re.split(r"\t+", lines[0].strip().lstrip("\ufeff"))
        table = numbers(lines[1:], 2, None, len(names))
        if not len(table):
            raise MeasurementError("expected points of spectra, got none")
        places, wave, intensity = table[:, :-2], table[:, -2], table[:, -1]
        starts = starts_of_spectra(places, wave)
        has_xy = len(names) >= 4
        return take(
            shown_name(path),
            StoredAxis.coded(SHIFT, "cm-1", np.split(wave, starts[1:])),
            np.split(intensity, starts[1:]),
            options,
            positions_um=places[starts, :2] if has_xy else None,
            left=[] if len(names) == 4 else [f"column {names[2 if has_xy else 0]}"],
        )
