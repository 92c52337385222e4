"""The Raman spectra in a NeXus file, read in a separate process.

On damaged files HDF5 may crash, or never return, so the reader in ``readers/nexus.py`` runs
``main`` in a child process with limits of time and memory.

Definitions: NeXus International Advisory Committee, *NXraman* and *NXdata*, v2024.02. Links to
other files are not followed, and datasets stored in other files are refused.
"""

import re
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from ..text import printable
from .isolated import Taken, serve
from .measurement import ABSOLUTE, SHIFT, WAVELENGTH, check_count
from .positions import PlaceAxis, grid_positions

_LARGEST_CHUNK = 1 << 28
_MOST_NAMES = 1000
_MOST_LINKS = 8
_SHIFT_UNITS = ("1/cm", "cm-1", "cm^-1", "cm^{-1}", "cm\u207b\u00b9", "rel. 1/cm", "1 / centimeter")
_NM = ("nm", "nanometer", "nanometers", "nanometre")
_RAMAN = re.compile("raman", re.IGNORECASE)
_BRACKETS = re.compile(r"[\[(]([^\])]+)[\])]")


def main() -> None:
    """Read a file in a child process, see ``isolated``: arrays axis, rows and positions in um."""
    serve(_open, "HDF5")


def _open(path: str) -> Taken:
    with h5py.File(path, "r") as file:
        return _read(file)


def _read(file: h5py.File) -> Taken:
    entry = next(_groups(file, "NXentry"), None)
    if entry is None:
        names = printable(", ".join(name for name, _ in _members(file)))[:80]
        raise MeasurementError(
            f"expected NeXus with an NXentry, got other HDF5 with {names or 'nothing in it'}"
        )
    definition = " ".join(_text(entry, key) for key in ("definition", "experiment_type", "title"))
    data = _default(entry)
    if data is None:
        raise MeasurementError("expected NeXus with an NXdata in its NXentry, got none")
    signal_name, axis_names = _signal_and_axes(data)
    signal = _values(data, signal_name)
    axes = [_values(data, one) if one != "." else None for one in axis_names]
    place = _spectral(data, axis_names, bool(_RAMAN.search(definition)))
    kind, unit = _kind(data, axis_names[place])
    values = axes[place]
    sizes = [
        size if one is None else one.size for one, size in zip(axes, signal.shape, strict=False)
    ]
    if values is None or len(axes) != signal.ndim or list(signal.shape) != sizes:
        raise MeasurementError(
            f"expected one axis for each dimension of {list(signal.shape)}, got "
            f"{[None if one is None else one.size for one in axes]} values"
        )
    rows = np.moveaxis(signal, place, -1).reshape(-1, values.size)
    left = [f"NXdata {printable(one.name)}" for one in _groups(entry, "NXdata") if one != data]
    places = [
        PlaceAxis(name, _unit(data, name), np.zeros(size) if one is None else one.reshape(-1))
        for k, (name, one, size) in enumerate(zip(axis_names, axes, signal.shape, strict=True))
        if k != place
    ]
    positions = grid_positions(places)
    return Taken(
        {"kind": kind, "unit": unit, "laser_nm": _laser(entry), "left": left},
        [
            values.reshape(-1),
            np.ascontiguousarray(rows),
            np.empty((0, 2)) if positions is None else positions,
        ],
    )


def _members(group: h5py.Group) -> Iterator[tuple[str, Any]]:
    """Yield the members of a group that lie in its own file."""
    for number, name in enumerate(group):
        if number >= _MOST_NAMES:
            return
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            yield name, group[name]


def _groups(group: h5py.Group, kind: str) -> Iterator[h5py.Group]:
    for _, one in _members(group):
        if isinstance(one, h5py.Group) and _attribute(one, "NX_class") == kind:
            yield one


def _attribute(item: Any, name: str) -> str:
    """Return an attribute as text; of several texts, joined by colons."""
    if name not in item.attrs or item.attrs.get_id(name).get_storage_size() > 1 << 16:
        return ""
    value = item.attrs[name]
    parts = value if isinstance(value, np.ndarray) else [value]
    return ":".join(one.decode() if isinstance(one, bytes) else str(one) for one in parts)


def _text(group: h5py.Group, name: str) -> str:
    """Return a field of text, or nothing."""
    item = _own(group, name)
    if not isinstance(item, h5py.Dataset) or item.size != 1 or item.dtype.kind not in "SO":
        return ""
    value = item[()]
    value = value.reshape(-1)[0] if isinstance(value, np.ndarray) else value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _own(group: h5py.Group, name: str, depth: int = 0) -> Any:
    """Return what lies at a path in the same file, or None; links to other files end it."""
    item: Any = group.file if name.startswith("/") else group
    for part in name.strip("/").split("/"):
        if not isinstance(item, h5py.Group) or part in ("", ".") or part not in item:
            return None
        link = item.get(part, getlink=True)
        if isinstance(link, h5py.SoftLink):
            item = _own(item, link.path, depth + 1) if depth < _MOST_LINKS else None
        else:
            item = item[part] if isinstance(link, h5py.HardLink) else None
    return item


