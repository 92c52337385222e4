"""From a dataset and a user's wishes to the configuration of a run."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.opening import open as open_dataset
from tersgen.effects.classes.effect import class_thresholds
from tersgen.errors import ConfigError, DatasetError, TersError
from tersgen.schema.loading import validate
from tersgen.schema.presets import merged
from tersgen.text import did_you_mean

from .config import (
    DEFAULT_MODELS,
    INPUT_FIELDS,
    DataConfig,
    OptimConfig,
    OrderConfig,
    PartConfig,
    RunConfig,
)
from .data.fields import MIXTURE_LABEL
from .data.rows import recipe_edges, rows_of_part

if TYPE_CHECKING:
    from .parts import Group

_BATCH_SIZE = OrderConfig().batch_size
_LEAST_BATCH_SIZE, _LEAST_BATCHES = 8, 16
_EPOCHS = OptimConfig().epochs
_MOST_EPOCHS, _LEAST_STEPS = 100, 300
_PATIENCE = 5
"""Epochs without a better score after which a new run stops, unless the user says otherwise; of
more epochs than usual a quarter."""


def open_data(data: DataConfig) -> Dataset:
    """Open what a run is trained on: the very version that it was started with."""
    path = data.path
    if data.version is not None and "@" not in Path(path).name:
        path = f"{path}@{data.version}"
    same = f"{data.path}: expected the dataset that the run was started with"
    try:
        dataset = open_dataset(path, recipe_edges(data.n_samples)[-1], data.follow_links)
    except (ConfigError, DatasetError) as error:
        if data.version is None:
            raise
        raise DatasetError(f"{same}, version {data.version[:16]}: {error}") from None
    digest, _ = identity(dataset)
    if data.digest is not None and data.digest != digest:
        raise DatasetError(
            f"{same}, digest {data.digest[:16]}, got {digest[:16]}; restore it, or start a new run"
        )
    return dataset


def identity(dataset: Dataset) -> tuple[str, str | None]:
    """Return the digest of a dataset, or of its recipe if it is generated, and its version."""
    if dataset.manifest is None:
        return dataset.contents.recipe_digest, None
    return dataset.manifest.digest, dataset.manifest.version


def class_counts(dataset: Dataset, data: DataConfig, part: str) -> tuple[float, ...]:
    """Return the rows of each class in a part: counted, or for a recipe the expected number.

    For a recipe no rows are generated: n_c is the probability of the class times the rows of an
    epoch. A class with n_c = 0 does not occur.
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


def check_fields(dataset: Dataset, names: tuple[str, ...], why: str) -> None:
    """Refuse a dataset without some fields."""
    missing = [name for name in names if name not in dataset]
    if missing:
        group = missing[0].partition("/")[0]
        advice = f"build it with fields.{group} = true"
        if group == "spectra":
            advice = _instead_of_spectra(dataset)
        elif group == "structure":
            advice = "build it with --preset structure, or sections nearfield and structure"
        elif group == "scene":
            advice = "build it with --preset scene, or sections nearfield and scene"
        elif group == "maps" and "cube" in dataset:
            advice = "for its cubes use --model unet --input cube"
        elif group == "maps" and "mixture/label" in dataset:
            advice = "mixtures have no maps: train on spectra"
        has_group = group in {name.partition("/")[0] for name in dataset.fields}
        hint = did_you_mean(missing[0], dataset.fields) if has_group else ""
        raise ConfigError(
            f"{dataset.path}: expected the field {missing[0]} for {why}, got "
            f"{', '.join(dataset.fields)}{hint or f'; {advice}'}"
        )


def _instead_of_spectra(dataset: Dataset) -> str:
    """Return what to do with a dataset without spectra."""
    if "structure/masks" in dataset:
        cubes = "" if "maps" in dataset else " --input cube"
        return f"for structures use --model unet{cubes}"
    if "maps" in dataset:
        return "for its maps use --input map --model vit"
    if dataset.kind == "measured":
        return "ingest it with --as spectra"
    return "build it with fields.spectra = true"


