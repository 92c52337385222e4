"""The one place that fixes how kernels are compiled and where machine code is kept.

No ``fastmath`` anywhere: results must not depend on the CPU.
"""

import os
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import platformdirs
from numba import types

from ..errors import TersWarning
from ._cache import kernel_cache
from ._private import private_folder

_VARIABLE = "NUMBA_CACHE_DIR"

F = TypeVar("F", bound=Callable[..., Any])


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


def _for_any_number(template: Callable[..., Any], args: Any, kws: Any) -> Any:
    """Return the type of a call by another kernel, not compiled for each integer written there."""
    args = [types.unliteral(one) if isinstance(one, types.IntegerLiteral) else one for one in args]
    return template(args, kws)


def _compile(function: F, **options: Any) -> F:
    compile_ = numba.njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True, **options)
    compiled: Any = compile_(function)
    if not numba.config.DISABLE_JIT:
        compiled.get_call_template = partial(_for_any_number, compiled.get_call_template)
        found = kernel_cache(compiled.py_func, _FOLDER)
        if found is not None:
            compiled._cache = found
    return cast(F, compiled)


def kernel(function: F) -> F:
    """Compile a kernel for one sample or one array."""
    return _compile(function)


def inlined(function: F) -> F:
    """Compile a scalar kernel and ask LLVM to inline it, so that loops over it vectorise."""
    return _compile(function, forceinline=True)
