"""Where and with what a dataset is built."""

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .. import __version__
from ..schema.manifest import Environment

_PACKAGES = ("numpy", "numba", "llvmlite", "numcodecs", "h5py", "blake3", "google-crc32c", "xxhash")


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return platform.processor()
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match.group(1) if match else platform.processor()


def _plain(text: str) -> str:
    return re.sub(r"[^ -~]", "?", text)[:200]


def environment() -> Environment:
    """Return the versions, processor and system of this process."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return Environment(
        tersgen=__version__,
        python=platform.python_version(),
        platform=_plain(platform.platform()),
        cpu=_plain(_cpu()),
        packages=packages,
    )
