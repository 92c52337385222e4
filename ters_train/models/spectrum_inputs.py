"""What a model sees of a spectrum: views that a baseline hardly changes, and what was measured.

Savitzky-Golay derivative: A. Savitzky, M. J. E. Golay, Anal. Chem. 36, 1627 (1964),
https://doi.org/10.1021/ac60214a047. Symmetric logarithm: J. B. W. Webber, Meas. Sci. Technol. 24,
027001 (2013), https://doi.org/10.1088/0957-0233/24/2/027001.

The views belong to the model, not to the transforms of a run: a checkpoint and an ONNX file contain
them, so training, prediction and export cannot differ.
"""

from typing import Any, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional

from tersgen.schema.base import Frozen, field

_OUTLIER = 4.0
"""Values larger than so many times the mean do not enter the scale."""
_LEAST_SCALE = 1e-5
"""Least scale of a view, of a range of 1: of a row that is as good as constant, nothing is left."""
_LOCAL_FLOOR = 0.25
"""Least local deviation, as a share of that of the whole row, so that noise is not magnified."""


class SpectrumOptions(Frozen):
    """What a model sees of a spectrum, and how many networks look at it."""

    members: int = field(
        "networks that are trained side by side, each with a loss of its own; their probabilities "
        "are averaged. Classifiers only; new ones of the CNN have 4",
        "1",
        1,
        ge=1,
        le=64,
    )

    inputs: Literal["raw", "derivative", "local", "views"] = field(
        "raw: the spectrum; derivative: its smoothed first derivative; local: less the running "
        "mean, over the running deviation; views: derivative and local as two channels. New runs "
        "of the CNN and others of ours have views",
        "1",
        "raw",
    )
    mask: bool = field(
        "feed a channel that is 1 where the axis was measured and 0 elsewhere, where edges are "
        "repeated or gaps bridged; new runs have it",
        "1",
        False,
    )
    position: bool = field(
        "feed the position on the axis as a channel: a convolution does not know it",
        "1",
        True,
    )
    smoothing: int = field("points over which the derivative is fitted, odd", "point", 7, ge=3,
                           le=1023)  # fmt: skip
    window: int = field("points of the running mean and deviation, odd", "point", 65, ge=5,
                        le=1 << 16)  # fmt: skip

    @model_validator(mode="after")
    def _centred(self) -> Self:
        for name in ("smoothing", "window"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name}: expected an odd number, got {getattr(self, name)}")
        return self


def suggest_inputs(n_points: int) -> dict[str, Any]:
    """Return the inputs of a new run: views and mask, windows as shares of the axis.

    Of 1024 points over 3500 cm^-1, the windows are 24 and 220 cm^-1 wide.
    """
    return {
        "inputs": "views",
        "mask": True,
        "smoothing": max(5, n_points // 146 | 1),
        "window": max(9, n_points // 16 | 1),
    }


class SpectrumInputs(nn.Module):
    """Spectra to the channels that the first layer of a model sees.

    Views are divided by what is usual in a row, outliers left out, and compressed by a symmetric
    logarithm: a cosmic ray, or a row without bands, does not produce large numbers. Where nothing
    was measured, views are 0; the derivative, half its window farther.

    Parameters
    ----------
    options
        Which channels.
    n_points
        Points L of a spectrum.
    """

    def __init__(self, options: SpectrumOptions, n_points: int) -> None:
        super().__init__()
        self.options = options
        self.is_raw = options.inputs == "raw"
        self.uses_measured = options.mask or not self.is_raw
        n_views = 2 if options.inputs == "views" else 1
        self.n_channels = n_views + options.mask + options.position
        axis = torch.linspace(-1.0, 1.0, n_points) if options.position else None
        self.register_buffer("axis", axis, persistent=False)
        self.axis: Tensor | None

    def forward(self, spectra: Tensor, measured: Tensor) -> Tensor:
        """Return channels, shape (B, n_channels, L).

        Parameters
        ----------
        spectra
            Shape (B, L).
        measured
            1 where they were measured, 0 elsewhere; shape (B, L).
        """
        wanted = self.options.inputs
        x, mask = spectra.unsqueeze(1), measured.to(spectra.dtype).unsqueeze(1)
        channels = [x] if self.is_raw else []
        if wanted in ("derivative", "views"):
            slope = self._derivative(x)
            size = self.options.smoothing  # the slope at an edge reaches beyond it
            near = functional.max_pool1d(mask, size, 1, size // 2)
            channels.append(compressed(slope / usual_size(slope, mask)) * near)
        if wanted in ("local", "views"):
            channels.append(compressed(self._local(x, mask)))
        if self.options.mask:
            channels.append(mask)
        if self.axis is not None:
            channels.append(self.axis.to(x.dtype).expand_as(x))
        return torch.cat(channels, dim=1) if len(channels) > 1 else channels[0]

    def _derivative(self, x: Tensor) -> Tensor:
        """Return the slope of a parabola fitted to a window, up to a factor.

        No convolution, which mixed precision would round to half precision, and so to noise.
        """
        half, length = self.options.smoothing // 2, x.shape[2]
        padded = functional.pad(x, (half, half), mode="replicate")
        slope = torch.zeros_like(x)
        for j in range(1, half + 1):
            above = padded[:, :, half + j : half + j + length]
            below = padded[:, :, half - j : half - j + length]
            slope = slope + j * (above - below)
        return slope / sum(2 * j * j for j in range(1, half + 1))

    def _local(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return (x - mean)/deviation over a window, of the points that were measured."""
        share = self._mean(mask).clamp_min(1e-3)
        x = x - x.mean(dim=2, keepdim=True)  # so that running means round small numbers
        residual = (x - self._mean(x * mask) / share) * mask
        variance = self._mean(residual**2) / share
        whole = (residual**2).mean(dim=2, keepdim=True)
        floor = _LOCAL_FLOOR**2 * whole + _LEAST_SCALE**2
        return residual / (variance + floor).sqrt()

    def _mean(self, x: Tensor) -> Tensor:
        window = self.options.window
        return functional.avg_pool1d(x, window, 1, window // 2, count_include_pad=False)


def usual_size(view: Tensor, mask: Tensor) -> Tensor:
    """Return the mean absolute value of a view where it was measured, without outliers.

    Parameters
    ----------
    view
        Shape (B, 1, L).
    mask
        1 where the axis was measured, 0 elsewhere; shape (B, 1, L).

    Returns
    -------
    Tensor
        Shape (B, 1, 1), at least ``_LEAST_SCALE``.
    """
    size = view.abs() * mask
    n_points = mask.sum(dim=2, keepdim=True).clamp_min(1.0)
    mean = size.sum(dim=2, keepdim=True) / n_points
    return torch.minimum(size, _OUTLIER * mean).sum(dim=2, keepdim=True) / n_points + _LEAST_SCALE


def compressed(view: Tensor) -> Tensor:
    """Return sign(v) ln(1 + |v|)."""
    return view.sign() * torch.log1p(view.abs())
