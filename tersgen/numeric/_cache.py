"""Numba's cache of machine code, in two folders of our choice: one of the user, one in the package.

Both have a folder for each module, named by what it was compiled from. Numba's index files are
pickles, which can run code: only a private folder and the installed package are read.
"""

import sys
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

from ._shipped import Shipped, shipped
from ._sources import code_folder


class _Locator(_CacheLocator):  # type: ignore[misc]
    """Machine code of one function, in a folder whose name holds the digest of its sources."""

    def __init__(self, function: FunctionType, folder: Path) -> None:
        self._py_file = function.__code__.co_filename  # Numba's warnings name it
        self._line = function.__code__.co_firstlineno
        self._folder = folder

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._folder.name

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Files(CompileResultCacheImpl):  # type: ignore[misc]
    """Names of files; no locator that a setting of Numba names takes the place of ours."""

    def __init__(self, function: FunctionType, folder: Path) -> None:
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Locator(function, folder)
        name = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}"
        self._filename_base = self.get_filename_base(name, getattr(sys, "abiflags", ""))


class _Folder(FunctionCache):  # type: ignore[misc]
    """Machine code of one function in one folder."""

    def __init__(self, function: FunctionType, folder: Path) -> None:
        self._impl_class = partial(_Files, folder=folder)
        super().__init__(function)


class _ShippedFolder(_Folder):
    """Machine code of the package: read, never written, and not for this very processor."""

    def __init__(self, function: FunctionType, folder: Path, made: Shipped) -> None:
        super().__init__(function, folder)
        self._made = made

    def _index_key(self, sig: Any, _codegen: Any) -> Any:
        return super()._index_key(sig, self._made)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep nothing."""


class _Both(_Folder):
    """What the package brings, or else what was compiled on this machine."""

    def __init__(self, function: FunctionType, folder: Path, first: _ShippedFolder) -> None:
        super().__init__(function, folder)
        self._first = first

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the machine code for a signature, None if there is none."""
        found = self._first.load_overload(sig, target_context)
        return found or super().load_overload(sig, target_context)


def kernel_cache(function: FunctionType, users: str) -> FunctionCache | None:
    """Return the cache of a kernel, None if there is no place for it.

    Parameters
    ----------
    function
        The kernel, not yet compiled.
    users
        Private folder of the user; empty if there is none.
    """
    name = code_folder(function)
    made = shipped()
    first = None
    if name and made.folder and (made.folder / name).is_dir():
        first = _ShippedFolder(function, made.folder / name, made)
    if not name or not users:
        return first
    folder = Path(users, name)
    return _Folder(function, folder) if first is None else _Both(function, folder, first)
