"""Documents as they are stored, and their digests: the same content, the same digest anywhere."""

import json
from collections.abc import Mapping
from typing import Any

from blake3 import blake3
from pydantic import BaseModel

Table = dict[str, Any]


def canonical_json(content: Any) -> str:
    """Return JSON with sorted keys and no blanks; floats in their shortest exact form."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_digest(content: Any) -> str:
    """Return the BLAKE3 digest of the canonical JSON of some content, 64 hexadecimal digits."""
    digest: str = blake3(canonical_json(content).encode()).hexdigest()
    return digest


def digest_without(content: Mapping[str, Any], name: str) -> str:
    """Return the digest of a document without one of its entries, which holds that digest."""
    return canonical_digest({key: value for key, value in content.items() if key != name})


def without_defaults(model: BaseModel, former: Mapping[str, Any] | None = None) -> Table:
    """Return the content of a model that differs from the defaults, section by section.

    So a setting that is added later, with a default, changes no existing document.

    Parameters
    ----------
    model
        A model whose sections have the defaults of their own classes.
    former
        Defaults that take the place of those of the model's classes, as a table.
    """
    former = former or {}
    dumped = model.model_dump(mode="json")
    table: Table = {}
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            inside = without_defaults(value, former.get(name))
            if inside or not isinstance(info.default, BaseModel):
                table[name] = inside
        elif info.is_required() or dumped[name] != _default(name, info.default, former):
            table[name] = dumped[name]
    return table


def _default(name: str, default: Any, former: Mapping[str, Any]) -> Any:
    """Return a default as JSON has it."""
    value = former.get(name, default)
    return json.loads(json.dumps(value)) if isinstance(value, tuple) else value
