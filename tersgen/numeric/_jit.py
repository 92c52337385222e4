"""The one place that fixes how kernels are compiled and where machine code is cached.

No ``fastmath`` anywhere: results must not depend on the CPU. Numba invalidates a cached function
when its own file changes, but not when a kernel it calls from another file does; so the machine
code of each module lies in a folder named by a digest of its source and of all that it imports:
stale machine code can never be loaded, and a changed effect is all that is compiled again.
"""

import hashlib
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
import platformdirs

from ..errors import TersWarning
from ._private import private_folder

_VARIABLE = "NUMBA_CACHE_DIR"
_PACKAGE = Path(__file__).parents[1]
_FOLDERS = ("numeric", "random", "effects")
"""Where kernels are."""
_IMPORT = re.compile(r"^from (\.+)([\w.]*) import (?:\(([^)]*)\)|(.+))$", re.MULTILINE)

F = TypeVar("F", bound=Callable[..., Any])


def _imported(source: str, module: str) -> Iterator[str]:
    """Yield the modules of this package that a module of it imports, by their full names."""
    for dots, base, many, one in _IMPORT.findall(source):
        place = module.rsplit(".", len(dots))[0]
        name = f"{place}.{base}" if base else place
        yield name
        for part in (many or one).split(","):
            yield f"{name}.{part.split(' as ')[0].strip()}"


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

    Modules of others, whose own file Numba checks, may call any kernel of ours; by default all
    kernels count.
    """
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    ours = module.startswith(f"{_PACKAGE.name}.")
    for path in sorted(_sources(module) if ours else _all_sources()):
        name = path.relative_to(_PACKAGE).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> str:
    """Return a private folder for machine code: the user's choice, the cache, or a temporary one.

    Empty if no place is safe: then kernels are compiled anew in every process, which is said once.
    """
    asked = os.environ.get(_VARIABLE)
    bases = [Path(asked)] if asked else []
    bases += [
        Path(platformdirs.user_cache_dir("tersgen")),
        Path(tempfile.gettempdir())
        / f"tersgen-{os.geteuid() if hasattr(os, 'geteuid') else 'user'}",
    ]
    found, refused = "", []
    for base in bases:
        try:
            found = private_folder(base / "kernels")
            with tempfile.TemporaryFile(dir=found):
                break
        except OSError as error:
            found = ""
            refused.append(f"{error.filename}: {error.strerror}" if error.errno else str(error))
    if refused and (asked or not found):
        kept = f"they are kept in {found}" if found else "each process compiles them anew"
        warnings.warn(
            f"compiled kernels cannot be kept where no other user can change them "
            f"({'; '.join(refused)}), so {kept}; set {_VARIABLE} to a folder of your own",
            TersWarning,
            stacklevel=2,
        )
    return found


_FOLDER = cache_folder()


def _compile(function: F, **options: Any) -> F:
    before, module = numba.config.CACHE_DIR, function.__module__
    numba.config.CACHE_DIR = _FOLDER and str(Path(_FOLDER, f"{module}-{sources_digest(module)}"))
    try:
        compiled: F = numba.njit(
            cache=bool(_FOLDER), nogil=True, error_model="numpy", no_cfunc_wrapper=True, **options
        )(function)
    finally:
        numba.config.CACHE_DIR = before
    return compiled


def kernel(function: F) -> F:
    """Compile a kernel for one sample or one array."""
    return _compile(function)


def inlined(function: F) -> F:
    """Compile a scalar kernel and ask LLVM to inline it, so that loops over it vectorise."""
    return _compile(function, forceinline=True)
