"""Fields of the MNPBEM toolbox saved from MATLAB: ``pos`` and ``enei`` in nm, and ``e``.

``pos`` has shape (points, 3) and ``e`` (points, 3), or (points, 3, wavelengths).
"""

from pathlib import Path

import numpy as np

from ...errors import ConfigError
from ...formats import HEAD_BYTES
from ...plugins import register
from ..file import head_of
from ..matlab import is_matlab, numbers_of, read_variables
from ..points import from_points, regular
from ..sources import FieldImporter, Fields, Placement

_NM = 10.0


@register("tersgen.field_importers", "mnpbem")
class Mnpbem(FieldImporter):
    """.mat files with positions and fields of MNPBEM."""

    format = "MNPBEM, .mat"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a .mat file has positions and fields of MNPBEM."""
        if not is_matlab(head):
            return False
        try:
            return {"pos", "e"} <= read_variables(path, head).keys()
        except ConfigError:
            return False

    def read(self, path: Path, placement: Placement) -> Fields:  # noqa: ARG002 - the file says it
        """Return the fields in a file."""
        table = read_variables(path, head_of(path, HEAD_BYTES))
        points, values = numbers_of(table, "pos", path), numbers_of(table, "e", path)
        if points.ndim != 2 or points.shape[1] != 3 or values.size % points.size:
            raise ConfigError(
                f"{path}: expected pos of shape (points, 3) and e of (points, 3, wavelengths), got "
                f"{points.shape} and {values.shape}"
            )
        whole = values.reshape((len(points), 3, -1), order="F")
        wavelengths: tuple[float, ...] = ()
        if "enei" in table:
            wavelengths = tuple(numbers_of(table, "enei", path).real.ravel().tolist())
            if len(wavelengths) != whole.shape[2]:
                raise ConfigError(
                    f"{path}: expected one wavelength in enei for each of {whole.shape[2]} fields, "
                    f"got {len(wavelengths)}"
                )
        places = points.real * _NM
        made = [regular(from_points(places, whole[..., k])) for k in range(whole.shape[2])]
        return Fields(made[0].axes, [np.asarray(one.field) for one in made], wavelengths)
