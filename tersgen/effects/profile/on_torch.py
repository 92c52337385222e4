"""From modes to a spectrum, in torch operations."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ...numeric import lineshape
from ...numeric.on_torch import exp, extent, quotient
from ...schema.grid import Grid
from ...units import FWHM_PER_SIGMA
from ..on_torch import TorchTile


class _Gaussians(NamedTuple):
    """Gaussian bands of all modes, shape (n, M) each, as ``add_gaussian`` has them."""

    low: Tensor
    """First point of the window; its number of points; 0 where there is no band."""
    n_points: Tensor
    height: Tensor
    slope: Tensor
    offset: Tensor


class _Lorentzians(NamedTuple):
    """Lorentzian bands of all modes, shape (n, M) each, as ``add_lorentzian`` has them."""

    numerator: Tensor
    squared: Tensor
    nearest: Tensor
    fraction: Tensor
    used: Tensor


def _gaussians(
    grid: Grid, position: Tensor, fwhm: Tensor, area: Tensor, used: Tensor
) -> _Gaussians:
    step, n_points = grid.step_cm1, grid.n_points
    sigma = quotient(quotient(fwhm, FWHM_PER_SIGMA, fwhm), step, fwhm)
    centre = quotient(position - grid.start_cm1, step, fwhm)
    reach = lineshape._REACH_SIGMA * sigma
    first = torch.ceil(centre - reach).clamp(min=0.0)
    last = torch.floor(centre + reach).clamp(max=n_points - 1.0)
    used = used & (first <= last)
    # of a band that is nowhere, numbers may be too large for integers
    low, high = (torch.where(used, one, 0.0).long() for one in (first, last))
    stride = lineshape._STRIDE
    count = ((high - low + 1 + stride - 1) // stride * stride).clamp(max=n_points)
    low = torch.minimum(low, n_points - count).clamp(min=0)
    return _Gaussians(
        low=low,
        n_points=torch.where(used, count, 0),
        height=quotient(area, sigma * step * lineshape._SQRT_TWO_PI, fwhm).float(),
        slope=quotient(-0.5, sigma * sigma, fwhm).float(),
        offset=(low - centre).float(),
    )


def _lorentzians(
    grid: Grid, position: Tensor, fwhm: Tensor, area: Tensor, used: Tensor
) -> _Lorentzians:
    step = grid.step_cm1
    half = quotient(0.5 * fwhm, step, fwhm)
    centre = quotient(position - grid.start_cm1, step, fwhm)
    whole = torch.floor(centre)
    return _Lorentzians(
        numerator=quotient(area * half, step * math.pi, fwhm).float(),
        squared=(half * half).float(),
        nearest=whole.clamp(-1e9, 1e9).to(torch.int32),
        fraction=(centre - whole).float(),
        used=used,
    )


def add_bands(tile: TorchTile, grid: Grid, profile: int, mixing: float) -> Tensor:
    """Return spectra from the modes of each sample, float32, shape (n, L); modes in their order."""
    position, fwhm, area = (tile[name] for name in ("position", "fwhm", "intensity"))
    device, n_points = position.device, grid.n_points
    mode = torch.arange(position.shape[1], device=device)
    used = (area > 0.0) & (mode < tile["count"][:, None])
    fwhm = torch.where(used, fwhm, 1.0)
    cut = uncut = None
    if profile != lineshape.LORENTZIAN:
        share = area if profile == lineshape.GAUSSIAN else area * (1.0 - mixing)
        cut = _gaussians(grid, position, fwhm, share, used)
    if profile != lineshape.GAUSSIAN:
        share = area if profile == lineshape.LORENTZIAN else area * mixing
        uncut = _lorentzians(grid, position, fwhm, share, used)
    margin = 0 if cut is None else int(cut.n_points.max())
    number = torch.arange(max(n_points, margin), dtype=torch.int32, device=device)
    # points beyond a band's window go to a margin, which is cut off
    lines = torch.zeros((len(tile), n_points + margin), device=device)
    for m in range(int(tile["count"].max())):
        if cut is not None:
            low, count, height, slope, offset = (one[:, m, None] for one in cut)
            inside = number[:margin]
            x = offset + inside.float()
            place = torch.where(inside < count, low + inside, n_points + inside)
            lines.scatter_(1, place, lines.gather(1, place) + height * exp(slope * (x * x)))
        if uncut is not None:
            numerator, squared, nearest, fraction, there = (one[:, m, None] for one in uncut)
            x = (number[:n_points] - nearest).float() - fraction
            whole = lines[:, :n_points]
            whole.copy_(torch.where(there, whole + numerator / (x * x + squared), whole))
    return lines[:, :n_points]


def scaled_to_peak(lines: Tensor) -> Tensor:
    """Return spectra over their highest points; one that is 0 everywhere stays so."""
    _, peak = extent(lines)
    scale = torch.where(peak > 0.0, quotient(1.0, peak, peak), 0.0)
    return lines * scale
