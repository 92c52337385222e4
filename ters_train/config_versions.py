"""Configurations of runs as older versions wrote them."""

import json
from collections.abc import Mapping
from typing import Any

from tersgen.schema.loading import validate_text

from .config import RunConfig


def read_config(text: str, origin: str) -> RunConfig:
    """Return the configuration in a JSON text, of this version or of checkpoint format 2."""
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        table = None  # the validation below reports it
    if isinstance(table, dict) and "task" not in table:
        text = json.dumps(from_version_2(table))
    return validate_text(RunConfig, text, origin)


def from_version_2(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration of checkpoint format 2, with its field for each model, as it is now.

    What is not as format 2 had it is left alone: validating the result reports what is wrong.
    """
    try:
        return {**table, **_parts(table["model"])}
    except (TypeError, KeyError, AttributeError, ValueError):
        return dict(table)


def _parts(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return model and task of the old table of a model."""
    branches = {name: model[name] for name in ("cnn", "vit", "unet") if model.get(name) is not None}
    n_classes = model["n_classes"]
    image: Any = model.get("map")
    inputs: dict[str, Any] = {}
    if model.get("spectrum") is not None:
        inputs["spectra"] = [model["spectrum"]]
    if image is not None:
        inputs["maps"] = image
    options: dict[str, Any] = {"n_classes": n_classes}
    outputs: dict[str, Any] = {"logits": [n_classes]}
    name = "classification"
    if model.get("tensor_modes") is not None:
        options["tensor_modes"] = model["tensor_modes"]
        outputs["tensors"] = [model["tensor_modes"], 3, 3]
    if model.get("present_fraction") is not None:
        name = "mixture"
        options["present_fraction"] = model["present_fraction"]
    own = next(iter(branches.values())) if len(branches) == 1 else branches
    if "unet" in branches:
        own = dict(own)
        channels, height, width = image
        inputs = {"maps": image}
        if own.pop("array") == "cube":
            inputs = {"cube": [height, width, channels]}
        name, options = "structure", {**model["structure"], "pixels": [height, width]}
        outputs = {"masks": [len(options["elements"]), height, width]}
        if options["bonds"]:
            outputs["bonds"] = [height, width]
    return {
        "model": {"name": "+".join(branches), "options": own, "inputs": inputs, "outputs": outputs},
        "task": {"name": name, "options": options},
    }
