"""Trained models, loaded from a run for use."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError, DatasetError, TersWarning
from tersgen.measured.resample import measured_points, resample
from tersgen.measured.spectrum import ascending
from tersgen.text import command, printable

from ..calibration.certainty import Certainty, judged_by_logits, scale_logits
from ..calibration.document import FILE, read_calibration
from ..data.measured import INSTRUMENT, MASK_FIELDS, MEASURED, mask_fields
from ..data.transforms import Transforms
from ..models.model import Model
from ..parts import check_plugins
from ..tasks.task import Predicted, Task, make_task
from ..zoo import is_shipped
from .checkpoint import CHECKPOINTS, Checkpoint, State, choose
from .trainer import input_range, make_transforms
from .weights import load_weights

_BATCH_BYTES = 1 << 24
_MOST_ROWS = 512
_SLACK = 1e-3
"""By how much values may lie outside their range: what float16 rounds to."""

COVERAGE = 0.95
"""Fraction of sets of species that contain the true one, by default."""
Inputs = NDArray[Any] | Mapping[str, NDArray[Any]]
"""Rows of the one array that a model sees, or of several by name."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model, and what its inputs and outputs are."""

    model: Model
    task: Task
    state: State
    transforms: Transforms
    folder: Path
    """The checkpoint."""
    certainty: Certainty | None = None
    """Result of ``ters-train calibrate``, by which the model's logits are scaled."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of labels."""
        return self.state.classes

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(chain(self.model.parameters(), self.model.buffers())).device

    @property
    def is_shipped(self) -> bool:
        """Whether it is of the zoo: trained on spectra of which any part may be missing."""
        return is_shipped(self.folder)

    @property
    def takes_parts(self) -> bool:
        """Whether spectra may be shorter than its axis: it knows such, and is told where."""
        return self.is_shipped or (self.state.parts and self.model.uses_measured)

    @property
    def shift_cm1(self) -> NDArray[np.float64]:
        """The axis of Raman shifts that it was trained on, Eq. (1.1), in cm^-1, shape (L,).

        Raises
        ------
        ConfigError
            If the model sees no spectra.
        """
        axis, shape = self.state.axis_cm1, self.model.shapes.get("spectra")
        if axis is None or shape is None:
            raise ConfigError(
                f"{self.folder}: expected a model of spectra, got one of "
                f"{self.state.config.data.input}s"
            )
        return np.linspace(*axis, shape[0])

    def input_fields(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the fields of a dataset that it reads; with spectra, what was measured."""
        names = tuple(self.model.shapes)
        return (*names, *mask_fields(dataset)) if self.model.uses_measured else names

    def inputs_of(self, dataset: Dataset, rows: Any = slice(None)) -> dict[str, NDArray[Any]]:
        """Return the inputs of rows of a dataset by name, as ``predict`` takes them.

        Parameters
        ----------
        dataset
            A dataset, or a view of one.
        rows
            A slice, or row numbers, shape (n,).
        """
        return {name: np.asarray(dataset[name][rows]) for name in self.input_fields(dataset)}

    def predict(
        self,
        inputs: Inputs,
        shift_cm1: NDArray[Any] | None = None,
        *,
        top: int = 3,
        allow_extrapolation: bool = False,
    ) -> list[Predicted]:
        """Return the prediction for each row.

        Parameters
        ----------
        inputs
            Spectra (n, L), maps (n, C, H, W) or cubes (n, H, W, C), or a dict of them by name for a
            model of several inputs; a single row is taken for n = 1. They are in the range trained
            on, as the rows of datasets are. With ``spectra`` there may be ``measured`` (n, L), 1
            where they were measured and 0 elsewhere; :meth:`inputs_of` reads both.
        shift_cm1
            Axis of measured spectra, cm^-1, shape (N,), rising: they are brought to the model's
            axis and scaled.
        top
            How many species to name.
        allow_extrapolation
            Whether measured spectra may be shorter than the model's axis; they always may for
            models of the zoo.

        Raises
        ------
        ConfigError
            If arrays are missing, or of another shape or range.
        MeasurementError
            If a measured spectrum does not cover the axis, or has no bands.
        """
        rows = self._rows(inputs, shift_cm1, allow_extrapolation)
        return [one for batch in self.batches(rows) for one in self.said(batch, top)]

    @torch.inference_mode()
    def said(
        self, batch: dict[str, Tensor], top: int = 3, coverage: float = COVERAGE
    ) -> list[Predicted]:
        """Return the prediction for each row of a batch as the model is fed it.

        Parameters
        ----------
        batch
            Arrays of shape (B, ...) by name.
        top
            How many species to name.
        coverage
            Fraction of sets that contain the true species (calibrated models).

        Raises
        ------
        ConfigError
            If it was not calibrated for that coverage.
        """
        with torch.inference_mode():
            outputs = self.model(batch)
            found = self.task.predicted(outputs, self.classes, top)
            if self.certainty is None:
                with_outliers = self.state.config.exposure.share > 0
                return judged_by_logits(found, outputs["logits"]) if with_outliers else found
            return self.certainty.judged(found, self.model, batch, outputs, self.classes, coverage)

    @torch.inference_mode()
    def embed(
        self,
        inputs: Inputs,
        shift_cm1: NDArray[Any] | None = None,
        *,
        allow_extrapolation: bool = False,
    ) -> NDArray[np.float32]:
        """Return the features that the outputs are made of, shape (n, F); inputs as ``predict``.

        Of an ensemble they are those of its first network.

        Raises
        ------
        ConfigError, MeasurementError
            As ``predict``; and if the model has no embedding.
        """
        rows = self._rows(inputs, shift_cm1, allow_extrapolation)
        with torch.inference_mode():
            return np.concatenate(
                [self.model.features(batch).float().cpu().numpy() for batch in self.batches(rows)]
            )

    def _rows(
        self, inputs: Inputs, shift_cm1: NDArray[Any] | None, allow_extrapolation: bool
    ) -> dict[str, NDArray[Any]]:
        names = tuple(self.model.shapes)
        arrays = dict(inputs) if isinstance(inputs, Mapping) else {names[0]: np.asarray(inputs)}
        if shift_cm1 is not None and "spectra" in arrays:
            given = np.atleast_2d(np.asarray(arrays["spectra"], np.float64))
            arrays["spectra"] = np.stack(
                [
                    resample(
                        ascending(f"row {k}", np.asarray(shift_cm1, np.float64), values),
                        self.shift_cm1,
                        low=self.state.low,
                        allow_extrapolation=allow_extrapolation or self.takes_parts,
                    )
                    for k, values in enumerate(given)
                ]
            )
            mask = measured_points(np.asarray(shift_cm1, np.float64), self.shift_cm1)
            arrays[MEASURED] = np.broadcast_to(mask, arrays["spectra"].shape)
        return check_inputs(self, arrays, "inputs")

    def batches(self, arrays: Mapping[str, NDArray[Any]]) -> Iterator[dict[str, Tensor]]:
        """Yield batches as the model is fed them, of bounded size: inference tensors."""
        n_rows = len(next(iter(arrays.values())))
        row_values = sum(values[:1].size for values in arrays.values())
        size = max(1, min(_MOST_ROWS, _BATCH_BYTES // max(1, 4 * row_values)))
        for first in range(0, n_rows, size):
            # not around the yield: a caller that fails would stay in inference mode
            with torch.inference_mode():
                batch = self.transforms.prepared(
                    {
                        name: torch.from_numpy(
                            np.ascontiguousarray(values[first : first + size], np.float32)
                        ).to(self.device)
                        for name, values in arrays.items()
                    }
                )
            yield batch


def check_inputs(
    trained: Trained, arrays: Mapping[str, NDArray[Any]], where: str
) -> dict[str, NDArray[Any]]:
    """Return the arrays that a model sees, rows of them; a single row gets a first dimension.

    With spectra also what says which points were measured, if it is there.
    """
    found: dict[str, NDArray[Any]] = {}
    low = trained.state.low
    for name, shape in trained.model.shapes.items():
        if name not in arrays:
            got = printable(", ".join(arrays)[:200]) or "none"
            raise ConfigError(f"{where}: expected an array {name}, got {got}")
        values = np.asarray(arrays[name])
        if values.dtype.kind not in "fiu":
            raise ConfigError(f"{where}: {name}: expected numbers, got {values.dtype}")
        values = values[None] if values.shape == tuple(shape) else values
        if values.shape[1:] != tuple(shape) or not len(values):
            raise ConfigError(
                f"{where}: expected {name} of shape {tuple(shape)}, or rows of them, got "
                f"{values.shape}"
            )
        least, most = float(values.min()), float(values.max())
        if not low - _SLACK <= least <= most <= 1 + _SLACK:  # NaN too
            raise ConfigError(
                f"{where}: {name}: expected values from {low:g} to 1, as trained on, got {least:g} "
                f"to {most:g}; subtract the offset and divide by the maximum"
            )
        found[name] = values
    found.update(_checked_masks(found, arrays, where))
    counts = {len(values) for values in found.values()}
    if len(counts) > 1:
        got = ", ".join(f"{len(values)} of {name}" for name, values in found.items())
        raise ConfigError(f"{where}: expected as many rows of each array, got {got}")
    return found


def _checked_masks(
    found: Mapping[str, NDArray[Any]], arrays: Mapping[str, NDArray[Any]], where: str
) -> dict[str, NDArray[Any]]:
    """Return the arrays that say which points of spectra were measured."""
    if "spectra" not in found:
        return {}
    masks = {name: np.asarray(arrays[name]) for name in MASK_FIELDS if name in arrays}
    mask, wanted = masks.get(MEASURED), found["spectra"].shape
    if mask is not None:
        mask = masks[MEASURED] = mask[None] if mask.ndim == 1 else mask
        if mask.shape != wanted or not np.isin(mask, (0, 1)).all():
            raise ConfigError(
                f"{where}: {MEASURED}: expected 1 where the spectra were measured, else 0, of "
                f"shape {wanted}, got shape {mask.shape} and values from {mask.min():g} to "
                f"{mask.max():g}"
            )
    if INSTRUMENT in masks and masks[INSTRUMENT].ndim == 1:
        masks[INSTRUMENT] = masks[INSTRUMENT][None]
    return masks


def load_trained(path: Path, device: torch.device, calibrated: bool = True) -> Trained:
    """Return the best model of a run, or that of one checkpoint.

    Parameters
    ----------
    path
        The run, ``zoo:NAME``, or the checkpoint.
    device
        Where the model shall be.
    calibrated
        Whether a calibration of this checkpoint is applied.
    """
    found = choose(path)
    config = found.state.config
    check_plugins(config, found.folder, ("ters_train.models", "ters_train.tasks"))
    try:
        task = make_task(config)
    except ConfigError as error:
        raise DatasetError(f"{found.folder}: {error}") from None
    weights = found.tensors.get("average", found.tensors["model"])
    model = load_weights(found.folder, config.model, weights, device).eval()
    # those of plug-ins change training batches only
    plain = config.transforms.model_copy(update={"plugins": ()})
    transforms = make_transforms(config.model_copy(update={"transforms": plain}), found.state.low)
    certainty = _certainty(found) if calibrated else None
    if certainty is not None:
        scale_logits(model, certainty.calibration.temperature)
    return Trained(model, task, found.state, transforms, found.folder, certainty)


def _certainty(found: Checkpoint) -> Certainty | None:
    """Return the calibration of a checkpoint of a run, if there is one."""
    if found.folder.absolute().parent.name != CHECKPOINTS:
        return None
    run = found.folder.absolute().parents[1]
    stored = read_calibration(run)
    if stored is None:
        return None
    of = stored[0]
    if (of.checkpoint, of.weights) != (
        found.folder.name, found.state.files["model.safetensors"].xxh128
    ):  # fmt: skip
        warnings.warn(
            f"{run / FILE}: is of {of.checkpoint}, not of {found.folder.name}, and is not used; "
            f"calibrate again: {command('ters-train', 'calibrate', run)}",
            TersWarning,
            stacklevel=3,
        )
        return None
    return Certainty(*stored)


def check_fits(trained: Trained, dataset: Dataset) -> None:
    """Refuse a dataset that a model cannot be scored on."""
    state = trained.state
    trained.task.check_dataset(dataset)
    source = state.config.data.path
    if trained.is_shipped:
        source = str(trained.folder.parents[1] / source)
    advice = (
        f"measured rows come onto it by {command('tersgen', 'ingest', '--like', source)}"
        if dataset.kind == "measured"
        else f"build it with the settings of {source}"
    )
    for name, shape in trained.model.shapes.items():
        if name not in dataset or dataset[name].shape[1:] != tuple(shape):
            got = (
                dataset[name].shape[1:] if name in dataset else f"only {', '.join(dataset.fields)}"
            )
            raise ConfigError(
                f"{dataset.path}: expected {name} of shape {shape}, got {got}; {advice}"
            )
    axis, wanted = dataset.shift_cm1, state.axis_cm1
    if wanted is not None and wanted != (float(axis[0]), float(axis[-1])):
        raise ConfigError(
            f"{dataset.path}: expected Raman shifts from {wanted[0]:g} to {wanted[1]:g} cm^-1, "
            f"got {axis[0]:g} to {axis[-1]:g}; {advice}"
        )
    if input_range(dataset) != state.low:
        raise ConfigError(
            f"{dataset.path}: expected inputs from {state.low:g} on, got from "
            f"{input_range(dataset):g} on; build it with the same fields.scale"
        )
