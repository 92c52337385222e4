"""What a run is planned with: rows of the classes, and their weights."""

import numpy as np
import pytest

import tersgen
from ters_train.config import DataConfig
from ters_train.planning import class_counts
from tersgen.dataset.stratify import class_weights

SMALL = {"library": ("random:4",), "fields": {"maps": False}}
N = 4000
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
