"""From a dataset and a user's wishes to the configuration of a run."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.opening import open as open_dataset
from tersgen.errors import ConfigError, DatasetError
from tersgen.sampling.labels import class_thresholds
from tersgen.schema.loading import validate

from .config import (
    INPUT_FIELDS,
    DataConfig,
    Input,
    ModelConfig,
    OrderConfig,
    RunConfig,
    StructureTargets,
)
from .data.rows import rows_of_part
from .targets import STRUCTURE_FIELDS, TENSOR_FIELDS, target_fields

MODELS: dict[str, tuple[Input, ...]] = {
    "cnn": ("spectrum",),
    "vit": ("map",),
    "cnn+vit": ("both",),
    "unet": ("map", "cube"),
}
"""Models by name, and what each may be fed; the first if nobody chooses."""

_PATCHES = (8, 7, 6, 5, 4, 3, 2, 1)
_UNET_DEPTHS = (4, 3, 2, 1)
_LEAST_PRESENT = 0.02
"""Smallest fraction from which on a species of a mixture counts as present."""
_UNET_BATCH = 32
"""Rows of a batch of images as large as those of a U-Net are; they take memory at each level."""


def open_data(data: DataConfig) -> Dataset:
    """Open what a run is trained on: the very version that it was begun with.

    Raises
    ------
    DatasetError
        If it is not there, or has become another.
    """
    path = data.path
    if data.version is not None and "@" not in Path(path).name:
        path = f"{path}@{data.version}"
    begun = f"{data.path}: expected the dataset that the run was begun with"
    try:
        n_samples = 12 * (data.n_samples // 10 + 1) + 2
        dataset = open_dataset(path, n_samples, data.follow_links)
    except (ConfigError, DatasetError) as error:
        if data.version is None:
            raise
        raise DatasetError(f"{begun}, version {data.version[:16]}: {error}") from None
    digest, _ = identity(dataset)
    if data.digest is not None and data.digest != digest:
        raise DatasetError(
            f"{begun}, digest {data.digest[:16]}, got {digest[:16]}; put it back, or begin "
            "another run"
        )
    return dataset


def identity(dataset: Dataset) -> tuple[str, str | None]:
    """Return the digest of a dataset, or of its recipe if it is generated, and its version."""
    if dataset.manifest is None:
        return dataset.contents.recipe_digest, None
    return dataset.manifest.digest, dataset.manifest.version


def fields_of(config: RunConfig) -> tuple[str, ...]:
    """Return the fields of the dataset that a run reads."""
    return (*INPUT_FIELDS[config.data.input], *target_fields(config.model))


def structure_targets(dataset: Dataset) -> StructureTargets:
    """Return what a U-Net is asked for on a dataset.

    Raises
    ------
    ConfigError
        If the dataset has no structure targets.
    """
    check_fields(dataset, STRUCTURE_FIELDS, "structures")
    structure, near = dataset.recipe.structure, dataset.recipe.nearfield
    if structure is None or near is None or structure.elements is None:
        raise ConfigError(f"{dataset.path}: expected a recipe with structure and nearfield")
    return StructureTargets(
        elements=structure.elements,
        shape=structure.shape,
        radius_angstrom=structure.radius_angstrom,
        bonds=structure.bonds,
        frame_angstrom=near.frame_angstrom,
    )


def class_counts(dataset: Dataset, data: DataConfig, part: str) -> tuple[float, ...]:
    """Return the rows of each class in a part: counted, or of a recipe those to be expected.

    Of a recipe no row is looked at: n_c is the probability of the class times the rows of an epoch.
    A class of n_c = 0 never comes.
    """
    split = dataset.splits.get(data.split)
    if split is not None:
        number = split.rule.names.index(part)
        return tuple(row[number] for row in split.counts)
    n_rows, n_classes = rows_of_part(dataset, data, part).counts().sum(), len(dataset.classes)
    thresholds = class_thresholds(dataset.recipe, dataset.library)
    if thresholds is None:
        return (n_rows / n_classes,) * n_classes
    shares = np.diff(thresholds.astype(float), prepend=0.0) / thresholds[-1]
    return tuple((shares * n_rows).tolist())


def training_weights(counts: Sequence[float]) -> tuple[float, ...]:
    """Return w_c of Eq. (8.2) from the rows of each class, mean 1 over the classes that have any.

    A class without rows has weight 0: it cannot be learnt, and as the rarest of all it would
    outweigh the others in a smoothed label, Eq. (6.2).

    Examples
    --------
    >>> training_weights((30, 10, 0))
    (0.5, 1.5, 0.0)
    """
    raw = [1 / max(count, 1.0) if count else 0.0 for count in counts]
    mean = math.fsum(raw) / max(1, sum(count > 0 for count in counts))
    return tuple(weight / mean for weight in raw)


def check_fields(dataset: Dataset, names: tuple[str, ...], why: str) -> None:
    """Refuse a dataset without some fields.

    Raises
    ------
    ConfigError
        If it lacks one.
    """
    missing = [name for name in names if name not in dataset]
    if missing:
        group = missing[0].partition("/")[0]
        advice = f"build it with fields.{group} = true"
        if group == "structure":
            advice = "build it with --preset structure, or sections nearfield and structure"
        elif group == "maps" and "mixture/label" in dataset:
            advice = "mixtures have no maps: train on spectra"
        raise ConfigError(
            f"{dataset.path}: expected the field {missing[0]} for {why}, got "
            f"{', '.join(dataset)}; {advice}"
        )


def _values(table: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """Return the values in tables within tables, by name, such as ``optim.lr``."""
    values: dict[str, Any] = {}
    for name, value in table.items():
        inside = isinstance(value, Mapping)
        values |= _values(value, f"{group}{name}.") if inside else {f"{group}{name}": value}
    return values


def differing(before: RunConfig, now: RunConfig) -> list[str]:
    """Return the names of the values that decide a run and differ in two configurations.

    Where the dataset lies, and how it is read, decides nothing.
    """
    free: dict[str, Any] = {"stream": True, "data": {"path", "version"}}
    first, second = (_values(config.model_dump(exclude=free)) for config in (before, now))
    return [name for name in {**first, **second} if first.get(name) != second.get(name)]


def _patch(height: int, width: int) -> int:
    """Return the side of the patches of a map: at most 8 pixels, and not the whole map."""
    return next(p for p in _PATCHES if height % p == 0 and width % p == 0 and 2 * p <= height)


def _depth(height: int, width: int) -> int:
    """Return the levels of a U-Net: at most 4, with 4 pixels or more at the bottom."""
    for depth in _UNET_DEPTHS:
        step = 1 << depth
        if height % step == 0 and width % step == 0 and min(height, width) >= 4 * step:
            return depth
    return 1


def branches(config: ModelConfig) -> dict[str, dict[str, Any]]:
    """Return the settings of a model's branches, by the names that ``--model`` gives them."""
    parts = {"cnn": config.cnn, "vit": config.vit, "unet": config.unet}
    return {name: part.model_dump() for name, part in parts.items() if part is not None}


