"""Baselines by airPLS: smooth lines below spectra, by weighted least squares."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MOST_TIMES = 15
_ENOUGH = 1e-3
"""The rounds end when what lies below the line is less than this share of the spectrum."""
_LARGEST_EXPONENT = 50.0
_RIDGE = 1e-12
"""Share of the smoothness by which equations without a weight are solved."""

F64 = NDArray[np.float64]


def airpls(spectra: Tensor, measured: Tensor, window: float) -> Tensor:
    """Return the baselines of spectra by airPLS; they have no gradient.

    A line is smoothed through the spectrum; points above it lose their weight, those below it gain
    weight with every round. Points that were not measured have none, so the line bridges them.

    Source: Z.-M. Zhang, S. Chen, Y.-Z. Liang, Analyst 135, 1138 (2010).

    Parameters
    ----------
    spectra
        Shape (B, L).
    measured
        1 where they were measured, else 0; shape (B, L).
    window
        Length in points below which the line does not bend; the smoothness is its fourth power.

    Returns
    -------
    Tensor
        Shape (B, L), of the type of the spectra.
    """
    y = spectra.detach().cpu().to(torch.float64).numpy()
    inside = measured.detach().cpu().numpy() > 0
    inside |= ~inside.any(axis=1, keepdims=True)
    low = np.where(inside, y, np.inf).min(axis=1, keepdims=True)
    y = np.where(inside, y - low, 0.0)
    found = np.empty_like(y)
    left = np.arange(len(y))
    weights = inside.astype(np.float64)
    ends = np.stack([inside.argmax(axis=1), y.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)])
    for number in range(1, _MOST_TIMES + 1):
        line = whittaker(y[left], weights, float(window) ** 4)
        found[left] = line
        below = np.where(inside[left], np.minimum(y[left] - line, 0.0), 0.0)
        size = -below.sum(axis=1)
        goes_on = size > _ENOUGH * y[left].sum(axis=1)
        left, below, size = left[goes_on], below[goes_on], size[goes_on]
        if not len(left):
            break
        exponent = np.minimum(-number * below / size[:, None], _LARGEST_EXPONENT)
        weights = np.where(below < 0, np.exp(exponent), 0.0)
        least = np.where(below < 0, exponent, np.inf).min(axis=1)
        for end in ends:
            weights[np.arange(len(left)), end[left]] = np.exp(-least)
    return torch.from_numpy(found + low).to(spectra)


def whittaker(y: F64, weights: F64, smoothness: float) -> F64:
    """Return the lines z, shape (B, L), of the least sum w (y - z)^2 + smoothness sum (z'')^2.

    z'' are second differences. The pentadiagonal equations of all rows are solved at once by
    factors L D L^T.

    Source: P. H. C. Eilers, Anal. Chem. 75, 3631 (2003).
    """
    n_points = y.shape[1]
    square = np.convolve([1.0, -2.0, 1.0], [1.0, -2.0, 1.0]) * smoothness
    diagonal = np.full(n_points, square[2])
    diagonal[[0, -1]], diagonal[[1, -2]] = smoothness, 5 * smoothness
    beside = np.full(n_points, square[1])
    beside[[0, -2]] = -2 * smoothness
    w = weights.T.copy()
    main = w + diagonal[:, None] + _RIDGE * smoothness
    z = w * y.T
    near, far = np.zeros_like(main), np.zeros_like(main)  # of L: one and two below the diagonal
    for k in range(n_points):
        if k > 0:
            main[k] -= near[k - 1] ** 2 * main[k - 1]
            z[k] -= near[k - 1] * z[k - 1]
        if k > 1:
            main[k] -= far[k - 2] ** 2 * main[k - 2]
            z[k] -= far[k - 2] * z[k - 2]
        near[k] = beside[k]
        if k > 0:
            near[k] -= far[k - 1] * near[k - 1] * main[k - 1]
        near[k] /= main[k]
        far[k] = smoothness / main[k]
    z /= main
    for k in range(n_points - 2, -1, -1):
        z[k] -= near[k] * z[k + 1]
        if k + 2 < n_points:
            z[k] -= far[k] * z[k + 2]
    return z.T
