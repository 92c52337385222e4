"""What a run is planned with: rows of the classes, and their weights."""

import numpy as np
import pytest

import tersgen
from ters_train import plan
from ters_train.config import DataConfig
from ters_train.data.rows import RECIPE_PARTS, rows_of_part
from ters_train.planning import class_counts, open_data
from tersgen.dataset.stratify import class_weights
from tersgen.errors import ConfigError

SMALL = {"library": ("random:4",), "fields": {"maps": False}}
N = 4000
SIZED = {"model": {"options": {"size": "base"}}}
CLASSES = {
    "balanced": {},
    "zipf": {"balance": "zipf", "exponent": 1.5},
    "weighted": {"balance": "weighted", "weights": {"random-0000": 5.0, "random-0002": 0.0}},
    "none of the last": {"balance": "weighted", "weights": {"random-0003": 0.0}},
}


@pytest.mark.parametrize("name", CLASSES)
def test_a_recipe_has_the_rows_that_are_expected(name, tmp_path) -> None:
    recipe = tersgen.Recipe(**SMALL, classes=CLASSES[name])
    path = tmp_path / "recipe.json"
    tersgen.save_recipe(recipe, path)
    dataset = tersgen.open(path, 2 * N)
    data = DataConfig(path=str(path), input="spectrum", n_samples=N)
    expected = np.array(class_counts(dataset, data, "train"))
    found = np.bincount(dataset["label"][:N], minlength=4)
    assert expected.sum() == pytest.approx(N)
    assert ((expected == 0) == (found == 0)).all()
    assert (np.abs(found - expected) <= 5 * np.sqrt(expected)).all()  # five standard deviations
    few = class_counts(dataset, data, "val")
    np.testing.assert_allclose(few, expected / 10)


@pytest.mark.parametrize("n_samples", [1, 9, 10, 11, 101])
def test_a_recipe_is_opened_with_the_rows_of_its_parts(n_samples, tmp_path) -> None:
    tersgen.save_recipe(tersgen.Recipe(**SMALL), tmp_path / "recipe.json")
    data = DataConfig(path=str(tmp_path / "recipe.json"), input="spectrum", n_samples=n_samples)
    dataset = open_data(data)
    counts = [rows_of_part(dataset, data, part).counts().sum() for part in RECIPE_PARTS]
    assert counts[0] == n_samples
    assert sum(counts) == dataset.n_samples


def test_counts_of_a_part_are_those_of_its_rows(few) -> None:
    dataset = tersgen.open(few)
    counts = class_counts(dataset, DataConfig(path=str(few), input="spectrum"), "train")
    rows = dataset.rows_in("train")
    assert counts == tuple(np.bincount(dataset["label"][:][rows], minlength=3))


def test_rare_and_absent_classes() -> None:
    weights = np.array(class_weights((900.0, 90.0, 1e-3, 0.0)))
    assert weights[3] == 0
    assert weights[:3].mean() == pytest.approx(1)
    np.testing.assert_allclose(weights[:3] / weights[2], [1 / 900, 1 / 90, 1])
    assert class_weights((0.2, 0.2)) == (1, 1)


def test_a_size_may_follow_the_name_of_a_model(few) -> None:
    dataset = tersgen.open(few)
    small, base = plan(dataset, "vit"), plan(dataset, "vit:base")
    assert (small.model.name, small.model.options["size"]) == ("vit", "pico")
    assert base.model == plan(dataset, "vit", settings=SIZED).model
    assert base.model.options["size"] == "base"
    assert (small.order.batch_size, base.order.batch_size) == (16, 16)  # of few rows
    assert (small.optim.lr, base.optim.lr) == (1e-3, 2e-3)
    own = {"optim": {"lr": 0.5, "epochs": 3}, "order": {"mix_blocks": 2}}
    mine = plan(dataset, "vit", settings=own)
    assert (mine.optim.lr, mine.optim.epochs, mine.order.batch_size) == (0.5, 3, 16)
    with pytest.raises(ConfigError, match=r"model: expected vit:pico, vit:tiny, .* got 'vit:huge'"):
        plan(dataset, "vit:huge")
    with pytest.raises(ConfigError, match=r"model\.options\.size: expected 'tiny', as in --model"):
        plan(dataset, "vit:tiny", settings=SIZED)
