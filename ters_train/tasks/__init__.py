"""Tasks, a folder each: what a model is trained for, by which loss, and how it is scored.

A folder registers its task with ``tersgen.plugins.register``. Packages do the same through the
entry-point group ``ters_train.tasks``.
"""

from .scores import TaskScores
from .task import Predicted, Task, TaskLoss, make_task

__all__ = ["Predicted", "Task", "TaskLoss", "TaskScores", "make_task"]
