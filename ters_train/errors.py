"""Errors of training that users see, in addition to those of :mod:`tersgen.errors`."""

from tersgen.errors import TersError


class TrainingError(TersError, RuntimeError):
    """Training cannot continue."""


class PluginError(TrainingError):
    """The code of a plug-in has failed."""


class NotFiniteError(TrainingError):
    """The loss is not finite."""


class OutOfMemoryError(TrainingError, MemoryError):
    """A batch does not fit in memory."""
