"""MATLAB files, .mat of version 5 to 7: exports of WITec, and arrays of one's own."""

from importlib import util
from pathlib import Path

from ...errors import MeasurementError, MissingExtraError
from ...plugins import register
from ...text import printable
from ..axis import evidence_of
from ..isolated import read_isolated
from ..measurement import Measurement, StoredAxis, take
from ..reader import Reader, ReadOptions, RowArrays, check_size, shown_name
from ..table import states_axis
from .arrays import rows_of

_LARGEST_FILE = 1 << 28


@register("tersgen.readers", "matlab")
class Matlab(Reader):
    """Spectra and maps in MATLAB files, through SciPy."""

    format = "MATLAB .mat"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins as a MATLAB file of version 5 to 7."""
        return head.startswith(b"MATLAB 5.0 MAT-file")

    def read(self, path: Path, options: ReadOptions) -> Measurement | RowArrays:
        """Return the spectra, see ``measured/matlab.py``."""
        if util.find_spec("scipy") is None:
            raise MissingExtraError(
                f"{shown_name(path)}: expected SciPy for MATLAB files, got no such package; run: "
                "pip install 'tersgen[instruments]', or export the spectrum as text"
            )
        check_size(path, _LARGEST_FILE)
        content, arrays = read_isolated(path, "matlab", "MATLAB")
        if content["form"] == "arrays":
            return rows_of(dict(zip(content["names"], arrays, strict=True)), options.axis)
        axis, rows, positions = arrays
        if not states_axis(content["unit"]):
            raise MeasurementError(
                f"expected an axis in 'rel. 1/cm' or nm, got {printable(content['unit'])[:40]!r}"
            )
        return take(
            shown_name(path),
            StoredAxis(evidence_of(content["unit"]), axis),
            rows,
            options,
            positions_um=positions if len(positions) else None,
            left=content["left"],
        )
