"""Parts of a model card: what a model was trained on, how well it does, what it is not for."""

import json
import re
from collections.abc import Mapping
from typing import Any

from tersgen.schema.loading import printable

from . import Report


def text(value: object) -> str:
    """Return a value as text in which Markdown and HTML see nothing of theirs."""
    return re.sub(r"([\\`*_\[\]<>|~&$])", r"\\\1", printable(str(value)))


def listed(pairs: Mapping[str, Any]) -> str:
    """Return a list of names and values, Markdown."""
    return "\n".join(f"- {text(name)}: {text(value)}" for name, value in pairs.items())


def heading(report: Report) -> str:
    """Return the table of YAML that model hubs read; JSON texts are YAML texts too."""
    return (
        "---\nlibrary_name: pytorch\ntags:\n- raman\n- ters\n- synthetic-data\n"
        f"dataset_digest: {json.dumps(report.digest)}\n---"
    )


def trained_on(report: Report) -> dict[str, Any]:
    """Return what a model was trained on: names and values."""
    data = report.config.get("data", {})
    return {
        "digest": report.digest,
        "version": report.version or "none",
        "path": data.get("path", "not recorded"),
        "split": f"{data.get('split', '?')}, trained on {data.get('train_part', '?')}, "
        f"best checkpoint chosen on {data.get('val_part', '?')}",
        **report.recipe,
    }
