"""Files read by libraries that damage may crash, or never return: in a child process, with limits.

The child writes a line of JSON and then arrays as .npy; nothing else is passed, and nothing run.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from ..text import printable

_LARGEST_MEMORY = 4 << 30
_SECONDS, _BYTES_A_SECOND = 10.0, 1 << 24


class Taken(NamedTuple):
    """What was read in a child process."""

    content: dict[str, Any]
    """Numbers and texts."""
    arrays: list[NDArray[Any]]


def read_isolated(path: Path, module: str, format: str) -> Taken:
    """Return what the ``main`` of a module of this package reads from a file.

    Parameters
    ----------
    path
        The file.
    module
        Its name in ``tersgen.measured``; its ``main`` calls ``serve``.
    format
        What the format is called, for messages.
    """
    seconds = _SECONDS + path.stat().st_size / _BYTES_A_SECOND
    folders = os.pathsep.join(one for one in sys.path if one)
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-c", f"from tersgen.measured.{module} import main; main()",
                 path.absolute()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
                env={**os.environ, "PYTHONPATH": folders},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise MeasurementError(
                f"cannot be read as {format}: not read after {seconds:.0f} s; is it damaged?"
            ) from None
        if done.returncode:
            raise MeasurementError(
                f"cannot be read as {format}: it crashes the library; is it damaged?"
            )
        output.seek(0)
        content = json.loads(output.readline())
        if "error" in content:
            raise MeasurementError(content["error"])
        arrays = [np.load(output, allow_pickle=False) for _ in range(content.pop("n_arrays"))]
    return Taken(content, arrays)


def serve(read: Callable[[str], Taken], format: str) -> None:
    """Read the file in ``sys.argv[1]``, and write what is taken, or the error, to the output."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_LARGEST_MEMORY, _LARGEST_MEMORY))
    arrays: list[NDArray[Any]] = []
    try:
        content, arrays = read(sys.argv[1])
    except MeasurementError as error:
        content = {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - libraries raise nearly anything on damage
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        content = {"error": f"cannot be read as {format}: {printable(reason)}"}
    line = json.dumps(content | {"n_arrays": len(arrays)}).encode() + b"\n"
    sys.stdout.buffer.write(line)
    for array in arrays:
        np.save(sys.stdout.buffer, array, allow_pickle=False)
