"""Trained models, loaded from a run for use."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError

from ..data.transforms import Transforms
from ..models.build import Model
from ..planning import structure_targets
from .checkpoint import State, choose
from .trainer import input_range, make_transforms
from .weights import load_weights


class Trained(NamedTuple):
    """A trained model, and what its inputs and outputs are."""

    model: Model
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
        axis, n_points = self.state.axis_cm1, self.state.config.model.spectrum
        if axis is None or n_points is None:
            raise ConfigError(
                f"{self.folder}: expected a model of spectra, got one of "
                f"{self.state.config.data.input}s"
            )
        return np.linspace(*axis, n_points)


def load_trained(path: Path, device: torch.device) -> Trained:
    """Return the best model of a run, or that of one checkpoint.

    Raises
    ------
    DatasetError
        If there is none that is whole, or its weights are not those of its model.
    """
    found = choose(path)
    config = found.state.config
    weights = found.tensors.get("average", found.tensors["model"])
    model = load_weights(found.folder, config.model, weights, device).eval()
    return Trained(model, found.state, make_transforms(config, found.state.low), found.folder)


def check_fits(trained: Trained, dataset: Dataset) -> None:
    """Refuse a dataset that a model cannot be scored on.

    Raises
    ------
    ConfigError
        If the shape, axis or range of its inputs are not those trained on.
    """
    state = trained.state
    targets = trained.model.config.structure
    if targets is not None and structure_targets(dataset) != targets:
        raise ConfigError(
            f"{dataset.path}: expected the structure targets trained on, {targets}, got "
            f"{structure_targets(dataset)}; build it with the same elements, shapes and frame"
        )
    for name, shape in trained.model.shapes.items():
        if name not in dataset or dataset[name].shape[1:] != tuple(shape):
            got = dataset[name].shape[1:] if name in dataset else "none"
            raise ConfigError(
                f"{dataset.path}: expected {name} of shape {shape}, got {got}; measured rows come "
                f"into it by tersgen ingest --like {state.config.data.path}"
            )
    axis, wanted = dataset.shift_cm1, state.axis_cm1
    if wanted is not None and wanted != (float(axis[0]), float(axis[-1])):
        raise ConfigError(
            f"{dataset.path}: expected Raman shifts from {wanted[0]:g} to {wanted[1]:g} cm^-1, "
            f"got {axis[0]:g} to {axis[-1]:g}; measured spectra come onto it by tersgen ingest "
            f"--like {state.config.data.path}"
        )
    if input_range(dataset) != state.low:
        raise ConfigError(
            f"{dataset.path}: expected inputs from {state.low:g} on, got from "
            f"{input_range(dataset):g} on; build it with the same fields.scale"
        )
