"""Versions never change; tags name them once."""

import pytest

import tersgen
from tersgen.dataset.documents import COPIES
from tersgen.dataset.splits import make_split
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import (
    delete_tag,
    find_version,
    give_tag,
    history,
    list_tags,
    locate,
    split_reference,
)
from tersgen.errors import ConfigError, DatasetError, OutputError
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule


def make(path, recipe):
    form = "hdf5" if path.suffix == ".h5" else "zarr"
    run(make_plan(recipe, 300, form, chunk_rows=64, shard_rows=256), path)
    give_tag(locate(path), "v1.0", None)
    make_split(path, "default", SplitRule())
    give_tag(locate(path), "split", None)
    location, plan, _ = plan_extension(path, 400, None)
    extend(location, plan)


@pytest.fixture(params=["data.zarr", "data.h5"])
def data(request, built_once, tiny_recipe, tmp_path):
    """A dataset with three versions: 300 rows, split, 700 rows; tagged first and split."""
    return built_once(tmp_path / request.param, make, tiny_recipe)


def test_history_goes_back_to_the_build(data):
    location = locate(data)
    versions = history(location, find_version(location, None))
    assert [one.change for one in versions] == [
        "extend by 400 samples",
        "split default",
        "build",
    ]
    assert [one.n_samples for one in versions] == [700, 300, 300]
    assert versions[1].digest == versions[2].digest != versions[0].digest


def test_every_version_opens_as_it_was(data, tiny_recipe):
    rows = tersgen.generate(tiny_recipe, 0, 700)
    for reference, n in (("v1.0", 300), ("split", 300), (None, 700)):
        dataset = tersgen.open(f"{data}@{reference}" if reference else data)
        assert dataset.n_samples == n
        for name in dataset.fields:
            assert dataset[name][:].tobytes() == rows[name][:n].tobytes()
        assert list(dataset.splits) == ([] if reference == "v1.0" else ["default"])
    version = find_version(locate(data), "v1.0").version
    assert tersgen.open(f"{data}@{version[:6]}").n_samples == 300
    assert tersgen.open(f"{data}@{version}").n_samples == 300


def test_an_open_version_reads_on_while_the_dataset_grows(data, tiny_recipe):
    old = tersgen.open(data)
    first = old["spectra"][690:].tobytes()
    location, plan, _ = plan_extension(data, None, 1111)
    extend(location, plan)
    assert old["spectra"][690:].tobytes() == first
    assert old["maps"][0].shape == (1, 8, 10)
    rows = tersgen.generate(tiny_recipe, 0, 1111)
    for name, field in tersgen.open(data).fields.items():
        assert field[:].tobytes() == rows[name].tobytes()


def test_a_tag_never_moves(data):
    location = locate(data)
    assert give_tag(location, "v1.0", "v1.0").name == "v1.0"  # the same again is no change
    with pytest.raises(OutputError, match=r"names version [0-9a-f]{12}, and tags do not move"):
        give_tag(location, "v1.0", None)
    delete_tag(location, "v1.0")
    with pytest.raises(OutputError, match="was deleted, and its name is not reused"):
        give_tag(location, "v1.0", None)
    with pytest.raises(DatasetError, match=r"'v1\.0' was deleted; it named version"):
        tersgen.open(f"{data}@v1.0")
    assert delete_tag(location, "v1.0").deleted, "the same command again changes nothing"
    with pytest.raises(DatasetError, match=r"no tag 'v2\.0' to delete"):
        delete_tag(location, "v2.0")
    assert {tag.name: tag.deleted for tag in list_tags(location)} == {"split": False, "v1.0": True}


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-v", "a b", "<b>", "\x1b[1m", "x" * 65])
def test_names_that_cannot_be_tags(data, name):
    with pytest.raises(ConfigError, match="tag: name"):
        give_tag(locate(data), name, None)


def test_a_tag_cannot_look_like_a_version(data):
    version = find_version(locate(data), None).version
    with pytest.raises(ConfigError, match="looks like a version's id"):
        give_tag(locate(data), version[:5], None)


@pytest.mark.parametrize("reference", ["none", "", "0", "v1"])
def test_versions_that_do_not_exist(data, reference):
    with pytest.raises(DatasetError, match=r"expected a tag \(split, v1.0\) or the beginning"):
        tersgen.open(f"{data}@{reference}")
    with pytest.raises(DatasetError, match="no such dataset"):
        tersgen.open(f"{data}@../{reference}")


def test_a_path_may_have_the_sign_itself(tiny_recipe, tmp_path):
    run(make_plan(tiny_recipe, 10), tmp_path / "me@home.zarr")
    assert split_reference(tmp_path / "me@home.zarr") == (tmp_path / "me@home.zarr", None)
    assert tersgen.open(tmp_path / "me@home.zarr").n_samples == 10
    give_tag(locate(tmp_path / "me@home.zarr"), "v1", None)
    assert tersgen.open(f"{tmp_path / 'me@home.zarr'}@v1").n_samples == 10


def test_copies_that_a_killed_writer_did_not_make_are_made_by_the_next(data):
    location = locate(data)
    copies = location.folder / "versions" / "copies"
    kept = {path.name: path.read_bytes() for path in copies.iterdir()}
    manifest = find_version(location, None)
    (copies / "tag-split.json").unlink()
    assert [fault.kind for fault in verify(data, quick=True).faults] == ["tag"]
    give_tag(location, "split", "split")  # the same again
    assert verify(data, quick=True).sound
    for version in (manifest.version, manifest.parent):
        (copies / f"{version}.json").unlink()
    assert [fault.kind for fault in verify(data, quick=True).faults] == ["version", "version"]
    make_split(data, "other", SplitRule(seed=3))
    assert verify(data, quick=True).sound
    assert {name: (copies / name).read_bytes() for name in kept} == kept


def test_a_damaged_version_is_not_copied(data):
    location = locate(data)
    parent = find_version(location, None).parent
    page, copy = (location.folder / place / f"{parent}.json" for place in ("versions", COPIES))
    copy.unlink()
    page.write_text(page.read_text().replace('"change": "', '"change": "not '))
    make_split(data, "other", SplitRule(seed=3))
    assert not copy.exists()
    assert {fault.path for fault in verify(data, quick=True).faults} == {str(page), str(copy)}


def test_a_tag_that_is_taken_says_so_and_changes_no_copy(data):
    location = locate(data)
    copy = location.folder / COPIES / "tag-split.json"
    before = copy.read_bytes()
    with pytest.raises(OutputError, match=r"names version .*, and tags do not move"):
        give_tag(location, "split", "v1.0")
    assert copy.read_bytes() == before
