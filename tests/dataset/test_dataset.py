import json
import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tersgen
from tersgen.errors import DatasetError, IncompleteDatasetError, RowIndexError, UnknownFieldError

N = 1000


@pytest.fixture(scope="session")
def whole(tiny_recipe):
    return tersgen.generate(tiny_recipe, 0, N)


def same_bits(one, other):
    one, other = np.asarray(one), np.asarray(other)
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )


rows = st.one_of(
    st.integers(-N, N - 1),
    st.slices(N),
    st.slices(N + 50),
    st.lists(st.integers(-N, N - 1), max_size=20).map(lambda chosen: np.array(chosen, np.int64)),
    st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).random(N) < 0.02),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(key=rows, name=st.sampled_from(["spectra", "maps", "label", "sticks/position"]))
def test_indexing_is_that_of_numpy(dataset, whole, key, name):
    assert same_bits(dataset[name][key], whole[name][key])


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(start=st.integers(0, N - 1), count=st.integers(1, 70))
def test_rows_are_those_that_the_recipe_generates(dataset, start, count):
    stop = min(N, start + count)
    block = tersgen.generate(dataset.recipe, start, stop)
    assert list(block) == list(dataset.fields)
    for name, values in block.items():
        assert same_bits(dataset[name][start:stop], values), name


def test_further_indices_reach_into_the_rows(dataset, whole):
    assert same_bits(dataset["maps"][5, 0, 2:4], whole["maps"][5, 0, 2:4])
    assert same_bits(dataset["maps"][3:6, 0, :, 1], whole["maps"][3:6, 0, :, 1])
    assert same_bits(dataset["maps"][..., 1], whole["maps"][..., 1])
    assert same_bits(np.asarray(dataset["label"]), whole["label"])


def test_indexing_beyond_rows_is_that_of_numpy(dataset, whole):
    maps, all_maps = dataset["maps"], whole["maps"]
    few, mask = np.array([3, 900, 3]), np.arange(N) % 300 == 1
    for key in [
        (),
        ...,
        (..., None),
        (slice(2, 9), None),
        (5, ..., None),
        (few, 0, few % 8),
        ([1, 2], [0, 0]),
        (mask, 0, slice(None), [1, 2, 3, 4]),
        (slice(5, 9), 0, [1, 2]),
    ]:
        assert same_bits(maps[key], all_maps[key]), key


def test_a_forked_process_reads_too(dataset):
    first = dataset["spectra"][:].tobytes()
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of forks beside threads
        child = os.fork()
    if child == 0:
        os.write(writer, b"same" if dataset["spectra"][:].tobytes() == first else b"other")
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 1000) == b"same"
    os.close(reader)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    "key", [N, -N - 1, [0, N], "a", 1.5, None, True, np.ones(3, bool), slice(0, 5, 0)]
)
def test_rows_that_do_not_exist_are_refused(dataset, key):
    with pytest.raises(RowIndexError, match=r"expected a (row|slice)"):
        dataset["label"][key]


def test_a_sample_has_every_field_and_its_species(dataset, whole):
    sample = dataset.sample(7)
    assert sample.pop("species") == dataset.species[whole["label"][7]].name
    assert list(sample) == list(dataset.fields)
    for name, value in sample.items():
        assert same_bits(value, whole[name][7])
    with pytest.raises(RowIndexError):
        dataset.sample(N)


def test_unknown_fields_name_the_known(dataset):
    with pytest.raises(UnknownFieldError, match="expected one of spectra, maps"):
        dataset["spectrum"]
    assert "spectrum" not in dataset
    with pytest.raises(UnknownFieldError, match=r"one of sticks/position, .*'sticks', which"):
        dataset["sticks"]


def test_xarray_is_lazy_and_has_units(dataset, whole):
    data = dataset.to_xarray()
    assert data.spectra.dims == ("sample", "raman_shift")
    assert data.raman_shift.attrs["units"] == "cm^-1"
    assert data.raman_shift.values[[0, -1]] == pytest.approx([100, 4000])
    assert data.spectra.chunks is not None
    assert same_bits(data.spectra[990:].values, whole["spectra"][990:])
    assert same_bits(data.sticks_position[3].values, whole["sticks/position"][3])


def test_a_recipe_file_is_a_dataset(built, tmp_path, whole):
    generated = tersgen.open(built / "recipe.json", n_samples=N)
    assert generated.digest is None
    assert same_bits(generated["spectra"][[3, 999, 4]], whole["spectra"][[3, 999, 4]])
    assert same_bits(generated["maps"][100:103], whole["maps"][100:103])
    (tmp_path / "small.toml").write_text(
        'library = ["random:3"]\ngrid.n_points = 32\nlineshape.fwhm_cm1 = 200.0\n'
    )
    assert tersgen.open(tmp_path / "small.toml")["spectra"][:2].shape == (2, 32)


def test_what_is_no_dataset_is_told_apart(tmp_path, built, resealed):
    with pytest.raises(DatasetError, match="no such dataset"):
        tersgen.open(tmp_path / "none.zarr")
    with pytest.raises(DatasetError, match="expected a dataset of tersgen, got another folder"):
        tersgen.open(tmp_path)
    (tmp_path / "recipe.json").write_text((built / "recipe.json").read_text())
    with pytest.raises(IncompleteDatasetError, match="incomplete: its build did not reach"):
        tersgen.open(tmp_path)
    manifest = json.loads((built / "manifest.json").read_text())
    for content, message in [
        ({**manifest, "format_version": 99}, "expected format version 4, got 99"),
        ({**manifest, "format_version": 3}, "got 3; read it with the version of tersgen that"),
        ({**manifest, "digest": "0" * 64}, "its content is not what its version"),
        (resealed(manifest, recipe_digest="0" * 64), "expected the recipe of digest 000000000000"),
        ({**manifest, "n_samples": -1}, "n_samples: expected greater than 0"),
        ({**manifest, "fields": []}, "fields: expected at least 1 item"),
        (resealed(manifest, fields=manifest["fields"][1:]), "not those of the table of arrays"),
        (resealed(manifest, digest="0" * 64), "is not that of its arrays, classes and recipe"),
        (resealed(manifest, chunk_rows=3), "chunk rows: expected a power of two"),
        ([], "expected a table|should be a valid dictionary|expected"),
    ]:
        (tmp_path / "manifest.json").write_text(json.dumps(content))
        with pytest.raises(DatasetError, match=message):
            tersgen.open(tmp_path)
    (tmp_path / "manifest.json").write_text("<html>")
    with pytest.raises(DatasetError, match="expected JSON"):
        tersgen.open(tmp_path)
