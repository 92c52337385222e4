"""Fields that Meep writes as HDF5: ``output_efield`` and ``output_dft``.

Datasets are ``ex.r`` and ``ex.i``, or ``ex_0.r`` and ``ex_0.i`` with the number of the frequency.
They hold no positions, so step and origin must be given.
"""

import re
from pathlib import Path

import h5py
import numpy as np

from ...errors import ConfigError
from ...plugins import register
from ..file import HDF5
from ..sources import FieldImporter, Fields, Placement

_NAME = re.compile(r"e([xyz])(?:_(\d+))?(?:\.([ri]))?")


@register("tersgen.field_importers", "meep")
class Meep(FieldImporter):
    """HDF5 with fields named as Meep names them."""

    format = "Meep, HDF5"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file is HDF5 with fields named as Meep names them."""
        if not head.startswith(HDF5):
            return False
        try:
            with h5py.File(path, "r") as file:
                return any(_NAME.fullmatch(name) for name in file)
        except OSError:
            return False

    def read(self, path: Path, placement: Placement) -> Fields:
        """Return the fields in a file, by rising number of the frequency."""
        if placement.step is None or placement.origin is None:
            raise ConfigError(
                f"{path}: expected --step and --origin (Angstrom), as files of Meep hold no "
                "positions, got neither or one of them"
            )
        parts: dict[str, dict[tuple[int, str], np.ndarray]] = {}
        try:
            with h5py.File(path, "r") as file:
                for name, values in file.items():
                    found = _NAME.fullmatch(name)
                    if found and isinstance(values, h5py.Dataset):
                        place = ("xyz".index(found[1]), found[3] or "r")
                        parts.setdefault(found[2] or "", {})[place] = np.asarray(values)
        except OSError as error:
            reason = " ".join(str(error).split())[:120]
            raise ConfigError(f"{path}: expected sound HDF5, got: {reason}") from None
        fields = []
        for number in sorted(parts, key=lambda text: int(text or 0)):
            one = parts[number]
            shapes = {values.shape for values in one.values()}
            missing = [f"e{'xyz'[k]}" for k in range(3) if (k, "r") not in one]
            if missing or len(shapes) != 1 or len(next(iter(shapes))) != 3:
                raise ConfigError(
                    f"{path}: expected ex, ey and ez in three dimensions and of one size, got "
                    f"{'none of ' + missing[0] if missing else sorted(shapes)}; write a volume "
                    "with output_efield or output_dft"
                )
            zero = np.zeros(next(iter(shapes)))
            fields.append(np.stack([one[k, "r"] + 1j * one.get((k, "i"), zero) for k in range(3)]))
        if not fields:
            raise ConfigError(f"{path}: expected datasets ex, ey and ez of Meep, got none")
        if len({one.shape for one in fields}) != 1:
            raise ConfigError(f"{path}: expected fields of one size at all frequencies, got others")
        step, origin = placement.step, placement.origin
        x, y, z = (origin[k] + step[k] * np.arange(n) for k, n in enumerate(fields[0].shape[1:]))
        return Fields((x, y, z), fields)
