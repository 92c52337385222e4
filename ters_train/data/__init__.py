"""From a dataset to batches: rows, order, stream, transforms."""
