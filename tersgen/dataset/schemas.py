"""JSON Schemas and field tables of the models, for ``schemas/`` and the documentation."""

import json
import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ..recipe import Recipe
from ..schema.manifest import JournalLine, Lock, Manifest, Tag
from ..schema.measured import Measured
from ..schema.species import LibraryDocument
from ..schema.split import Split

MODELS: dict[str, type[BaseModel]] = {
    "recipe": Recipe,
    "measured": Measured,
    "library": LibraryDocument,
    "lock": Lock,
    "journal": JournalLine,
    "manifest": Manifest,
    "split": Split,
    "tag": Tag,
}


def exported_files() -> dict[str, str]:
    """Return the text of each file of ``schemas/`` that is made from the models, by its name."""
    files = {
        f"{name}.schema.json": json.dumps(model.model_json_schema(), indent=2) + "\n"
        for name, model in MODELS.items()
    }
    return {**files, "recipe.md": _recipe_page()}


def _recipe_page() -> str:
    lines = [
        "# The recipe, field by field",
        "",
        "Made by `tersgen schema export`; the part before a dot is the group in a recipe file.",
        "",
        "| field | unit | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, unit, default, text in field_rows(Recipe):
        shown = "" if default is None else f"`{json.dumps(default)}`"
        lines.append(f"| `{name}` | {unit} | {shown} | {text} |")
    return "\n".join(lines) + "\n"


def field_rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, object, str]]:
    """Yield (name, unit, default, description) of every field, groups spelt out."""
    for name, info in model.model_fields.items():
        inside: Any = info.annotation
        if isinstance(inside, types.UnionType):  # a section that may be left out
            parts = [part for part in typing.get_args(inside) if part is not type(None)]
            inside = parts[0] if len(parts) == 1 else inside
        if isinstance(inside, type) and issubclass(inside, BaseModel):
            yield from field_rows(inside, f"{prefix}{name}.")
            continue
        extra = info.json_schema_extra
        unit = str(extra["unit"]) if isinstance(extra, dict) else "1"
        default = None if info.default is PydanticUndefined else info.default
        yield f"{prefix}{name}", unit, default, info.description or ""
