"""A digest of everything the kernels of a module are compiled from, to detect stale machine code.

Numba notices that the file of a kernel changed, but not that of a kernel which it calls. So machine
code is kept under a digest of the module's source and of all that it imports; only changed effects
are compiled again.
"""

import hashlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FunctionType

import numba
import numpy as np

_PACKAGE = Path(__file__).parents[1]
_FOLDERS = ("numeric", "random", "effects")
"""Where kernels are."""
WITHOUT_KERNELS = ("settings", "sections")
"""Names of modules in these folders that have none."""
_IMPORT = re.compile(r"^from (\.+)([\w.]*) import (?:\(([^)]*)\)|(.+))$", re.MULTILINE)


def _imported(source: str, module: str) -> Iterator[str]:
    """Yield the modules of this package that a module of it imports, by their full names."""
    for dots, base, many, one in _IMPORT.findall(source):
        place = module.rsplit(".", len(dots))[0]
        name = f"{place}.{base}" if base else place
        yield name
        for part in (many or one).split(","):
            yield f"{name}.{part.split(' as ')[0].strip()}"


def _is_ours(module: str) -> bool:
    return module.startswith(f"{_PACKAGE.name}.")


@cache
def _sources(module: str) -> frozenset[Path]:
    """Return the files that the kernels of a module can come from: its own and what it imports."""
    files: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py")
        if name in files or not {*name.split(".")[1:2]} & {*_FOLDERS, "units"}:
            continue
        if path.stem in WITHOUT_KERNELS:
            continue
        if path.is_file():
            files[name] = path
            waiting += _imported(path.read_text("utf-8"), name)
    return frozenset(files.values())


def _all_sources() -> list[Path]:
    folders = (_PACKAGE / name for name in _FOLDERS)
    return [_PACKAGE / "units.py", *(path for one in folders for path in one.rglob("*.py"))]


@cache
def sources_digest(module: str = "") -> str:
    """Return a digest of all that the kernels of a module are compiled from, and by.

    Modules of others may call any kernel of ours, so all of these count, as by default.
    """
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    for path in sorted(_sources(module) if _is_ours(module) else _all_sources()):
        name = path.relative_to(_PACKAGE).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def code_folder(function: FunctionType) -> str:
    """Return the name of the folder for the machine code of a function's module.

    Empty if the function has no file, so that a change of it would not be noticed.
    """
    module = function.__module__
    digest = sources_digest(module)
    if not _is_ours(module):
        try:
            source = Path(inspect.getfile(function)).read_bytes()
        except OSError:
            return ""
        digest = hashlib.sha256(digest.encode() + source).hexdigest()[:16]
    return f"{module}-{digest}"
