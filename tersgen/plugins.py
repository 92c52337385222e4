"""Plug-ins: effects, file readers, models and other parts that live outside this package.

A part is found in three ways. Built-in ones are in the modules of a package (``BUILT_IN``). An
installed package declares its parts as entry points in one of the groups below. A script registers
them with ``register`` when its module is imported, which is what ``--plugin my_module.py`` and
``plugins = ["my_module"]`` do. Nothing is imported because a dataset or a checkpoint names it: code
comes only from a user's own command or recipe, or from an installed package.
"""

import hashlib
import importlib
import importlib.util
import pkgutil
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from .errors import ConfigError, TersError
from .files import is_limit
from .text import not_among

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Group = Literal[
    "tersgen.effects",
    "tersgen.importers",
    "tersgen.engines",
    "tersgen.field_importers",
    "tersgen.tip_fields",
    "tersgen.readers",
    "tersgen.executors",
    "tersgen.exporters",
    "ters_train.models",
    "ters_train.tasks",
    "ters_train.callbacks",
    "ters_train.transforms",
    "ters_train.novelty",
]
"""The kinds of parts; each is an entry-point group of that name."""

BUILT_IN: dict[str, str] = {
    "tersgen.importers": "tersgen.library.importers",
    "tersgen.engines": "tersgen.library.engines",
    "tersgen.field_importers": "tersgen.tipfield.importers",
    "tersgen.readers": "tersgen.measured.readers",
    "tersgen.executors": "tersgen.jobs.executors",
    "tersgen.exporters": "tersgen.exports.formats",
}
"""Packages whose modules register the built-in parts of a group, one file or more each."""

T = TypeVar("T")

_OURS = ("tersgen", "ters_train")
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

    def __str__(self) -> str:
        """Return the package and its version, or the module."""
        return self.module if self.package is None else f"{self.package} {self.version}"


class Imported(NamedTuple):
    """A module that this process imported for its parts, as another process can find it."""

    target: str
    """Its name, or the absolute path of its file."""
    digest: str
    """SHA-256 of its Python sources, hexadecimal."""


_imported: dict[str, Imported] = {}
_beside: dict[str, tuple[Path, ...]] = {}
"""Files of the user's own that a plug-in has imported from its folder: part of its digest."""
_importing = threading.RLock()


def register(group: Group, name: str) -> Callable[[T], T]:
    """Return a decorator that adds a part under a name.

    Raises
    ------
    ConfigError
        If another module has registered that name in the group.
    """

    def add(part: T) -> T:
        there = _registered.setdefault(group, {}).get(name)
        if there is not None and _module_of(there) != _module_of(part):
            raise _twice(group, name, _module_of(there), _module_of(part))
        _registered[group][name] = part
        return part

    return add


def _module_of(part: Any) -> str:
    """Return the module that a class, a function or an object is from."""
    return str(getattr(part, "__module__", type(part).__module__))


def _twice(group: str, name: str, one: str, other: str) -> ConfigError:
    return ConfigError(
        f"{group}: expected one part of the name {name!r}, got those of {one} and {other}; rename "
        "one, or leave its package or --plugin out"
    )


@cache
def _installed(group: Group) -> dict[str, tuple["EntryPoint", ...]]:
    """Return the entry points of a group by name; those of one name are two packages'."""
    from importlib.metadata import entry_points  # it takes longer to import than all else here

    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in entry_points(group=group):
        if entry not in (there := found.get(entry.name, ())):  # a package may be on the path twice
            found[entry.name] = (*there, entry)
    return found


@cache
def _import_built_in(group: Group) -> None:
    """Import the modules that register the built-in parts of a group."""
    if group in BUILT_IN:
        package = importlib.import_module(BUILT_IN[group])
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def names(group: Group) -> tuple[str, ...]:
    """Return the names of all parts of a group, sorted; imports none from outside."""
    _import_built_in(group)
    return tuple(sorted({*_installed(group), *_registered.get(group, {})}))


def load(group: Group, name: str) -> Any:
    """Return a part by name."""
    _import_built_in(group)
    there = _registered.get(group, {}).get(name)
    entries = _installed(group).get(name, ())
    if there is None and not entries:
        raise ConfigError(f"{group}: {not_among(name, names(group))}; {how_to_bring(group)}")
    if len(entries) > 1:
        raise _twice(group, name, entries[0].value, entries[1].value)
    if not entries:
        return there
    try:
        part = entries[0].load()
    except Exception as error:
        raise ConfigError(
            f"{group}: {name!r} ({entries[0].value}) cannot be imported: {_short(error)}; mend or "
            "remove its package"
        ) from error
    if there is not None and there is not part:
        raise _twice(group, name, _module_of(there), entries[0].value)
    return part


def how_to_bring(group: Group) -> str:
    """Return what to do to have a part that is not there, and which module was read in vain."""
    found = {_module_of(part) for part in _registered.get(group, {}).values()}
    found |= {entry.value for entries in _installed(group).values() for entry in entries}
    tops = {re.split("[.:]", one)[0] for one in found}
    silent = [name for name in _imported if name.partition(".")[0] not in tops]
    advice = "install the package that has it, or name its module with --plugin"
    if not silent:
        return advice
    return (
        f"no part of {group} was registered by {', '.join(silent)}, which was read (is @register "
        f"missing?); {advice}"
    )


def parts(group: Group) -> Iterator[tuple[str, Any]]:
    """Yield the name of each part of a group and the part, by name; imports them."""
    for name in names(group):
        yield name, load(group, name)


def is_built_in(part: Any) -> bool:
    """Return whether a part is one of this package's own."""
    return _module_of(part).partition(".")[0] in _OURS


