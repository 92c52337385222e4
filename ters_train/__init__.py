"""Training on TERS datasets: streams shards of :mod:`tersgen` into PyTorch, trains and scores.

``Stream`` gives batches of a dataset in the order of ``Order`` to a training loop of your own;
``plan`` and ``fit`` run a training; ``load`` opens a trained model. ``Model``, ``Task`` and
``Callback`` are base classes for your own parts, see docs/extending_training.md. Names are imported
when first used, so that ``import ters_train`` is quick.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .api import fit, load, plan
    from .calibration.novelty import Novelty
    from .callbacks import Callback, RunInfo
    from .config import ModelConfig, RunConfig
    from .data.draws import Draws
    from .data.order import Order, Partition
    from .data.rows import RowSet, all_rows
    from .data.samples import Samples
    from .data.stream import Batch, Stream
    from .engine.checkpoint import Checkpoint, load_checkpoint
    from .engine.trained import Trained
    from .lightning import DataModule
    from .models.model import Model
    from .parts import use_plugins
    from .tasks.scores import TaskScores
    from .tasks.task import Predicted, Task

_HOMES = {
    "Batch": "data.stream",
    "Callback": "callbacks",
    "Checkpoint": "engine.checkpoint",
    "DataModule": "lightning",
    "Draws": "data.draws",
    "Model": "models.model",
    "ModelConfig": "config",
    "Novelty": "calibration.novelty",
    "Order": "data.order",
    "Partition": "data.order",
    "Predicted": "tasks.task",
    "RowSet": "data.rows",
    "RunConfig": "config",
    "RunInfo": "callbacks",
    "Samples": "data.samples",
    "Stream": "data.stream",
    "Task": "tasks.task",
    "TaskScores": "tasks.scores",
    "Trained": "engine.trained",
    "all_rows": "data.rows",
    "fit": "api",
    "load": "api",
    "load_checkpoint": "engine.checkpoint",
    "plan": "api",
    "use_plugins": "parts",
}

__all__ = [
    "Batch",
    "Callback",
    "Checkpoint",
    "DataModule",
    "Draws",
    "Model",
    "ModelConfig",
    "Novelty",
    "Order",
    "Partition",
    "Predicted",
    "RowSet",
    "RunConfig",
    "RunInfo",
    "Samples",
    "Stream",
    "Task",
    "TaskScores",
    "Trained",
    "all_rows",
    "fit",
    "load",
    "load_checkpoint",
    "plan",
    "use_plugins",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ters_train' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
