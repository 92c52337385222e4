"""A training from Python in three calls: plan it, fit it, load what was trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError

from .config import DEFAULT_MODELS, DataConfig, Input, RunConfig
from .engine.fit import Fitted, Quiet
from .engine.fit import fit as fit_with_ranks
from .engine.ranks import process_group
from .engine.trained import Trained, load_trained
from .models.model import kinds_of
from .planning import make_config


def plan(
    dataset: Dataset,
    model: str | None = None,
    task: str | None = None,
    *,
    kind: Input | None = None,
    settings: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Return the configuration of a run on a dataset.

    Parameters
    ----------
    dataset
        An open dataset, stored with a split, or generated.
    model
        Name of a model, as ``--model`` takes it; by default that of the input.
    task
        Name of a task; by default that of model and dataset.
    kind
        What the model sees; by default the first that it can be fed.
    settings
        Settings as tables within tables, ``{"optim": {"epochs": 3}}``.

    Raises
    ------
    ConfigError
        If the dataset lacks what the model or task needs, or a setting is not possible.
    """
    if dataset.is_view:
        raise ConfigError(
            f"{dataset.path}: expected a whole dataset, got a view; name a split and its parts in "
            "settings={'data': {'split': ...}} instead"
        )
    chosen = model or DEFAULT_MODELS[kind or "spectrum"]
    tables = dict(settings or {})
    given = {"input": kind or kinds_of(chosen)[0], **tables.pop("data", {})}
    data = DataConfig(path=str(dataset.path), **given)
    return make_config(dataset, data, chosen, tables, task)


def fit(config: RunConfig, folder: str | Path, *, resume: bool = False) -> Fitted:
    """Train to the end; show nothing, and write checkpoints, log and report into a folder.

    With ``resume`` it continues from the last checkpoint there.

    Raises
    ------
    ConfigError, DatasetError
        If run and dataset do not fit each other.
    TrainingError
        If the loss is not finite or a batch does not fit; the last checkpoint stays.
    OutputError
        If the folder cannot be written, or holds a run that is not resumed.
    """
    with process_group(None) as ranks:
        return fit_with_ranks(config, Path(folder), ranks, Quiet(), resume)


def load(run: str | Path, device: str = "cpu") -> Trained:
    """Return the best model of a run, of ``zoo:NAME``, or that of one checkpoint, ready for use.

    Raises
    ------
    DatasetError
        If there is none that is whole, or its weights are not those of its model.
    ConfigError
        If it needs a plug-in that was not given with ``use_plugins`` and is not installed.
    """
    return load_trained(Path(run), torch.device(device))