def described(name: str, part: Any) -> str:
    """Return a part's name, and where it comes from if that is outside."""
    if is_built_in(part):
        return repr(name)
    try:
        return f"{name!r} ({origin(part)})"
    except ConfigError:  # its module has no source file
        return f"{name!r} ({_module_of(part)})"


@contextmanager
def named_errors(what: str, name: str, part: Any, error_class: type[TersError]) -> Iterator[None]:
    """Turn whatever a part from outside raises into one line that names it.

    Parameters
    ----------
    what
        What kind of part it is, such as importer.
    name, part
        The part, and its name; errors of built-in ones pass unchanged.
    error_class
        Class of the new error.
    """
    try:
        yield
    except Exception as error:
        if is_built_in(part) or is_limit(error):
            raise
        ours = isinstance(error, TersError) and is_built_in(type(error))
        text = " ".join(str(error).split()) if ours else f"{_short(error)}{_place(error)}"
        kind = type(error) if ours else error_class
        raise kind(f"{what} {described(name, part)}: {text}") from error


def _short(error: BaseException) -> str:
    """Return the class and the message of an error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _place(error: BaseException) -> str:
    """Return the last line of the user's own files, which are not installed, on the way to it."""
    ours = tuple(str(Path(__file__).parents[1] / name) for name in _OURS)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "site-packages" not in frame.filename and not frame.filename.startswith(ours):
            return f", at {frame.filename}:{frame.lineno}"
    return ""


def import_module(text: str) -> ModuleType:
    """Import a plug-in, ``my_module`` or ``folder/my_module.py``, and return its module.

    A module that is not installed is looked for in the working folder, too.
    """
    try:
        with _importing:  # a module that another thread is importing is not whole yet
            before = {*sys.modules}
            module, target = _import(text)
            if module.__name__ not in before:
                _beside[module.__name__] = _new_beside(module, before)
            _imported.setdefault(module.__name__, Imported(target, _digest_of(module)))
            return module
    except FileNotFoundError:
        raise ConfigError(
            f"plug-in: expected a module that can be imported or a file .py, got {text!r}; give "
            "its path, or install the package"
        ) from None
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"plug-in {text!r}: cannot be imported: {_short(error)}") from error


def _new_beside(module: ModuleType, before: set[str]) -> tuple[Path, ...]:
    """Return the files beside a file of the user's own that it has imported."""
    file = getattr(module, "__file__", None)
    if file is None or Path(file).name == "__init__.py" or _package_of(module.__name__):
        return ()
    new = (getattr(sys.modules[name], "__file__", None) for name in {*sys.modules} - before)
    folder = Path(file).parent
    return tuple(sorted(Path(one) for one in new if one and folder in Path(one).parents))


def _package_of(module: str) -> str | None:
    """Return the distribution that installs a module, if one does."""
    from importlib.metadata import packages_distributions

    packages = packages_distributions().get(module.partition(".")[0])
    return packages[0] if packages else None


def _digest_of(module: ModuleType) -> str:
    return _origin(module.__name__.partition(".")[0]).digest


def _import(text: str) -> tuple[ModuleType, str]:
    """Import a module by its name or file; return it, and how another process can find it."""
    path = Path(text)
    if path.suffix != ".py" and all(map(str.isidentifier, text.split("."))):
        if importlib.util.find_spec(text.partition(".")[0]):
            return importlib.import_module(text), text
        path = Path(*text.split(".")).with_suffix(".py")
    if path.suffix != ".py" or not path.is_file():
        raise FileNotFoundError(text)
    path = path.resolve()
    return _import_file(path), str(path)


def imported() -> tuple[Imported, ...]:
    """Return what this process imported with ``import_module``, in order, for others to import."""
    return tuple(_imported.values())


def plugin_options() -> list[str]:
    """Return the options ``--plugin`` that import the same in another process, to suggest them."""
    return [word for one in imported() for word in ("--plugin", one.target)]


def import_again(wanted: tuple[Imported, ...]) -> None:
    """Import what another process has imported."""
    for target, digest in wanted:
        here = _digest_of(import_module(target))
        if here != digest:
            raise ConfigError(
                f"plug-in {target!r}: expected sources of digest {digest[:12]}, got {here[:12]}; "
                "install the same version everywhere"
            )


def _import_file(path: Path) -> ModuleType:
    name = path.stem
    there = sys.modules.get(name)
    if there is None:
        found = importlib.util.find_spec(name)
        file = found.origin if found is not None else str(path)
    else:
        file = getattr(there, "__file__", None)
    if not file or Path(file).resolve() != path:
        raise ConfigError(
            f"plug-in {str(path)!r}: expected a name of its own, got that of the module {name} "
            f"({file or 'built in'}); rename the file"
        )
    if there is not None:
        return there
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.append(str(path.parent))  # at the top of it, what lies beside it can be imported
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module


def origin(part: Any) -> Origin:
    """Return where a part comes from."""
    return _origin(_module_of(part))


@cache
def _origin(module: str) -> Origin:
    names = module.split(".")
    tops = [".".join(names[: k + 1]) for k in range(len(names))]
    # a namespace package has no file: what is in it has
    top = next((one for one in tops if getattr(sys.modules.get(one), "__file__", None)), names[0])
    file = getattr(sys.modules.get(top), "__file__", None)
    if file is None or Path(file).suffix != ".py":
        raise ConfigError(
            f"plug-in {top}: expected a module with a Python source file, got {file or 'none'}; "
            "put it into a file"
        )
    path = Path(file)
    whole = path.name == "__init__.py"
    sources = sorted({path, *(path.parent.rglob("*.py") if whole else _beside.get(top, ()))})
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.relative_to(path.parent).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    from importlib.metadata import version

    package = _package_of(names[0])
    return Origin(top, package, version(package) if package else None, digest.hexdigest())
