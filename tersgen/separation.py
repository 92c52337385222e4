"""How well a score of novelty separates foreign rows, which have higher ones, from known rows."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def auroc(known: Floats, foreign: Floats) -> float:
    """Return the area under the ROC curve: how likely a foreign row scores above a known one.

    Ties count as half (Hanley and McNeil, Radiology 143, 29, 1982).

    Examples
    --------
    >>> auroc(np.array([0.1, 0.2]), np.array([0.2, 0.9]))
    0.875
    """
    values = np.concatenate([known, foreign])
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - 0.5 * (counts - 1))[inverse]  # mean rank of ties, from 1
    n, m = len(known), len(foreign)
    return float((ranks[n:].sum() - 0.5 * m * (m + 1)) / (n * m))


def false_positives_at_95(known: Floats, foreign: Floats) -> float:
    """Return the share of foreign rows that pass where 95 % of the known rows do.

    Examples
    --------
    >>> false_positives_at_95(np.arange(100.0), np.array([3.0, 50.0, 94.5, 99.0]))
    0.5
    """
    threshold = np.sort(known)[math.ceil(0.95 * len(known)) - 1]
    return float((foreign <= threshold).mean())
