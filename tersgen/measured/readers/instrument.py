"""Files of instruments, through RosettaSciIO: Renishaw, Horiba Jobin Yvon, TriVista, EMSA.

RosettaSciIO is an extra; its readers are chosen by the content of a file, never by its extension.
"""

import logging
import os
import re
import warnings
from importlib import import_module, util
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasurementError, MissingExtraError
from ...plugins import register
from ...text import printable
from ..axis import AxisMeaning, Evidence, decide_axis, evidence_of
from ..conversion import to_shift
from ..measurement import Measurement, placed
from ..positions import PlaceAxis, grid_positions
from ..reader import Reader, ReadOptions, check_size, shown_name
from ..spectrum import Spectrum, tried
from ..wdf import positions_of_wdf

_MOST_SPECTRA = 1_000_000
_HEAD = 4096
LARGEST_FILE = 1 << 30
"""Larger files of instruments are refused."""


class _Instrument(Reader):
    """A format that RosettaSciIO reads."""

    kind: ClassVar[str]
    """Its module in RosettaSciIO."""

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return every spectrum in a file of an instrument, see ``read_instrument``."""
        check_size(path, LARGEST_FILE)
        return read_instrument(path, shown_name(path), self.kind, options)


@register("tersgen.readers", "renishaw")
class Renishaw(_Instrument):
    """Files of WiRE, .wdf."""

    format = "Renishaw .wdf"
    kind = "renishaw"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins with the block of a .wdf."""
        return head.startswith(b"WDF1")


@register("tersgen.readers", "emsa")
class Emsa(_Instrument):
    """Spectra as ISO 22029, .msa."""

    format = "EMSA"
    kind = "msa"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file states this format."""
        return re.search(rb"^#FORMAT\s*:\s*EMSA", head[:_HEAD], re.MULTILINE) is not None


@register("tersgen.readers", "horiba")
class Horiba(_Instrument):
    """Files of LabSpec, .xml."""

    format = "Horiba Jobin Yvon .xml"
    kind = "jobinyvon"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file is XML with the element of LabSpec."""
        return _is_xml(head) and b"<LSX" in head[:_HEAD]


