"""Trained models, loaded from a run for use."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError, DatasetError
from tersgen.text import command

from ..data.transforms import Transforms
from ..models.model import Model
from ..parts import check_plugins
from ..tasks.task import Task, make_task
from .checkpoint import State, choose
from .trainer import input_range, make_transforms
from .weights import load_weights


class Trained(NamedTuple):
    """A trained model, and what its inputs and outputs are."""

    model: Model
    task: Task
    state: State
    transforms: Transforms
    folder: Path
    """The checkpoint."""

    @property
    def shift_cm1(self) -> NDArray[np.float64]:
        """The axis of Raman shifts that it was trained on, Eq. (1.1), in cm^-1, shape (L,).

        Raises
        ------
        ConfigError
            If the model sees no spectra.
        """
        axis, shape = self.state.axis_cm1, self.model.shapes.get("spectra")
        if axis is None or shape is None:
            raise ConfigError(
                f"{self.folder}: expected a model of spectra, got one of "
                f"{self.state.config.data.input}s"
            )
        return np.linspace(*axis, shape[0])


def load_trained(path: Path, device: torch.device) -> Trained:
    """Return the best model of a run, or that of one checkpoint.

    Raises
    ------
    DatasetError
        If there is none that is whole, or its weights are not those of its model.
    """
    found = choose(path)
    config = found.state.config
    check_plugins(config, found.folder, ("ters_train.models", "ters_train.tasks"))
    try:
        task = make_task(config)
    except ConfigError as error:
        raise DatasetError(f"{found.folder}: {error}") from None
    weights = found.tensors.get("average", found.tensors["model"])
    model = load_weights(found.folder, config.model, weights, device).eval()
    # those of plug-ins change training batches only
    plain = config.transforms.model_copy(update={"plugins": ()})
    transforms = make_transforms(config.model_copy(update={"transforms": plain}), found.state.low)
    return Trained(model, task, found.state, transforms, found.folder)


def check_fits(trained: Trained, dataset: Dataset) -> None:
    """Refuse a dataset that a model cannot be scored on.

    Raises
    ------
    ConfigError
        If the shape, axis or range of its inputs are not those trained on.
    """
    state = trained.state
    trained.task.check_dataset(dataset)
    for name, shape in trained.model.shapes.items():
        if name not in dataset or dataset[name].shape[1:] != tuple(shape):
            got = dataset[name].shape[1:] if name in dataset else "none"
            raise ConfigError(
                f"{dataset.path}: expected {name} of shape {shape}, got {got}; measured rows come "
                f"into it by {command('tersgen', 'ingest', '--like', state.config.data.path)}"
            )
    axis, wanted = dataset.shift_cm1, state.axis_cm1
    if wanted is not None and wanted != (float(axis[0]), float(axis[-1])):
        raise ConfigError(
            f"{dataset.path}: expected Raman shifts from {wanted[0]:g} to {wanted[1]:g} cm^-1, "
            f"got {axis[0]:g} to {axis[-1]:g}; measured spectra come onto it by "
            f"{command('tersgen', 'ingest', '--like', state.config.data.path)}"
        )
    if input_range(dataset) != state.low:
        raise ConfigError(
            f"{dataset.path}: expected inputs from {state.low:g} on, got from "
            f"{input_range(dataset):g} on; build it with the same fields.scale"
        )
