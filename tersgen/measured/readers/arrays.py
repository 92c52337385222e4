"""Measured rows in NumPy files: spectra on one axis, maps, and what is known about each row."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasurementError
from ...plugins import register
from ...text import printable
from ..npy import NPY, ZIP, open_arrays
from ..reader import Axis, Reader, ReadOptions, RowArrays

_KNOWN = ("spectra", "maps", "shift_cm1", "label", "classes", "group", "part")
_BLOCK = 4096


@register("tersgen.readers", "numpy")
class Arrays(Reader):
    """Arrays of NumPy, .npy and .npz: rows of one or several arrays."""

    format = "arrays of NumPy"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins as a .npy or a ZIP archive."""
        if head.startswith(ZIP):
            first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
            return not first or first.endswith(b".npy")  # a workbook is a ZIP archive, too
        return head.startswith(NPY)

    def read(self, path: Path, options: ReadOptions) -> RowArrays:
        """Return the rows of a NumPy file, see ``read_arrays``."""
        return read_arrays(path, options.axis)


def read_arrays(path: Path, axis: Axis | None = None) -> RowArrays:
    """Return the rows of a NumPy file; those that are constant or not finite are named as bad.

    Parameters
    ----------
    path
        A .npy of spectra, shape (n, L), or of maps, (n, H, W) or (n, C, H, W); or an .npz with
        ``spectra`` and ``shift_cm1``, ``maps``, ``label`` (names, or positions in ``classes``),
        ``group`` and ``part``, whichever there are.
    axis
        Axis of spectra whose file has none, cm^-1.

    Raises
    ------
    MeasurementError
        If an array is missing or of another shape; without the name of the file.
    """
    with open_arrays(path) as content:
        if content.is_single:
            signal = content.single()
            return _checked({"maps" if signal.ndim > 2 else "spectra": signal}, axis)
        unknown = sorted(set(content.names) - set(_KNOWN))
        if unknown:
            raise MeasurementError(
                f"expected arrays named {', '.join(_KNOWN)}, got {printable(unknown[0][:40])!r}"
            )
        return _checked({name: content.read(name) for name in content.names}, axis)


def read_axis(path: Path) -> NDArray[np.float64]:
    """Return an axis of Raman shifts from a .npy file, cm^-1, shape (L,).

    Raises
    ------
    MeasurementError
        If it holds no such axis.
    """
    try:
        with open_arrays(path) as content:
            axis = content.single() if content.is_single else None
    except MeasurementError as error:
        raise MeasurementError(f"{path}: expected an axis in a .npy file: {error}") from None
    if axis is None or axis.ndim != 1 or axis.dtype.kind not in "fiu":
        raise MeasurementError(f"{path}: expected an axis of shape (L,), got another array")
    return axis.astype(np.float64)


def _checked(arrays: dict[str, NDArray[Any]], axis: Axis | None) -> RowArrays:
    spectra, maps = arrays.get("spectra"), arrays.get("maps")
    if spectra is None and maps is None:
        raise MeasurementError("expected spectra, maps, or both, got neither")
    first = next(signal for signal in (spectra, maps) if signal is not None)
    rows = len(first) if first.ndim else 0
    bad: dict[int, str] = {}
    shift: NDArray[Any] | None = None
    if spectra is not None:
        _check_signals("spectra", spectra, (2,), rows)
        _note_bad("spectra", spectra, bad)
        _refuse_columns(spectra)
        if isinstance(axis, tuple):
            axis = np.linspace(*axis, spectra.shape[1])
        shift = arrays.get("shift_cm1", axis)
        if shift is None:
            raise MeasurementError("expected an axis of the spectra too: --axis START:STOP")
        if shift.shape != spectra.shape[1:] or shift.dtype.kind not in "fiu":
            raise MeasurementError(
                f"shift_cm1: expected {spectra.shape[1]} Raman shifts, got shape {shift.shape}"
            )
        shift = shift.astype(np.float64)
        steps = np.diff(shift)
        if not (
            len(steps) and np.isfinite(shift).all() and ((steps > 0).all() or (steps < 0).all())
        ):
            raise MeasurementError("shift_cm1: expected an axis that rises or falls, got another")
        if steps[0] < 0:
            shift, spectra = shift[::-1], spectra[:, ::-1]
    if maps is not None:
        maps = maps[:, None] if maps.ndim == 3 else maps
        _check_signals("maps", maps, (4,), rows)
        _note_bad("maps", maps, bad)
    texts = {name: _texts(name, arrays, rows) for name in ("label", "group", "part")}
    return RowArrays(rows, spectra, shift, maps, **texts, bad=tuple(sorted(bad.items())))


def _refuse_columns(spectra: NDArray[Any]) -> None:
    """Refuse one spectrum that stands beside, or below, its axis."""
    for columns in (spectra.T, spectra):
        if len(columns) == 2 and columns.shape[1] > 2:
            steps = np.diff(columns[0].astype(np.float64))
            if (steps > 0).all() or (steps < 0).all():
                raise MeasurementError(
                    f"spectra: expected a spectrum in each row, got an array {spectra.shape} that "
                    "seems to be an axis and one spectrum; save them as the arrays shift_cm1, "
                    "shape (L,), and spectra, shape (1, L), of a .npz file"
                )


def _check_signals(name: str, values: NDArray[Any], dims: tuple[int, ...], n_rows: int) -> None:
    if values.ndim not in dims or values.dtype.kind not in "fiu" or not values.size:
        shape = "(n, L)" if dims == (2,) else "(n, C, H, W)"
        raise MeasurementError(
            f"{name}: expected numbers of shape {shape}, got {values.dtype} {values.shape}"
        )
    if len(values) != n_rows:
        raise MeasurementError(f"{name}: expected {n_rows} rows, got {len(values)}")


def _note_bad(name: str, values: NDArray[Any], bad: dict[int, str]) -> None:
    """Take the rows that are constant or not finite, and why, each once."""
    for first in range(0, len(values), _BLOCK):
        block = values[first : first + _BLOCK].reshape(min(_BLOCK, len(values) - first), -1)
        for problem, found in (
            ("not finite", ~np.isfinite(block).all(axis=1)),
            ("constant", block.max(axis=1) == block.min(axis=1)),
        ):
            for row in (first + np.flatnonzero(found)).tolist():
                bad.setdefault(row, f"{name}: row {row}: expected a signal, got one {problem}")


def _texts(name: str, arrays: dict[str, NDArray[Any]], n_rows: int) -> tuple[str, ...] | None:
    """Return what is said of each row, as texts."""
    values = arrays.get(name)
    if values is None:
        return None
    if values.shape != (n_rows,) or values.dtype.kind not in "iuUS":
        raise MeasurementError(
            f"{name}: expected {n_rows} texts or numbers, got {values.dtype} {values.shape}"
        )
    classes = arrays.get("classes")
    if name == "label" and values.dtype.kind in "iu" and classes is not None:
        if classes.ndim != 1 or classes.dtype.kind not in "US":
            raise MeasurementError(f"classes: expected names, got {classes.dtype} {classes.shape}")
        if not len(classes) or values.min() < 0 or values.max() >= len(classes):
            raise MeasurementError(
                f"label: expected positions in {len(classes)} classes, got others"
            )
        values = classes[values]
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    return tuple(str(value) for value in values.tolist())
