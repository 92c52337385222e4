"""Princeton Instruments .spe: WinSpec (2.x, binary header) and LightField (3.0, XML at the end).

Princeton Instruments, *SPE 3.0 File Format Specification* (2014), whose appendix has the header of
2.x. Every row of every frame is a spectrum; frames have no positions.
"""

import re
import struct
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasurementError
from ...plugins import register
from ...text import printable
from ..binary import Content
from ..measurement import ABSOLUTE, SHIFT, WAVELENGTH, Measurement, StoredAxis, check_count, take
from ..reader import Reader, ReadOptions, shown_name

_HEADER = 4100
_NAMESPACE = "{http://www.princetoninstruments.com/spe/2009}"
_TYPES = {0: "<f4", 1: "<i4", 2: "<i2", 3: "<u2", 5: "<f8", 6: "<u1", 8: "<u4"}
_FORMATS = {
    "MonochromeUnsigned16": "<u2",
    "MonochromeUnsigned32": "<u4",
    "MonochromeFloating32": "<f4",
}
_UNITS = {3: (WAVELENGTH, "nm"), 4: (ABSOLUTE, "cm-1"), 5: (SHIFT, "cm-1")}
_UNIT_NAMES = ("pixels", "data", "a unit of the user", "nm", "cm^-1", "Raman shift")
_MOST_FRAMES = 1 << 20
_LARGEST_XML = 1 << 22
_MOST_COEFFICIENTS = 6


class _Region(NamedTuple):
    """The first rectangle of a frame."""

    rows: int
    columns: int
    kind: str
    """Type of its numbers, as NumPy writes it."""


@register("tersgen.readers", "princeton")
class Princeton(Reader):
    """Spectra of WinSpec and LightField."""

    format = "Princeton Instruments .spe"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file has the header of a .spe, all versions of which are alike."""
        if len(head) < _HEADER:
            return False
        (version,) = struct.unpack_from("<f", head, 1992)
        return bool(1 <= version < 4) and (head[4098:4100] == b"UU" or head[2996:3000] == b"gE#\1")

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return every row of every frame, over the calibration that the file holds."""
        content = Content(path)
        (version,) = content.unpack("<f", 1992, "a header")
        read = _read_3 if version >= 3 else _read_2
        axis, rows, laser, left = read(content)
        return take(shown_name(path), axis, rows, options, laser_nm=laser, left=left)


_Found = tuple[StoredAxis, NDArray[np.float64], float | None, list[str]]


def _frames(content: Content, n_frames: int, stride: int, region: _Region) -> NDArray[np.float64]:
    """Return the rows of a region in all frames, shape (n, columns)."""
    count = region.rows * region.columns
    size = count * np.dtype(region.kind).itemsize
    if not 1 <= n_frames <= _MOST_FRAMES or count < 2 or region.columns < 2 or stride < size:
        raise MeasurementError(
            f"expected frames of two columns or more, got {n_frames} of {region.rows} x "
            f"{region.columns} in {stride} bytes"
        )
    check_count(n_frames * count)
    content.part(_HEADER + (n_frames - 1) * stride, size, "the last frame")
    frames = [
        content.values(region.kind, count, _HEADER + k * stride, "a frame") for k in range(n_frames)
    ]
    return np.concatenate(frames).reshape(-1, region.columns)


def _read_2(content: Content) -> _Found:
    (code,) = content.unpack("<h", 108, "a header")
    if code not in _TYPES:
        raise MeasurementError(f"expected a type of data among {sorted(_TYPES)}, got {code}")
    columns, rows = (
        content.unpack("<H", 42, "a header")[0],
        content.unpack("<H", 656, "a header")[0],
    )
    (n_frames,) = content.unpack("<i", 1446, "a header")
    size = rows * columns * np.dtype(_TYPES[code]).itemsize
    spectra = _frames(content, n_frames, size, _Region(rows, columns, _TYPES[code]))
    valid, _, unit, order = content.unpack("<BBBB", 3098, "a calibration")
    if not valid or not 1 <= order < _MOST_COEFFICIENTS:
        raise MeasurementError(
            "expected an axis with a unit, got a .spe without calibration, over pixels; calibrate "
            "and save it, or export it as text"
        )
    if unit not in _UNITS:
        name = _UNIT_NAMES[unit] if unit < len(_UNIT_NAMES) else f"unit {unit}"
        raise MeasurementError(f"expected an axis in nm or cm^-1, got a .spe over {name}")
    coefficients = content.unpack("<6d", 3263, "a calibration")[: order + 1]
    first, _, group = content.unpack("<HHH", 1512, "a region")
    group = max(group, 1)
    pixels = max(first, 1) + group * np.arange(columns) + (group - 1) / 2
    (laser_cm1,) = content.unpack("<d", 3311, "a calibration")
    laser = 1e7 / laser_cm1 if 1e3 < laser_cm1 < 1e5 else None
    values = np.polynomial.polynomial.polyval(pixels, coefficients)
    left = _after_frames(_HEADER + n_frames * size, len(content))
    return StoredAxis.coded(*_UNITS[unit], np.asarray(values)), spectra, laser, left


