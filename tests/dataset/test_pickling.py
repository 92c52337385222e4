"""Datasets and fields go to other processes by reference, and are never another's there."""

import copy
import multiprocessing
import pickle
import pickletools
import shutil
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import tersgen
from tersgen.errors import DatasetError
from tersgen.jobs.convert import convert
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run


@pytest.fixture(scope="module")
def stored(built, tiny_recipe, tmp_path_factory):
    """Return paths of the same rows: stored in both back ends, and those of a recipe."""
    folder = tmp_path_factory.mktemp("pickled")
    convert(built, folder / "a.h5", "hdf5")
    tersgen.save_recipe(tiny_recipe, folder / "recipe.json")
    return {"zarr": built, "hdf5": folder / "a.h5", "recipe": folder / "recipe.json"}


@pytest.fixture(params=["zarr", "hdf5", "recipe"])
def dataset(request, stored) -> tersgen.Dataset:
    return tersgen.open(stored[request.param], 1000)


def some(field: tersgen.Field) -> np.ndarray:
    return np.asarray(field[100:130:7])


def same(one: tersgen.Dataset, other: tersgen.Dataset) -> None:
    assert (one.digest, one.n_samples, list(one.fields)) == (
        other.digest,
        other.n_samples,
        list(other.fields),
    )
    for name in one.fields:
        np.testing.assert_array_equal(some(one[name]), some(other[name]))


def globals_of(pickled: bytes) -> set[str]:
    """Return all that unpickling looks up."""
    names, words = set(), []
    for code, argument, _ in pickletools.genops(pickled):
        if code.name == "GLOBAL":
            names.add(argument.replace(" ", "."))
        elif code.name == "STACK_GLOBAL":
            names.add(".".join(words[-2:]))
        elif isinstance(argument, str):
            words.append(argument)
    return names


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_small_and_opens_the_same(dataset, protocol):
    dataset["spectra"][0]  # files are open, and locks are made
    dataset.blocks(["spectra"])
    pickled = pickle.dumps(dataset, protocol)
    assert len(pickled) < 1000
    assert globals_of(pickled) == {"tersgen.dataset.opening.reopen"}
    same(pickle.loads(pickled), dataset)
    field = pickle.dumps(dataset["maps"], protocol)
    assert globals_of(field) == {
        "tersgen.dataset.field.reopen_field",
        "tersgen.dataset.opening.reopen",
    }
    np.testing.assert_array_equal(some(pickle.loads(field)), some(dataset["maps"]))


def test_a_copy_is_the_same_dataset(dataset):
    same(copy.deepcopy(dataset), dataset)


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_another_process_reads_it(dataset, context):
    method = multiprocessing.get_context(context)
    with ProcessPoolExecutor(1, method) as pool:
        for name in ("spectra", "label"):
            found = pool.submit(some, dataset[name]).result(120)
            np.testing.assert_array_equal(found, some(dataset[name]))
        assert pool.submit(len, dataset).result(120) == len(dataset)


@pytest.mark.exhaustive
@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_workers_of_a_data_loader_read_it(dataset, context):
    loaders = pytest.importorskip("torch.utils.data")
    rows = list(range(100, 130, 7))
    loader = loaders.DataLoader(
        dataset["label"], batch_size=None, sampler=rows, num_workers=1,
        multiprocessing_context=context,
    )  # fmt: skip
    assert [int(label) for label in loader] == dataset["label"][rows].tolist()


def test_an_unfinished_dataset_is_not_pickled(dataset):
    document, contents = dataset.document, dataset.contents
    unfinished = tersgen.Dataset(dataset.path, document, contents, 1000, dataset._source)
    for one in (unfinished, unfinished["label"]):
        with pytest.raises(TypeError, match="not finished"):
            pickle.dumps(one)


@pytest.mark.exhaustive
def test_a_process_of_dask_reads_xarrays(dataset):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        data = dataset.to_xarray()
        future = client.compute(data["spectra"].sum("raman_shift"))
        found = future.result(120).values
    np.testing.assert_array_equal(found, dataset["spectra"][:].sum(1))


def test_a_path_is_found_from_any_folder(built, monkeypatch, tmp_path):
    monkeypatch.chdir(built.parent)
    pickled = pickle.dumps(tersgen.open(built.name))
    monkeypatch.chdir(tmp_path)
    same(pickle.loads(pickled), tersgen.open(built))


def test_a_version_stays_that_version_when_the_dataset_grows(built, tmp_path):
    path = shutil.copytree(built, tmp_path / "a.zarr")
    before = tersgen.open(path)
    pickled = pickle.dumps(before)
    grown = plan_extension(path, None, 1500)
    extend(grown.location, grown.plan)
    again = pickle.loads(pickled)
    assert again.n_samples == 1000
    same(again, before)
    assert pickle.loads(pickle.dumps(tersgen.open(path))).n_samples == 1500


def test_another_dataset_in_its_place_is_refused(built, tiny_recipe, changed, tmp_path):
    path = shutil.copytree(built, tmp_path / "a.zarr")
    pickled = pickle.dumps(tersgen.open(path))
    pickle.loads(pickled)
    shutil.rmtree(path)
    with pytest.raises(DatasetError, match="no such dataset"):
        pickle.loads(pickled)
    other = changed(tiny_recipe, seed=12)
    run(make_plan(other, 1000, chunk_rows=64, shard_rows=512), path)
    with pytest.raises(DatasetError, match=r"expected version .*, which was pickled, got another"):
        pickle.loads(pickled)


def test_another_recipe_in_its_place_is_refused(tiny_recipe, changed, tmp_path):
    path = tmp_path / "recipe.json"
    tersgen.save_recipe(tiny_recipe, path)
    dataset = tersgen.open(path, 70)
    pickled, field = pickle.dumps(dataset), pickle.dumps(dataset["label"])
    assert pickle.loads(pickled).n_samples == 70
    tersgen.save_recipe(changed(tiny_recipe, seed=12), path)
    for one in (pickled, field):
        with pytest.raises(DatasetError, match="expected the recipe of digest"):
            pickle.loads(one)
    path.unlink()
    with pytest.raises(DatasetError, match="expected the dataset that was pickled, got none"):
        pickle.loads(pickled)
