"""Fields that Lumerical writes with ``matlabsave``: a monitor's result E, or Ex, Ey, Ez.

Positions x, y, z are in m; lambda is in m or f in Hz. E has shape (points, 3, frequencies) with x
running fastest, components shape (nx, ny, nz, frequencies).
"""

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError
from ...formats import HEAD_BYTES
from ...plugins import register
from ..file import head_of
from ..matlab import is_matlab, numbers_of, read_variables
from ..points import Sampled, regular
from ..sources import FieldImporter, Fields, Placement

_METRE = 1e10
_LIGHT_NM_HZ = 299792458e9


def _result(variables: dict[str, Any]) -> dict[str, Any] | None:
    """Return the table that has positions and fields; None if there is none."""
    for one in (*variables.values(), variables):
        if isinstance(one, dict) and {"x", "y", "z"} <= one.keys():
            names = {"E"} if isinstance(one.get("E"), np.ndarray) else {"Ex", "Ey", "Ez"}
            if names <= one.keys():
                return one
    return None


@register("tersgen.field_importers", "lumerical")
class Lumerical(FieldImporter):
    """.mat files with a field of Lumerical."""

    format = "Lumerical, .mat"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a .mat file has a field of Lumerical."""
        if not is_matlab(head):
            return False
        try:
            return _result(read_variables(path, head)) is not None
        except ConfigError:
            return False

    def read(self, path: Path, placement: Placement) -> Fields:  # noqa: ARG002 - the file says it
        """Return the fields in a file."""
        table = _result(read_variables(path, head_of(path, HEAD_BYTES)))
        if table is None:
            raise ConfigError(
                f"{path}: expected x, y, z with E, or with Ex, Ey and Ez, of Lumerical, got others"
            )
        x, y, z = (numbers_of(table, name, path).real.ravel() * _METRE for name in "xyz")
        shape = (len(x), len(y), len(z))
        n_points = shape[0] * shape[1] * shape[2]
        if isinstance(table.get("E"), np.ndarray):
            values = numbers_of(table, "E", path)
            if values.size % (3 * n_points):
                raise ConfigError(
                    f"{path}: expected E of shape ({n_points}, 3, frequencies), as x, y and z say, "
                    f"got {values.shape}"
                )
            whole = values.reshape((*shape, 3, -1), order="F")
        else:
            parts = [numbers_of(table, f"E{name}", path) for name in "xyz"]
            if any(one.size % n_points or one.size != parts[0].size for one in parts):
                raise ConfigError(
                    f"{path}: expected Ex, Ey and Ez of shape {shape}, as x, y and z say, got "
                    f"{parts[0].shape}"
                )
            whole = np.stack([one.reshape((*shape, -1), order="F") for one in parts], axis=3)
        wavelengths: tuple[float, ...] = ()
        if isinstance(table.get("lambda"), np.ndarray):
            wavelengths = tuple((numbers_of(table, "lambda", path).real.ravel() * 1e9).tolist())
        elif isinstance(table.get("f"), np.ndarray):
            wavelengths = tuple((_LIGHT_NM_HZ / numbers_of(table, "f", path).real.ravel()).tolist())
        if len(wavelengths) not in (0, whole.shape[-1]):
            raise ConfigError(
                f"{path}: expected {whole.shape[-1]} wavelengths, one for each field, got "
                f"{len(wavelengths)}"
            )
        fields, axes = [], (x, y, z)
        for k in range(whole.shape[-1]):
            made = regular(Sampled((x, y, z), np.moveaxis(whole[..., k], 3, 0)))
            axes = made.axes
            fields.append(made.field)
        return Fields(axes, fields, wavelengths)
