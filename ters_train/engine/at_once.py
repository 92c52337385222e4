"""Models that are fitted to the training rows in one step, such as a library search."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError
from tersgen.text import counted

from ..config import RunConfig
from ..data.measured import has_parts
from ..data.rows import rows_of_part
from ..models.model import Model, TrainingRows, build_model
from ..reporting.logs import RunLog
from ..tasks.scores import TaskScores
from ..tasks.task import make_task
from .checkpoint import Best, Position, State, save_checkpoint, write_config
from .device import moved
from .evaluate import evaluate, every_row, fields_of
from .optimiser import Precision
from .ranks import Ranks
from .trainer import input_range, make_transforms


def check_at_once(config: RunConfig, ranks: Ranks) -> None:
    """Refuse settings that mean nothing to a model that is fitted in one step."""
    if config.engine.init is not None:
        raise ConfigError(
            f"engine.init: expected none for {config.model.name!r}, a model that is fitted and not "
            f"trained, got {config.engine.init}"
        )
    if config.exposure.share:
        raise ConfigError(
            f"exposure.share: expected 0 for {config.model.name!r}, a model that is fitted and not "
            f"trained, got {config.exposure.share:g}"
        )
    if ranks.world_size > 1:
        raise ConfigError(
            f"model {config.model.name!r}: expected one process, as this model is fitted at once, "
            f"got {ranks.world_size}; leave torchrun out"
        )


def fit_at_once(
    config: RunConfig, dataset: Dataset, folder: Path, ranks: Ranks
) -> tuple[Model, Position, TaskScores, RunLog]:
    """Fit a model, score it on the part that would choose an epoch, and save it as the best."""
    task = make_task(config)
    low = input_range(dataset)
    transforms = make_transforms(config, low)
    fields = fields_of(config, task, dataset)

    def batches(part: str) -> Iterator[dict[str, Tensor]]:
        rows = rows_of_part(dataset, config.data, part)
        stream = every_row(dataset, rows, fields, config.order, config.stream, ranks)
        return moved(stream, ranks.device)

    def prepared() -> Iterator[dict[str, Tensor]]:
        return (transforms.prepared(batch) for batch in batches(config.data.train_part))

    torch.manual_seed(config.engine.seed)
    model = build_model(config.model).to(ranks.device).eval()
    with torch.no_grad():
        model.fit(TrainingRows(dataset, prepared, transforms.prepared))
    _check_finite(model, config)
    loss = task.make_loss(config.loss.model_copy(update={"class_weights": False}), None)
    scores = evaluate(
        model, task, batches(config.data.val_part), transforms, loss.to(ranks.device),
        Precision("off", ranks.device), ranks,
    )  # fmt: skip
    position = Position(best=Best(score=scores.chosen_by, epoch=0, step=0))
    axis = dataset.shift_cm1 if "spectra" in config.model.inputs else None
    state = State(
        position=position,
        config=config,
        classes=dataset.classes,
        axis_cm1=None if axis is None else (float(axis[0]), float(axis[-1])),
        low=low,
        parts=has_parts(dataset, fields),
    )
    write_config(folder, config)
    save_checkpoint(folder, state, {"model": dict(model.state_dict())}, best=True)
    log = RunLog(folder, tensorboard=False)
    log.append({"step": 0, "epoch": 0, "part": "val", **scores.logged})
    return model, position, scores, log


def _check_finite(model: Model, config: RunConfig) -> None:
    for name, value in model.state_dict().items():
        if not bool(value.isfinite().all()):
            raise ConfigError(
                f"model {config.model.name!r}: expected finite weights, got others in {name}: "
                "its training rows do not determine them"
            )


def describe(config: RunConfig, dataset: Dataset, folder: Path) -> str:
    """Return in one line what is fitted to what."""
    rows = rows_of_part(dataset, config.data, config.data.train_part).counts().sum()
    what = f"{config.model.name}, fitted to {counted(int(rows), 'row')}"
    return f"{folder}: {what} of {config.data.path}"
