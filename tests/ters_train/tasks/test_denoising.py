"""Denoising: targets are the twins, scores by NumPy, and a network that learns to."""

import numpy as np
import pytest
import torch

import ters_train
import tersgen
from ters_train import Order, Stream, all_rows
from ters_train.engine.sums import SumCount
from ters_train.tasks.denoising import Denoising, DenoisingOptions
from tersgen.errors import ConfigError

TASK = Denoising(DenoisingOptions(array="spectra", shape=(50,)))
SMALL = {
    "library": ["builtin:water", "builtin:benzene"],
    "grid": {"n_points": 128},
    "lineshape": {"fwhm_cm1": 120.0},
    "noise": {"spectrum": [0.1, 0.2]},
    "fields": {"maps": False, "sticks": False, "tensors": False},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    path = tmp_path_factory.mktemp("denoising") / "a.zarr"
    tersgen.build(SMALL, 800, path)
    tersgen.split(path)
    return tersgen.open(path)


def test_scores_by_numpy():
    generator = torch.Generator().manual_seed(1)
    twin, noise = torch.rand(30, 50, generator=generator), torch.rand(30, 50, generator=generator)
    twin = (twin - twin.amin(1, keepdim=True)) / (twin.amax(1) - twin.amin(1))[:, None]
    given = twin + 0.2 * noise
    batch = {"spectra": 2 * given - 1, "clean/spectra": twin.half(), "row": torch.arange(30)}
    outputs = {"clean": twin + 0.1}
    count = SumCount(TASK)
    for part in (slice(0, 11), slice(11, 30)):
        inside = {name: values[part] for name, values in batch.items()}
        found = {"clean": outputs["clean"][part]}
        count.count(found, inside, TASK.terms(found, inside)["squared_error"].mean())
    scores = count.compute()
    x = given.numpy()
    scaled = (x - x.min(1, keepdims=True)) / (x.max(1) - x.min(1))[:, None]
    assert scores.rmse == pytest.approx(0.1, rel=1e-2)
    assert scores.input_rmse == pytest.approx(
        np.sqrt(((scaled - twin.numpy()) ** 2).mean()), rel=1e-2
    )
    assert scores.loss == pytest.approx(0.01, rel=2e-2)
    assert scores.headline.endswith("dB worse")
    better = scores.model_copy(update={"rmse": scores.input_rmse / 10})
    assert better.headline.endswith(": 20.0 dB better")


def test_the_stream_hands_out_twins_of_the_same_rows(dataset):
    clean = dataset["clean/spectra"][:]
    for batch in Stream(dataset, ["spectra", "clean/spectra"], Order(all_rows(dataset), 64)):
        assert np.array_equal(batch["clean/spectra"].numpy(), clean[batch["row"].numpy()])


@pytest.mark.exhaustive
def test_a_network_learns_it_and_its_weights_start_a_classifier(dataset, tmp_path):
    def fit(model, task, out, **engine):
        settings = {"optim": {"epochs": 3}, "engine": engine, "model": {"options": {"width": 8}}}
        if model == "cnn":
            settings["model"] = {"options": {"widths": [8, 16]}}
        plan = ters_train.plan(dataset, model, task=task, settings=settings)
        return ters_train.fit(plan, tmp_path / out)

    fit("unet1d", None, "unet")
    trained = ters_train.load(tmp_path / "unet")
    assert trained.task.description == "spectra without noise and background"
    found = np.array([one.content["clean"] for one in trained.predict(dataset["spectra"][:100])])
    twin, noisy = dataset["clean/spectra"][:100], dataset["spectra"][:100]
    assert np.square(found - twin).mean() < 0.5 * np.square(noisy - twin).mean()
    fit("cnn", "denoising", "pretrained")
    fit("cnn", None, "tuned", init=str(tmp_path / "pretrained"))
    tuned = ters_train.load(tmp_path / "tuned")
    assert tuned.classes == ("water", "benzene")
    with pytest.raises(ConfigError, match="same model"):
        fit("unet1d", None, "wrong", init=str(tmp_path / "pretrained"))


def test_what_it_does_not_do(dataset):
    settings = {"transforms": {"roll_bins": 3}}
    with pytest.raises(ConfigError, match="targets are not moved"):
        ters_train.plan(dataset, "unet1d", settings=settings)
    with pytest.raises(ConfigError, match="asked for 128 points"):
        ters_train.plan(dataset, "unet1d", task="classification")
