"""Spectra of a made-up instrument, .dat: a signature, a JSON header of one line, float32 counts.

The header says where the axis starts and its step, both in cm^-1, and how many spectra there are.
"""

import json
from pathlib import Path

import numpy as np

from tersgen.errors import MeasurementError
from tersgen.measured.reader import Reader, ReadOptions
from tersgen.measured.spectrum import Spectrum, ascending

_SIGNATURE = b"EXAMPLE SPECTROMETER\n"


class Dat(Reader):
    """Several spectra on one axis."""

    format = "example spectrometer .dat"

    def matches(self, path: Path, head: bytes) -> bool:
        return head.startswith(_SIGNATURE)

    def read(self, path: Path, options: ReadOptions) -> list[Spectrum]:
        header, _, body = path.read_bytes().removeprefix(_SIGNATURE).partition(b"\n")
        facts = json.loads(header)
        if len(body) % (4 * facts["spectra"]):
            raise MeasurementError(
                f"expected {facts['spectra']} spectra of equal length, got {len(body)} bytes"
            )
        counts = np.frombuffer(body, "<f4").reshape(facts["spectra"], -1).astype(np.float64)
        axis = facts["start_cm1"] + facts["step_cm1"] * np.arange(counts.shape[1])
        return [ascending(f"{path.name}[{k}]", axis, row) for k, row in enumerate(counts)]
