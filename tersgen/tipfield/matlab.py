"""Variables of .mat files, of version 5 to 7 by SciPy and of version 7.3 by h5py."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import ConfigError, MissingExtraError
from .file import HDF5

_DEEPEST = 4


def is_matlab(head: bytes) -> bool:
    """Return whether a file is one of MATLAB."""
    return head.startswith(b"MATLAB ")


def read_variables(path: Path, head: bytes) -> dict[str, Any]:
    """Return variables by name: arrays of numbers, and dictionaries for structures."""
    try:
        if HDF5 in head[:1024]:
            with h5py.File(path, "r") as file:
                return {name: _of_hdf5(value, 0) for name, value in file.items()}
        try:
            from scipy.io import loadmat
        except ImportError:
            raise MissingExtraError(
                "reading .mat files needs SciPy; pip install 'tersgen[instruments]'"
            ) from None
        found = loadmat(path, squeeze_me=False, struct_as_record=True)
    except MissingExtraError:
        raise
    except Exception as error:  # noqa: BLE001 - SciPy raises many kinds for damaged files
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"{path}: expected a sound .mat file, got: {reason}") from None
    return {name: _of_scipy(value) for name, value in found.items() if name[:2] != "__"}


def _of_hdf5(value: Any, depth: int) -> Any:
    if isinstance(value, h5py.Group):
        if depth >= _DEEPEST:
            return {}
        return {name: _of_hdf5(one, depth + 1) for name, one in value.items()}
    array = np.asarray(value)
    if array.dtype.names and {"real", "imag"} <= set(array.dtype.names):
        array = array["real"] + 1j * array["imag"]
    return array.T


def _of_scipy(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.names and value.size == 1:
        record = value.reshape(-1)[0]
        return {name: _of_scipy(record[name]) for name in value.dtype.names}
    return value


def numbers_of(table: dict[str, Any], name: str, path: Path) -> np.ndarray[Any, Any]:
    """Return an array of numbers."""
    found = table.get(name)
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fciub" or not found.size:
        raise ConfigError(f"{path}: expected numbers in {name}, got none")
    return found
