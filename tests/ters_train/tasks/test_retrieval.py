"""Retrieval: loss and recall by NumPy, and a library that is searched."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import ters_train
import tersgen
from ters_train.cli import main
from ters_train.tasks.retrieval import Retrieval, RetrievalOptions
from ters_train.tasks.retrieval.scores import score_retrieval

TASK = Retrieval(RetrievalOptions(size=5, temperature=0.2))


def rows(n):
    generator = torch.Generator().manual_seed(4)
    return torch.randn(n, 5, generator=generator), torch.randint(0, 6, (n,), generator=generator)


def test_loss_by_numpy():
    values, labels = rows(24)
    labels[0] = 17  # a class of one row
    found = TASK.terms({"embedding": values}, {"label": labels})["contrastive"].numpy()
    z = values.double().numpy()
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    for i in range(24):
        others = [j for j in range(24) if j != i]
        all_of = np.log(sum(np.exp(z[i] @ z[j] / 0.2) for j in others))
        same = [z[i] @ z[j] / 0.2 - all_of for j in others if labels[j] == labels[i]]
        assert found[i] == pytest.approx(-np.mean(same) if same else 0.0, rel=1e-4)


def test_recall_by_numpy():
    values, labels = rows(700)
    z = torch.nn.functional.normalize(values, dim=1)
    scores = score_retrieval(z, labels, 700, None)
    cosines = (z @ z.T).numpy()
    np.fill_diagonal(cosines, -2)
    nearest = np.argsort(-cosines, axis=1)[:, :5]
    right = labels.numpy()[nearest] == labels.numpy()[:, None]
    assert scores.recall_1 == pytest.approx(right[:, 0].mean())
    assert scores.recall_5 == pytest.approx(right.any(axis=1).mean())


def test_species_never_trained_on_are_found_in_a_library(tmp_path):
    recipe = {
        "library": ["random:24"],
        "grid": {"n_points": 256},
        "lineshape": {"fwhm_cm1": 60.0},
        "fields": {"maps": False, "sticks": False, "tensors": False},
    }
    data = tmp_path / "a.zarr"
    tersgen.build(recipe, 3000, data)
    tersgen.split(data)
    settings = {"optim": {"epochs": 4, "lr": 4e-3}, "model": {"options": {"widths": [16, 32, 64]}}}
    plan = ters_train.plan(tersgen.open(data), "cnn", task="retrieval", settings=settings)
    ters_train.fit(plan, tmp_path / "run")
    others = tersgen.build({**recipe, "seed": 9, "library": ["random:12"]}, 60, tmp_path / "b.zarr")
    library = tmp_path / "b.zarr" / "library.tlib"
    words = (tmp_path / "run", tmp_path / "b.zarr", "--library", library)
    done = CliRunner().invoke(
        main, ["predict", *map(str, words), "--out", str(tmp_path / "p.jsonl")]
    )
    assert done.exit_code == 0, done.output
    found = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    names = [others.classes[k] for k in others["label"][:]]
    hits = np.mean(
        [one["species"][0]["name"] == name for one, name in zip(found, names, strict=True)]
    )
    assert hits > 0.5  # 1 in 12 by chance


def test_a_classifier_searches_no_library(tmp_path):
    data = tmp_path / "a.zarr"
    tersgen.build({"library": ["random:3"], "fields": {"maps": False}}, 200, data)
    tersgen.split(data)
    settings = {"optim": {"epochs": 1}, "model": {"options": {"widths": [4]}}}
    ters_train.fit(ters_train.plan(tersgen.open(data), "cnn", settings=settings), tmp_path / "run")
    done = CliRunner().invoke(
        main, ["predict", str(tmp_path / "run"), str(data), "--library", "builtin"]
    )
    assert (done.exit_code, "knows only its own classes" in done.output) == (2, True)
