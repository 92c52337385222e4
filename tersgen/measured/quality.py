"""Whether a spectrum has a band above its noise, and whether it is saturated."""

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_BAND = "no band above the noise"
SATURATED = "saturated"

FALSE_ALARM = 0.01
"""Probability with which noise on a smooth background is taken for a band, at most."""
_WIDTHS = (3, 5, 9, 17)
"""Widths of bands that are looked for, in points."""
_WEIGHTS = (1.0, -4.0, 6.0, -4.0, 1.0)
"""Fourth difference: nothing is left of a background up to the third order."""
_TO_SIGMA = 1.4826
_NOISE_SHARE = 8
_MOST_OF_MEDIAN = 5.0
_FEWEST = 256
_SLACK = 1.25
"""Factor on the threshold: the scale of the noise is estimated from the spectrum itself."""
_EPS = 1e-9
_ROWS_AT_ONCE = 64
_PLATEAU = 3
_BESIDE = 2
_LEAST_STEPS, _LEAST_SIGMAS = 8.0, 3.0


def has_bands(intensity: NDArray[Any]) -> NDArray[np.bool_]:
    """Return whether spectra have a band above their noise, shape (n,).

    Means over 3 to 17 points are combined to a fourth difference, which removes smooth backgrounds,
    and divided by the noise: its change along the axis follows from the differences of neighbouring
    points, its size from the median absolute deviation, for each width. The largest is compared
    with the quantile of the normal distribution for as many independent values. Single points that
    stand out (cosmic rays) are removed before by a running median of three.

    Of spectra of noise alone, whether white, photon or correlated over a few points, at most
    ``FALSE_ALARM`` are said to have a band. Spectra of fewer than 256 points are taken to have one.

    Parameters
    ----------
    intensity
        Spectra in any unit, evenly spaced or nearly so, shape (n, L).
    """
    if intensity.shape[1] < _FEWEST:
        return np.ones(len(intensity), bool)
    chunks = range(0, len(intensity), _ROWS_AT_ONCE)
    return np.concatenate([_have_bands(intensity[k : k + _ROWS_AT_ONCE]) for k in chunks])


def _have_bands(intensity: NDArray[Any]) -> NDArray[np.bool_]:
    y = np.asarray(intensity, np.float64)
    n_rows, n_points = y.shape
    y = y - y.min(axis=1, keepdims=True)
    y /= np.maximum(y.max(axis=1, keepdims=True), np.finfo(float).tiny)
    y = _median_of_three(y)
    noise = _local_noise(y)
    found = np.zeros(n_rows, bool)
    alarm = FALSE_ALARM / len(_WIDTHS)
    for width in _WIDTHS:
        means = _running_mean(y, width)
        n_values = means.shape[1] - 4 * width
        total = np.zeros((n_rows, n_values))
        for k, weight in enumerate(_WEIGHTS):
            total += weight * means[:, k * width : k * width + n_values]
        middle = (n_points - n_values) // 2
        ratio = total / noise[:, middle : middle + n_values]
        scale = _TO_SIGMA * np.median(np.abs(ratio), axis=1)
        n_independent = n_points / width
        bound = _SLACK * NormalDist().inv_cdf(1 - alarm / n_points) * (1 + 1 / n_independent**0.5)
        found |= ratio.max(axis=1) > np.maximum(bound * scale, _EPS)
    return found


def _median_of_three(y: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = np.pad(y, ((0, 0), (1, 1)), mode="edge")
    before, here, after = padded[:, :-2], y, padded[:, 2:]
    low, high = np.minimum(before, after), np.maximum(before, after)
    return np.clip(here, low, high)


def _running_mean(y: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    total = np.pad(np.cumsum(y, axis=1), ((0, 0), (1, 0)))
    return (total[:, width:] - total[:, :-width]) / width


def _local_noise(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the noise along spectra, up to a factor; steep bands are cut off."""
    moves = np.abs(np.diff(y, 2, axis=1))
    median = np.median(moves, axis=1, keepdims=True)
    moves = np.minimum(moves, _MOST_OF_MEDIAN * median)
    width = max(3, y.shape[1] // _NOISE_SHARE)
    local = _running_mean(moves, width)
    missing = y.shape[1] - local.shape[1]
    local = np.pad(local, ((0, 0), (missing // 2, missing - missing // 2)), mode="edge")
    return np.maximum(local, _EPS)


def is_saturated(intensity: NDArray[Any]) -> bool:
    """Return whether the strongest bands of a spectrum are cut off at one value.

    At least three points in a row, not at the ends, have the largest value, and two points before
    and after them the spectrum is lower by eight steps of the digitization and three times the
    noise. The top of a band that is not cut off is at most 5.4 steps lower there, as a parabola
    whose three highest points are equal is.

    Parameters
    ----------
    intensity
        A spectrum in any unit, shape (L,).
    """
    y = np.asarray(intensity, np.float64)
    top = np.flatnonzero(y == y.max())
    if len(top) < _PLATEAU or len(y) < _FEWEST:
        return False
    values = np.unique(y)
    if len(values) < 2:
        return False
    step = float(np.diff(values).min())
    moves = np.abs(np.diff(y, 2))
    noise = _TO_SIGMA * float(np.median(moves)) / 6**0.5
    bound = max(_LEAST_STEPS * step, _LEAST_SIGMAS * noise)
    for run in np.split(top, np.flatnonzero(np.diff(top) > 1) + 1):
        first, last = int(run[0]), int(run[-1])
        if len(run) < _PLATEAU or first == 0 or last == len(y) - 1:
            continue
        beside = max(y[max(first - _BESIDE, 0)], y[min(last + _BESIDE, len(y) - 1)])
        if y[first] - beside > bound:
            return True
    return False


def fault_of(intensity: NDArray[Any]) -> str | None:
    """Return what is wrong with a spectrum, shape (L,), in a few words, or None."""
    if is_saturated(intensity):
        return SATURATED
    return None if has_bands(np.asarray(intensity)[None])[0] else NO_BAND
