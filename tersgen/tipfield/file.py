"""Files with the field of a tip on a grid, .npz or HDF5: x, y, z, tip, E_in, maybe E_out."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, MeasurementError
from ..files import NoPlainFileError, read_input, why
from ..measured.npy import ZIP, ArrayFile, open_arrays
from ..schema.base import MODEL
from ..schema.tipfield import TipField, TipFieldReference
from .model import Region, sampled

HDF5 = b"\x89HDF\r\n\x1a\n"
_NEEDED, _OPTIONAL = ("x", "y", "z", "E_in"), ("E_out", "tip")


def head_of(path: Path, size: int = 4096) -> bytes:
    """Return the beginning of a file."""
    try:
        return read_input(path, size)[:size]
    except FileNotFoundError:
        raise ConfigError(f"expected a file at {path}, got no such file") from None
    except NoPlainFileError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable file, got: {why(error)}") from None


def read_tip_field(path: Path) -> TipField:
    """Return the field in a file."""
    head = head_of(path)
    if head.startswith(ZIP):
        try:
            with open_arrays(path) as file:
                return made_of(path, file.names, file.read)
        except MeasurementError as error:
            raise ConfigError(f"{path}: {error}") from None
    if head.startswith(HDF5):
        import h5py

        try:
            with h5py.File(path, "r") as file:
                return made_of(path, tuple(file), lambda name: np.asarray(file[name]))
        except (OSError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())[:120]
            raise ConfigError(f"{path}: expected sound HDF5, got: {reason}") from None
    raise ConfigError(
        f"{path}: expected the field of a tip, .npz or HDF5 with x, y, z and E_in, got bytes "
        f"{head[:8]!r}; tersgen field import reads the files of other programs"
    )


def find_tip_field(named: str | TipFieldReference, region: Region) -> TipField:
    """Return the field that a recipe names: its file, or a model; a stored recipe, its digest.

    Parameters
    ----------
    named
        As the recipe has it.
    region
        Where the field of a model is needed.
    """
    if isinstance(named, str):
        if named.startswith(MODEL):
            return sampled(named.removeprefix(MODEL), region)
        return read_tip_field(Path(named))
    if named.file is None:
        raise ConfigError(
            f"nearfield.grid_field: expected its file for the digest {named.digest[:12]}, got "
            "none; take the recipe from its dataset, where tip_field.npz lies next to it"
        )
    found = read_tip_field(Path(named.file))
    if found.digest != named.digest:
        raise ConfigError(
            f"{named.file}: expected the field of digest {named.digest[:12]}, got "
            f"{found.digest[:12]}"
        )
    return found


def parse_tip_field(content: bytes, path: Path) -> TipField:
    """Return the field in the bytes of an .npz file, whose path is for messages."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        try:
            arrays = ArrayFile(file)
            return made_of(path, arrays.names, arrays.read)
        except MeasurementError as error:
            raise ConfigError(f"{path}: {error}") from None


def made_of(path: Path, names: tuple[str, ...], read: Callable[[str], NDArray[Any]]) -> TipField:
    """Return the field made of arrays that are read by name."""
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise ConfigError(
            f"{path}: expected arrays {', '.join(_NEEDED)} (and {', '.join(_OPTIONAL)}), got none "
            f"named {missing[0]}; tersgen field import reads the files of other programs"
        )
    there = {name: read(name) for name in (*_NEEDED, *_OPTIONAL) if name in names}
    tip = there.get("tip", (0.0, 0.0, 0.0))
    try:
        return TipField(there["x"], there["y"], there["z"], there["E_in"], there.get("E_out"), tip)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def npz_bytes(field: TipField) -> bytes:
    """Return a field as the bytes of an .npz file, the same bytes for the same field."""
    room = io.BytesIO()
    np.savez(room, **field.arrays)  # type: ignore[arg-type]  # NumPy 2.0 has no allow_pickle
    return room.getvalue()
