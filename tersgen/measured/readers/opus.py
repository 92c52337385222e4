"""Bruker OPUS: Raman spectra in the blocks that the directory of a file lists.

The format is not published; the meaning of its block types and parameters is that of brukeropus
1.4 (MIT), which was compared.
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasurementError
from ...plugins import register
from ..binary import Content
from ..measurement import SHIFT, Measurement, StoredAxis, check_count, take
from ..reader import Reader, ReadOptions, shown_name

_MAGIC = b"\x0a\x0a\xfe\xfe"
_MOST_BLOCKS = 4096
_RAMAN = 10
_KINDS = {
    1: "single-channel spectra", 2: "interferograms", 3: "phase spectra", 4: "absorbance",
    5: "transmittance", 6: "Kubelka-Munk", 7: "traces", 8: "GC interferograms", 9: "GC spectra",
    10: "Raman", 11: "emission", 12: "reflectance", 14: "power", 15: "log(1/R)", 16: "ATR",
    17: "photoacoustic",
}  # fmt: skip
_SERIES = 2
_RECORD = 112
"""Bytes of the record after each spectrum of a series, as far as they are read."""
_WAVENUMBERS, _FLOAT32, _INT32 = "WN", 1, 2
_RAMAN_LASER = "RLW"


class _Block(NamedTuple):
    """An entry of the directory."""

    kind: int
    """Type of data, see ``_KINDS``; 0 for parameters of the instrument and texts."""
    source: tuple[int, int]
    """Part (real, amplitude) and sample or reference: what data and their parameters share."""
    parameters: int
    """0: data, 1: parameters of data, 2 and above: of the instrument."""
    extra: int
    """2: series; other numbers above 0: reports and logs."""
    start: int
    size: int


@register("tersgen.readers", "opus")
class Opus(Reader):
    """Raman spectra of OPUS, files .0, .1 and so on."""

    format = "Bruker OPUS"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins with the signature of OPUS."""
        return head.startswith(_MAGIC)

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return the Raman spectra in a file; the laser is that of its instrument's parameters."""
        content = Content(path)
        blocks = _directory(content)
        raman = [one for one in blocks if one.kind == _RAMAN and not one.parameters]
        data = [one for one in raman if one.extra in (0, _SERIES)]
        others = sorted({one.kind for one in blocks if one.kind and not one.parameters} - {_RAMAN})
        found = ", ".join(_KINDS.get(kind, f"type {kind}") for kind in others if kind != 13)
        if not data:
            got = "Raman data of another form" if raman else found or "no spectrum"
            raise MeasurementError(
                f"expected Raman spectra in OPUS, got {got}; export them as text"
            )
        spectra = [spectrum for one in data for spectrum in _spectra(content, one, blocks)]
        axes, rows = [axis for axis, _ in spectra], [row for _, row in spectra]
        left = [f"blocks of {found}"] if found else []
        left += ["Raman data of another form"] if len(raman) > len(data) else []
        left += ["times and places of the series"] if any(one.extra for one in data) else []
        axis = StoredAxis.coded(SHIFT, "cm-1", axes)
        laser = _laser(content, blocks)
        return take(shown_name(path), axis, rows, options, laser_nm=laser, left=left)


def _directory(content: Content) -> list[_Block]:
    start, _, n_blocks = content.unpack("<iii", 12, "a header")
    if not 0 < n_blocks <= _MOST_BLOCKS:
        raise MeasurementError(f"expected 1 to {_MOST_BLOCKS} blocks of OPUS, got {n_blocks}")
    blocks = []
    for k in range(n_blocks):
        code, words, place = content.unpack("<III", start + 12 * k, "a directory")
        source = code & 3, code >> 2 & 3
        kind, parameters = code >> 10 & 31, code >> 4 & 63  # bits 15 and 16 count channels
        blocks.append(_Block(kind, source, parameters, code >> 19, place, 4 * words))
    return blocks


