"""Machine code in the installed package, and whether it fits this machine.

A wheel may contain the machine code of its kernels, compiled for a class of processors and bound to
versions: `hatch_build.py` makes it. Kernels are bit-identical on all processors, so it changes no
value. If it does not fit, kernels are compiled.
"""

import json
import platform
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core import config

SHIPPED = Path(__file__).parents[1] / "machine_code"
"""In the package, beside the kernels: as trusted as they are."""
_INDEX = "index.json"

_X86_64_V3 = (
    *("cmov", "cx8", "fxsr", "mmx", "sse", "sse2"),
    *("crc32", "cx16", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3"),
    *("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"),
)
_X86_64_V4 = (*_X86_64_V3, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
"""By the x86-64 psABI, under LLVM's names."""


def _flags(features: tuple[str, ...], *tuning: str) -> str:
    return ",".join((*(f"+{name}" for name in features), *tuning))


_X86 = {
    "x86-64-v4": _flags(_X86_64_V4, "-prefer-256-bit"),  # vectors of 512 bits: 1.3 times faster
    "x86-64-v3": _flags(_X86_64_V3),
}
_ARM = {"generic": _flags(("neon",))}
_PROCESSORS = {"x86_64": _X86, "amd64": _X86, "aarch64": _ARM, "arm64": _ARM}
"""For a machine: classes of processors, the best first, by LLVM's name, with their features."""


def _lacks(features: str) -> list[str]:
    here = llvm.get_host_cpu_features()
    names = [one[1:] for one in features.split(",") if one.startswith("+")]
    return [name for name in names if not here.get(name)]


def targets() -> dict[str, str]:
    """Return the classes of processors that this one belongs to, the best first.

    They are values for NUMBA_CPU_NAME, with those for NUMBA_CPU_FEATURES.
    """
    known = _PROCESSORS.get(platform.machine().lower(), {})
    found = {cpu: features for cpu, features in known.items() if not _lacks(features)}
    if not found:
        classes = ", ".join({**_X86, **{f"{name} arm64": "" for name in _ARM}})
        raise NotImplementedError(
            f"machine code: expected a processor of {classes}, got {platform.machine()}"
        )
    return found


def bound_to() -> dict[str, str]:
    """Return the versions that machine code belongs to, and the system."""
    return {
        "Numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "NumPy": np.__version__,
        "Python": sys.implementation.cache_tag or sys.version,
        "system": llvm.get_process_triple(),
    }


def write_index(folder: Path, processors: dict[str, str]) -> None:
    """Write what the machine code in a folder was compiled by, and for."""
    table = {"bound to": bound_to(), "processors": processors}
    (folder / _INDEX).write_text(json.dumps(table, indent=1) + "\n", "utf-8")


class Shipped(NamedTuple):
    """Machine code that the package brings.

    Attributes
    ----------
    cpu, features
        Processors that it was compiled for: LLVM's name, and the features, as "+avx,+avx2".
    why_not
        Why none can be used, in one line; empty where it can, or where there is none.
    """

    cpu: str = ""
    features: str = ""
    why_not: str = ""

    @property
    def folder(self) -> Path | None:
        """Where it lies, None if it cannot be used."""
        return SHIPPED / self.cpu if self.cpu else None

    def magic_tuple(self) -> tuple[str, str, str]:
        """Return what Numba files machine code under."""
        return llvm.get_process_triple(), self.cpu, self.features


@cache
def shipped() -> Shipped:
    """Return the best machine code of the package for this processor, or why it is not used."""
    try:
        table = json.loads((SHIPPED / _INDEX).read_text("utf-8"))
    except FileNotFoundError:
        return Shipped()
    here = bound_to()
    differs = [
        f"{name} {version}, not {here.get(name)}"
        for name, version in table["bound to"].items()
        if version != here.get(name)
    ]
    if differs:
        return Shipped(why_not=f"is for {', '.join(differs)}")
    lacks: list[str] = []
    for cpu, features in table["processors"].items():
        if (config.CPU_NAME, config.CPU_FEATURES) not in ((None, None), (cpu, features)):
            continue
        lacks = _lacks(features)
        if not lacks:
            return Shipped(cpu, features)
    if lacks:
        return Shipped(why_not=f"needs {', '.join(lacks)}, which this processor lacks")
    return Shipped(why_not="is not for what NUMBA_CPU_NAME and NUMBA_CPU_FEATURES ask for")
