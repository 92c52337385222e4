"""Galactic and Thermo GRAMS .spc, new (1996) and old format.

Galactic Industries, *A Brief Guide to SPC File Format* (1997): a header of 512 (old: 224) bytes,
perhaps one X array, then for each spectrum a header of 32 bytes and its Y array.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasurementError
from ...plugins import register
from ..axis import Kind
from ..binary import Content
from ..measurement import (
    ABSOLUTE,
    ENERGY,
    SHIFT,
    WAVELENGTH,
    Measurement,
    StoredAxis,
    check_count,
    take,
)
from ..reader import Reader, ReadOptions, shown_name

_NEW, _OLD, _BIG_ENDIAN = 0x4B, 0x4D, 0x4C
_SHORT, _MULTI, _LABELS, _OWN_X, _X = 0x01, 0x04, 0x20, 0x40, 0x80
_HEADER, _OLD_HEADER, _SUBHEADER = 512, 224, 32
_FLOAT = -128
"""Exponent that says that intensities are float32."""

_X_TYPES = (
    "arbitrary", "wavenumber (cm^-1)", "micrometers", "nanometers", "seconds", "minutes", "Hz",
    "kHz", "MHz", "mass (m/z)", "ppm", "days", "years", "Raman shift (cm^-1)", "eV", "text labels",
    "diode number", "channel", "degrees", "Fahrenheit", "Celsius", "kelvin", "data points",
    "milliseconds", "microseconds", "nanoseconds", "GHz", "centimeters", "meters", "millimeters",
    "hours",
)  # fmt: skip
_AXES: dict[int, tuple[Kind, str]] = {
    1: (ABSOLUTE, "cm-1"),
    2: (WAVELENGTH, "um"),
    3: (WAVELENGTH, "nm"),
    13: (SHIFT, "cm-1"),
    14: (ENERGY, "ev"),
}
_LENGTHS_UM = {2: 1.0, 3: 1e-3, 27: 1e4, 28: 1e6, 29: 1e3}
_Y_TYPES = {
    0: "arbitrary", 1: "an interferogram", 2: "absorbance", 3: "Kubelka-Munk", 4: "counts",
    5: "volts", 6: "degrees", 7: "milliamperes", 8: "millimeters", 9: "millivolts",
    10: "log(1/R)", 11: "percent", 12: "intensity", 13: "relative intensity", 14: "energy",
    16: "decibels", 19: "Fahrenheit", 20: "Celsius", 21: "kelvin", 22: "refractive index",
    23: "extinction coefficient", 24: "real part", 25: "imaginary part", 26: "complex",
    128: "transmission", 129: "reflectance", 130: "a single beam", 131: "emission",
}  # fmt: skip
_INTENSITIES = (0, 4, 5, 9, 12, 13, 131)
_EXPERIMENTS = (
    "general", "gas chromatography", "chromatography", "HPLC", "FT-IR, FT-NIR or FT-Raman", "NIR",
    "unknown", "UV-VIS", "X-ray diffraction", "mass spectrometry", "NMR", "Raman", "fluorescence",
    "atomic spectroscopy", "diode array chromatography",
)  # fmt: skip
_MAY_BE_RAMAN = (0, 4, 11)
_RAMAN = 11
_NOT_SCATTERED = re.compile(r"absorb|transmi|reflect|%\s*[TR]\b", re.IGNORECASE)
_LASER_NM = re.compile(r"Laser=[^\r\n]*?(\d{3,4}(?:\.\d+)?)\s?nm")
_LASER_CM1 = re.compile(r"RAMANFREQ=\s*(\d{4,5}(?:\.\d+)?)")
_LARGEST_SHIFT = 5000.0


class Spc(NamedTuple):
    """What a .spc file holds, of whatever kind."""

    x_type: int
    y_type: int
    experiment: int
    axes: list[NDArray[np.float64]]
    """One of all spectra, or one for each; as stored."""
    rows: list[NDArray[np.float64]]
    places: NDArray[np.float64]
    """Z and W of each spectrum, shape (n, 2)."""
    place_types: tuple[int, int]
    """Codes of their units, as those of X."""
    labels: tuple[str, ...]
    log: str
    left: tuple[str, ...]


class _Header(NamedTuple):
    """What both headers say."""

    flags: int
    exponent: int
    n_points: int
    first: float
    last: float
    n_spectra: int | None
    """None if they go on to the end of the file."""
    order: str = "<"
    """Order of bytes: < for little-endian, > for big-endian."""


def _looks_right(head: bytes) -> bool:
    """Return whether a file begins as .spc: its signature is one byte only."""
    if len(head) < _OLD_HEADER + _SUBHEADER or b"\0" not in head[:_OLD_HEADER]:
        return False
    if head[1] in (_NEW, _BIG_ENDIAN):
        known = head[28] < len(_X_TYPES) or head[28] == 255
        # X arrays of their own without X arrays are what a ZIP archive (PK) would have.
        fits = head[0] & (_OWN_X | _X) != _OWN_X and len(head) >= _HEADER
        return fits and known and head[2] < len(_EXPERIMENTS) and head[29] <= 131
    return head[1] == _OLD and head[16] < len(_X_TYPES) and head[17] <= 131


@register("tersgen.readers", "spc")
class SpcReader(Reader):
    """Raman spectra and maps in .spc; those of other techniques are refused by their codes."""

    format = "GRAMS .spc"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins with a header of .spc."""
        return _looks_right(head)

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return the spectra in a file; x of a map is its Z axis and y its W axis."""
        spc = parse_spc(Content(path))
        kind, unit = _axis_of(spc)
        left = [*spc.left]
        scales = [_LENGTHS_UM.get(code) for code in spc.place_types]
        positions = None
        if len(spc.rows) > 1 and np.ptp(spc.places, axis=0).any():
            if all(scale is not None or not np.ptp(spc.places[:, k]) for k, scale in
                   enumerate(scales)):  # fmt: skip
                positions = spc.places * [scale or 1.0 for scale in scales]
            else:
                units = " and ".join(_name(_X_TYPES, code) for code in spc.place_types)
                left.append(f"Z and W values of each spectrum ({units}): no lengths")
        one = len(spc.axes) == 1
        axis = StoredAxis.coded(kind, unit, spc.axes[0] if one else spc.axes)
        return take(
            shown_name(path),
            axis,
            spc.rows,
            options,
            laser_nm=_laser(spc.log),
            positions_um=positions,
            left=left,
        )


def _axis_of(spc: Spc) -> tuple[Kind, str]:
    """Return kind and unit of the axis, or refuse a file that is not of Raman spectra."""
    if spc.experiment not in _MAY_BE_RAMAN:
        raise MeasurementError(
            f"expected Raman spectra, got a .spc of {_name(_EXPERIMENTS, spc.experiment)}"
        )
    shown = _Y_TYPES.get(spc.y_type, f"type {spc.y_type}")
    label = next((one for one in spc.labels[1:2] if _NOT_SCATTERED.search(one)), None)
    if spc.y_type not in _INTENSITIES or label:
        raise MeasurementError(f"expected Raman intensities, got a .spc of {label or shown}")
    x_type = _name(_X_TYPES, spc.x_type)
    if spc.x_type not in _AXES:
        raise MeasurementError(f"expected an axis of Raman shifts, got a .spc over {x_type}")
    kind, unit = _AXES[spc.x_type]
    if kind == ABSOLUTE:
        if spc.experiment != _RAMAN:
            raise MeasurementError(
                f"expected an axis of Raman shifts, got a .spc over {x_type} that does not say "
                "that it is Raman; export it as text with the heading 'Raman shift (cm-1)'"
            )
        # No laser is so far in the infrared that its Raman lines lie below 5000 cm^-1.
        largest = max(float(np.max(one, initial=0.0)) for one in spc.axes)
        kind = SHIFT if largest < _LARGEST_SHIFT else ABSOLUTE
    return kind, unit


def _name(names: tuple[str, ...], code: int) -> str:
    return names[code] if 0 <= code < len(names) else f"type {code}"


def _laser(log: str) -> float | None:
    """Return the laser that the log states, nm."""
    if found := _LASER_NM.search(log):
        return float(found[1])
    found = _LASER_CM1.search(log)
    return 1e7 / float(found[1]) if found else None


def parse_spc(content: Content) -> Spc:
    """Return what a .spc file holds, whatever technique it is of."""
    version = content.unpack("<xB", 0, "a header")[0]
    if version == _OLD:
        return _parse_old(content)
    order = ">" if version == _BIG_ENDIAN else "<"
    content.part(0, _HEADER, "a header")
    flags, _, experiment, exponent, n_points, first, last, n_spectra, x_type, y_type, z_type = (
        content.unpack(f"{order}BBBbiddiBBB", 0, "a header")
    )
    labels = content.part(218, 30, "labels").decode("latin-1").split("\0")
    log_at = content.unpack(f"{order}i", 248, "a header")[0]
    z_step, n_planes, w_step, w_type = content.unpack(f"{order}fifB", 312, "a header")
    if n_spectra < 1:
        raise MeasurementError(f"expected at least one spectrum, got {n_spectra}")
    header = _Header(flags, exponent, n_points, first, last, n_spectra, order)
    axes, rows, places, end = _spectra(content, header, _HEADER)
    number = np.arange(len(rows))
    in_plane = max(len(rows) // max(n_planes, 1), 1)
    if z_step and not np.ptp(places[:, 0]):
        places[:, 0] += z_step * (number % in_plane)
    if w_step and n_planes > 1 and not np.ptp(places[:, 1]):
        places[:, 1] += w_step * (number // in_plane)
    log, log_bytes = _log(content, log_at, order)
    n_more = (log_at if log_bytes else len(content)) - end
    left = [f"log of {log_bytes} bytes"] if log_bytes else []
    left += [f"{n_more} bytes after the last spectrum"] if n_more > 0 else []
    shown = tuple(labels) if flags & _LABELS else ()
    codes = (z_type, w_type)
    return Spc(x_type, y_type, experiment, axes, rows, places, codes, shown, log, tuple(left))


def _parse_old(content: Content) -> Spc:
    flags, _, exponent, points, first, last, x_type, y_type = content.unpack(
        "<BBhfffBB", 0, "a header"
    )
    if not (np.isfinite(points) and points == int(points)):
        raise MeasurementError(f"expected a number of points, got {points:g}")
    header = _Header(flags & ~(_OWN_X | _X), exponent, int(points), first, last, None)
    axes, rows, places, end = _spectra(content, header, _OLD_HEADER, old=True)
    n_more = len(content) - end
    left = (f"{n_more} bytes after the last spectrum",) if n_more else ()
    return Spc(x_type, y_type, 0, axes, rows, places, (0, 0), (), "", left)


def _spectra(
    content: Content, header: _Header, at: int, old: bool = False
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]], NDArray[np.float64], int]:
    """Return axes, rows, Z and W of all spectra, and where they end."""
    has_own = bool(header.flags & _OWN_X and header.flags & _X)
    axes: list[NDArray[np.float64]] = []
    if not has_own:
        if header.n_points < 2:
            raise MeasurementError(f"expected two points or more, got {header.n_points}")
        if header.flags & _X:
            axes.append(content.values(f"{header.order}f4", header.n_points, at, "an axis"))
            at += 4 * header.n_points
        else:
            content.part(at, 2 * header.n_points, "intensities")
            axes.append(np.linspace(header.first, header.last, header.n_points))
    rows: list[NDArray[np.float64]] = []
    places: list[tuple[float, float]] = []
    n_values = 0
    while len(rows) < header.n_spectra if header.n_spectra else at + _SUBHEADER <= len(content):
        sub_exponent, z, n_own, w = content.unpack(f"{header.order}xbxxf8xi4xf", at, "a subheader")
        at += _SUBHEADER
        n_points = n_own if has_own else header.n_points
        if has_own:
            axes.append(content.values(f"{header.order}f4", n_points, at, "an axis"))
            at += 4 * n_points
        many = header.flags & _MULTI or has_own
        exponent = sub_exponent if many else header.exponent
        values, size = _intensities(content, at, n_points, exponent, header, old)
        n_values += n_points
        check_count(n_values, len(rows) + 1)
        rows.append(values)
        places.append((z, w))
        at += size
        if old and not header.flags & _MULTI:
            break
    return axes, rows, np.array(places, np.float64).reshape(-1, 2), at


def _intensities(
    content: Content, at: int, n_points: int, exponent: int, header: _Header, old: bool
) -> tuple[NDArray[np.float64], int]:
    """Return the Y array at a place, and its size in bytes."""
    what, order = "intensities", header.order
    if exponent == _FLOAT and not old:
        return content.values(f"{order}f4", n_points, at, what), 4 * n_points
    if not -127 <= exponent <= 127:
        raise MeasurementError(f"expected an exponent of -127 to 127, got {exponent}")
    if header.flags & _SHORT:
        words = content.values(f"{order}i2", n_points, at, what)
        return words * 2.0 ** (exponent - 16), 2 * n_points
    if old:  # the high word comes first
        words = content.values("<u2", 2 * n_points, at, what).reshape(-1, 2)
        high = np.where(words[:, 0] >= 0x8000, words[:, 0] - 0x10000, words[:, 0])
        return (high * 0x10000 + words[:, 1]) * 2.0 ** (exponent - 32), 4 * n_points
    return content.values(f"{order}i4", n_points, at, what) * 2.0 ** (exponent - 32), 4 * n_points


def _log(content: Content, at: int, order: str) -> tuple[str, int]:
    """Return the text of the log block, and the bytes of the block; nothing if it is damaged."""
    if not _HEADER <= at <= len(content) - 64:
        return "", 0
    size, _, text_at = content.unpack(f"{order}III", at, "a log")
    end = min(at + size, len(content))
    return content.data[at + min(text_at, size) : end].decode("latin-1"), max(end - at, 0)
