import numpy as np
import pytest

import tersgen
from tersgen.dataset.diff import compare, statistics
from tersgen.dataset.documents import checked_layout
from tersgen.dataset.reproduce import reproduce
from tersgen.dataset.splits import make_split
from tersgen.dataset.versions import find_version, locate
from tersgen.errors import ConfigError, DamagedDataError, DatasetError
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.library import Library
from tersgen.schema.split import SplitRule
from tersgen.store.backends import make_store


def make(path, recipe):
    run(make_plan(recipe, 600, chunk_rows=64, shard_rows=256), path)


@pytest.fixture
def data(built_once, tiny_recipe, tmp_path):
    return built_once(tmp_path / "a.zarr", make, tiny_recipe)


def test_a_dataset_is_equal_to_itself_whatever_its_layout(data, tiny_recipe, tmp_path):
    run(make_plan(tiny_recipe, 600, "hdf5", shard_rows=1024), tmp_path / "b.h5")
    assert compare(data, data).equal
    found = compare(data, tmp_path / "b.h5")
    assert found.equal
    assert {item.field for item in found.rows} == {"format", "chunk_rows", "shard_rows"}


def test_recipes_and_libraries_are_compared_field_by_field(data, tiny_recipe, changed, tmp_path):
    species = tiny_recipe.library.species
    wider = species[1].model_copy(update={"modes": species[1].modes[:-1]})
    other = changed(
        tiny_recipe,
        seed=12,
        noise={"map": (0.0, 0.0)},
        library=Library((wider, species[0])),
    )
    run(make_plan(other, 600), tmp_path / "b.zarr")
    found = compare(data, tmp_path / "b.zarr")
    assert not found.equal
    assert {item.field: (item.first, item.second) for item in found.recipe} == {
        "seed": ("11", "12"),
        "noise.map": ("[0.005, 0.03]", "[0.0, 0.0]"),
    }
    names = [one.name for one in species]
    assert [item.field for item in found.library] == [f"library.{name}" for name in names]
    assert found.library[0][1:] == ("label 0", "label 1")
    assert found.library[1][1:] == (f"{len(species[1].modes)} modes", f"{len(wider.modes)} modes")
    assert found.library[2][1:] == ("label 2", "")
    assert "maps" in {item.name for item in found.fields}


def test_statistics_are_those_of_the_rows(data, tiny_recipe, changed, tmp_path):
    run(make_plan(changed(tiny_recipe, seed=12), 600), tmp_path / "b.zarr")
    fields = {item.name: item for item in compare(data, tmp_path / "b.zarr").fields}
    values = tersgen.open(data)["spectra"][:].astype(float)
    numbers = fields["spectra"].first
    assert numbers.n_rows == 600
    assert numbers.mean == pytest.approx(values.mean())
    assert numbers.deviation == pytest.approx(values.std())
    assert (numbers.least, numbers.largest) == (values.min(), values.max())


@pytest.mark.parametrize("n_rows", [1, 1023, 1024, 1025, 1500, 5000])
def test_no_row_counts_twice(n_rows):
    values = np.random.default_rng(n_rows).random((n_rows, 2))
    found = statistics(values, 1 << 20)
    assert found.n_rows == n_rows
    assert found.mean == pytest.approx(values.mean())
    some = statistics(values, 2048)
    assert some.n_rows <= min(n_rows, 2048)
    assert found.least <= some.least < some.largest <= found.largest


def test_versions_show_rows_and_moves_of_splits(data):
    make_split(data, "default", SplitRule(seed=1))
    first = find_version(locate(data), None).version[:8]
    location, plan, _ = plan_extension(data, 100, None)
    extend(location, plan)
    (split,) = compare(f"{data}@{first}", data).splits
    assert (split.first_rows, split.second_rows, split.moved) == (600, 700, 0)
    second = find_version(locate(data), None).version[:8]
    make_split(data, "default", SplitRule(seed=2), overwrite=True)
    (split,) = compare(f"{data}@{second}", data).splits
    parts = [tersgen.open(path).parts() for path in (f"{data}@{second}", data)]
    assert split.moved == int(np.sum(parts[0] != parts[1])) > 0


def test_recipe_files_can_be_compared(data, tmp_path):
    found = compare(data, data / "recipe.json")
    assert not found.recipe
    assert not found.library
    with pytest.raises(DatasetError, match="no such dataset"):
        compare(data, tmp_path / "none.zarr")


def test_rows_made_again_are_the_same(data):
    found = reproduce(data, 0.5, seed=3)
    assert found.equal
    assert 256 <= found.n_rows <= 512
    assert reproduce(data, 1.0).n_rows == 600
    for fraction in (0, -1, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="fraction: expected a number above 0"):
            reproduce(data, fraction)


def test_rows_of_another_recipe_are_noticed(data, tiny_recipe, changed, tmp_path):
    """Rows of another seed, sealed as if they belonged there; and their file as it is."""
    other = changed(tiny_recipe, seed=12)
    run(make_plan(other, 600, chunk_rows=64, shard_rows=256), tmp_path / "b.zarr")
    place = data / "maps" / "c.1.0.0.0"
    place.write_bytes((tmp_path / "b.zarr" / "maps" / "c.1.0.0.0").read_bytes())
    with pytest.raises(DamagedDataError, match="the file is of another dataset"):
        reproduce(data, 1.0)
    manifest = find_version(locate(data), None)
    store = make_store(manifest.format, manifest.contents, checked_layout(data, manifest))
    rows = tersgen.generate(other, 256, 512)
    chunks = {
        spec.name: [
            store.encode_chunk(rows[spec.name][at : at + 64], spec) for at in range(0, 256, 64)
        ]
        for spec in manifest.fields
    }
    (file,) = [one for one in store.shard_files(1, 256, chunks) if one.path.startswith("maps/")]
    place.write_bytes(b"".join(file.parts))
    found = reproduce(data, 1.0)
    assert not found.equal
    assert found.n_different == 256
    assert found.different[0] == ("maps", 256)
