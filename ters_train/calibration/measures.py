"""The mathematics of calibration: temperature scaling, conformal sets, scores of novelty.

C. Guo et al., ICML 2017 (temperature); M. Sadinle et al., J. Am. Stat. Assoc. 114, 223 (2019)
(sets); W. Liu et al., NeurIPS 2020 (energy); K. Lee et al., NeurIPS 2018 (distance); Y. Sun et al.,
ICML 2022 (nearest rows).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tersgen.separation import auroc, false_positives_at_95

_RANGE = (0.05, 20.0)
MOST_NEIGHBOURS = 4096
NEIGHBOUR = 10
"""Which of the nearest known rows counts: one alone may be an outlier itself."""
_ROWS_AT_ONCE = 4096
_SHRINKAGE = 1e-3
"""Regularization: fraction of the mean variance that is added to each variance."""


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the T for which softmax(logits / T) has the smallest mean negative log-likelihood.

    Parameters
    ----------
    logits
        Shape (n, K).
    labels
        Shape (n,), integers in 0..K-1.
    """
    logits, labels = logits.double(), labels.long()
    slope = torch.zeros((), dtype=torch.float64, requires_grad=True)  # log(1 / T): convex in 1 / T
    solver = torch.optim.LBFGS([slope], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = functional.cross_entropy(logits * slope.exp(), labels)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        solver.step(loss)  # type: ignore[no-untyped-call]
    found = math.exp(-slope.item())
    return min(max(found, _RANGE[0]), _RANGE[1]) if math.isfinite(found) else 1.0


def set_threshold(true_probability: Tensor, coverage: float) -> float:
    """Return the least probability of a species in the set of a row.

    The set of a new row then contains its true species with a probability of at least ``coverage``,
    if new rows are exchangeable with these.

    Parameters
    ----------
    true_probability
        Of the true species of each row, shape (n,).
    coverage
        Between 0 and 1.
    """
    n = len(true_probability)
    rank = math.ceil((n + 1) * coverage)  # of 1 - p, the smallest first
    if rank > n:
        return 0.0  # too few rows to leave anything out
    return float(true_probability.sort(descending=True).values[rank - 1])


def energy(logits: Tensor) -> Tensor:
    """Return -log sum_k exp(logit_k) of each row, shape (n,): large for unknown species."""
    return -logits.double().logsumexp(dim=1)


class Gaussians(NamedTuple):
    """A normal distribution of features for each class, all with the same covariance."""

    means: Tensor
    """Shape (K, F)."""
    whitening: Tensor
    """Shape (F, F): features times it have the covariance 1."""


def fit_gaussians(features: Tensor, labels: Tensor, n_classes: int) -> Gaussians:
    """Return the means of the classes and their common covariance; of a class without rows NaN.

    Parameters
    ----------
    features
        Shape (n, F).
    labels
        Shape (n,), integers in 0..n_classes-1.
    n_classes
        K.
    """
    features, labels = features.double(), labels.long()
    counts = torch.bincount(labels, minlength=n_classes).double()
    sums = features.new_zeros(n_classes, features.shape[1]).index_add_(0, labels, features)
    means = sums / counts[:, None]  # 0 / 0 is NaN
    apart = features - means[labels]
    covariance = apart.T @ apart / len(features)
    size = len(covariance)
    covariance += (_SHRINKAGE * covariance.trace() / size + 1e-12) * torch.eye(size).double()
    values, vectors = torch.linalg.eigh(covariance)
    whitening = vectors / values.clamp_min(values[-1] * 1e-12).sqrt()
    return Gaussians(means.float(), whitening.float())


def distance(features: Tensor, gaussians: Gaussians) -> Tensor:
    """Return the squared Mahalanobis distance to the nearest class of each row, shape (n,)."""
    means = gaussians.means[~gaussians.means.isnan().any(dim=1)] @ gaussians.whitening
    return torch.cdist(features.float() @ gaussians.whitening, means).square().amin(dim=1).double()


class Neighbours(NamedTuple):
    """Features of known rows, of unit length."""

    known: Tensor
    """Shape (M, F)."""


def neighbours_of(features: Tensor) -> Neighbours:
    """Return the first ``MOST_NEIGHBOURS`` features, shape (n, F), scaled to unit length."""
    return Neighbours(functional.normalize(features[:MOST_NEIGHBOURS].float(), dim=1))


def nearest(features: Tensor, neighbours: Neighbours) -> Tensor:
    """Return one minus the cosine similarity with the tenth most similar known row, shape (n,)."""
    known = neighbours.known
    unit = functional.normalize(features.float(), dim=1)
    rank = min(NEIGHBOUR, len(known))
    parts = [
        (one @ known.T).topk(rank, dim=1).values[:, -1] for one in torch.split(unit, _ROWS_AT_ONCE)
    ]
    return 1.0 - torch.cat(parts).double()


class Separation(NamedTuple):
    """How well a score of novelty separates foreign rows from known ones."""

    auroc: float
    """Probability that a foreign row has the larger score."""
    fpr95: float
    """Fraction of foreign rows below the threshold that 95 % of the known ones are below."""


def separation(known: Tensor, foreign: Tensor) -> Separation:
    """Return how well scores, shapes (n,) and (m,), separate; foreign rows have larger ones."""
    ours, theirs = (one.double().cpu().numpy() for one in (known, foreign))
    return Separation(auroc(ours, theirs), false_positives_at_95(ours, theirs))
