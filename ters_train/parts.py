"""Models, tasks, scores of novelty, callbacks and transforms by name, ours and those of plug-ins.

``NAME`` is a part of the registry: one of ours, of an installed package, or registered by a module
that the user named. ``NAME:ARGUMENT`` is a part that takes an argument, as ``timm:convnext_atto``
does, or one of its sizes, as ``vit:base``; ``MODULE:CLASS`` is whatever a module that the user
named has. A name in a checkpoint alone imports nothing: code comes from installed entry points and
from modules that the user names.
"""

import inspect
import pkgutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args
from warnings import warn

from pydantic import BaseModel

from tersgen import plugins
from tersgen.errors import ConfigError, TersWarning
from tersgen.schema.base import Frozen
from tersgen.schema.loading import validate
from tersgen.text import did_you_mean, not_among, unknown_field

from .config import PartConfig, PluginConfig

if TYPE_CHECKING:
    from .config import RunConfig

Group = Literal[
    "ters_train.models",
    "ters_train.tasks",
    "ters_train.callbacks",
    "ters_train.transforms",
    "ters_train.novelty",
]
GROUPS: tuple[Group, ...] = get_args(Group)
_WORDS = {group: group.rpartition(".")[2].removesuffix("s") for group in GROUPS}
_OWN = __name__.partition(".")[0]

_modules: dict[str, ModuleType] = {}


class NoOptions(Frozen):
    """Options of a part that has none."""


def use_plugins(names: Iterable[str]) -> None:
    """Import modules that the user names, ``my_module`` or ``folder/my_module.py``.

    Their classes can be used as ``my_module:Class`` from then on, and what they register by name.

    Raises
    ------
    ConfigError
        If there is no such module, or it cannot be imported.
    """
    _load_own()
    for name in names:
        top = name.partition(".")[0]
        if not name.endswith(".py") and top in {*sys.stdlib_module_names, _OWN, "tersgen"}:
            raise ConfigError(
                f"plug-in: expected a module of your own or of a package for ters_train, got {name}"
            )
        module = plugins.import_module(name)
        _modules[module.__name__] = module


def use_module_of(name: str, group: Group) -> None:
    """Import the module of a part that the user names as ``MODULE:CLASS``."""
    module, colon, _ = name.partition(":")
    if colon and module not in names(group) and module not in _modules:
        use_plugins([module])


