"""Documents from TOML, YAML or JSON files; each error is reported in one line."""

import io
import json
import reprlib
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ..errors import ConfigError
from ..files import read_input, why
from ..text import printable, unknown_field
from .base import IN_WORDS, LIBRARY, MODEL, TIP_FIELD
from .yaml_text import load_yaml

M = TypeVar("M", bound=BaseModel)

_LARGEST_FILE = 1 << 30
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80

_PHRASES = (
    ("Input should be a valid tuple", "expected a list"),
    ("Input should be a valid dictionary", "expected a table"),
    ("Input should be", "expected"),
    ("Tuple should have", "expected"),
    ("Dictionary should have", "expected"),
    ("String should have", "expected a text of"),
    (" after validation", ""),
)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        return [model for part in typing.get_args(annotation) for model in _models_in(part)]
    return []


def _model_at(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel]:
    """Return the model that holds the last part of ``location``."""
    for part in location[:-1]:
        known = model.model_fields.get(str(part))
        inside = _models_in(known.annotation) if known else []
        if inside:
            model = inside[0]
    return model


def _describe(error: Any, model: type[BaseModel]) -> str:
    location = error["loc"]
    # a part such as "tuple[str, ...]" names a choice of types, not a field
    name = ".".join(str(part) for part in location if "[" not in str(part))
    if error["type"] == "extra_forbidden":
        groups = "".join(f"{part}." for part in location[:-1] if "[" not in str(part))
        known = _model_at(model, location).model_fields
        return groups + unknown_field(str(location[-1]), known)
    message = error["msg"].removeprefix("Value error, ")
    for phrase, plain in _PHRASES:
        message = message.replace(phrase, plain)
    if error["type"] == "value_error":
        return f"{name}: {message}" if name else message
    got = error["input"]
    shown = f"a table with {len(got)} entries" if isinstance(got, Mapping) else _SHORT.repr(got)
    if error["type"] == "missing":
        return f"{name}: expected a value, got none"
    if error["type"] == "string_pattern_mismatch":
        pattern = error["ctx"]["pattern"]
        message = f"expected {IN_WORDS.get(pattern, f'a text that matches {pattern!r}')}"
    return f"{f'{name}: ' if name else ''}{message}, got {shown[:80]}"


class ExplainedErrors(type(BaseModel)):  # type: ignore[misc]
    """Metaclass of models that users make: wrong settings are a ConfigError of one line."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an instance."""
        try:
            return super().__call__(*args, **kwargs)
        except ValidationError as error:
            raise _explained(error, cls, cls.__name__.lower()) from None


def validate(model: type[M], data: Any, origin: str) -> M:
    """Return ``data`` as a ``model``; an error names the wrong field of ``origin`` in one line."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _explained(error, model, origin) from None


def validate_text(model: type[M], text: str, origin: str) -> M:
    """Return a JSON text as a ``model``, every value of just the type that is expected."""
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise _explained(error, model, origin) from None


def _explained(error: ValidationError, model: type[BaseModel], origin: str) -> ConfigError:
    first, *others = error.errors(include_url=False)
    more = f" (and {len(others)} more)" if others else ""
    return ConfigError(f"{origin}: {printable(_describe(first, model))}{more}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a name is given twice")
    return table


def parse_json(text: str) -> Any:
    """Return the content of a JSON text, in which no table may name anything twice."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("tables or lists too deep in each other") from None


def read_text(path: Path, largest: int = _LARGEST_FILE) -> str:
    """Return the text of a file of at most ``largest`` bytes."""
    try:
        content = read_input(path, largest)
        if len(content) > largest:
            raise ConfigError(f"{path}: expected a file of at most {largest >> 20} MiB")
        return io.TextIOWrapper(io.BytesIO(content), "utf-8").read()
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected UTF-8 text, got other bytes") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {why(error)}") from None


def parse_document(text: str, path: Path) -> Any:
    """Return the content of a TOML, YAML or JSON text; the file's ending says which."""
    try:
        if path.suffix == ".toml":
            return tomllib.loads(text)
        if path.suffix in (".yaml", ".yml"):
            return load_yaml(text)
        if path.suffix == ".json":
            return parse_json(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: not well formed: {reason}") from None
    raise ConfigError(f"{path}: expected a .toml, .yaml, .yml or .json file, got {path.suffix!r}")


def load_table(path: Path) -> dict[str, Any]:
    """Return the table of settings in a recipe file, paths in it made relative to the file."""
    data = parse_document(read_text(path), path)
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a table of settings, got {type(data).__name__}")
    sources = data.get("library")
    if isinstance(sources, dict) and "digest" in sources:
        data["library"] = {**sources, "file": str(path.parent / str(sources.get("file", LIBRARY)))}
    if isinstance(sources, list):
        data["library"] = [
            str(path.parent / source)
            if isinstance(source, str) and (path.parent / source).is_file()
            else source
            for source in sources
        ]
    near = data.get("nearfield")
    if isinstance(near, dict) and isinstance(near.get("grid_field"), str):
        if not near["grid_field"].startswith(MODEL):
            data["nearfield"] = {**near, "grid_field": str(path.parent / near["grid_field"])}
    elif isinstance(near, dict) and isinstance(near.get("grid_field"), dict):
        named = near["grid_field"]
        file = str(path.parent / str(named.get("file", TIP_FIELD)))
        data["nearfield"] = {**near, "grid_field": {**named, "file": file}}
    plugins = data.get("plugins")
    if isinstance(plugins, list):
        data["plugins"] = [
            _beside(path.parent, one) if isinstance(one, str) else one for one in plugins
        ]
    return data


def _beside(folder: Path, module: str) -> str:
    """Return the path of a module that is a file in a folder, otherwise its name unchanged."""
    is_file = module.endswith(".py")
    path = folder / (module if is_file else f"{module.replace('.', '/')}.py")
    return str(path) if is_file or path.is_file() else module
