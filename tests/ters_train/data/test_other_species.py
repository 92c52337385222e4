"""Built-in species that are no classes: outliers of new classifiers of realistic spectra."""

import re

import numpy as np
import pytest
import torch

import tersgen
from ters_train import plan
from ters_train.config import DataConfig, ExposureConfig
from ters_train.data.other_species import is_one_of, rows_of_others, shows_others
from ters_train.data.outliers import load_pool
from ters_train.engine.ranks import Ranks
from ters_train.engine.run import Run
from tersgen.errors import ConfigError
from tersgen.library.builtin import load_group
from tersgen.library.libraryfile import library_json
from tersgen.schema.library import Library
from tersgen.schema.presets import PRESETS, merged

pytestmark = pytest.mark.filterwarnings("ignore::tersgen.errors.TersWarning")
SMALL = {
    "library": ["builtin:toluene_acetonitrile", "builtin:benzene"],
    "grid": {"start_cm1": 200.0, "stop_cm1": 2000.0, "n_points": 256},
    "lineshape": {"fwhm_cm1": 20.0},
    "fields": {"tensors": False, "sticks": False},
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("others") / "recipe.json"
    table = merged(PRESETS["realistic"], SMALL)
    tersgen.save_recipe(tersgen.Recipe.model_validate(table), path)
    return path


def test_rows_are_of_other_species_on_the_same_instrument(recipe):
    dataset = tersgen.open(recipe, 100)
    others = rows_of_others(dataset, 200)
    assert {"benzene", "toluene", "acetonitrile"}.isdisjoint(others.classes)
    assert {"calcite", "caffeine", "pyridine"} <= set(others.classes)
    assert "hydrogen_chloride" not in others.classes  # no band in the grid
    assert np.array_equal(others.shift_cm1, dataset.shift_cm1)
    same = {"instrument", "perturbations", "lineshape", "geometry"}
    assert others.recipe.model_dump(include=same) == dataset.recipe.model_dump(include=same)


def test_the_same_substance_by_another_name_is_left_out(tmp_path):
    calcite = next(one for one in load_group("crystals") if one.name == "calcite")
    mine = calcite.model_copy(update={"name": "my_sample"})
    (tmp_path / "mine.json").write_bytes(library_json(Library([mine])))
    library = {"library": [str(tmp_path / "mine.json")]}
    table = merged(merged(PRESETS["realistic"], SMALL), library)
    tersgen.save_recipe(tersgen.Recipe.model_validate(table), tmp_path / "recipe.json")
    others = rows_of_others(tersgen.open(tmp_path / "recipe.json", 100), 200)
    assert "calcite" not in others.classes
    assert {"caffeine", "rutile"} <= set(others.classes)


def test_new_classifiers_have_them(recipe, tmp_path):
    dataset = tersgen.open(recipe, 100)
    config = plan(dataset)
    assert config.exposure.builtin
    assert 0 < config.exposure.share < 1
    assert not plan(dataset, settings={"exposure": {"share": 0.0}}).exposure.builtin
    assert plan(dataset, settings={"exposure": {"share": 0.5}}).exposure.builtin
    assert not plan(dataset, "library-search").exposure.share
    width = {"task": {"options": {"column": "params/width"}}}
    assert not plan(dataset, task="regression", settings=width).exposure.share
    data = DataConfig(path=str(recipe), n_samples=100)
    pool, measured = load_pool(config.exposure, data, torch.device("cpu"))
    assert pool.shape == measured.shape
    assert 0.3 < measured.mean() < 0.95
    assert pool.min() >= 0
    text = Run(config, dataset, tmp_path, Ranks(0, 1, torch.device("cpu"))).describe()
    assert re.search(r": \d+ of train \(and \d+ outliers\), \d+ of val; ", text)


def test_rows_without_a_light_path_have_none(few):
    dataset = tersgen.open(few)
    assert not shows_others(dataset)
    assert plan(dataset).exposure == ExposureConfig()
    wanted = {"exposure": {"share": 0.5, "builtin": True}}
    with pytest.raises(ConfigError, match=r"exposure\.builtin: expected a recipe with instrument"):
        plan(dataset, settings=wanted)


@pytest.mark.parametrize(
    ("name", "classes", "found"),
    [
        ("toluene", ["toluene_acetonitrile"], True),
        ("naphthalene_solid", ["naphthalene"], True),
        ("toluene", ["nitrotoluene", "lead_tin_yellow"], False),
    ],
)
def test_names_with_the_words_of_a_class_are_taken_for_it(name, classes, found):
    assert is_one_of(name, classes) == found
