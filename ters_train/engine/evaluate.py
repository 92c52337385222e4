"""Scores of a model on rows of a dataset, each of which counts exactly once."""

from collections.abc import Callable, Iterable, Iterator

import torch

from tersgen.dataset.dataset import Dataset

from ..config import INPUT_FIELDS, OrderConfig, RunConfig, StreamConfig
from ..data.measured import mask_fields
from ..data.order import Order
from ..data.rows import RowSet
from ..data.stream import Batch, Stream
from ..data.transforms import Transforms
from ..models.model import Model
from ..tasks.scores import TaskScores
from ..tasks.task import Task, TaskLoss
from .device import moved
from .optimiser import Precision
from .ranks import Ranks


def fields_of(
    config: RunConfig, task: Task, dataset: Dataset, scored: bool = False
) -> tuple[str, ...]:
    """Return the fields of a dataset that a run reads; with spectra, what of them was measured.

    Of one that a trained model is ``scored`` on, those that it may lack are left out.
    """
    inputs = INPUT_FIELDS[config.data.input]
    masks = mask_fields(dataset) if "spectra" in inputs else ()
    optional = task.optional if scored else ()
    wanted = dict.fromkeys((*inputs, *masks, *task.fields))
    return tuple(name for name in wanted if name not in optional or name in dataset)


def make_stream(
    dataset: Dataset, fields: tuple[str, ...], order: Order, stream: StreamConfig, ranks: Ranks
) -> Stream:
    """Return the batches of this process, in memory that its device copies from, or made there."""
    pin = ranks.device.type == "cuda"
    made_on = ranks.device if stream.on_device else None
    return Stream(dataset, fields, order, ranks.partition, stream, pin, made_on)


def every_row(
    dataset: Dataset,
    rows: RowSet,
    fields: tuple[str, ...],
    order: OrderConfig,
    stream: StreamConfig,
    ranks: Ranks,
) -> Stream:
    """Return a stream of all rows of a set, the last batch as it is.

    Rows come in one shuffled order: so each process reads its share of the blocks, and no more.
    The batch size is rounded up to a multiple of the number of processes.
    """
    size = -(-order.batch_size // ranks.world_size) * ranks.world_size
    whole = Order(rows, size, order.mix_blocks, drop_last=False)
    return make_stream(dataset, fields, whole, stream, ranks)


def with_progress(batches: Iterable[Batch], done: Callable[[int], None]) -> Iterator[Batch]:
    """Yield batches; call ``done`` after each with how many there were."""
    for number, batch in enumerate(batches, 1):
        yield batch
        done(number)


def evaluate(
    model: Model,
    task: Task,
    batches: Iterable[Batch],
    transforms: Transforms,
    loss: TaskLoss,
    precision: Precision,
    ranks: Ranks,
    labels: torch.Tensor | None = None,
) -> TaskScores:
    """Return the scores of a model over all batches of all processes.

    All processes must call it; a process may have fewer batches than others, or none. ``labels``
    has the model's label of each class of the dataset, shape (K,), where these are others.
    """
    from .sums import SumCount  # torchmetrics takes seconds to import; training starts before

    metric = task.make_count() or SumCount(task)
    metric.to(ranks.device)
    model.eval()
    with torch.inference_mode():
        for batch in moved(batches, ranks.device):
            if not len(batch["row"]):
                continue  # the last batch may be too short for all processes to have a share
            if labels is not None:
                task.relabel(batch, labels.to(ranks.device))
            with precision.autocast():
                outputs = model(transforms.prepared(batch))
            metric.count(outputs, batch, loss(outputs, batch)["loss"])
    return metric.compute()
