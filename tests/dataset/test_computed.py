"""Arrays that are not stored but computed from the recipe as rows are read: the same values."""

import json
import pickle

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

import tersgen
from tersgen.cli import main
from tersgen.dataset.diff import compare
from tersgen.dataset.opening import open_version
from tersgen.dataset.recipes import save_recipe
from tersgen.dataset.reproduce import reproduce
from tersgen.dataset.sources import Copies, ReadTimes, as_bytes
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import find_version, locate_version
from tersgen.errors import ConfigError, DatasetError
from tersgen.jobs.convert import convert
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run

COMPUTED = {"structure/masks", "structure/bonds"}
N_ROWS = 90


@pytest.fixture(scope="module")
def recipe():
    """Two molecules whose masks and bonds are computed; images of odd pixels."""
    return tersgen.resolve(
        tersgen.Recipe(
            seed=3,
            library=("builtin:formaldehyde", "builtin:methane"),
            grid={"n_points": 64},
            lineshape={"fwhm_cm1": 150.0},
            map={"height": 13, "width": 14},
            nearfield={"apex_angstrom": 1.0, "frame_angstrom": (9.0, 9.0)},
            structure={"store_images": False, "radius_angstrom": 0.6, "bond_width_angstrom": 0.8},
        )
    )


@pytest.fixture(scope="module")
def rows(recipe):
    return tersgen.generate(recipe.complete, 0, N_ROWS)


@pytest.fixture(scope="module")
def paths(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("computed")
    found = {}
    for back_end, end in (("zarr", "zarr"), ("hdf5", "h5")):
        plan = make_plan(recipe, N_ROWS, back_end, chunk_rows=16, shard_rows=256)
        found[back_end] = folder / f"a.{end}"
        run(plan, found[back_end])
    return found


@pytest.fixture(params=["zarr", "hdf5"])
def path(paths, request):
    return paths[request.param]


def test_every_way_of_reading_gives_what_would_be_stored(path, rows):
    dataset = tersgen.open(path)
    assert {*dataset.fields} >= COMPUTED
    assert COMPUTED.isdisjoint(dataset.manifest.arrays)
    for name, values in rows.items():
        np.testing.assert_array_equal(dataset[name][:], values)
        np.testing.assert_array_equal(dataset[name][[40, 3, 3, 89]], values[[40, 3, 3, 89]])
    again = pickle.loads(pickle.dumps(dataset["structure/masks"]))
    np.testing.assert_array_equal(again[::-7], rows["structure/masks"][::-7])
    np.testing.assert_array_equal(dataset.sample(5)["structure/bonds"], rows["structure/bonds"][5])


@pytest.mark.parametrize("names", [("structure/masks", "maps", "label"), ("structure/bonds",)])
@pytest.mark.parametrize("generate", [False, True])
def test_blocks_for_training(path, rows, names, generate):
    dataset = tersgen.open(path)
    source = dataset.blocks(names, generate)
    room = {name: np.zeros((9, *rows[name].shape[1:]), rows[name].dtype) for name in names}
    copies = [
        Copies(np.arange(2, 9, 3), {n: as_bytes(v) for n, v in room.items()}, np.array([4, 0, 8])),
        Copies(np.array([1]), {n: as_bytes(v) for n, v in room.items()}, np.array([2])),
    ]
    source.read_into(0, copies, ReadTimes())
    for name, values in room.items():
        np.testing.assert_array_equal(values[[4, 0, 8, 2]], rows[name][[2, 5, 8, 1]])


def test_what_is_stored_is_verified_made_again_and_extended(recipe, tmp_path):
    path = tmp_path / "b.zarr"
    run(make_plan(recipe, 40), path)
    assert verify(path).sound
    assert reproduce(path, 1.0).equal
    done = CliRunner().invoke(main, ["extend", str(path), "--to", "60"])
    assert done.exit_code == 0, done.output
    dataset = tersgen.open(path)
    assert dataset["structure/masks"].shape[0] == 60
    wanted = tersgen.generate(recipe, 50, 60)
    np.testing.assert_array_equal(dataset["structure/masks"][50:], wanted["structure/masks"])


def test_a_copy_that_stores_them_is_the_dataset_of_that_recipe(paths, recipe, tmp_path):
    stored = run(make_plan(recipe.complete, N_ROWS), tmp_path / "whole.zarr").manifest
    assert stored.computed == ()
    assert set(stored.arrays) >= COMPUTED
    copy = convert(paths["zarr"], tmp_path / "copy.h5", "hdf5", complete=True).manifest
    assert copy.digest == stored.digest
    assert verify(tmp_path / "copy.h5").sound
    same = convert(paths["zarr"], tmp_path / "same.h5", "hdf5").manifest
    assert same.digest == tersgen.open(paths["zarr"]).digest
    assert compare(paths["zarr"], tmp_path / "same.h5").fields == ()
    with pytest.raises(ConfigError, match="got a dataset that stores them all"):
        convert(tmp_path / "copy.h5", tmp_path / "no.zarr", "zarr", complete=True)


def test_other_software_sees_positions_and_a_note(paths):
    group = zarr.open_group(paths["zarr"], mode="r")
    assert "positions" in group["structure"]
    assert "masks" not in group["structure"]
    note = group.attrs["tersgen"]["computed by tersgen from the recipe, not stored"]
    assert {*note} == COMPUTED


def test_info_says_which_are_computed(path):
    shown = CliRunner().invoke(main, ["info", str(path)]).output
    assert shown.count("computed as rows are read") == 2
    content = json.loads(CliRunner().invoke(main, ["info", str(path), "--json"]).output)
    assert {one["name"] for one in content["manifest"]["computed"]} == COMPUTED


def test_a_recipe_file_makes_them_too(recipe, rows, tmp_path):
    save_recipe(recipe, tmp_path / "recipe.json")
    dataset = tersgen.open(tmp_path / "recipe.json", N_ROWS)
    np.testing.assert_array_equal(dataset["structure/masks"][7:9], rows["structure/masks"][7:9])
    made = tersgen.generate(recipe, 0, 3)
    assert made.keys() == rows.keys()


def test_those_of_another_generator_are_refused_when_they_are_read(paths, monkeypatch):
    location, reference = locate_version(paths["zarr"], False)
    dataset = open_version(location, find_version(location, reference))
    monkeypatch.setattr("tersgen.dataset.documents.GENERATOR_VERSION", 4)
    assert len(dataset["structure/positions"][:3]) == 3
    with pytest.raises(DatasetError, match="expected rows of generator 4, got 3"):
        dataset["structure/masks"][0]
