"""Spectra without noise or baseline, as differentiable operations."""

import torch
from torch import Tensor
from torch.nn import functional

_NARROWEST = 0.2


def smoothed(spectra: Tensor, fwhm: float) -> Tensor:
    """Return spectra, shape (B, L), after convolution with a Gaussian; edges are repeated.

    Parameters
    ----------
    spectra
        Shape (B, L).
    fwhm
        In points; one of less than a fifth of a point changes nothing.
    """
    if fwhm < _NARROWEST:
        return spectra
    sigma = fwhm / 2.3548
    reach = min(int(4 * sigma) + 1, spectra.shape[1] - 1)
    points = torch.arange(-reach, reach + 1, device=spectra.device, dtype=spectra.dtype)
    kernel = (-0.5 * (points / sigma) ** 2).exp()
    padded = functional.pad(spectra[:, None], (reach, reach), mode="replicate")
    return functional.conv1d(padded, (kernel / kernel.sum())[None, None])[:, 0]


def snip(spectra: Tensor, window: int) -> Tensor:
    """Return the baselines of spectra, shape (B, L), by SNIP with decreasing windows.

    For p from ``window`` down to 1, y_i becomes min(y_i, (y_{i-p} + y_{i+p}) / 2), except within p
    points of the ends.
    """
    baseline = spectra
    for p in range(min(window, (spectra.shape[1] - 1) // 2), 0, -1):
        means = 0.5 * (baseline[:, : -2 * p] + baseline[:, 2 * p :])
        middle = torch.minimum(baseline[:, p:-p], means)
        baseline = torch.cat([baseline[:, :p], middle, baseline[:, -p:]], dim=1)
    return baseline
