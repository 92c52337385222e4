"""Outlier exposure: rows of no class in training batches, so that a network knows what it is not.

D. Hendrycks, M. Mazeika and T. Dietterich, "Deep Anomaly Detection with Outlier Exposure", ICLR
2019: their target is the uniform distribution over the classes.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError

from ..config import ExposureConfig, ForeignConfig
from .draws import Draws
from .randomness import Key
from .transforms import ROW, SPECTRA, Batch, minmax

NO_CLASS = -1
"""Label of a row of no class."""
_LABEL = "label"
_MOST_ROWS = 16_384
"""Rows of foreign datasets that are kept in memory."""
_OFFSET = 1 << 40
"""Added to the number of a row to get that of what is made of it: it draws other numbers."""
_N_MADE = 4
_SEGMENTS = 8
_LEAST_ROLL = 8
_NOISE = 0.3


class Outliers:
    """Adds rows of no class to training batches of spectra.

    Half of them are rows of foreign datasets, if there are any. The others are made of rows of the
    batch: rolled by at least an eighth of the axis, and also mirrored; with eight segments none of
    which is in its place; and backgrounds without bands, with noise.

    Parameters
    ----------
    config
        How many, and foreign datasets.
    seed
        Seed of the run.
    low
        Lower end of the range of the spectra, 0 or -1.
    pool
        Spectra of foreign datasets, shape (M, L), or None.
    """

    def __init__(
        self, config: ExposureConfig, seed: int, low: float, pool: Tensor | None = None
    ) -> None:
        self._share, self._seed, self._low, self._pool = config.share, seed, low, pool

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        """Return a batch of ``spectra``, ``label`` and ``row`` with further rows at its end."""
        n = round(self._share * len(batch[ROW]))
        if not n:
            return batch
        rows = batch[ROW][:n] + _OFFSET
        draws = Draws("outliers", Key(self._seed, epoch), rows)
        spectra = batch[SPECTRA].float()
        made = self._made(spectra[:n], draws)
        if self._pool is not None:
            chosen = draws.integers(1, len(self._pool), stream=5)[:, 0]
            is_foreign = draws.integers(1, 2, stream=6) == 1
            made = torch.where(is_foreign, self._pool[chosen], made)
        labels = batch[_LABEL]
        return {
            SPECTRA: torch.cat([spectra, made]),
            _LABEL: torch.cat([labels, labels.new_full((n,), NO_CLASS)]),
            ROW: torch.cat([batch[ROW], rows]),
        }

    def _made(self, spectra: Tensor, draws: Draws) -> Tensor:
        n, n_points = spectra.shape
        points = torch.arange(n_points, device=spectra.device)
        least = n_points // _LEAST_ROLL
        by = least + draws.integers(1, n_points - 2 * least, stream=1)
        places = (points - by) % n_points
        rolled, mirrored = spectra.gather(1, places), spectra.flip(1).gather(1, places)
        cycle = draws.uniform(_SEGMENTS, stream=2).argsort(dim=1)
        order = torch.empty_like(cycle).scatter_(1, cycle, cycle.roll(1, dims=1))  # none stays
        length = n_points // _SEGMENTS
        places = (order[:, :, None] * length + points[:length]).flatten(1)
        rest = points[places.shape[1] :].expand(n, -1)
        shuffled = spectra.gather(1, torch.cat([places, rest], dim=1))
        half = max(1, n_points // (2 * _SEGMENTS))
        padded = functional.pad(spectra[:, None], (half, half), mode="replicate")
        smooth = functional.avg_pool1d(padded, 2 * half + 1, stride=1)[:, 0]
        noise = _NOISE * draws.uniform(1, stream=3).square() * draws.normal(n_points)
        kinds = torch.stack([mirrored, rolled, shuffled, smooth + noise], dim=1)
        chosen = draws.integers(1, _N_MADE, stream=4)[:, :, None].expand(-1, 1, n_points)
        return minmax(kinds.gather(1, chosen)[:, 0], self._low)


def checked_exposure(config: ExposureConfig, dataset: Dataset, input: str) -> ExposureConfig:
    """Return the exposure of a run with the digests of its foreign datasets.

    Raises
    ------
    ConfigError
        If the model sees no spectra, or a foreign dataset does not fit or has rows of a class.
    """
    from ..planning import identity

    if not config.share:
        if config.data:
            raise ConfigError("exposure.share: expected more than 0 with foreign datasets, got 0")
        return config
    if input != "spectrum":
        raise ConfigError(f"exposure: expected a model of spectra, got input {input!r}")
    found = []
    for one in config.data:
        other = _opened(one)
        _check(dataset, other)
        found.append(one.model_copy(update={"digest": identity(other)[0]}))
    return config.model_copy(update={"data": tuple(found)})


def _opened(one: ForeignConfig) -> Dataset:
    from ..config import DataConfig
    from ..planning import open_data

    return open_data(DataConfig(path=one.path, digest=one.digest, n_samples=_MOST_ROWS))


def _check(dataset: Dataset, other: Dataset) -> None:
    shift = dataset.shift_cm1
    fits = SPECTRA in other and np.array_equal(other.shift_cm1, shift)
    if not fits or other.scale != dataset.scale:
        raise ConfigError(
            f"{other.path}: expected spectra over {shift[0]:g} to {shift[-1]:g} cm^-1 in "
            f"{len(shift)} points, in the range of {Path(dataset.path).name}, got others; build it "
            "with the same grid and scale"
        )
    known = sorted(set(other.classes) & set(dataset.classes))
    if known:
        raise ConfigError(
            f"{other.path}: expected only species that are no classes, got {known[0]}; build it "
            "with other species"
        )


def load_pool(config: ExposureConfig, device: torch.device) -> Tensor | None:
    """Return spectra of the foreign datasets, shape (M, L), evenly spaced rows of each; or None.

    Raises
    ------
    DatasetError
        If one is not there, or has become another.
    """
    parts = []
    for one in config.data:
        other = _opened(one)
        n = min(other.n_samples, _MOST_ROWS // len(config.data))
        rows = np.linspace(0, other.n_samples - 1, n).astype(np.intp)
        parts.append(torch.from_numpy(np.asarray(other[SPECTRA][rows], np.float32)))
    return torch.cat(parts).to(device) if parts else None
