"""Training on TERS datasets: streams shards of :mod:`tersgen` into PyTorch.

This is a start: ``ters-train inspect`` shows what a model would be fed. Streaming, models and the
training engine follow.
"""

__version__ = "0.1.0"
