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

_KNOWN = (
    "spectra", "maps", "cube", "shift_cm1", "x_um", "y_um", "step_um", "label", "classes", "group",
    "part",
)  # fmt: skip
_SIGNALS = ("spectra", "maps", "cube")
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
        return read_arrays(path, options.axis, options.cubes)


def read_arrays(path: Path, axis: Axis | None = None, cubes: bool = False) -> RowArrays:
    """Return the rows of a NumPy file; those that are constant or not finite are named as bad.

    Parameters
    ----------
    path
        A .npy of spectra, shape (n, L), or of maps, (n, H, W) or (n, C, H, W); or an .npz with
        ``spectra`` and ``shift_cm1``, ``maps``, ``cube`` and ``shift_cm1``, ``label`` (names, or
        positions in ``classes``), ``group`` and ``part``, whichever there are. ``x_um`` and
        ``y_um`` say where rows were measured, ``step_um`` the distances of the rows and columns of
        cubes.
    axis
        Axis of spectra whose file has none, cm^-1.
    cubes
        Whether a .npy of three or four dimensions is a cube (H, W, L), or cubes (n, H, W, L).

    Raises
    ------
    MeasurementError
        If an array is missing or of another shape; without the name of the file.
    """
    with open_arrays(path) as content:
        if content.is_single:
            signal = content.single()
            name = "spectra" if signal.ndim < 3 else "cube" if cubes else "maps"
            return rows_of({name: signal}, axis)
        unknown = sorted(set(content.names) - set(_KNOWN))
        if unknown:
            raise MeasurementError(
                f"expected arrays named {', '.join(_KNOWN)}, got {printable(unknown[0][:40])!r}"
            )
        return rows_of({name: content.read(name) for name in content.names}, axis)


def read_axis(path: Path) -> NDArray[np.float64]:
    """Return an axis of Raman shifts from a .npy file, cm^-1, shape (L,)."""
    try:
        with open_arrays(path) as content:
            axis = content.single() if content.is_single else None
    except MeasurementError as error:
        raise MeasurementError(f"{path}: expected an axis in a .npy file: {error}") from None
    if axis is None:
        raise MeasurementError(f"{path}: expected an axis in a .npy file, got an .npz archive")
    if axis.ndim != 1 or axis.dtype.kind not in "fiu":
        raise MeasurementError(
            f"{path}: expected an axis of shape (L,), got {axis.dtype} {axis.shape}"
        )
    return axis.astype(np.float64)


def axis_of(text: str) -> Axis:
    """Return the axis of arrays as a user states it: START:STOP, or a file of all points."""
    first, _, last = text.partition(":")
    try:
        return float(first), float(last)
    except ValueError:
        return read_axis(Path(text))


def rows_of(arrays: dict[str, NDArray[Any]], axis: Axis | None) -> RowArrays:
    """Return rows from arrays by name, see ``read_arrays``."""
    spectra, maps, cubes = (arrays.get(name) for name in _SIGNALS)
    if cubes is not None:
        if spectra is not None or maps is not None:
            raise MeasurementError(
                "expected cubes, or spectra and maps, got both; keep them apart, in two files"
            )
        cubes = cubes[None] if cubes.ndim == 3 else cubes
    first = next((one for one in (spectra, maps, cubes) if one is not None), None)
    if first is None:
        raise MeasurementError(
            f"expected spectra, maps, both, or a cube, got {', '.join(arrays) or 'no array'}"
        )
    rows = len(first) if first.ndim else 0
    bad: dict[int, str] = {}
    shift: NDArray[np.float64] | None = None
    if spectra is not None:
        _check_signals("spectra", spectra, "(n, L)", rows)
        _note_bad("spectra", spectra, bad)
        _refuse_columns(spectra)
        shift, spectra = _over_axis(arrays, axis, spectra)
    if cubes is not None:
        _check_signals("cube", cubes, "(n, H, W, L)", rows)
        _note_bad("cube", cubes, bad)
        shift, cubes = _over_axis(arrays, axis, cubes)
    if maps is not None:
        maps = maps[:, None] if maps.ndim == 3 else maps
        _check_signals("maps", maps, "(n, C, H, W)", rows)
        _note_bad("maps", maps, bad)
    label, group, part = (_texts(name, arrays, rows) for name in ("label", "group", "part"))
    steps = _numbers("step_um", arrays, 2)
    return RowArrays(
        rows, spectra, shift, maps, label, group, part, bad=tuple(sorted(bad.items())), cubes=cubes,
        steps_um=None if steps is None else (float(steps[0]), float(steps[1])),
        positions_um=_positions(arrays, rows),
    )  # fmt: skip


def _over_axis(
    arrays: dict[str, NDArray[Any]], axis: Axis | None, signal: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return the axis of the last dimension, rising, and the signal in this order."""
    n_points = signal.shape[-1]
    if isinstance(axis, tuple):
        axis = np.linspace(*axis, n_points)
    found = arrays.get("shift_cm1", axis)
    if found is None:
        raise MeasurementError("expected an axis of the spectra too, got none: --axis START:STOP")
    if found.shape != (n_points,) or found.dtype.kind not in "fiu":
        raise MeasurementError(
            f"shift_cm1: expected {n_points} Raman shifts, got {found.dtype} {found.shape}"
        )
    shift = found.astype(np.float64)
    steps = np.diff(shift)
    wrong = np.flatnonzero(~(steps > 0) if len(steps) and steps[0] > 0 else ~(steps < 0))
    if not len(steps) or len(wrong) or not np.isfinite(shift).all():
        at = int(wrong[0]) if len(wrong) else 0
        got = " then ".join(f"{value:g}" for value in shift[at : at + 2])
        raise MeasurementError(
            f"shift_cm1: expected an axis that rises or falls throughout, got {got} at {at}"
        )
    return (shift[::-1], signal[..., ::-1]) if steps[0] < 0 else (shift, signal)


def _positions(arrays: dict[str, NDArray[Any]], n_rows: int) -> NDArray[np.float64] | None:
    """Return where rows were measured, shape (n, 2), if the file says so."""
    x, y = (_numbers(name, arrays, n_rows) for name in ("x_um", "y_um"))
    if x is None and y is None:
        return None
    if x is None or y is None:
        raise MeasurementError(
            f"expected x_um and y_um, got {'x_um' if y is None else 'y_um'} only"
        )
    return np.stack([x, y], axis=1)


def _numbers(name: str, arrays: dict[str, NDArray[Any]], count: int) -> NDArray[np.float64] | None:
    values = arrays.get(name)
    if values is None:
        return None
    if values.shape != (count,) or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise MeasurementError(
            f"{name}: expected {count} finite numbers, got {values.dtype} {values.shape}"
        )
    return values.astype(np.float64)


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


def _check_signals(name: str, values: NDArray[Any], shape: str, n_rows: int) -> None:
    if values.ndim != shape.count(",") + 1 or values.dtype.kind not in "fiu" or not values.size:
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
                f"label: expected positions in {len(classes)} classes, got {values.min()} to "
                f"{values.max()}"
            )
        values = classes[values]
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    return tuple(str(value) for value in values.tolist())
