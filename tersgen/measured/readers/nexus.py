"""NeXus files of Raman spectra, .nxs: the default NXdata of an NXentry, definition NXraman."""

from pathlib import Path

from ...plugins import register
from ..isolated import read_isolated
from ..measurement import Measurement, StoredAxis, take
from ..reader import Reader, ReadOptions, check_size, shown_name

_MAGIC = b"\x89HDF\r\n\x1a\n"
_LARGEST_FILE = 1 << 30


@register("tersgen.readers", "nexus")
class Nexus(Reader):
    """Raman spectra and maps in NeXus, NXraman."""

    format = "NeXus .nxs"
    rank = 1  # a plug-in may know another format in HDF5

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file is HDF5."""
        return head.startswith(_MAGIC)

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return the spectra of the default data; x and y of a map are axes with lengths."""
        check_size(path, _LARGEST_FILE)
        content, (axis, rows, positions) = read_isolated(path, "nexus", "HDF5")
        return take(
            shown_name(path),
            StoredAxis.coded(content["kind"], content["unit"], axis),
            rows,
            options,
            laser_nm=content["laser_nm"],
            positions_um=positions if len(positions) else None,
            left=content["left"],
        )
