"""Rows made in torch operations: those of the kernels, bit for bit."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tersgen
from tersgen import plugins
from tersgen.dataset.opening import torch_generator
from tersgen.effects import PluginEffect
from tersgen.errors import ConfigError
from tersgen.schema.presets import PRESETS
from tersgen.store.digest import combine, dataset_digest, leaf_digests
from tersgen.store.layout import leaf_rows

torch = pytest.importorskip("torch")

LAST = 2**53


def assert_same(recipe, start, stop):
    made = tersgen.generate(recipe, start, stop, device="cpu")
    wanted = tersgen.generate(recipe, start, stop, 1)
    assert made.keys() == wanted.keys()
    for name, values in wanted.items():
        assert made[name].numpy().dtype == values.dtype, name
        assert made[name].shape == values.shape, name
        assert made[name].numpy().tobytes() == values.tobytes(), name


@given(st.integers(0, 2**32 - 1), st.integers(0, LAST - 40), st.integers(1, 40))
@settings(max_examples=12)
def test_any_rows_of_any_seed(tiny_recipe, changed, seed, start, n_rows):
    assert_same(changed(tiny_recipe, seed=seed), start, start + n_rows)


VARIANTS = {
    "all on": {
        "lineshape": {"profile": "lorentzian"},
        "map": {"height": 9, "width": 9, "channels": 2, "n_hotspots": 7, "blur_px": 0.7},
        "perturbations": {"roll_bins": 5, "symmetry": True, "uncertain_frequencies": True},
        "fields": {"scale": "symmetric"},
    },
    "all off": {
        "lineshape": {"profile": "pseudo_voigt", "mixing": 0.3},
        "map": {"turn": False, "n_hotspots": 3},
        "geometry": {"orientation": "averaged"},
        "noise": {"spectrum": (0.0, 0.0), "map": (0.0, 0.0)},
        "classes": {"balance": "zipf"},
        "fields": {"precision": "float32"},
    },
    "spectra only": {
        "geometry": {"orientation": "fixed"},
        "grid": {"n_points": 301, "start_cm1": 1500.0},
        "perturbations": {"mode_shift_cm1": 2000.0, "width": (0.01, 20.0)},  # off the grid, too
        "fields": {"maps": False, "tensors": False, "params": False},
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_recipes_of_all_settings(tiny_recipe, changed, variant):
    assert_same(changed(tiny_recipe, **VARIANTS[variant]), 2**33 - 60, 2**33 + 60)


def test_shuffles_in_parts(tiny_recipe, monkeypatch):
    monkeypatch.setattr("tersgen.effects.classes.on_torch._MOST_SHUFFLED", 7)
    assert_same(tiny_recipe, 10, 40)


def test_where_addcmul_is_no_fused_product(tiny_recipe, monkeypatch):
    monkeypatch.setattr("tersgen.numeric.on_torch.has_fma", lambda _: False)
    assert_same(tiny_recipe, 0, 9)


def test_the_default_recipe_and_several_species_of_a_class():
    library = ("builtin:benzene", "builtin:thymine", "builtin:naphthalene", "unknown:4")
    assert_same(tersgen.resolve(tersgen.Recipe(library=library)), 5, 29)


@pytest.mark.parametrize("name", ["v4.zarr", "v4.h5"])
def test_a_dataset_is_that_of_its_digest(name):
    dataset = tersgen.open(Path(__file__).parent / "golden" / name)
    rows = tersgen.generate(dataset.recipe, 0, dataset.n_samples, device="cpu")
    leaf = leaf_rows(dataset.contents.fields)
    roots = {key: combine(leaf_digests(value.numpy(), leaf)) for key, value in rows.items()}
    assert dataset_digest(dataset.contents, dataset.n_samples, roots) == dataset.digest


class Halved(PluginEffect):
    """Halves spectra before noise, on a processor and in torch operations."""

    name = "halved"
    stage = "optics"

    def act(self, tile):
        tile["line"][...] *= np.float32(0.5)

    def apply_on_torch(self, tile):
        tile["line"] = tile["line"] * 0.5


def test_an_effect_of_a_plug_in(tiny_recipe, monkeypatch):
    monkeypatch.setattr(plugins, "_registered", {})
    plugins.register("tersgen.effects", "halved")(Halved)
    with_effect = tiny_recipe.model_copy(update={"effects": {"halved": {}}})
    assert_same(with_effect, 0, 20)
    plain = tersgen.generate(tiny_recipe, 0, 20)["spectra"]
    assert (tersgen.generate(with_effect, 0, 20)["spectra"] != plain).any()


def test_rows_in_any_order_and_none(tiny_recipe):
    generator = torch_generator(tiny_recipe, torch.device("cpu"))
    wanted = tersgen.generate(tiny_recipe, 0, 50)
    some = torch.tensor([41, 3, 3, 0, 49])
    for name, values in generator.rows(some).items():
        np.testing.assert_array_equal(values.numpy(), wanted[name][some.numpy()])
    assert_same(tiny_recipe, 7, 7)


def test_what_cannot_be_made_is_refused_in_one_line():
    preset = tersgen.Recipe.model_validate(PRESETS["realistic"])
    with pytest.raises(
        ConfigError, match=r"^device: .*axiserror, .*detector, .*; generate .* device$"
    ):
        tersgen.generate(preset, 0, 1, device="cpu")
    with pytest.raises(ConfigError, match=r"device: expected cpu, cuda .*'gpu'"):
        tersgen.generate(tersgen.Recipe(), 0, 1, device="gpu")
