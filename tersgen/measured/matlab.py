"""The spectra in a MATLAB file of version 5 to 7, read by SciPy in a separate process.

Known are the exports of WITec (a structure with ``data``, ``axisscale`` and ``imagesize``, as PLS
Toolbox has), arrays with the names that .npz files have, and one axis with one array of spectra.
"""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from ..text import printable
from .isolated import Taken, serve
from .measurement import check_count
from .positions import in_um
from .table import states_axis

NAMES = (
    "spectra",
    "maps",
    "cube",
    "shift_cm1",
    "x_um",
    "y_um",
    "step_um",
    "label",
    "group",
    "part",
)
"""Variables that are rows of arrays, as in .npz files."""
_LISTS = ("shift_cm1", "x_um", "y_um", "step_um", "label", "group", "part")
_MOST_NAMES = 12
_EXPECTED = (
    "an export of WITec; variables spectra and shift_cm1; or an axis named as raman_shift or "
    "wavelength_nm and one array of spectra"
)


def main() -> None:
    """Read a file in a child process, see ``isolated``."""
    serve(_read, "MATLAB")


def _read(path: str) -> Taken:
    from scipy.io import loadmat

    variables = {
        name: value for name, value in loadmat(path).items()
        if not name.startswith("__") and isinstance(value, np.ndarray)
    }  # fmt: skip
    for name, value in variables.items():
        check_count(value.size)
        if value.dtype.names and {"data", "axisscale"} <= set(value.dtype.names) and value.size:
            others = [one for one in variables if one != name]
            return _witec(value.reshape(-1)[0], others)
    if {"spectra", "cube", "maps"} & variables.keys():
        unknown = sorted(set(variables) - set(NAMES))
        if unknown:
            raise MeasurementError(
                f"expected variables named {', '.join(NAMES)}, got {printable(unknown[0])[:40]!r}"
            )
        arrays = [_array(name, value) for name, value in variables.items()]
        return Taken({"form": "arrays", "names": [*variables]}, arrays)
    return _axis_and_spectra(variables)


def _array(name: str, value: NDArray[Any]) -> NDArray[Any]:
    """Return numbers or texts; MATLAB has rows or columns of them in place of lists."""
    if value.dtype == object:  # cells of texts
        value = np.array(["".join(np.ravel(one).astype(str)) for one in value.reshape(-1)])
    if value.dtype.kind not in "fiubU":
        raise MeasurementError(f"{name}: expected numbers or texts, got {value.dtype}")
    return value.reshape(-1) if name in _LISTS else value


def _witec(content: np.void, left: list[str]) -> Taken:
    """Return axis, rows and positions of a structure that WITec exports."""
    rows = np.asarray(content["data"])
    scale = np.asarray(content["axisscale"])
    if scale.dtype != object or scale.ndim != 2 or min(scale.shape) < 2:
        raise MeasurementError(
            f"axisscale: expected 2 x 2 cells of axes and units, got {scale.dtype} {scale.shape}"
        )
    axis, unit = _numbers("axisscale", scale[1, 0]), _text(scale[1, 1])
    rows = rows.reshape(1, -1) if rows.size == axis.size else rows
    if rows.ndim != 2 or rows.dtype.kind not in "fiu" or rows.shape[1] != axis.size:
        raise MeasurementError(
            f"data: expected spectra of {axis.size} points, got {rows.dtype} {rows.shape}"
        )
    positions = _places(content, len(rows))
    facts = {"form": "witec", "unit": unit, "left": [f"variable {printable(one)}" for one in left]}
    return Taken(facts, [axis, np.asarray(rows, np.float64), positions])


def _places(content: np.void, n_rows: int) -> NDArray[np.float64]:
    """Return where rows were measured, um, shape (n, 2), or (0, 2): the first axis is fastest."""
    names = content.dtype.names or ()
    if n_rows < 2 or not {"imagesize", "imageaxisscale"} <= set(names):
        return np.empty((0, 2))
    scale = np.asarray(content["imageaxisscale"])
    if scale.dtype != object or scale.ndim != 2 or min(scale.shape) < 2:
        return np.empty((0, 2))
    axes = [np.ravel(one) for one in scale[:2, 0]]
    units = [in_um(_text(one)) for one in scale[:2, 1]]
    sizes = np.ravel(content["imagesize"]).tolist()
    is_known = [len(one) for one in axes] == sizes[:2] and None not in units
    if not is_known or len(axes[0]) * len(axes[1]) != n_rows:
        return np.empty((0, 2))
    places = np.array([(x, y) for x, y in product(axes[1], axes[0])], np.float64)
    return places * np.array([units[1], units[0]], np.float64)


def _axis_and_spectra(variables: dict[str, NDArray[Any]]) -> Taken:
    """Return the one variable whose name states an axis, and the one of spectra over it."""
    numeric = {name: one for name, one in variables.items() if one.dtype.kind in "fiu" and one.size}
    axes = [n for n, one in numeric.items() if states_axis(n) and max(one.shape) == one.size > 1]
    spectra = []
    if len(axes) == 1:
        n_points = numeric[axes[0]].size
        spectra = [n for n, one in numeric.items() if n != axes[0] and n_points in one.shape]
    if len(spectra) != 1 or numeric[spectra[0]].ndim != 2:
        shown = [f"{printable(name)[:40]} {one.shape}" for name, one in variables.items()]
        raise MeasurementError(
            f"expected {_EXPECTED}, got {', '.join(shown[:_MOST_NAMES]) or 'no variable'}"
        )
    rows = numeric[spectra[0]]
    if rows.shape[0] == rows.shape[1]:
        raise MeasurementError(
            f"expected spectra in rows or columns of the length of {axes[0]}, got {rows.shape} of "
            "which both may be; save them as the variables spectra (in rows) and shift_cm1"
        )
    rows = rows if rows.shape[1] == n_points else rows.T
    left = [f"variable {printable(one)[:40]}" for one in variables if one not in (*axes, *spectra)]
    facts = {"form": "axis", "unit": axes[0], "left": left}
    axis = _numbers(axes[0], numeric[axes[0]])
    return Taken(facts, [axis, np.asarray(rows, np.float64), np.empty((0, 2))])


def _numbers(name: str, value: Any) -> NDArray[np.float64]:
    values = np.ravel(value)
    if values.dtype.kind not in "fiu" or not values.size:
        raise MeasurementError(f"{name}: expected numbers, got {values.dtype} {values.shape}")
    return values.astype(np.float64)


def _text(value: Any) -> str:
    return " ".join(str(one) for one in np.ravel(value)[:1])
