"""Plug-ins: effects, file readers, models and other parts that live outside this package.

A part is found in two ways. An installed package declares it as an entry point in one of the groups
below. A script registers it with `register` when its module is imported, which is what
``--plugin my_module.py`` and ``plugins = ["my_module"]`` do. Nothing is imported because a dataset
or a checkpoint names it: only a user's own command or recipe, or an installed package, brings code.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar

from .errors import ConfigError

Group = Literal[
    "tersgen.effects",
    "tersgen.importers",
    "tersgen.readers",
    "tersgen.executors",
    "ters_train.models",
    "ters_train.tasks",
    "ters_train.callbacks",
    "ters_train.transforms",
]
"""The kinds of parts; each is an entry-point group of that name."""

T = TypeVar("T")

_registered: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True)
class Origin:
    """Where a part comes from, as recipes and locks record it."""

    module: str
    """Top-level module."""
    package: str | None
    """Distribution that installs it; None for a file of the user's own."""
    version: str | None
    digest: str
    """SHA-256 of its Python sources, hexadecimal."""


def register(group: Group, name: str) -> Callable[[T], T]:
    """Return a decorator that adds a part under a name.

    Raises
    ------
    ConfigError
        If another module has registered that name in the group.
    """

    def add(part: T) -> T:
        there = _registered.setdefault(group, {}).get(name)
        if there is not None and there.__module__ != getattr(part, "__module__", None):
            raise ConfigError(
                f"{group}: expected one part of the name {name!r}, got those of "
                f"{there.__module__} and {getattr(part, '__module__', part)}; rename one"
            )
        _registered[group][name] = part
        return part

    return add


@cache
def _installed(group: Group) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def names(group: Group) -> tuple[str, ...]:
    """Return the names of all parts of a group, sorted; imports none of them."""
    return tuple(sorted({*_installed(group), *_registered.get(group, {})}))


def load(group: Group, name: str) -> Any:
    """Return a part by name.

    Raises
    ------
    ConfigError
        If there is none of that name, or the package that declares it cannot be imported.
    """
    if name in _registered.get(group, {}):
        return _registered[group][name]
    entry = _installed(group).get(name)
    if entry is None:
        known = names(group)
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"{group}: expected one of {', '.join(known) or 'none, as none is installed'}, got "
            f"{name!r}; {hint}install the package that has it, or name its module with --plugin"
        )
    try:
        return entry.load()
    except Exception as error:  # noqa: BLE001 - any code may run at import
        raise ConfigError(
            f"{group}: {name!r} ({entry.value}) cannot be imported: {error}"
        ) from None


def parts(group: Group) -> Iterator[tuple[str, Any]]:
    """Yield the name of each part of a group and the part, by name; imports them."""
    for name in names(group):
        yield name, load(group, name)


def import_module(text: str) -> ModuleType:
    """Import a plug-in, ``my_module`` or ``folder/my_module.py``, and return its module.

    A module that is not installed is looked for in the working folder, too.

    Raises
    ------
    ConfigError
        If there is no such module or file, another module has its name, or importing it fails.
    """
    path = Path(text)
    if path.suffix != ".py" and not importlib.util.find_spec(text.partition(".")[0]):
        path = Path(*text.split(".")).with_suffix(".py")
    try:
        if path.suffix == ".py":
            return _import_file(path.resolve(strict=True))
        return importlib.import_module(text)
    except FileNotFoundError:
        raise ConfigError(
            f"plug-in: expected a module that can be imported or a file .py, got {text!r}; give "
            "its path, or install the package"
        ) from None
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"plug-in {text!r}: cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _import_file(path: Path) -> ModuleType:
    name = path.stem
    there = sys.modules.get(name)
    if there is not None:
        if getattr(there, "__file__", None) and Path(str(there.__file__)).resolve() == path:
            return there
        raise ConfigError(
            f"plug-in {str(path)!r}: expected a name of its own, got that of the module {name} "
            f"({getattr(there, '__file__', 'built in')}); rename the file"
        )
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def origin(part: Any) -> Origin:
    """Return where a part comes from.

    Raises
    ------
    ConfigError
        If its source cannot be read, so that it cannot be named in a recipe or a lock.
    """
    top = str(getattr(part, "__module__", part.__class__.__module__)).partition(".")[0]
    return _origin(top)


@cache
def _origin(top: str) -> Origin:
    file = getattr(sys.modules.get(top), "__file__", None)
    if file is None or Path(file).suffix != ".py":
        raise ConfigError(
            f"plug-in {top}: expected a module with a Python source file, got {file or 'none'}; "
            "put it into a file"
        )
    path = Path(file)
    sources = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.relative_to(path.parent).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    from importlib.metadata import packages_distributions, version

    packages = packages_distributions().get(top)
    package = packages[0] if packages else None
    return Origin(top, package, version(package) if package else None, digest.hexdigest())
