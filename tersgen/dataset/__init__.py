"""Datasets: open, select, read."""