@cache
def _load_own() -> None:
    """Import the rooms of this package, which register their parts."""
    import_module(f"{_OWN}.data.hiding")
    import_module(f"{_OWN}.calibration.novelty")
    for room in ("models", "tasks"):
        package = import_module(f"{_OWN}.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            import_module(f"{package.__name__}.{module.name}")


def names(group: Group) -> tuple[str, ...]:
    """Return the names of all registered parts of a kind; imports no plug-in."""
    _load_own()
    return plugins.names(group)


def find(group: Group, name: str) -> Any:
    """Return a part by name."""
    _load_own()
    word = _WORDS[group]
    known = plugins.names(group)
    before, colon, attribute = name.partition(":")
    if not colon or before in known:
        if before in known:
            part = plugins.load(group, before)
            sizes = getattr(part, "sizes", ())
            if sizes and colon and attribute not in sizes:
                raise ConfigError(
                    f"{word}: expected {', '.join(f'{before}:{size}' for size in sizes)} or "
                    f"{before!r}, got {name!r}"
                )
            if colon and not sizes and not getattr(part, "takes_argument", False):
                raise ConfigError(
                    f"{word}: expected {before!r}, which takes no argument, got {name!r}"
                )
            return part
        named = f"one of {', '.join(known)}, or " if known else ""
        raise ConfigError(
            f"{word}: expected {named}MODULE:NAME, a class or function of your own, got {name!r}"
            f"{did_you_mean(name, known)}; {plugins.how_to_bring(group)}"
        )
    module = _modules.get(before)
    if module is None:
        raise ConfigError(
            f"{word} {name!r}: expected the module {before} to be given, as no code is run because "
            f"a file names it; if it is yours, give it: --plugin {before}"
        )
    part = getattr(module, attribute, None)
    if not callable(part) or _top(part) != before.partition(".")[0]:
        there = [
            key
            for key, value in vars(module).items()
            if callable(value)
            and not key.startswith("_")
            and getattr(value, "__module__", None) == module.__name__
        ]
        raise ConfigError(f"{word}, a class or function of {before}: {not_among(attribute, there)}")
    return part


def options_of(part: Any, group: Group, options: Mapping[str, Any]) -> BaseModel:
    """Return the options of a part, checked by the model ``Options`` of its class."""
    model = getattr(part, "Options", NoOptions)
    if not (inspect.isclass(model) and issubclass(model, BaseModel)):
        raise ConfigError(f"{part.__name__}.Options: expected a pydantic model, got {model!r}")
    allowed = model.model_config.get("extra")
    unknown = [name for name in options if name not in model.model_fields]
    if unknown and allowed is None:  # which pydantic would leave out without a word
        raise ConfigError(
            f"{_WORDS[group]}.options: {unknown_field(unknown[0], model.model_fields)}"
        )
    return validate(model, dict(options), f"{_WORDS[group]}.options")


def whole(group: Group, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a part with all defaults, as JSON holds them: what a run stores.

    So a default that a later version changes does not change what is there. Parts without
    ``Options`` are stored with what was given.
    """
    part = find(group, name)
    if not hasattr(part, "Options"):
        return dict(options)
    return options_of(part, group, options).model_dump(mode="json")


def make(group: Group, config: PartConfig) -> Any:
    """Return a callback or transform: its class, or function, called with its options.

    A class without ``Options`` is given the options by keyword.
    """
    part = find(group, config.name)
    if hasattr(part, "Options"):
        return part(options_of(part, group, config.options))
    if not inspect.isclass(part):
        if config.options:
            raise ConfigError(f"{_WORDS[group]} {config.name!r}: expected no options, got some")
        return part
    try:
        inspect.signature(part).bind(**config.options)
    except TypeError as error:
        raise ConfigError(f"{_WORDS[group]} {config.name!r}: options: {error}") from None
    return part(**config.options)


def is_own(group: Group, name: str) -> bool:
    """Return whether a part is one of this package's own."""
    return _top(find(group, name)) == _OWN


def _top(part: Any) -> str:
    """Return the top-level module that defines a class or function."""
    return str(getattr(part, "__module__", "")).partition(".")[0]


def _used(config: "RunConfig") -> list[tuple[Group, str]]:
    return [
        ("ters_train.models", config.model.name),
        ("ters_train.tasks", config.task.name),
        *(("ters_train.callbacks", one.name) for one in config.callbacks),
        *(("ters_train.transforms", one.name) for one in config.transforms.plugins),
    ]


def plugins_of(config: "RunConfig") -> tuple[PluginConfig, ...]:
    """Return the parts of plug-ins that a run uses, with version and digest."""
    found = (plugin_of(group, name) for group, name in _used(config))
    return tuple(one for one in found if one is not None)


def plugin_of(group: Group, name: str) -> PluginConfig | None:
    """Return where a part comes from, with version and digest; None for one of our own."""
    part = find(group, name)
    if is_own(group, name):
        return None
    origin = plugins.origin(part)
    return PluginConfig(
        group=group,
        name=name,
        module=origin.module,
        package=origin.package,
        version=origin.version,
        digest=origin.digest,
    )


def check_plugins(config: "RunConfig", where: object, groups: Sequence[Group] = GROUPS) -> None:
    """Refuse a stored run whose plug-ins are not there; warn of those that have changed.

    Parameters
    ----------
    config
        The run, as it was stored.
    where
        The file or folder that it was stored in, for messages.
    groups
        Kinds of parts that are needed: to use a trained model, model and task.
    """
    known = {(one.group, one.name): one for one in config.plugins}
    changed = set[str]()
    for group, name in _used(config):
        if group in groups:
            check_plugin(group, name, known.get((group, name)), where, changed)


def check_plugin(
    group: Group, name: str, was: PluginConfig | None, where: object, changed: set[str]
) -> None:
    """Refuse a stored part of a plug-in that is not there; warn if it has changed.

    Parameters
    ----------
    group, name
        The part.
    was
        Where it came from; None if it was one of ours.
    where
        The file or folder that it was stored in, for messages.
    changed
        Modules that there was a warning about; extended if there is one now.
    """
    try:
        part = find(group, name)
    except ConfigError as error:
        if was is None:
            raise ConfigError(f"{where}: {error}") from None
        raise ConfigError(
            f"{where}: expected {_WORDS[group]} {name!r} of {_described(was)}, which is not "
            f"there; {_advice(was)}"
        ) from None
    if was is None or is_own(group, name):
        return
    now = plugins.origin(part)
    if now.digest != was.digest and now.module not in changed:
        changed.add(now.module)
        version = f"version {now.version}, " if now.version else ""
        warn(
            f"{where}: {_WORDS[group]} {name!r} was trained with {_described(was)}; got "
            f"{version}digest {now.digest[:12]}, which may compute something else",
            TersWarning,
            stacklevel=2,
        )


def _described(was: PluginConfig) -> str:
    package = f"package {was.package} {was.version}" if was.package else f"module {was.module}"
    return f"{package}, digest {was.digest[:12]}"


def _advice(was: PluginConfig) -> str:
    if was.package:
        return (
            f"install it, pip install {was.package}=={was.version}, or give --plugin {was.module}"
        )
    return f"give it: --plugin {was.module}, or the path of its file"