def _values(table: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """Return the values in tables within tables, by name, such as ``optim.lr``."""
    values: dict[str, Any] = {}
    for name, value in table.items():
        inside = isinstance(value, Mapping)
        values |= _values(value, f"{group}{name}.") if inside else {f"{group}{name}": value}
    return values


def differing(before: RunConfig, now: RunConfig) -> list[str]:
    """Return the names of the values that decide a run and differ in two configurations.

    Where the dataset lies, how it is read and what is notified decides nothing; plug-ins that have
    changed are warned of.
    """
    free: dict[str, Any] = dict.fromkeys(("stream", "callbacks", "plugins"), True)
    free["data"] = {"path", "version"}
    first, second = (_values(config.model_dump(exclude=free)) for config in (before, now))
    return [name for name in {**first, **second} if first.get(name) != second.get(name)]


def default_task(dataset: Dataset) -> str:
    """Return the task of a dataset if neither user nor model chooses."""
    return "mixture" if MIXTURE_LABEL in dataset else "classification"


def _members_of(run: Path, model: str) -> dict[str, Any]:
    """Return how many networks the weights of a run of this model are of, if it can be read."""
    from .engine.checkpoint import choose

    with suppress(TersError):  # starting from it says what is wrong
        config = choose(run).state.config.model
        if config.name == model:
            return {"members": config.options.get("members", 1)}
    return {}


def _table(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a table of settings, empty if there is none."""
    inside = table.get(name, {})
    if not isinstance(inside, dict):
        raise ConfigError(f"{name}: expected a table of settings, got {inside!r:.80}")
    return dict(inside)


def _follows(what: str, own: Mapping[str, Any], name: str, value: Any) -> None:
    """Refuse what a user sets although it follows from the dataset, unless it is the same."""
    follows = json.loads(json.dumps(value))
    if name in own and own[name] != follows:
        raise ConfigError(
            f"{what}: expected {follows}, which follows from the dataset and what is trained on, "
            f"got {own[name]!r}; leave it out"
        )


def _whole(group: "Group", table: Any) -> PartConfig:
    """Return a callback or transform with all its options."""
    from .callbacks import GROUP, check_hooks
    from .parts import find, whole

    part = validate(PartConfig, table, group.rpartition(".")[2])
    if group == GROUP:
        check_hooks(part.name, find(group, part.name))
    options = whole(group, part.name, part.options)
    return part.model_copy(update={"options": options})


def _run_defaults(part: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a run that suit a model if the user sets none."""
    from .models.model import Model
    from .parts import options_of

    if isinstance(part, type) and issubclass(part, Model):
        return dict(part.run_defaults(options_of(part, "ters_train.models", options)))
    size = getattr(part, "batch_size", None)
    return {} if size is None else {"order": {"batch_size": size}}


def suited_batch_size(usual: int, rows: int) -> int:
    """Return rows of a batch that make an epoch of some steps, however few rows there are.

    A power of two if less than usual, which several processes can share.

    >>> suited_batch_size(128, 100_000), suited_batch_size(128, 400), suited_batch_size(128, 3)
    (128, 16, 3)
    """
    if rows < _LEAST_BATCH_SIZE:
        return min(usual, max(rows, 1))
    fewer = 1 << max(0, (rows // _LEAST_BATCHES).bit_length() - 1)
    return min(usual, max(_LEAST_BATCH_SIZE, fewer))


def suited_epochs(usual: int, rows: int, batch_size: Any) -> int:
    """Return epochs that make a training of some steps, but at most ``_MOST_EPOCHS``.

    >>> suited_epochs(10, 100_000, 128), suited_epochs(10, 240, 8), suited_epochs(10, 3, 3)
    (10, 10, 100)
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        return usual  # refused with a line of its own
    steps = max(1, rows // batch_size)
    return max(usual, min(_MOST_EPOCHS, -(-_LEAST_STEPS // steps)))


def make_config(
    dataset: Dataset,
    data: DataConfig,
    model: str,
    settings: Mapping[str, Any],
    task: str | None = None,
) -> RunConfig:
    """Return the configuration of a run on a dataset.

    Parameters
    ----------
    dataset
        What it is trained on.
    data
        Where that lies, and which split.
    model
        Name of a model: ``cnn``, ``timm:convnext_atto``, ``my_module:Net``.
    settings
        What a user sets, as tables within tables; the rest is taken from the dataset, or default.
    task
        Name of a task; by default that of the model or the dataset.
    """
    from .data.outliers import checked_exposure, suggested_exposure
    from .engine.weights import try_model
    from .models import model as models
    from .parts import find, plugins_of, whole
    from .tasks import task as tasks

    part = find(models.GROUP, model)
    kinds = models.kinds_of(model)
    if data.input not in kinds:
        raise ConfigError(
            f"model: expected {DEFAULT_MODELS[data.input]} for input {data.input!r}, got "
            f"{model!r}, which is fed {' or '.join(map(repr, kinds))}"
        )
    check_fields(dataset, INPUT_FIELDS[data.input], f"input {data.input!r}")
    table = dict(settings)
    loss = _table(table, "loss")
    shapes = {name: dataset[name].shape[1:] for name in INPUT_FIELDS[data.input]}

    own = _table(table, "task")
    name = task or own.get("name") or getattr(part, "task", None) or default_task(dataset)
    wanted = _table(own, "options")
    planned = tasks.task_class(str(name)).plan(dataset, data, loss, wanted)
    for key, value in planned.items():
        _follows(f"task.options.{key}", wanted, key, value)
    options = whole(tasks.GROUP, str(name), {**wanted, **planned})
    table["task"] = {**own, "name": name, "options": options}
    plain = tasks.make_plain_task(validate(PartConfig, table["task"], "task"))
    outputs = plain.outputs
    is_classifier = name == "classification" and plain.fields == ("label",)
    if is_classifier and data.input == "spectrum" and not models.is_fitted(model):
        own = _table(table, "exposure")
        if own.get("share") != 0 and not own.get("data"):
            table["exposure"] = {**suggested_exposure(dataset), **own}

    own = _table(table, "model")
    suggest = getattr(part, "suggest", None)
    wanted = _table(own, "options")
    before, _, size = model.partition(":")
    if size in getattr(part, "sizes", ()):
        if wanted.setdefault("size", size) != size:
            raise ConfigError(
                f"model.options.size: expected {size!r}, as in --model {model}, got "
                f"{wanted['size']!r}; give one of them"
            )
        model, own["name"] = before, before
    suggested = {} if suggest is None else suggest(shapes, wanted)
    if set(outputs) != {"logits"}:
        suggested.pop("members", None)  # of classifiers only
    init = _table(table, "engine").get("init")
    if init is not None and "members" in suggested:
        suggested |= _members_of(Path(init), model)
    options = merged(suggested, wanted)
    fixed: dict[str, Any] = {"name": model, "inputs": shapes, "outputs": outputs}
    for key, value in fixed.items():
        _follows(f"model.{key}", own, key, value)
    table["model"] = {**own, **fixed, "options": whole(models.GROUP, model, options)}
    table["callbacks"] = [_whole("ters_train.callbacks", one) for one in table.get("callbacks", ())]
    changes = _table(table, "transforms")
    changes["plugins"] = [
        _whole("ters_train.transforms", one) for one in changes.get("plugins", ())
    ]
    table["transforms"] = changes

    defaults = _run_defaults(part, table["model"]["options"])
    for group in ("order", "optim"):
        table[group] = {**defaults.get(group, {}), **_table(table, group)}
    rows = int(rows_of_part(dataset, data, data.train_part).counts().sum())
    if "batch_size" not in settings.get("order", {}):
        usual = table["order"].get("batch_size", _BATCH_SIZE)
        table["order"]["batch_size"] = suited_batch_size(usual, rows)
    patience = _PATIENCE
    if "epochs" not in settings.get("optim", {}):
        usual = table["optim"].get("epochs", _EPOCHS)
        n_epochs = suited_epochs(usual, rows, table["order"]["batch_size"])
        table["optim"]["epochs"], patience = n_epochs, max(_PATIENCE, n_epochs // 4)
    table["engine"] = {"patience": patience, **_table(table, "engine")}
    digest, version = identity(dataset)
    known = data.model_copy(update={"digest": digest, "version": version})
    given = {**table, "data": known.model_dump()}
    config = validate(RunConfig, given, "run")
    if config.order.batch_size > rows > 0:
        raise ConfigError(
            f"order.batch_size: expected at most {rows}, the rows of {data.train_part}, got "
            f"{config.order.batch_size}"
        )
    exposure = checked_exposure(config.exposure, dataset, data.input)
    config = config.model_copy(update={"exposure": exposure})
    tasks.make_task(config)
    try_model(config.model)
    return config.model_copy(update={"plugins": plugins_of(config)})
