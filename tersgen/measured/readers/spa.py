"""Thermo OMNIC .spa: one spectrum, found by the table of keys after the title.

The format is not published; offsets and codes are those of SpectroChemPy 1.1 (CeCILL-B).
"""

from pathlib import Path

import numpy as np

from ...errors import MeasurementError
from ...plugins import register
from ..binary import Content
from ..measurement import SHIFT, WAVELENGTH, Measurement, StoredAxis, take
from ..reader import Reader, ReadOptions, shown_name

_MAGIC = b"Spectral Data File"
_KEYS_AT = 304
_HEADER_KEY, _DATA_KEY = 2, 3
_AXES = {3: (WAVELENGTH, "nm"), 4: (WAVELENGTH, "um"), 32: (SHIFT, "cm-1")}
_AXIS_NAMES = {1: "wavenumbers, of an infrared spectrum", 2: "data points"}
_RAMAN_INTENSITY = 31
_INTENSITY_NAMES = {
    11: "reflectance", 12: "log(1/R)", 15: "a single beam", 16: "transmittance", 17: "absorbance",
    20: "Kubelka-Munk", 21: "reflectance", 22: "the signal of a detector", 26: "photoacoustic",
}  # fmt: skip


@register("tersgen.readers", "spa")
class Spa(Reader):
    """A Raman spectrum of OMNIC."""

    format = "Thermo OMNIC .spa"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins with the signature of OMNIC."""
        return head.startswith(_MAGIC)

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return the spectrum; one whose intensities are no Raman intensities is refused."""
        content = Content(path)
        (n_keys,) = content.unpack("<H", 294, "a header")
        keys: dict[int, tuple[int, int]] = {}
        for k in range(n_keys):
            key, at, length = content.unpack("<BxII", _KEYS_AT + 16 * k, "a table of keys")
            keys.setdefault(key, (at, length))
        if _HEADER_KEY not in keys or _DATA_KEY not in keys:
            raise MeasurementError("expected a header and a spectrum in a .spa, got none")
        header, (data_at, data_size) = keys[_HEADER_KEY][0], keys[_DATA_KEY]
        n_points, x_code, y_code, first, last = content.unpack("<IB3xB3xff", header + 4, "a header")
        if y_code != _RAMAN_INTENSITY:
            got = _INTENSITY_NAMES.get(y_code, f"intensities of type {y_code}")
            raise MeasurementError(f"expected Raman intensities, got a .spa of {got}")
        if x_code not in _AXES:
            got = _AXIS_NAMES.get(x_code, f"an axis of type {x_code}")
            raise MeasurementError(f"expected an axis of Raman shifts, got a .spa over {got}")
        if n_points < 2 or data_size != 4 * n_points:
            raise MeasurementError(
                f"expected {n_points} intensities, as the header says, got {data_size} bytes"
            )
        values = content.values("<f4", n_points, data_at, "a spectrum")
        (laser_cm1,) = content.unpack("<f", header + 96, "a header")
        laser = 1e7 / laser_cm1 if 1e3 < laser_cm1 < 1e5 else None
        axis = StoredAxis.coded(*_AXES[x_code], np.linspace(first, last, n_points))
        others = len(keys) - 2
        left = [f"{others} other blocks (texts, background, settings)"] if others else []
        return take(shown_name(path), axis, [values], options, laser_nm=laser, left=left)
