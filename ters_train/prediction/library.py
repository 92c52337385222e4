"""A library for a model of retrieval: an embedding for each of its species."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tersgen.errors import ConfigError
from tersgen.generator import Generator
from tersgen.recipe import Recipe
from tersgen.resolution import resolve

from ..engine.trained import Trained
from ..planning import open_data
from ..tasks.retrieval import Retrieval

_ROWS_AT_ONCE = 4096
ROWS_EACH = 4
"""Rows of each species whose mean embedding it gets: they differ in orientation and widths."""


def search_in_library(trained: Trained, path: Path) -> int:
    """Have a model of retrieval name the species of a library; return how many there are.

    Its rows are made by the recipe of the training data, without noise, background and detector.

    Parameters
    ----------
    trained
        The model.
    path
        The library, as a recipe names it: ``many.tlib``, say.

    Raises
    ------
    ConfigError
        If the model does another task, or its training data have no recipe.
    """
    task = trained.task
    if not isinstance(task, Retrieval):
        raise ConfigError(
            f"--library: expected a model of the task retrieval, got one of "
            f"{trained.state.config.task.name}; a classifier knows only its own classes"
        )
    dataset = open_data(trained.state.config.data)
    if dataset.kind == "measured":
        raise ConfigError(
            f"{dataset.path}: expected training data with a recipe, by which rows of the library "
            "are made, got measured rows"
        )
    (name,) = trained.model.shapes
    generator = Generator(_recipe(dataset.recipe, str(path), name))
    names = generator.recipe.held_library.names
    embeddings, labels = [], []
    n_rows = ROWS_EACH * len(names)
    for first in range(0, n_rows, _ROWS_AT_ONCE):
        made = generator.block(first, min(n_rows, first + _ROWS_AT_ONCE))
        labels.append(torch.from_numpy(np.asarray(made["label"])).long())
        for batch in trained.batches({name: made[name]}):
            with torch.inference_mode():
                embeddings.append(task.embedded(trained.model(batch)).cpu())
    task.search_in(names, _means(torch.cat(embeddings), torch.cat(labels), len(names)))
    return len(names)


def _recipe(recipe: Recipe, library: str, array: str) -> Recipe:
    """Return a recipe of rows of a library without noise, background and detector, resolved."""
    fields = type(recipe.fields)(
        **{name: name == array for name in ("spectra", "maps", "sticks", "tensors", "params")},
        precision="float16",
        scale=recipe.fields.scale,
    )
    update = {"library": (library,), "classes": type(recipe.classes)(), "fields": fields}
    return resolve(recipe.noise_free.model_copy(update={**update, "mixture": None}))


def _means(embeddings: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Return the mean of each class, of length 1."""
    sums = torch.zeros(n_classes, embeddings.shape[1]).index_add_(0, labels, embeddings)
    return torch.nn.functional.normalize(sums, dim=1)
