"""Search of a library of template spectra: the baseline that a network has to beat."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import Frozen, field

from ..calibration.measures import fit_temperature
from ..config import ModelConfig, Shape
from ..data.measured import measured
from .airpls import airpls
from .baseline import smoothed, snip
from .model import Model, TrainingRows, shape_of

_EPS = 1e-12
_LEAST_SHARE = 0.05
"""Least fraction of the variance of a template that a measured range is taken to contain."""
_SCALED_ROWS = 4096
"""Rows from which the scale of the logits is determined."""
_ROWS_OF_CLASS = 64
"""Noise-free rows whose mean is a template: orientations differ."""
_SCALE = 50.0
_WINDOW_SHARE = 55
_SMOOTHING_SHARE = 550

Broadening = Annotated[float, Field(ge=0, le=1e4)]


class LibrarySearchConfig(Frozen):
    """Widths, baseline and smoothing of a library search."""

    broadening_cm1: tuple[Broadening, ...] = field(
        "FWHM of the Gaussians by which templates are broadened; the best of them counts",
        "cm^-1",
        (0.0, 6.0, 12.0),
        min_length=1,
        max_length=16,
    )
    baseline: Literal["snip", "airpls"] = field(
        "what is subtracted: a line clipped to ever shorter windows (snip), or one smoothed "
        "through the points below it (airpls)",
        "1",
        "snip",
    )
    window: int = field(
        "half of the longest window of snip, by default 1/55 of the axis, or length in which the "
        "line of airpls does not bend, by default 1/110",
        "point",
        30,
        ge=1,
        le=4096,
    )
    smoothing: float = field(
        "FWHM of the Gaussian that smooths spectra; by default 1/550 of the axis", "point", 3.0,
        ge=0, le=256,
    )  # fmt: skip


@register("ters_train.models", "library-search")
class LibrarySearch(Model):
    """Correlation of a spectrum without its baseline with a template of each class.

    Baselines are those of SNIP (C. G. Ryan et al., Nucl. Instrum. Methods B 34, 396 (1988), with
    the decreasing windows of M. Morhac et al., Nucl. Instrum. Methods A 401, 113 (1997)), or of
    airPLS, which cannot be exported to ONNX.
    Similarity is the Pearson correlation, the cosine after subtraction of the mean, over the
    points that were measured. A class has its template in several widths, of which the most similar
    counts.

    Templates of synthetic data are means of noise-free rows of the same recipe, without instrument
    and perturbations; those of measured data are means of the training rows.
    """

    Options = LibrarySearchConfig
    options: LibrarySearchConfig
    kinds = ("spectrum",)
    task = "classification"
    uses_measured = True

    def __init__(self, config: ModelConfig, options: LibrarySearchConfig) -> None:
        super().__init__(config, options)
        (n_points,) = shape_of(config, "spectra", 1)
        if set(config.outputs) != {"logits"}:
            raise ConfigError(
                "model: expected library-search to be asked for classes, got "
                f"{', '.join(config.outputs)}; take --model cnn"
            )
        shape = (len(options.broadening_cm1), config.outputs["logits"][0], n_points)
        self.register_buffer("templates", torch.zeros(shape))
        self.register_buffer("scale", torch.tensor(_SCALE))
        self.templates: Tensor
        self.scale: Tensor

    @classmethod
    def suggest(cls, shapes: Mapping[str, Shape], wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return window and smoothing for the length of the axis."""
        n_points = shapes["spectra"][0]
        share = _WINDOW_SHARE * (2 if wanted.get("baseline") == "airpls" else 1)
        window = max(2, round(n_points / share))
        return {"window": window, "smoothing": n_points / _SMOOTHING_SHARE}

    def check_export(self) -> None:
        """Refuse airPLS: its rounds are not operations of ONNX."""
        if self.options.baseline == "airpls":
            raise ConfigError(
                "export: expected a library search with the baseline snip, got airpls, which ONNX "
                "cannot express; fit one with --set model.options.baseline=snip"
            )

    def fit(self, rows: TrainingRows) -> None:
        """Set the templates, and the scale with which similarities are probabilities."""
        dataset, n_classes = rows.dataset, self.templates.shape[1]
        if dataset.kind == "measured":
            means = self._class_means(rows)
        else:
            spectra, labels = (torch.from_numpy(one) for one in noise_free(dataset))
            made = rows.prepared({"spectra": spectra.float()})["spectra"].to(self.templates)
            means = _means(made, labels.long(), n_classes)
        step = float(dataset.shift_cm1[1] - dataset.shift_cm1[0])
        for k, fwhm in enumerate(self.options.broadening_cm1):
            wide = smoothed(means, fwhm / step)
            self.templates[k] = _scaled(self.corrected(wide, torch.ones_like(wide)))
        found, true, n = [], [], 0
        for batch in rows.batches():
            found.append(self.similarity(batch["spectra"], measured(batch)).cpu())
            true.append(batch["label"].long().cpu())
            n += len(true[-1])
            if n >= _SCALED_ROWS:
                break
        logits = _SCALE * torch.cat(found)
        self.scale.fill_(_SCALE / fit_temperature(logits, torch.cat(true)))

    def _class_means(self, rows: TrainingRows) -> Tensor:
        """Return the mean of the training rows of each class, without baselines, shape (K, L)."""
        _, n_classes, n_points = self.templates.shape
        sums = self.templates.new_zeros(n_classes, n_points)
        for batch in rows.batches():
            spectra = _scaled(self.corrected(batch["spectra"].to(sums), measured(batch)))
            sums.index_add_(0, batch["label"].long(), spectra)
        return sums

    def corrected(self, spectra: Tensor, mask: Tensor) -> Tensor:
        """Return spectra without noise of single points and without baseline, shape (B, L).

        They are 0 where ``mask`` is, which is 1 where they were measured.
        """
        smooth, window = smoothed(spectra, self.options.smoothing), self.options.window
        is_snip = self.options.baseline == "snip"
        baseline = snip(smooth, window) if is_snip else airpls(smooth, mask, window)
        return (smooth - baseline) * mask

    def similarity(self, spectra: Tensor, mask: Tensor) -> Tensor:
        """Return the correlation with each class over what was measured, shape (B, K).

        Parameters
        ----------
        spectra
            Shape (B, L).
        mask
            1 where they were measured, else 0; shape (B, L).
        """
        spectra, mask = spectra.to(self.templates.dtype), mask.to(self.templates.dtype)
        values = self.corrected(spectra, mask)
        flat = self.templates.flatten(0, 1)
        n = mask.sum(dim=1, keepdim=True).clamp_min(1.0)
        sums = mask @ flat.T
        total = values.sum(dim=1, keepdim=True)
        together = values @ flat.T - total * sums / n
        own = values.square().sum(dim=1, keepdim=True) - total.square() / n
        theirs = mask @ flat.square().T - sums.square() / n
        least = _LEAST_SHARE * flat.var(dim=1, correction=0) * flat.shape[1]
        root = (own.clamp_min(0.0) * torch.maximum(theirs, least)).sqrt()
        found = together / root.clamp_min(_EPS)
        return found.reshape(-1, *self.templates.shape[:2]).amax(dim=1)

    def features(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return spectra without baseline, of unit length, shape (B, L)."""
        spectra = self.input_of(inputs, "spectra").to(self.templates.dtype)
        return _scaled(self.corrected(spectra, measured(inputs)))

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return ``logits``, shape (B, K): similarities times a scale."""
        spectra = self.input_of(inputs, "spectra")
        return {"logits": self.scale * self.similarity(spectra, measured(inputs))}


def noise_free(dataset: Dataset) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return spectra and labels of a dataset's species as they are without noise or instrument."""
    made = noise_free_rows(dataset, ("spectra", "label"), _ROWS_OF_CLASS)
    return np.asarray(made["spectra"], np.float32), np.asarray(made["label"], np.int64)


def noise_free_rows(
    dataset: Dataset, names: Sequence[str], rows_of_class: int
) -> dict[str, NDArray[Any]]:
    """Return fields of rows of a synthetic dataset's recipe, without what differs between rows.

    Instrument, noise, perturbations, mixing and effects of plug-ins are off; orientations differ.

    Parameters
    ----------
    dataset
        The dataset.
    names
        Fields.
    rows_of_class
        Rows of each class.
    """
    from tersgen.dataset.sources import narrowed
    from tersgen.effects.sections import GENERATOR_VERSION
    from tersgen.generator import Generator  # needs Numba, which stored rows do not

    recipe = dataset.recipe.noise_free
    neutral: dict[str, dict[str, Any]] = {
        "perturbations": {
            "shift_cm1": 0.0, "mode_shift_cm1": 0.0, "width": (1.0, 1.0), "intensity": 0.0
        },
        "classes": {},
    }  # fmt: skip
    update: dict[str, Any] = {
        name: type(getattr(recipe, name)).model_validate(table) for name, table in neutral.items()
    }
    update |= dict.fromkeys(("instrument", "mixture", "plasmon"))
    update["generator"] = GENERATOR_VERSION
    plain = narrowed(recipe.model_copy(update=update), names)
    return dict(Generator(plain).block(0, rows_of_class * len(dataset.classes), threads=1))


def _means(spectra: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    counts = torch.bincount(labels, minlength=n_classes).clamp_min(1).to(spectra)
    sums = spectra.new_zeros(n_classes, spectra.shape[1]).index_add_(0, labels, spectra)
    return sums / counts[:, None]


def _scaled(spectra: Tensor) -> Tensor:
    """Return spectra of unit length; those that are zero stay so."""
    lengths: Tensor = spectra.square().sum(dim=1, keepdim=True).sqrt()
    return spectra / lengths.clamp_min(_EPS)
