"""Scores of predictions: means over rows, or functions of all rows."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MATCH_ANGSTROM = 0.5
"""A predicted atom matches a true one of its element if it is as near as this, in the plane."""
N_RESAMPLES = 1000


def macro_f1(truth: Ints, predicted: Ints) -> float:
    """Return the mean F1 of the classes that occur in ``truth``.

    Parameters
    ----------
    truth, predicted
        Classes, shape (n,); -1 is a prediction of no class.

    Examples
    --------
    >>> float(macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1])))
    0.6666666666666666
    """
    n = int(max(truth.max(), predicted.max())) + 1
    support = np.bincount(truth, minlength=n)
    found = np.bincount(predicted[predicted >= 0], minlength=n)
    hits = np.bincount(truth[truth == predicted], minlength=n)
    return float((2 * hits / np.maximum(1, support + found))[support > 0].mean())


def composition_errors(truth: Floats, predicted: Floats) -> Floats:
    """Return, for each row, the share given to wrong species: half of sum |predicted - truth|.

    Parameters
    ----------
    truth, predicted
        Fractions, shape (n, K).
    """
    wrong: Floats = 0.5 * np.abs(predicted - truth).sum(axis=1)
    return wrong


def matched_atoms(found: Floats, true: Floats) -> Floats:
    """Return the distances of atoms that match, Angstrom: nearest pairs first, each atom once.

    Parameters
    ----------
    found, true
        Positions of the atoms of one element, shape (n, 2), Angstrom.

    Examples
    --------
    >>> matched_atoms(np.array([[0, 0.25], [5, 5]]), np.array([[0, 0], [0, 0.375]])).tolist()
    [0.125]
    """
    apart = np.linalg.norm(found[:, None, :] - true[None, :, :], axis=2)
    distances = []
    while apart.size and apart.min() <= MATCH_ANGSTROM:
        i, j = np.unravel_index(apart.argmin(), apart.shape)
        distances.append(apart[i, j])
        apart[i, :] = apart[:, j] = np.inf
    return np.array(distances)


def amplitude_errors(truth: Floats, predicted: Floats) -> tuple[Floats, Floats]:
    """Return the relative error and the cosine of each mode, shape (M,).

    Parameters
    ----------
    truth, predicted
        Amplitudes, shape (T, M), of T positions of the tip. The sign of a mode is its
        displacements', so it matters.
    """
    size = np.linalg.norm(truth, axis=0)
    error = np.linalg.norm(predicted - truth, axis=0) / size
    norms = size * np.linalg.norm(predicted, axis=0)
    return error, (truth * predicted).sum(axis=0) / np.where(norms > 0, norms, 1.0)


def interval(
    statistic: Callable[[Ints], float], n_rows: int, n_resamples: int = N_RESAMPLES
) -> tuple[float, float]:
    """Return the 95 % interval of a statistic by the percentile bootstrap over rows.

    Parameters
    ----------
    statistic
        Gets the numbers of the rows that were drawn, with replacement.
    n_rows
        Rows to draw from.
    n_resamples
        How often they are drawn. The draws are always the same.
    """
    generator = np.random.default_rng(0)
    values = [statistic(generator.integers(0, n_rows, n_rows)) for _ in range(n_resamples)]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
