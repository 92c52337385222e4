"""Sums over samples, by batch, by process and on the device, for tasks that score by sums."""

import torch
from torch import Tensor
from torchmetrics import Metric

from tersgen.plugins import named_errors

from ..errors import PluginError
from ..tasks.scores import TaskScores
from ..tasks.task import Task


class SumCount(Metric):
    """Adds up what a task returns for each batch; scores follow from the sums over all processes.

    Parameters
    ----------
    task
        Its ``sum_shapes``, ``sums`` and ``score`` are used.
    """

    full_state_update = False

    def __init__(self, task: Task) -> None:
        super().__init__()
        self._task = task
        for name, shape in task.sum_shapes.items():
            zeros = torch.zeros(shape, dtype=torch.float64)
            self.add_state(f"sum_{name}", zeros, dist_reduce_fx="sum")
        self.add_state("loss_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n_samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.loss_sum: Tensor
        self.n_samples: Tensor

    @property
    def update_called(self) -> bool:
        """Whether there is something to score: always, as nothing counted is a count too."""
        return True

    def update(self, outputs: dict[str, Tensor], batch: dict[str, Tensor], loss: Tensor) -> None:
        """Add a batch and its mean loss."""
        for name, value in self._task.sums(outputs, batch).items():
            state = getattr(self, f"sum_{name}")
            state += value.detach().to(state)
        n_rows = len(batch["row"])
        self.loss_sum += loss.detach().double() * n_rows
        self.n_samples += n_rows

    def count(self, outputs: dict[str, Tensor], batch: dict[str, Tensor], loss: Tensor) -> None:
        """Add a batch; the same as ``update``, under a name that all counts share."""
        self.update(outputs, batch, loss)

    def compute(self) -> TaskScores:
        """Return the scores of what all processes have counted."""
        n_samples = int(self.n_samples)
        loss = float(self.loss_sum) / n_samples if n_samples else None
        sums = {name: getattr(self, f"sum_{name}") for name in self._task.sum_shapes}
        task = self._task
        with named_errors("score of task", type(task).__name__, task, PluginError):
            return task.score(sums, n_samples, loss)
