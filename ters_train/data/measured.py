"""Which points of a spectrum were measured: as its dataset recorded it, or as its axis says.

Values say nothing about it: a saturated plateau at an end of a row looks like a repeated edge.
"""

import warnings
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import TersWarning

MEASURED = "measured"
"""1 where a spectrum was measured, else 0, shape (B, L): in measured datasets and in batches."""
INSTRUMENT = "params/instrument"
"""What the instrument of a recipe did to each row; two columns count the points not measured."""
MASK_FIELDS = (MEASURED, INSTRUMENT)
_MISSING_LOW, _MISSING_HIGH = 12, 13
"""Columns ``missing_low`` and ``missing_high``, which a test compares with the effect's."""


def mask_fields(dataset: Dataset) -> tuple[str, ...]:
    """Return the field of a dataset that says which points were measured; none if all were.

    Warns
    -----
    TersWarning
        If it has none, and some points were not measured.
    """
    if dataset.kind == "measured":
        if MEASURED in dataset:
            return (MEASURED,)
        field, advice = "source/extrapolated", "ingest its files again"
        lacks = field in dataset and bool((dataset[field][:] > 0).any())
    else:
        instrument = dataset.recipe.instrument
        lacks = instrument is not None and any(instrument.missing)
        if lacks and INSTRUMENT in dataset:
            return (INSTRUMENT,)
        advice = "build it with fields.params = true"
    if lacks:
        warnings.warn(
            f"{dataset.path}: does not say which points of its spectra were measured, so all are "
            f"taken to be; {advice}",
            TersWarning,
            stacklevel=2,
        )
    return ()


def has_parts(dataset: Dataset, fields: Collection[str]) -> bool:
    """Return whether some rows were measured in part, and the fields that are read say where."""
    if INSTRUMENT in fields:
        return True
    return MEASURED in fields and bool((dataset["source/extrapolated"][:] > 0).any())


def measured(batch: Mapping[str, Tensor]) -> Tensor:
    """Return which points of the spectra of a batch were measured; all if it does not say.

    Parameters
    ----------
    batch
        ``spectra`` (B, L), and maybe one of ``MASK_FIELDS``.

    Returns
    -------
    Tensor
        1 or 0, float32, shape (B, L).
    """
    spectra = batch["spectra"]
    known = batch.get(MEASURED)
    if known is not None:
        return known.to(torch.float32)
    done = batch.get(INSTRUMENT)
    if done is None:
        return torch.ones_like(spectra, dtype=torch.float32)
    n_points = spectra.shape[1]
    point = torch.arange(n_points, device=spectra.device)
    first, last = done[:, _MISSING_LOW, None], n_points - 1 - done[:, _MISSING_HIGH, None]
    return ((point >= first) & (point <= last)).to(torch.float32)
