"""Initial weights from another run, for fine-tuning on other data, such as measured spectra."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError

from ..config import ModelConfig
from ..data.fields import MIXTURE_LABEL
from ..models.model import GROUP, Model
from ..models.spectrum_inputs import SpectrumOptions
from ..parts import check_plugins, whole
from .checkpoint import State, choose
from .weights import check_weights


def load_pretrained(model: Model, path: str, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Give a model the weights of another run, whose classes or task may be others.

    Rows of the head go to the classes of the same names; those of new classes stay as drawn. So do
    the weights of outputs that the other run's task does not have.

    Returns
    -------
    tuple of str
        The names of these outputs.
    """
    found = choose(Path(path))
    check_plugins(found.state.config, found.folder, ("ters_train.models",))
    weights = dict(found.tensors.get("average", found.tensors["model"]))
    check_weights(found.folder, found.state.config.model, weights)
    _check_inputs(found.folder, found.state.config.model, model.config)
    own = model.state_dict()
    known = {name: k for k, name in enumerate(found.state.classes)}
    for name in model.class_rows:
        if name in weights and weights[name].shape[1:] == own[name].shape[1:]:
            weights[name] = _rows_by_name(own[name], weights[name], known, classes)
    fresh = tuple(
        name for name in model.config.outputs if name not in found.state.config.model.outputs
    )
    same = found.state.config.model.model_copy(update={"outputs": {}}) == model.config.model_copy(
        update={"outputs": {}}
    )
    for name, value in own.items():
        theirs = weights.get(name)
        if theirs is None and fresh and same:
            weights[name] = value  # of a new output
        elif theirs is None or theirs.shape != value.shape:
            got = "none" if theirs is None else f"shape {tuple(theirs.shape)}"
            raise ConfigError(
                f"{found.folder}: expected weights {name} of shape {tuple(value.shape)}, got "
                f"{got}; start from a run of the same model"
            )
    model.load_state_dict({name: weights[name] for name in own})
    return fresh


def _check_inputs(folder: Path, theirs: ModelConfig, own: ModelConfig) -> None:
    """Refuse weights that were trained on other views of spectra, whose shapes may be the same."""
    if theirs.name != own.name:
        return
    before, now = (_views(whole(GROUP, one.name, one.options)) for one in (theirs, own))
    for name, value in before.items():
        if now[name] != value:
            raise ConfigError(
                f"{folder}: expected model.options.{name} = {value!r}, with which its weights were "
                f"trained, got {now[name]!r}; leave it out"
            )


def _views(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that say what a model sees of spectra, those of branches, too."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": inside for key, inside in _views(value).items()}
        elif name in SpectrumOptions.model_fields:
            found[name] = value
    return found


def _rows_by_name(
    own: Tensor, theirs: Tensor, known: dict[str, int], classes: tuple[str, ...]
) -> Tensor:
    """Return the rows of a head: those of classes that both know are theirs."""
    rows = own.clone()
    for label, name in enumerate(classes):
        if name in known:
            rows[label] = theirs[known[name]].to(own)
    return rows


def labels_by_name(state: State, dataset: Dataset) -> Tensor | None:
    """Return the model's label of each class of a dataset, shape (K,); None if they are the same.

    A class that the model does not know counts as its class ``unknown``, if it has one.
    """
    if dataset.classes == state.classes:
        return None
    known = {name: k for k, name in enumerate(state.classes)}
    other = known.get("unknown", -1)
    labels = [known.get(name, other) for name in dataset.classes]
    # for mixtures only the largest species is counted, and any may be one of the others
    manifest = dataset.manifest if MIXTURE_LABEL not in dataset else None
    counts = manifest.class_counts if manifest else (1,) * len(labels)
    foreign = [
        name
        for name, label, count in zip(dataset.classes, labels, counts, strict=True)
        if label < 0 and count
    ]
    if foreign:
        raise ConfigError(
            f"{dataset.path}: expected only classes of the {len(state.classes)} trained on, got "
            f"{', '.join(foreign[:8])}{', ...' if len(foreign) > 8 else ''}; a model scores only "
            "its own classes: leave them out, or train one with a class unknown"
        )
    return torch.tensor(labels).clamp_(min=0)
