"""Species of a sample, and Raman tensors if asked for: losses, counts, scores, page and card."""

from .task import Classification, ClassificationOptions

__all__ = ["Classification", "ClassificationOptions"]
