"""Confidence intervals of fractions, of their differences, and of the coverage of sets."""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import torch

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A range of values."""

    low: float
    high: float


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + 0.5 * confidence)


def wilson(n_right: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the confidence interval of a fraction.

    E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

    Parameters
    ----------
    n_right, n
        Rows that are right, and all rows; without rows the interval is 0 to 1.
    confidence
        Of the interval.

    Examples
    --------
    >>> [round(one, 3) for one in wilson(45, 45)]
    [0.921, 1.0]
    """
    if not n:
        return Interval(0.0, 1.0)
    z, share = _quantile(confidence), n_right / n
    middle = share + z**2 / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return Interval(max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale))


class Paired(NamedTuple):
    """How two models differ on the same rows."""

    difference: float
    """Accuracy of the first minus that of the second."""
    interval: Interval
    """Confidence interval of the difference."""
    p_value: float
    """Of the exact test of McNemar: whether rows that one alone reads are shared evenly."""


def paired(n_first: int, n_second: int, n: int, confidence: float = CONFIDENCE) -> Paired:
    """Return the difference of two accuracies on the same rows.

    Q. McNemar, Psychometrika 12, 153 (1947), exact; the interval is the adjusted one of D. G.
    Bonett and R. M. Price, J. Educ. Behav. Stat. 37, 479 (2012).

    Parameters
    ----------
    n_first, n_second
        Rows that only the first, and only the second, classifies correctly.
    n
        All rows.
    confidence
        Of the interval.

    Examples
    --------
    >>> found = paired(8, 1, 100)
    >>> round(found.difference, 3), round(found.p_value, 4)
    (0.07, 0.0391)
    """
    first, second = (n_first + 1) / (n + 2), (n_second + 1) / (n + 2)
    apart = first - second
    half = _quantile(confidence) * math.sqrt((first + second - apart**2) / (n + 2))
    interval = Interval(max(-1.0, apart - half), min(1.0, apart + half))
    return Paired((n_first - n_second) / max(n, 1), interval, _mcnemar(n_first, n_second))


def _mcnemar(n_first: int, n_second: int) -> float:
    n, fewer = n_first + n_second, min(n_first, n_second)
    k = torch.arange(fewer + 1, dtype=torch.float64)
    total = torch.tensor(float(n), dtype=torch.float64)
    logs = torch.lgamma(total + 1) - torch.lgamma(k + 1) - torch.lgamma(total - k + 1)
    return min(1.0, 2 * float((logs - n * math.log(2)).exp().sum()))


def coverage_interval(
    share: float, n_calibrated: int, n: int, confidence: float = CONFIDENCE
) -> Interval:
    """Return the fraction of sets that contain the true species, as the theory expects it.

    The coverage is a random number, as the rows of the calibration are: with k the rank of the
    threshold, Beta(k, n_calibrated + 1 - k) (V. Vovk, ACML 2012); on n further rows the number of
    sets that contain the true species is beta-binomial.

    Parameters
    ----------
    share
        Stated coverage.
    n_calibrated
        Rows of the calibration.
    n
        Rows on which it is tested.
    confidence
        Of the interval.
    """
    a = float(min(math.ceil((n_calibrated + 1) * share), n_calibrated))
    b = n_calibrated + 1 - a
    j = torch.arange(n + 1, dtype=torch.float64)

    def log_beta(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.lgamma(x) + torch.lgamma(y) - torch.lgamma(x + y)

    whole = torch.tensor(float(n), dtype=torch.float64)
    choose = torch.lgamma(whole + 1) - torch.lgamma(j + 1) - torch.lgamma(whole - j + 1)
    start = log_beta(*torch.tensor([[a], [b]], dtype=torch.float64))
    chance = (choose + log_beta(j + a, n - j + b) - start).exp().numpy()
    total = np.cumsum(chance) / chance.sum()
    tail = 0.5 * (1 - confidence)
    low, high = np.searchsorted(total, [tail, 1 - tail])
    return Interval(float(low) / n, float(min(high, n)) / n)
