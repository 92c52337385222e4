"""Digests of models: the same content gives the same digest on every machine."""

import json
from typing import Any

from blake3 import blake3
from pydantic import BaseModel


def canonical_json(content: Any) -> str:
    """Return JSON with sorted keys and no blanks; floats in their shortest exact form."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def model_digest(model: BaseModel) -> str:
    """Return the BLAKE3 digest of a model's canonical JSON, 64 hexadecimal digits."""
    text = canonical_json(model.model_dump(mode="json"))
    digest: str = blake3(text.encode()).hexdigest()
    return digest
