"""Files of instruments, through RosettaSciIO: Renishaw, Horiba Jobin Yvon, TriVista, EMSA.

RosettaSciIO is an extra; its readers are chosen by the content of a file, never by its ending.
"""

import re
import warnings
from importlib import import_module, util
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasurementError, MissingExtraError
from ...plugins import register
from ...schema.loading import printable
from ...units import EV_CM1
from ..reader import Reader, ReadOptions, check_size, shown_name
from ..spectrum import Spectrum, ascending, shift_from_nm

_MOST_SPECTRA = 1_000_000
_HEAD = 4096
LARGEST_FILE = 1 << 30
"""Larger files of instruments are refused."""

_SHIFT = ("1/cm", "cm-1", "cm^-1", "cm**-1", "1 / centimeter")
_IN_NM = {"nm": 1.0, "µm": 1e3, "um": 1e3, "a": 0.1, "å": 0.1}


class _Instrument(Reader):
    """A format that RosettaSciIO reads."""

    kind: ClassVar[str]
    """Its module in RosettaSciIO."""

    def read(self, path: Path, options: ReadOptions) -> tuple[Spectrum, ...]:
        """Return every spectrum in a file of an instrument, see ``read_instrument``."""
        check_size(path, LARGEST_FILE)
        return read_instrument(path, shown_name(path), self.kind, options.laser_nm)


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


def read_instrument(
    path: Path, name: str, kind: str, laser_nm: float | None
) -> tuple[Spectrum, ...]:
    """Return every spectrum in a file of an instrument.

    Parameters
    ----------
    path
        The file.
    name
        Its name, safe to print; for several spectra it is followed by their number.
    kind
        Module of RosettaSciIO that reads it.
    laser_nm
        Wavelength of the laser, nm; by default what the file says of it.

    Raises
    ------
    MissingExtraError
        If RosettaSciIO is not installed.
    MeasurementError
        If it cannot read the file, or finds no spectrum with an axis in cm^-1, nm or eV.
    """
    if util.find_spec("rsciio") is None:
        raise MissingExtraError(
            f"{name}: expected RosettaSciIO for files of instruments, got no such package; "
            "run: pip install 'tersgen[instruments]', or export the spectrum as text"
        )
    if kind == "renishaw":
        _check_blocks(path)
    reader = import_module(f"rsciio.{kind}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signals = reader.file_reader(str(path), lazy=False)
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise MeasurementError(f"cannot be read by RosettaSciIO ({kind}): {reason}") from error
    for signal in signals:
        found = _axis(signal, laser_nm)
        if found is not None:
            _check_count(path, kind, np.asarray(signal["data"]).size)
            return _spectra(np.asarray(signal["data"]), *found, name)
    raise MeasurementError(
        "expected a spectrum over Raman shifts (cm^-1), wavelengths (nm) or energies (eV), got "
        f"{_described(signals)}"
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


def _axis(signal: dict[str, Any], laser_nm: float | None) -> tuple[NDArray[np.float64], int] | None:
    """Return the spectral axis of a signal in cm^-1, and its place among the axes."""
    for place, axis in enumerate(signal["axes"]):
        unit = str(axis.get("units", "")).strip()
        values = _values(axis)
        if unit.lower() in _SHIFT:
            return values, place
        scale = _IN_NM.get(unit.lower())
        wavelength = values * scale if scale else 1e7 / (values * EV_CM1) if unit == "eV" else None
        is_spectral = not axis.get("navigate", False)
        if wavelength is not None and is_spectral:
            laser = laser_nm or _laser(signal)
            if laser is None:
                raise MeasurementError(
                    f"expected Raman shifts in cm^-1, got an axis in {unit}; say which laser "
                    "(--laser-nm)"
                )
            return shift_from_nm(wavelength, laser), place
    return None


def _values(axis: dict[str, Any]) -> NDArray[np.float64]:
    if "axis" in axis:
        return _numbers(axis["axis"], "the axis")
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
    data: NDArray[Any], axis: NDArray[np.float64], place: int, name: str
) -> tuple[Spectrum, ...]:
    if not data.size:
        raise MeasurementError("expected a spectrum, got a file without any intensities")
    if data.ndim <= place or data.shape[place] != len(axis):
        raise MeasurementError(
            f"expected {len(axis)} intensities along the axis, got data of shape {data.shape}"
        )
    rows = _numbers(np.moveaxis(data, place, -1).reshape(-1, len(axis)), "the intensities")
    if not 1 <= len(rows) <= _MOST_SPECTRA:
        raise MeasurementError(f"expected 1 to {_MOST_SPECTRA} spectra, got {len(rows)}")
    names = [name] if len(rows) == 1 else [f"{name}[{k}]" for k in range(len(rows))]
    return tuple(ascending(*one, ()) for one in zip(names, [axis] * len(rows), rows, strict=True))


def _described(signals: list[dict[str, Any]]) -> str:
    units = [str(axis.get("units", "?")) for signal in signals for axis in signal["axes"]]
    return f"axes in {', '.join(units)}" if units else "none"
