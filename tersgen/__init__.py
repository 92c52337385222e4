"""Synthetic tip-enhanced Raman (TERS) datasets, generated as fast as the disk can write.

``tersgen.build`` makes a dataset, ``tersgen.open`` reads one, or a recipe, and
``tersgen.generate`` makes rows in memory; commands for datasets are functions, too
(docs/python.md). Names are imported when first used, so that ``import tersgen`` is quick.
"""

import sys
from typing import TYPE_CHECKING, Any

if sys.platform == "win32":  # no file locks, limits or openat as they are needed
    raise ImportError("tersgen needs Linux or macOS; on Windows, install it in WSL")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .api.building import build, plan
    from .api.computing import compute_library
    from .api.datasets import convert, diff, info, push, repair, split, tag, verify
    from .api.exporting import export
    from .api.extending import extend
    from .api.measuring import ingest
    from .api.progress import ProgressBar
    from .dataset.dataset import Dataset
    from .dataset.field import Field
    from .dataset.opening import generate, open
    from .dataset.recipes import load_recipe, save_recipe
    from .errors import TersError, TersWarning
    from .exports.signals import to_hyperspy, to_ramanspy
    from .jobs.progress import Progress
    from .recipe import Recipe
    from .resolution import resolve
    from .schema.library import Library
    from .schema.species import Species
    from .schema.tipfield import TipField
    from .serve.client import connect

__all__ = [
    "Dataset",
    "Field",
    "Library",
    "Progress",
    "ProgressBar",
    "Recipe",
    "Species",
    "TersError",
    "TersWarning",
    "TipField",
    "build",
    "compute_library",
    "connect",
    "convert",
    "diff",
    "export",
    "extend",
    "generate",
    "info",
    "ingest",
    "load_recipe",
    "open",
    "plan",
    "push",
    "repair",
    "resolve",
    "save_recipe",
    "split",
    "tag",
    "to_hyperspy",
    "to_ramanspy",
    "verify",
]

_HOMES = {
    "Dataset": "dataset.dataset",
    "Field": "dataset.field",
    "Library": "schema.library",
    "Progress": "jobs.progress",
    "ProgressBar": "api.progress",
    "Recipe": "recipe",
    "Species": "schema.species",
    "TersError": "errors",
    "TersWarning": "errors",
    "TipField": "schema.tipfield",
    "build": "api.building",
    "compute_library": "api.computing",
    "connect": "serve.client",
    "convert": "api.datasets",
    "diff": "api.datasets",
    "export": "api.exporting",
    "extend": "api.extending",
    "generate": "dataset.opening",
    "info": "api.datasets",
    "ingest": "api.measuring",
    "load_recipe": "dataset.recipes",
    "open": "dataset.opening",
    "plan": "api.building",
    "push": "api.datasets",
    "repair": "api.datasets",
    "resolve": "resolution",
    "save_recipe": "dataset.recipes",
    "split": "api.datasets",
    "tag": "api.datasets",
    "to_hyperspy": "exports.signals",
    "to_ramanspy": "exports.signals",
    "verify": "api.datasets",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tersgen' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