def make_config(
    dataset: Dataset, data: DataConfig, model: str, settings: Mapping[str, Any]
) -> RunConfig:
    """Return the configuration of a run on a dataset.

    Parameters
    ----------
    dataset
        What it is trained on.
    data
        Where that lies, and which split.
    model
        ``cnn``, ``vit``, ``cnn+vit`` or ``unet``.
    settings
        What a user sets, as tables within tables; the rest is taken from the dataset, or default.

    Raises
    ------
    ConfigError
        If the dataset lacks what the model needs, or a setting is not possible.
    """
    wanted = MODELS.get(model)
    if wanted is None:
        raise ConfigError(f"model: expected one of {', '.join(MODELS)}, got {model!r}")
    if data.input not in wanted:
        fitting = next(name for name, kinds in MODELS.items() if data.input in kinds)
        raise ConfigError(
            f"model: expected {fitting} for input {data.input!r}, got {model!r}, which is fed "
            f"{' or '.join(map(repr, wanted))}"
        )
    check_fields(dataset, INPUT_FIELDS[data.input], f"input {data.input!r}")
    digest, version = identity(dataset)
    table: dict[str, Any] = {name: dict(value) for name, value in settings.items()}
    shapes: dict[str, Any] = {"n_classes": len(dataset.classes)}
    mixture = dataset.recipe.mixture if "mixture/count" in dataset else None
    if mixture is not None:
        # half of the smallest fraction: an error either way is as large
        shapes["present_fraction"] = max(_LEAST_PRESENT, 0.5 * mixture.smallest)
    if "cnn" in model:
        shapes |= {"spectrum": dataset["spectra"].shape[1], "cnn": {}}
    if model == "unet":
        (array,) = INPUT_FIELDS[data.input]
        image = dataset[array].shape[1:]
        channels, height, width = image if array == "maps" else (image[2], *image[:2])
        targets = structure_targets(dataset)
        unet = {"depth": _depth(height, width), "array": array}
        shapes |= {"map": (channels, height, width), "unet": unet}
        shapes["structure"] = targets.model_dump(mode="json")
        table.setdefault("order", {}).setdefault("batch_size", _UNET_BATCH)
    if "vit" in model:
        channels, height, width = dataset["maps"].shape[1:]
        if min(height, width) < 2:
            raise ConfigError(
                f"{dataset.path}: expected maps of at least 2 x 2 pixels for a vision transformer, "
                f"got {height} x {width}"
            )
        shapes |= {"map": (channels, height, width), "vit": {"patch": _patch(height, width)}}
    if table.get("loss", {}).get("tensor_loss"):
        check_fields(dataset, TENSOR_FIELDS, "tensor_loss")
        if mixture is not None:
            raise ConfigError(
                "loss.tensor_loss: expected 0 for mixtures, whose spectra are of several species, "
                f"got {table['loss']['tensor_loss']:g}"
            )
        shapes["tensor_modes"] = dataset["tensors"].shape[1]
    own = table.pop("model", {})
    for name in ("n_classes", "spectrum", "map", "tensor_modes", "structure"):
        follows = shapes.get(name)
        follows = list(follows) if isinstance(follows, tuple) else follows
        if name in own and own[name] != follows:
            raise ConfigError(
                f"model.{name}: expected {follows}, which follows from the dataset and what is "
                f"trained on, got {own[name]!r}; leave it out"
            )
    for name, value in own.items():
        inside = shapes.get(name)
        shapes[name] = {**inside, **value} if isinstance(inside, dict) else value
    rows = int(rows_of_part(dataset, data, data.train_part).counts().sum())
    usual = table.get("order", {}).get("batch_size", OrderConfig().batch_size)
    if "batch_size" not in settings.get("order", {}) and rows < usual:
        table["order"] = {**table.get("order", {}), "batch_size": rows}
    known = data.model_copy(update={"digest": digest, "version": version})
    return validate(RunConfig, {**table, "data": known.model_dump(), "model": shapes}, "run")
