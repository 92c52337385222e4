"""Where and with what a dataset is built."""

import platform
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tersgen

from ..numeric._sources import sources_digest
from ..recipe import GENERATOR_VERSION
from ..schema.manifest import Environment

_SAME = ("numpy", "numba", "llvmlite")
"""Packages whose versions must be the same wherever the shards of a build are made."""
_PROGRAMS = ("pyscf", "geometric", "tblite", "rdkit")
"""Packages that compute molecules."""
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


@cache
def environment() -> Environment:
    """Return the versions, processor and system of this process."""
    return Environment(
        tersgen=tersgen.__version__,
        python=platform.python_version(),
        platform=_plain(platform.platform()),
        cpu=_plain(_cpu()),
        packages={name: found for name in _PACKAGES if (found := _version(name)) != "none"},
    )


Versions = tuple[tuple[str, str], ...]
"""Names and versions."""


def versions() -> Versions:
    """Return the versions that must be the same wherever the shards of a build are made."""
    found = [
        ("tersgen", tersgen.__version__),
        ("generator", str(GENERATOR_VERSION)),
        ("sources of the kernels", sources_digest()),
        ("Python", "{}.{}".format(*platform.python_version_tuple())),
    ]
    return (*found, *((name, _version(name)) for name in _SAME))


def program_versions() -> Versions:
    """Return the versions that must be the same wherever the molecules of a list are computed."""
    return versions() + tuple((name, _version(name)) for name in _PROGRAMS)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def version_differences(there: Versions, here: Versions) -> str:
    """Return what differs between two sides, in one line; nothing if nothing does.

    >>> version_differences((("numba", "0.60.0"),), (("numba", "0.61.0"),))
    'numba 0.60.0 there, 0.61.0 here'
    """
    ours, theirs = dict(here), dict(there)
    return "; ".join(
        f"{name} {theirs.get(name, 'none')} there, {ours.get(name, 'none')} here"
        for name in {**ours, **theirs}
        if theirs.get(name) != ours.get(name)
    )
