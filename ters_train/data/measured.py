"""Which points of a spectrum were measured."""

import torch
from torch import Tensor

UNMEASURED_POINTS = 8
"""Fewest equal values at an end of a row that are taken for points not measured: noise and rounding
repeat a few values by chance."""


def measured(spectra: Tensor) -> Tensor:
    """Return which points were measured: all but the repeated values at either end of a row.

    Instruments of recipes (``instrument.missing``) and measured files that do not cover the axis
    repeat their outermost value, in datasets and in predictions. Fewer than ``UNMEASURED_POINTS``
    equal values count as measured, and so does a row that is constant.

    Parameters
    ----------
    spectra
        Shape (B, L), of any floating type.

    Returns
    -------
    Tensor
        1 or 0, of the type of the spectra, shape (B, L).
    """
    from_low = _beyond_run(spectra)
    from_high = _beyond_run(spectra.flip(1)).flip(1)
    inside = from_low * from_high
    return torch.where(inside.sum(dim=1, keepdim=True) > 0, inside, torch.ones_like(inside))


def _beyond_run(spectra: Tensor) -> Tensor:
    """Return 1 from the last of the equal values at the low end on, and 1 everywhere if few."""
    differs = (spectra != spectra[:, :1]).to(torch.int64)
    is_run = differs.cumsum(dim=1) == 0
    n_equal = is_run.sum(dim=1, keepdim=True)
    point = torch.arange(spectra.shape[1], device=spectra.device)
    # the last of them is the outermost point that was measured
    return ((point >= n_equal - 1) | (n_equal < UNMEASURED_POINTS)).to(spectra.dtype)