@register("tersgen.readers", "trivista")
class TriVista(_Instrument):
    """Files of VistaControl, .tvf."""

    format = "TriVista .tvf"
    kind = "trivista"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file is XML with the element of VistaControl."""
        return _is_xml(head) and b"<XmlMain" in head[:_HEAD]


def _is_xml(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")


def read_instrument(path: Path, name: str, kind: str, options: ReadOptions) -> Measurement:
    """Return every spectrum in a file of an instrument; in place of a bad one, what is wrong.

    Parameters
    ----------
    path
        The file.
    name
        Its name, safe to print; for several spectra it is followed by their number.
    kind
        Module of RosettaSciIO that reads it.
    options
        What the user states about the axis and the laser; by default what the file says about it.
    """
    if util.find_spec("rsciio") is None:
        raise MissingExtraError(
            f"{name}: expected RosettaSciIO for files of instruments, got no such package; "
            "run: pip install 'tersgen[instruments]', or export the spectrum as text"
        )
    if kind == "renishaw":
        _check_blocks(path)
    reader = import_module(f"rsciio.{kind}")
    # It logs parts that are not read here, and tracebacks of what is damaged.
    logging.getLogger("rsciio").setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signals = reader.file_reader(os.fspath(path), lazy=False)
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise MeasurementError(f"cannot be read by RosettaSciIO ({kind}): {reason}") from error
    for signal in signals:
        place = _spectral_axis(signal)
        if place is not None:
            data = np.asarray(signal["data"])
            _check_count(path, kind, data.size)
            shift, meaning, notes = _shifts(signal, place, options)
            spectra = _spectra(data, place, shift, meaning, notes, name)
            if kind == "renishaw":  # RosettaSciIO takes every map as row after row
                positions = positions_of_wdf(path)
            else:
                positions = grid_positions(_places(signal, place))
            others = len(signals) - 1
            left = (f"{others} other signals",) if others else ()
            laser = options.laser_nm or _laser(signal)
            return Measurement(placed(spectra, positions), meaning, laser, left)
    raise MeasurementError(
        f"expected a spectrum over Raman shifts, wavelengths or energies, got {_described(signals)}"
    )


def _check_count(path: Path, kind: str, n_points: int) -> None:
    """Refuse an EMSA file that holds fewer points than it says: RosettaSciIO does not look."""
    if kind != "msa":
        return
    with path.open("rb") as file:
        said = re.search(rb"^#NPOINTS\s*:([^\r\n]*)", file.read(_HEAD), re.MULTILINE)
    expected = _numbers(said[1].decode("latin-1"), "#NPOINTS") if said else n_points
    if expected != n_points:
        raise MeasurementError(
            f"expected {expected:g} points, as #NPOINTS says, got {n_points}; is the file whole?"
        )


def _check_blocks(path: Path) -> None:
    """Refuse a .wdf whose blocks do not lead from one to the next and to the end.

    RosettaSciIO would go round in circles.
    """
    size = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[8:16], "little")
            if len(head) < 16 or length < 16 or at + length > size:
                raise MeasurementError(
                    f"expected blocks of a .wdf up to {size} bytes, got a damaged one at {at}"
                )
            at += length


def _spectral_axis(signal: dict[str, Any]) -> int | None:
    """Return the place of the spectral axis of a signal; the others are of positions."""
    places = [k for k, axis in enumerate(signal["axes"]) if not axis.get("navigate", False)]
    return places[0] if len(places) == 1 and _evidence(signal["axes"][places[0]]) else None


def _evidence(axis: dict[str, Any]) -> list[Evidence]:
    """Return what name and unit of an axis say."""
    name, unit = (str(axis.get(key) or "").strip() for key in ("name", "units"))
    if (name, unit) == ("Wavenumber", "nm"):
        unit = "1/cm"  # RosettaSciIO 0.15 calls the code 2 of a .wdf, absolute wavenumbers, nm
    if unit.lower() in ("a", "\xe5", "m"):
        unit = f"({unit})"
    return evidence_of(name, unit)


def _shifts(
    signal: dict[str, Any], place: int, options: ReadOptions
) -> tuple[NDArray[np.float64], AxisMeaning, tuple[str, ...]]:
    """Return the spectral axis in cm^-1, what it was, and how it was converted."""
    axis = signal["axes"][place]
    values = _values(axis)
    meaning = decide_axis(_evidence(axis), values, options.stated)
    laser = options.laser_nm or _laser(signal)
    shift, notes = to_shift(values, meaning, laser, options.vacuum)
    return shift, meaning, notes


def _places(signal: dict[str, Any], spectral: int) -> list[PlaceAxis]:
    """Return the axes along which spectra were measured."""
    return [
        PlaceAxis(str(axis.get("name") or ""), str(axis.get("units") or ""), _values(axis))
        for k, axis in enumerate(signal["axes"])
        if k != spectral
    ]


def _values(axis: dict[str, Any]) -> NDArray[np.float64]:
    if "axis" in axis:
        return _numbers(axis["axis"], "the axis")
    missing = next((key for key in ("offset", "scale", "size") if key not in axis), None)
    if missing is not None:
        raise MeasurementError(f"expected the {missing} of the spectral axis, got none")
    steps = np.arange(axis["size"], dtype=np.float64)
    start, step = (_numbers(axis[key], f"the {key} of an axis") for key in ("offset", "scale"))
    return np.asarray(start + step * steps)


def _numbers(found: Any, what: str) -> NDArray[np.float64]:
    """Return numbers that RosettaSciIO passes on as the file has them, text where it has text."""
    try:
        return np.asarray(found, np.float64)
    except (ValueError, TypeError):
        shown = printable(str(found).strip()[:40])
        raise MeasurementError(f"{what}: expected a number, got {shown!r}") from None


def _laser(signal: dict[str, Any]) -> float | None:
    """Return the wavelength of the laser that a file states, nm."""
    instrument = signal.get("metadata", {}).get("Acquisition_instrument", {})
    laser = instrument.get("Laser", {}).get("wavelength") if isinstance(instrument, dict) else None
    return float(laser) if isinstance(laser, int | float) and laser > 0 else None


def _spectra(
    data: NDArray[Any],
    place: int,
    shift: NDArray[np.float64],
    meaning: AxisMeaning,
    notes: tuple[str, ...],
    name: str,
) -> tuple[Spectrum | MeasurementError, ...]:
    if not data.size:
        raise MeasurementError("expected a spectrum, got a file without any intensities")
    if data.ndim <= place or data.shape[place] != len(shift):
        raise MeasurementError(
            f"expected {len(shift)} intensities along the axis, got data of shape {data.shape}"
        )
    rows = _numbers(np.moveaxis(data, place, -1).reshape(-1, len(shift)), "the intensities")
    if not 1 <= len(rows) <= _MOST_SPECTRA:
        raise MeasurementError(f"expected 1 to {_MOST_SPECTRA} spectra, got {len(rows)}")
    names = [name] if len(rows) == 1 else [f"{name}[{k}]" for k in range(len(rows))]
    return tuple(
        tried(one, shift, row, notes, meaning) for one, row in zip(names, rows, strict=True)
    )


def _described(signals: list[dict[str, Any]]) -> str:
    units = [str(axis.get("units", "?")) for signal in signals for axis in signal["axes"]]
    return f"axes in {', '.join(units)}" if units else "none"