def _spectra(
    content: Content, data: _Block, blocks: list[_Block]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return shifts and intensities of a block of data: of one spectrum, or of a series."""
    status = next(
        (b for b in blocks if b.parameters == 1 and (b.kind, b.source) == (data.kind, data.source)),
        None,
    )
    if status is None:
        raise MeasurementError("expected the parameters of the Raman spectrum in OPUS, got none")
    known = _parameters(content, status)
    unit, form = known.get("DXU"), known.get("DPF")
    if unit != _WAVENUMBERS:
        raise MeasurementError(f"expected an axis of wavenumbers (DXU=WN), got {unit!r:.40}")
    if form not in (_FLOAT32, _INT32):
        raise MeasurementError(f"expected data of float32 or int32 (DPF=1 or 2), got {form!r:.40}")
    try:
        n_points, scale = int(known["NPT"]), float(known["CSF"])
        first, last = float(known["FXV"]), float(known["LXV"])
    except (KeyError, ValueError, TypeError, OverflowError):
        names = ("NPT", "CSF", "FXV", "LXV")
        got = ", ".join(f"{name} {known.get(name, 'missing')!s:.20}" for name in names)
        raise MeasurementError(
            f"expected numbers NPT, CSF, FXV and LXV in the parameters of OPUS, got {got}"
        ) from None
    if not 2 <= n_points <= data.size // 4:
        raise MeasurementError(
            f"expected at most {data.size // 4} points, as the block holds, got {n_points}"
        )
    check_count(n_points)
    kind = "<f4" if form == _FLOAT32 else "<i4"
    axis = np.linspace(first, last, n_points)
    if data.extra == _SERIES:
        return [(axis, row) for row in _series(content, data, kind, n_points)]
    return [(axis, content.values(kind, n_points, data.start, "a spectrum") * scale)]


def _series(content: Content, data: _Block, kind: str, n_points: int) -> list[NDArray[np.float64]]:
    """Return the intensities of a series, each with a record that has its extremes and factor.

    No file with a known answer is public. So each spectrum must have the extremes that its record
    states, with the factor or, if they are those of the stored numbers, without.
    """
    n_spectra, start, size, record = content.unpack("<4x4i", data.start, "a series")
    if not (n_spectra > 0 and size >= 4 * n_points and record >= _RECORD and start >= 24):
        raise MeasurementError(
            f"expected a series of spectra of {4 * n_points} bytes, got {n_spectra} of {size} "
            f"bytes at {start} with records of {record}"
        )
    end = data.start + data.size
    rows: list[NDArray[np.float64]] = []
    at = data.start + start
    while len(rows) < n_spectra and at + size + record <= end:
        values = content.values(kind, n_points, at, "a spectrum of a series")
        (count,) = content.unpack("<i", at + size + 12, "a record of a series")
        least, most, factor = content.unpack("<3d", at + size + 88, "a record of a series")
        check_count(len(rows) * n_points, len(rows))
        row = next(
            (one for one in (values * factor, values)
             if np.allclose([one.min(), one.max()], [least, most], rtol=1e-4)), None
        )  # fmt: skip
        if row is None or count != n_points:
            raise MeasurementError(
                f"expected {n_points} intensities from {least:g} to {most:g} in spectrum "
                f"{len(rows)} of the series, as it states, got {count} from {values.min():g} to "
                f"{values.max():g}; export them as text"
            )
        rows.append(row)
        at += size + record
    if not rows:
        raise MeasurementError("expected a series of spectra, got none; is the file whole?")
    return rows


def _parameters(content: Content, block: _Block) -> dict[str, Any]:
    """Return the parameters of a block by their names of three letters."""
    raw = content.part(block.start, block.size, "parameters")
    known: dict[str, Any] = {}
    at = 0
    while at + 8 <= len(raw) and raw[at : at + 3] != b"END":
        name = raw[at : at + 3].decode("latin-1")
        form, words = struct.unpack_from("<HH", raw, at + 4)
        value = raw[at + 8 : at + 8 + 2 * words]
        if form == 0 and len(value) >= 4:
            known[name] = struct.unpack_from("<i", value)[0]
        elif form == 1 and len(value) >= 8:
            known[name] = struct.unpack_from("<d", value)[0]
        elif form >= 2:
            known[name] = value.split(b"\0", 1)[0].decode("latin-1")
        at += 8 + 2 * words
    return known


def _laser(content: Content, blocks: list[_Block]) -> float | None:
    """Return the laser of the instrument, nm."""
    for block in blocks:
        if block.parameters > 1 and not block.extra:
            value = _parameters(content, block).get(_RAMAN_LASER)
            if isinstance(value, float) and 1e3 < value < 1e5:
                return 1e7 / value
    return None
