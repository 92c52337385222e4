"""The arrays of NumPy files as a model is fed them: maps, cubes, and spectra beside maps."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tersgen.errors import ConfigError, MeasurementError
from tersgen.measured.npy import open_arrays

from ..data.measured import MEASURED
from ..engine.trained import Trained, check_inputs

_STEP = 1e-6


def read_arrays(trained: Trained, path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that a model sees, by name; nothing in the file is run.

    Parameters
    ----------
    trained
        The model; its shapes and range are those that are expected.
    path
        ``.npy`` with one row or several, of a model of one array; or ``.npz`` with the arrays by
        name, ``maps``, ``cube`` or ``spectra``, and perhaps ``shift_cm1`` and ``measured``.

    Raises
    ------
    ConfigError
        If an array is missing, or its shape, range or axis is not the model's.
    """
    names = tuple(trained.model.shapes)
    if path.suffix.lower() not in (".npy", ".npz"):
        raise ConfigError(
            f"{path}: expected a dataset, or .npz with {' and '.join(names)}, which this model is "
            f"fed, got {path.suffix or 'no ending'}"
        )
    try:
        with open_arrays(path) as content:
            if content.is_single:
                arrays = {names[0]: content.single()}
            else:
                known = (*names, MEASURED, "shift_cm1")
                wanted = [name for name in known if name in content.names]
                arrays = {name: content.read(name) for name in wanted}
                if not set(wanted) - {MEASURED}:
                    arrays = dict.fromkeys(content.names, np.empty(0))
    except MeasurementError as error:
        raise ConfigError(f"{path}: {error}") from None
    if "spectra" in names and "shift_cm1" in arrays:
        _check_axis(trained, arrays["shift_cm1"], path)
    return check_inputs(trained, arrays, str(path))


def _check_axis(trained: Trained, axis: NDArray[Any], path: Path) -> None:
    wanted = trained.shift_cm1
    step = wanted[1] - wanted[0]
    if axis.shape != wanted.shape or not np.allclose(axis, wanted, rtol=0, atol=_STEP * step):
        ends = f"{axis[0]:g} to {axis[-1]:g} cm^-1" if axis.ndim == 1 and len(axis) else "none"
        raise ConfigError(
            f"{path}: shift_cm1: expected {len(wanted)} points from {wanted[0]:g} to "
            f"{wanted[-1]:g} cm^-1, as trained on, got {axis.shape} from {ends}"
        )