def _after_frames(end: int, last: int) -> list[str]:
    """Return a line on bytes that no frame holds, if there are any."""
    return [f"{last - end} bytes after the last frame"] if last > end else []


def _read_3(content: Content) -> _Found:
    root, xml_at = _xml(content)
    frame = root.find(f"{_NAMESPACE}DataFormat/{_NAMESPACE}DataBlock")
    regions = [] if frame is None else frame.findall(f"{_NAMESPACE}DataBlock")
    if frame is None or not regions:
        raise MeasurementError("expected a frame with a region in the XML of a .spe, got none")
    pixel_format = frame.get("pixelFormat", "")
    if pixel_format not in _FORMATS:
        raise MeasurementError(
            f"expected {', '.join(_FORMATS)}, got the format {printable(pixel_format)[:40]!r}"
        )
    region = _Region(_number(regions[0], "height"), _number(regions[0], "width"),
                     _FORMATS[pixel_format])  # fmt: skip
    n_frames, stride = _number(frame, "count"), _number(frame, "stride")
    rows = _frames(content, n_frames, stride, region)
    mapping = root.find(f".//{_NAMESPACE}WavelengthMapping")
    if mapping is None:
        raise MeasurementError(
            "expected a calibration of wavelengths, got a .spe over pixels; calibrate and save it, "
            "or export it as text"
        )
    values = _wavelengths(mapping)
    if len(values) != region.columns:
        raise MeasurementError(
            f"expected a wavelength for each of {region.columns} columns, got {len(values)}"
        )
    try:
        laser = float(mapping.get("laserLine", ""))
    except ValueError:
        laser = 0.0
    left = _after_frames(_HEADER + n_frames * stride, xml_at)
    left += [f"{len(regions) - 1} other regions of each frame"] if len(regions) > 1 else []
    axis = StoredAxis.coded(WAVELENGTH, "nm", values)
    return axis, rows, laser if 100 < laser < 1e5 else None, left


def _xml(content: Content) -> tuple[ElementTree.Element, int]:
    """Return the XML after the data, and its place.

    It may define no entities, which would grow without bound.
    """
    at = max(content.unpack("<Q", 678, "a header")[0], _HEADER)
    raw = content.data[at:]
    if not raw or len(raw) > _LARGEST_XML or b"<!" in raw:
        got = f"{len(raw)} bytes" if len(raw) > _LARGEST_XML or not raw else "one"
        raise MeasurementError(
            f"expected at most 4 MiB of XML without declarations after the data, got {got}"
        )
    try:
        return ElementTree.fromstring(raw.rstrip(b"\0")), at
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise MeasurementError(f"expected XML after the data, got other: {error}") from None


def _number(element: ElementTree.Element, name: str) -> int:
    text = element.get(name, "")
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise MeasurementError(f"expected a number {name}=, got {printable(text)[:40]!r}")
    return int(text)


def _wavelengths(mapping: ElementTree.Element) -> NDArray[np.float64]:
    """Return the wavelengths of a mapping: alone, or each with its error."""
    alone = mapping.findtext(f"{_NAMESPACE}Wavelength")
    pairs = mapping.findtext(f"{_NAMESPACE}WavelengthError")
    words = alone.split(",") if alone else [one.split(",")[0] for one in (pairs or "").split()]
    check_count(len(words))
    try:
        return np.array([float(word) for word in words])
    except ValueError:
        got = printable(alone or pairs or "")[:40]
        raise MeasurementError(f"expected wavelengths separated by commas, got {got!r}") from None
