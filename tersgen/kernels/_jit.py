"""The one place that fixes how kernels are compiled and where machine code is cached.

No ``fastmath`` anywhere: results must not depend on the CPU. Numba invalidates a cached function
when its own file changes, but not when a kernel it calls from another file does; so the cache
folder is named by a digest of all kernel sources, and stale machine code can never be loaded.
"""

import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
import platformdirs

from ..errors import TersWarning
from ._private import private_folder

_VARIABLE = "NUMBA_CACHE_DIR"

F = TypeVar("F", bound=Callable[..., Any])


def sources_digest() -> str:
    """Return a digest of all that the kernels are compiled from, and by."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    sources = [package / "units.py"]
    for folder in ("kernels", "sampling"):
        sources += sorted((package / folder).glob("*.py"))
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> str:
    """Return a private folder for machine code: the user's choice, the cache, or a temporary one.

    Empty if no place is safe: then kernels are compiled anew in every process, which is said once.
    """
    name = f"kernels-{sources_digest()}"
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
            found = private_folder(base / name)
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
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _FOLDER
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
