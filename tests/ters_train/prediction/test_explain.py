"""Which bands decided: of models of which it is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ters_train.prediction.explain import Band, Explanation, attributions, bands_of, precision_at

AXIS = np.linspace(100, 1100, 501)


def spectra():
    x = torch.linspace(100, 1100, 501)
    return sum(
        height * torch.exp(-0.5 * ((x - place) / 6) ** 2)
        for place, height in ((300, 1.0), (600, 0.4), (900, 0.7))
    )[None]


class Detector(torch.nn.Module):
    """Sees the band at 600 cm^-1 as one for class 1, and that at 900 as one against it."""

    def forward(self, inputs):
        x = inputs["spectra"]
        signal = 20 * x[:, 240:261].mean(1).tanh() - 2 * x[:, 390:411].mean(1)
        return {"logits": torch.stack([torch.zeros_like(signal), signal], dim=1)}


def test_the_band_that_decides_is_named_and_weights_add_up():
    trained = SimpleNamespace(model=Detector(), shift_cm1=AXIS)
    predicted, weights, heights = attributions(trained, {"spectra": spectra()})
    assert predicted.tolist() == [1]
    bands = bands_of(AXIS, weights[0].numpy(), heights[0].numpy(), 5)
    assert [round(one.shift_cm1, -1) for one in bands] == [600, 900]
    assert bands[0].weight == pytest.approx(1.0, abs=1e-3)
    assert bands[1].weight < 0
    # completeness: attributions sum to what the bands change
    logits = Detector()({"spectra": torch.stack([spectra()[0], spectra()[0] * 0])})["logits"]
    margins = logits[:, 1] - logits.mean(1)
    assert float(weights.sum()) == pytest.approx(float(margins[0] - margins[1]), rel=0.02)


def test_precision_counts_bands_near_lines():
    nothing = np.zeros(1, np.float32)
    bands = (Band(300, 0.6), Band(650, 0.3), Band(905, -0.1))
    one = Explanation(0, bands, nothing, nothing, (300.0, 900.0, 650.0))
    lines = {"a": np.array([[300.0, 1.0], [900.0, 0.5]])}
    found = precision_at([one], ["a"], lines, AXIS, 3)
    assert found.precision == 0.5  # a band against the class does not count
    assert found.highest == 1.0
    assert found.chance == pytest.approx(0.06, abs=0.01)
