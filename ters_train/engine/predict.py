"""Predictions of a trained model for measured spectra."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tersgen.errors import ConfigError, MeasurementError
from tersgen.measured.reader import NOTHING_SAID, ReadOptions
from tersgen.measured.reading import read_spectrum
from tersgen.measured.resample import extrapolated, resample
from tersgen.measured.spectrum import Spectrum

from ..tasks.task import Predicted
from .trained import Trained


class Prediction(NamedTuple):
    """The prediction for a spectrum."""

    spectrum: Spectrum
    said: Predicted
    extrapolated: float
    """Share of the model's axis that was not measured: there, its edges are repeated."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            **self.spectrum.summary(),
            "extrapolated": self.extrapolated,
            **self.said.content,
        }


def predict(
    trained: Trained,
    files: Sequence[Path],
    top: int = 3,
    allow_extrapolation: bool = False,
    refused: list[str] | None = None,
    options: ReadOptions = NOTHING_SAID,
) -> list[Prediction]:
    """Return the prediction for each spectrum: its species, their fractions, a number.

    Files are all read before the first.

    Parameters
    ----------
    trained
        A model that sees spectra, and nothing else.
    files
        Texts of two columns: Raman shift in cm^-1, and intensity.
    top
        How many species to name.
    allow_extrapolation
        Whether a spectrum may be shorter than the model's axis.
    refused
        Gets a line for each file that cannot be used; without it the first one is an error.
    options
        What the user states about the axes of the files.

    Raises
    ------
    MeasurementError
        If a file is no spectrum, or does not cover the axis; or if all are refused.
    ConfigError
        If the model sees maps.
    """
    config = trained.state.config
    if config.data.input != "spectrum":
        raise ConfigError(
            f"{trained.folder}: expected a model of spectra, got one of {config.data.input}"
        )
    axis, low = trained.shift_cm1, trained.state.low
    spectra, rows = [], []
    for path in files:
        try:
            one = read_spectrum(path, options=options)
            row = resample(one, axis, low=low, allow_extrapolation=allow_extrapolation)
        except MeasurementError as error:
            if refused is None:
                raise
            refused.append(str(error))
            continue
        spectra.append(one)
        rows.append(row)
    if not rows:
        raise MeasurementError(
            f"expected a file that can be used, got none: {(refused or [''])[0]}"
        )
    device = next(trained.model.parameters()).device
    batch = {"spectra": torch.from_numpy(np.stack(rows)).to(device)}
    with torch.inference_mode():
        outputs = trained.model(trained.transforms.prepared(batch))
    said = trained.task.predicted(outputs, trained.state.classes, top)
    return [
        Prediction(spectrum, one, extrapolated(spectrum.shift_cm1, axis))
        for spectrum, one in zip(spectra, said, strict=True)
    ]
