"""Species of a sample, and Raman tensors if requested: losses, counts, scores, page and card."""

from .task import Classification, ClassificationOptions

__all__ = ["Classification", "ClassificationOptions"]
