"""Synthetic tip-enhanced Raman (TERS) datasets, generated as fast as the disk can write.

``tersgen.open`` reads a dataset or a recipe; ``tersgen.generate`` makes rows in memory. Names are
imported when first used, so that ``import tersgen`` is quick.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .dataset.dataset import Dataset, Field
    from .dataset.opening import generate, open
    from .dataset.recipes import load_recipe, save_recipe
    from .recipe import Recipe
    from .resolution import resolve
    from .schema.library import Library
    from .schema.species import Species

__all__ = [
    "Dataset",
    "Field",
    "Library",
    "Recipe",
    "Species",
    "generate",
    "load_recipe",
    "open",
    "resolve",
    "save_recipe",
]

_HOMES = {
    "Dataset": "dataset.dataset",
    "Field": "dataset.dataset",
    "Library": "schema.library",
    "Recipe": "recipe",
    "Species": "schema.species",
    "generate": "dataset.opening",
    "load_recipe": "dataset.recipes",
    "open": "dataset.opening",
    "resolve": "resolution",
    "save_recipe": "dataset.recipes",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tersgen' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
