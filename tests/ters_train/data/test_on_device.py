"""A recipe streamed from a device: the batches of the stream that makes them on the processor."""

import pytest
import torch

import tersgen
from ters_train.data.order import Order, Partition
from ters_train.data.rows import RowSet
from ters_train.data.stream import Stream
from tersgen.dataset.recipes import save_recipe
from tersgen.errors import ConfigError

FIELDS = ("spectra", "label", "sticks/count")


@pytest.fixture
def recipe_file(tiny_recipe, tmp_path):
    save_recipe(tiny_recipe, tmp_path / "recipe.json")
    return tmp_path / "recipe.json"


@pytest.mark.parametrize("rank", [None, Partition(1, 2)])
def test_batches_of_both_are_equal(recipe_file, rank):
    dataset = tersgen.open(recipe_file, 700)
    order = Order(RowSet("train", 0, 700, 64), 48, 3, seed=5)
    plain = Stream(dataset, FIELDS, order, rank)
    made = Stream(dataset, FIELDS, order, rank, device="cpu")
    for stream in (plain, made):
        stream.load_state_dict({"epoch": 1, "batch": 4, "of": stream.belonging})
    pairs = list(zip(plain, made, strict=True))
    assert len(pairs) == len(plain) - 4
    for one, other in pairs:
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].dtype == other[name].dtype
            assert torch.equal(one[name], other[name]), name
    assert made.state_dict() == plain.state_dict()


def test_stored_rows_are_not_made(dataset):
    with pytest.raises(ConfigError, match="expected a recipe with device, got a stored dataset"):
        Stream(dataset, FIELDS, Order(RowSet("all", 0, 640, 64), 64, 2), device="cpu")


def test_a_run_of_rows_made_on_its_device_is_the_same(runs, recipe_file, tmp_path):
    weights = []
    for on_device in ("false", "true"):
        out = tmp_path / on_device
        runs.good(
            "fit", "--recipe", recipe_file, "--n", 96, "--out", out, "--epochs", 1,
            "--batch-size", 32, "--set", "model.options.widths=[4,8]",
            "--set", f"stream.on_device={on_device}",
        )  # fmt: skip
        path = out / "checkpoints/step-000000003/model.safetensors"
        weights.append(path.read_bytes())
    assert weights[0] == weights[1]
