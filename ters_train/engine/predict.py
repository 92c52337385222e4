"""Species of measured spectra, from a trained model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tersgen.errors import ConfigError, MeasurementError
from tersgen.measured.reading import read_spectrum
from tersgen.measured.resample import extrapolated, resample
from tersgen.measured.spectrum import Spectrum

from .trained import Trained


class Prediction(NamedTuple):
    """What a model says of a spectrum."""

    spectrum: Spectrum
    species: tuple[tuple[str, float], ...]
    """Names and probabilities, the most probable first; of a model of mixtures fractions."""
    is_mixture: bool
    extrapolated: float
    """Share of the model's axis that was not measured: there, its edges are repeated."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        kind = "fraction" if self.is_mixture else "probability"
        return {
            **self.spectrum.summary(),
            "extrapolated": self.extrapolated,
            "species": [{"name": name, kind: share} for name, share in self.species],
        }


def predict(
    trained: Trained,
    files: Sequence[Path],
    top: int = 3,
    allow_extrapolation: bool = False,
    laser_nm: float | None = None,
    refused: list[str] | None = None,
) -> list[Prediction]:
    """Return the most probable species of each spectrum; files are all read before the first.

    Of a model of mixtures, those whose fraction makes them count as present, or the first.

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
    laser_nm
        Wavelength of the laser, nm: for axes of wavelengths.
    refused
        Gets a line for each file that cannot be used; without it the first one is an error.

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
            one = read_spectrum(path, laser_nm)
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
    shares = outputs["logits"].float().softmax(dim=1).cpu()
    best = shares.topk(min(top, shares.shape[1]), dim=1)
    classes = trained.state.classes
    least = trained.model.config.present_fraction
    return [
        Prediction(
            spectrum,
            tuple(
                (classes[label], float(share))
                for k, (label, share) in enumerate(
                    zip(labels.tolist(), values.tolist(), strict=True)
                )
                if k == 0 or least is None or share >= least
            ),
            least is not None,
            extrapolated(spectrum, axis),
        )
        for spectrum, labels, values in zip(spectra, best.indices, best.values, strict=True)
    ]
