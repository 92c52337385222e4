"""The one place that fixes how kernels are compiled and where machine code is cached.

No ``fastmath`` anywhere: results must not depend on the CPU. Numba invalidates a cached function
when its own file changes, but not when a kernel it calls from another file does; so the cache
folder is named by a digest of all kernel sources, and stale machine code can never be loaded.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
import platformdirs

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


def _cache_folder() -> str:
    """Return the first writable place for machine code: the user's choice, the cache, a temp."""
    name = f"kernels-{sources_digest()}"
    asked = os.environ.get("NUMBA_CACHE_DIR")
    bases = [Path(asked)] if asked else []
    bases += [
        Path(platformdirs.user_cache_dir("tersgen")),
        Path(tempfile.gettempdir()) / f"tersgen-{os.getuid() if hasattr(os, 'getuid') else 'user'}",
    ]
    for base in bases:
        folder = base / name
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
                continue  # machine code is run: never another user's
            with tempfile.TemporaryFile(dir=folder):
                return str(folder)
        except OSError:
            continue
    return ""


_FOLDER = _cache_folder()


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
