"""NeXus files of Raman spectra, .nxs: the default NXdata of an NXentry, definition NXraman."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ...errors import MeasurementError
from ...plugins import register
from ..measurement import Measurement, StoredAxis, take
from ..reader import Reader, ReadOptions, check_size, shown_name

_MAGIC = b"\x89HDF\r\n\x1a\n"
_LARGEST_FILE = 1 << 30
_SECONDS, _BYTES_A_SECOND = 10.0, 1 << 24
_MAIN = "from tersgen.measured.nexus import main; main()"


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
        seconds = _SECONDS + path.stat().st_size / _BYTES_A_SECOND
        folders = os.pathsep.join(one for one in sys.path if one)
        with tempfile.TemporaryFile() as output:
            try:
                done = subprocess.run(
                    [sys.executable, "-P", "-c", _MAIN, path.absolute()],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.DEVNULL,
                    timeout=seconds,
                    check=False,
                    env={**os.environ, "PYTHONPATH": folders},
                )
            except subprocess.TimeoutExpired:
                raise MeasurementError(
                    f"cannot be read as HDF5: not read after {seconds:.0f} s; is it damaged?"
                ) from None
            if done.returncode:
                raise MeasurementError("cannot be read as HDF5: it crashes HDF5; is it damaged?")
            output.seek(0)
            content = json.loads(output.readline())
            if "error" in content:
                raise MeasurementError(content["error"])
            axis, rows, positions = (np.load(output, allow_pickle=False) for _ in range(3))
        return take(
            shown_name(path),
            StoredAxis.coded(content["kind"], content["unit"], axis),
            rows,
            options,
            laser_nm=content["laser_nm"],
            positions_um=positions if len(positions) else None,
            left=content["left"],
        )
