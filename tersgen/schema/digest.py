"""Digests of models: the same content gives the same digest on every machine."""

import json
from typing import Any

from blake3 import blake3
from pydantic import BaseModel


def canonical_json(content: Any) -> str:
    """Return JSON with sorted keys and no blanks; floats in their shortest exact form."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_digest(content: Any) -> str:
    """Return the BLAKE3 digest of the canonical JSON of some content, 64 hexadecimal digits."""
    digest: str = blake3(canonical_json(content).encode()).hexdigest()
    return digest


def model_digest(model: BaseModel) -> str:
    """Return the BLAKE3 digest of a model's canonical JSON, 64 hexadecimal digits."""
    return canonical_digest(model.model_dump(mode="json"))
