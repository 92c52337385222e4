"""Outlier exposure: rows of no class in training batches, so that a network knows what it is not.

D. Hendrycks, M. Mazeika and T. Dietterich, "Deep Anomaly Detection with Outlier Exposure", ICLR
2019. There, their target is the uniform distribution over the classes; here, a further class whose
logit is 0, so that the probabilities of the others remain calibrated.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError

from ..config import DataConfig, ExposureConfig, ForeignConfig
from .draws import Draws
from .measured import MEASURED, mask_fields, measured
from .other_species import rows_of_others, shows_others
from .randomness import Key
from .transforms import ROW, SPECTRA, Batch, minmax

NO_CLASS = -1
"""Label of a row of no class."""
_LABEL = "label"
_MOST_ROWS = 16_384
"""Rows of foreign datasets that are kept in memory."""
_OFFSET = 1 << 40
"""Added to the number of a row to get that of what is made of it: it draws other numbers."""
_DEFAULT_SHARE = 0.25
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
        Spectra of foreign datasets, shape (M, L), and 1 or 0 where they were measured, or None.
    """

    def __init__(
        self, config: ExposureConfig, seed: int, low: float,
        pool: tuple[Tensor, Tensor] | None = None,
    ) -> None:  # fmt: skip
        self._share, self._seed, self._low, self._pool = config.share, seed, low, pool

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        """Return ``spectra``, ``measured``, ``label`` and ``row`` with further rows at the end."""
        n = round(self._share * len(batch[ROW]))
        if not n:
            return batch
        rows = batch[ROW][:n] + _OFFSET
        draws = Draws("outliers", Key(self._seed, epoch), rows)
        spectra = batch[SPECTRA].float()
        mask = measured(batch)
        made, its_mask = self._made(spectra[:n], mask[:n], draws)
        if self._pool is not None:
            foreign, foreign_mask = self._pool
            chosen = draws.integers(1, len(foreign), stream=5)[:, 0]
            is_foreign = draws.integers(1, 2, stream=6) == 1
            made = torch.where(is_foreign, foreign[chosen], made)
            its_mask = torch.where(is_foreign, foreign_mask[chosen], its_mask)
        labels = batch[_LABEL]
        return {
            SPECTRA: torch.cat([spectra, made]),
            MEASURED: torch.cat([mask, its_mask]),
            _LABEL: torch.cat([labels, labels.new_full((n,), NO_CLASS)]),
            ROW: torch.cat([batch[ROW], rows]),
        }

    def _made(self, spectra: Tensor, mask: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return what is made of spectra, and of where they were measured; both (n, L)."""
        n, n_points = spectra.shape
        points = torch.arange(n_points, device=spectra.device)
        least = n_points // _LEAST_ROLL
        by = least + draws.integers(1, n_points - 2 * least, stream=1)
        by_roll = (points - by) % n_points
        cycle = draws.uniform(_SEGMENTS, stream=2).argsort(dim=1)
        order = torch.empty_like(cycle).scatter_(1, cycle, cycle.roll(1, dims=1))  # none stays
        length = n_points // _SEGMENTS
        places = (order[:, :, None] * length + points[:length]).flatten(1)
        by_segment = torch.cat([places, points[places.shape[1] :].expand(n, -1)], dim=1)
        half = max(1, n_points // (2 * _SEGMENTS))
        padded = functional.pad(spectra[:, None], (half, half), mode="replicate")
        smooth = functional.avg_pool1d(padded, 2 * half + 1, stride=1)[:, 0]
        noise = _NOISE * draws.uniform(1, stream=3).square() * draws.normal(n_points)
        chosen = draws.integers(1, _N_MADE, stream=4)[:, :, None].expand(-1, 1, n_points)

        def of_kind(rows: Tensor, background: Tensor) -> Tensor:
            rolled, mirrored = rows.gather(1, by_roll), rows.flip(1).gather(1, by_roll)
            kinds = [mirrored, rolled, rows.gather(1, by_segment), background]
            return torch.stack(kinds, dim=1).gather(1, chosen)[:, 0]

        made = of_kind(spectra, smooth + noise * mask)
        return minmax(made, self._low), of_kind(mask, mask)


def suggested_exposure(dataset: Dataset) -> dict[str, Any]:
    """Return the exposure of a new classifier of spectra, if nothing is said about it."""
    return {"share": _DEFAULT_SHARE, "builtin": True} if shows_others(dataset) else {}


def checked_exposure(config: ExposureConfig, dataset: Dataset, input: str) -> ExposureConfig:
    """Return the exposure of a run with the digests of its foreign datasets."""
    from ..planning import identity

    if not config.share:
        if config.data or config.builtin:
            raise ConfigError("exposure.share: expected more than 0 with foreign species, got 0")
        return config
    if input != "spectrum":
        raise ConfigError(f"exposure: expected a model of spectra, got input {input!r}")
    if config.builtin and not shows_others(dataset):
        raise ConfigError(
            "exposure.builtin: expected a recipe with instrument.optics, and without near fields, "
            f"mixtures, plug-ins and unknown species, got that of {dataset.path}; give datasets "
            "with --foreign"
        )
    found = []
    for one in config.data:
        other = _opened(one)
        _check(dataset, other)
        found.append(one.model_copy(update={"digest": identity(other)[0]}))
    return config.model_copy(update={"data": tuple(found)})


def _opened(one: ForeignConfig) -> Dataset:
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


def load_pool(
    config: ExposureConfig, data: DataConfig, device: torch.device
) -> tuple[Tensor, Tensor] | None:
    """Return spectra of foreign species, evenly spaced rows of each dataset, or None without any.

    Parameters
    ----------
    config
        Where they come from.
    data
        What is trained on.
    device
        Where they are kept.

    Returns
    -------
    tuple or None
        Spectra, and 1 or 0 where they were measured, float32, shape (M, L).
    """
    from ..planning import open_data

    others = [_opened(one) for one in config.data]
    if config.builtin:
        others.append(rows_of_others(open_data(data), _MOST_ROWS))
    parts, masks = [], []
    for other in others:
        n = min(other.n_samples, _MOST_ROWS // len(others))
        rows = np.linspace(0, other.n_samples - 1, n).astype(np.intp)
        fields = (SPECTRA, *mask_fields(other))
        read = {one: torch.from_numpy(np.asarray(other[one][rows], np.float32)) for one in fields}
        parts.append(read[SPECTRA])
        masks.append(measured(read))
    return (torch.cat(parts).to(device), torch.cat(masks).to(device)) if parts else None
