"""Predictions of a trained model: from files, arrays and datasets to rows of a table."""
