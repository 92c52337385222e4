"""Rows without noise: the same samples, stored, generated, selected and streamed."""

import pickle

import numpy as np
import pytest

import tersgen
from tersgen.effects import PluginEffect
from tersgen.errors import UnknownFieldError
from tersgen.plugins import register
from tersgen.schema.presets import PRESETS, merged

CHANGES = {"seed": 3, "map": {"height": 12, "width": 12}, "fields": {"maps": True}}
RECIPE = merged(PRESETS["realistic"], CHANGES)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return tersgen.build(RECIPE, 96, tmp_path_factory.mktemp("twins") / "a.zarr")


def test_all_but_noise_background_and_detector_is_drawn_as_before(dataset):
    recipe = dataset.recipe
    noisy, clean = (tersgen.generate(one, 0, 96) for one in (recipe, recipe.noise_free))
    same = {name for name in clean if name.startswith(("label", "sticks", "tensors", "params"))}
    changed = {"instrument", "optics", "scan", "background", "map_noise", "spectrum_noise"}
    for name in same - {f"params/{one}" for one in changed}:
        assert np.array_equal(noisy[name], clean[name], equal_nan=True), name
    # of the instrument, resolution, axis and laser are left
    for name, columns in (("params/instrument", 3), ("params/optics", 1)):
        assert np.array_equal(noisy[name][:, :columns], clean[name][:, :columns])


def test_they_are_the_rows_of_the_noise_free_recipe(dataset):
    expected = tersgen.generate(dataset.recipe.noise_free, 0, 96)
    for name in ("spectra", "maps"):
        found = dataset[f"clean/{name}"]
        assert f"clean/{name}" in dataset
        assert found.shape == dataset[name].shape
        assert np.array_equal(found[:], expected[name])
        assert np.array_equal(found[[7, 3]], expected[name][[7, 3]])


def test_without_noise_they_are_the_rows_themselves(tmp_path):
    table = {"noise": {"spectrum": [0, 0], "map": [0, 0]}, "map": {"background": [0, 0]}}
    dataset = tersgen.build(table, 40, tmp_path / "a.zarr")
    assert np.array_equal(dataset["clean/spectra"][:], dataset["spectra"][:])
    assert np.array_equal(dataset["clean/maps"][:], dataset["maps"][:])


def test_views_pickles_and_blocks(dataset):
    clean = dataset["clean/spectra"][:]
    view = dataset.select(rows=[9, 4, 30])
    assert np.array_equal(view["clean/spectra"][:], clean[[9, 4, 30]])
    assert np.array_equal(pickle.loads(pickle.dumps(dataset["clean/spectra"]))[5], clean[5])
    assert "clean/spectra" not in dataset.fields  # listed are the arrays of the dataset alone
    assert "clean/spectra" not in dataset[3]


class Halve(PluginEffect):
    name = "halve"
    stage = "optics"

    def act(self, tile):
        tile["line"][:] *= np.float32(0.5)


@pytest.mark.usefixtures("forgotten_plugins")
def test_rows_with_effects_of_plugins_have_none(tmp_path):
    register("tersgen.effects", "halve")(Halve)
    table = {"library": ["builtin:water"], "fields": {"maps": False}}
    for effects, expected in (({}, True), ({"halve": {}}, False)):
        dataset = tersgen.build({**table, "effects": effects}, 8, tmp_path / f"{expected}.zarr")
        assert ("clean/spectra" in dataset) is expected


def test_measured_rows_have_none(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"{x}\t{x % 90}\n" for x in range(100, 2000, 5)))
    measured = tersgen.ingest([tmp_path / "a.txt"], tmp_path / "m.zarr", label="a", unit="cm-1")
    assert "clean/spectra" not in measured
    with pytest.raises(UnknownFieldError, match="clean/spectra"):
        measured["clean/spectra"]