def _default(entry: h5py.Group) -> h5py.Group | None:
    """Return the NXdata that an entry names as its default, or else its first."""
    named = _own(entry, _attribute(entry, "default") or "data")
    if isinstance(named, h5py.Group) and _attribute(named, "NX_class") == "NXdata":
        return named
    return next(_groups(entry, "NXdata"), None)


def _signal_and_axes(data: h5py.Group) -> tuple[str, list[str]]:
    """Return the names of the signal and of its axes, by attributes of the group or the field."""
    signal = _attribute(data, "signal")
    fields = {name: one for name, one in _members(data) if isinstance(one, h5py.Dataset)}
    if not signal:  # as written before 2014
        signal = next((name for name, one in fields.items() if _attribute(one, "signal")), "")
    item = _own(data, signal) if signal else None
    axes = _attribute(data, "axes") or (_attribute(item, "axes") if item is not None else "")
    names = [one.strip() for one in re.split(r"[:,]", axes.strip("[]")) if one.strip()]
    if not isinstance(item, h5py.Dataset) or not names:
        raise MeasurementError("expected an NXdata with signal and axes, got one without")
    return signal, names


def _values(data: h5py.Group, name: str) -> NDArray[np.float64]:
    """Return a field of numbers that is stored in this file, and was written."""
    item = _own(data, name)
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iuf":
        raise MeasurementError(f"expected numbers in {printable(name)[:40]!r}, got none")
    if item.is_virtual or item.external:
        raise MeasurementError(
            f"expected {printable(name)[:40]!r} in the file, got it in other files; copy them "
            "into one: h5repack"
        )
    check_count(item.size)
    if np.prod(item.chunks or (1,), dtype=float) * item.dtype.itemsize > _LARGEST_CHUNK:
        raise MeasurementError("expected chunks of at most 256 MiB, got larger ones")
    if item.size and not item.id.get_storage_size():
        raise MeasurementError(f"expected numbers in {printable(name)[:40]!r}, got none written")
    return np.asarray(item[()], np.float64)


def _unit(data: h5py.Group, name: str) -> str:
    """Return the unit of a field: an attribute, or what its long name has in brackets."""
    item = _own(data, name)
    if item is None:
        return ""
    unit = _attribute(item, "units") or _attribute(item, "unit")
    found = _BRACKETS.search(_attribute(item, "long_name"))
    return unit or (found[1] if found else "")


def _spectral(data: h5py.Group, names: list[str], is_raman: bool) -> int:
    """Return the place of the spectral axis: the only one over wavenumbers or wavelengths."""
    units = [_unit(data, name).strip() for name in names]
    shifts = [k for k, unit in enumerate(units) if unit in _SHIFT_UNITS]
    found = shifts or [k for k, unit in enumerate(units) if unit in _NM]
    if found and (is_raman or any(_RAMAN.search(name) for name in names)):
        return found[-1]
    if not found:
        shown = printable(", ".join(units))[:80]
        raise MeasurementError(f"expected an axis in cm^-1 or nm, got units {shown!r}")
    raise MeasurementError("expected NeXus that says that it is Raman (NXraman), got other")


def _kind(data: h5py.Group, name: str) -> tuple[str, str]:
    """Return kind and unit of the spectral axis."""
    if _unit(data, name).strip() in _NM:
        return WAVELENGTH, "nm"
    called = f"{name} {_attribute(_own(data, name), 'long_name')}"
    return (ABSOLUTE if "absolute" in called.lower() else SHIFT), "cm-1"


def _laser(entry: h5py.Group) -> float | None:
    """Return the one wavelength that beams and sources of the instrument state, nm."""
    found: set[float] = set()
    for instrument in _groups(entry, "NXinstrument"):
        for _, one in _members(instrument):
            if not isinstance(one, h5py.Group):
                continue
            if _attribute(one, "NX_class") not in ("NXbeam", "NXsource", "NXlaser"):
                continue
            for name in ("incident_wavelength", "wavelength"):
                item = _own(one, name)
                if isinstance(item, h5py.Dataset) and item.size == 1 and item.dtype.kind in "iuf":
                    unit = _unit(one, name)
                    value = float(np.asarray(item[()]).reshape(-1)[0])
                    if unit in _NM and 100 < value < 1e5:
                        found.add(round(value, 6))
    return found.pop() if len(found) == 1 else None
