"""TERSBench: frozen tasks that compare models of tip-enhanced Raman data."""

from .making import Made, make
from .scoring import Result, score
from .task import Task, load_task, task_names

__all__ = ["Made", "Result", "Task", "load_task", "make", "score", "task_names"]
