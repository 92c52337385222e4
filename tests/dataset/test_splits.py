"""Splits as they are stored: made, read, grown, never moved."""

import json

import numpy as np
import pytest

import tersgen
from tersgen.dataset.splits import make_split
from tersgen.dataset.versions import find_version, locate
from tersgen.errors import BusyError, ConfigError, OutputError, UnknownFieldError
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule
from tersgen.store.lock import BuilderLock

RULE = SplitRule(seed=1)


def make(path, recipe):
    form = "hdf5" if path.suffix == ".h5" else "zarr"
    run(make_plan(recipe, 1000, form, chunk_rows=64, shard_rows=256), path)


@pytest.fixture(params=["data.zarr", "data.h5"])
def data(request, built_once, tiny_recipe, tmp_path):
    """A dataset of 1000 rows of three species in shards of 256, in either back end."""
    return built_once(tmp_path / request.param, make, tiny_recipe)


def grow(path, n):
    location, plan, _ = plan_extension(path, n, None)
    return extend(location, plan).manifest


def test_a_split_is_kept_with_the_newest_version(data):
    before = tersgen.open(data)
    split = make_split(data, "default", RULE)
    dataset = tersgen.open(data)
    assert dataset.splits == {"default": split}
    assert (dataset.digest, dataset.manifest.parent) == (before.digest, before.manifest.version)
    assert before.splits == {}
    parts = [dataset.rows_in(name) for name in ("train", "val", "test")]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(1000))
    labels = dataset["label"][:]
    for label, expected in enumerate([(267, 34, 33), (266, 34, 33), (266, 34, 33)]):
        total = sum(expected)
        assert int((labels == label).sum()) == total
        counts = tuple(int((labels[rows] == label).sum()) for rows in parts)
        assert counts == split.counts[label]
        assert all(
            abs(n - share * total) < 1 for n, share in zip(counts, (0.8, 0.1, 0.1), strict=True)
        )
    folder = locate(data).folder
    assert json.loads((folder / "splits" / "default.json").read_text())["digest"] == split.digest
    (file,) = (folder / "splits").glob("default-*.npy")
    assert np.array_equal(np.load(file), dataset.parts())


def test_the_same_split_again_changes_nothing(data):
    make_split(data, "default", RULE)
    version = tersgen.open(data).manifest.version
    make_split(data, "default", RULE)
    assert tersgen.open(data).manifest.version == version


def test_another_split_of_the_name_is_refused_unless_it_may_be_replaced(data):
    first = make_split(data, "default", RULE)
    old = tersgen.open(data).manifest.version
    other = RULE.model_copy(update={"seed": 2})
    with pytest.raises(OutputError, match="has another split 'default'"):
        make_split(data, "default", other)
    assert tersgen.open(data).splits["default"] == first
    second = make_split(data, "default", other, overwrite=True)
    assert second.digest != first.digest
    assert second.counts == first.counts
    at = tersgen.open(f"{data}@{old[:8]}")
    assert at.splits["default"] == first
    assert not np.array_equal(at.parts(), tersgen.open(data).parts())


def test_growing_moves_no_row(data):
    make_split(data, "default", RULE)
    make_split(data, "species", SplitRule(by="group", ratios=(0.34, 0.33, 0.33)))
    make_split(data, "held", SplitRule(hold_out=("random-0000", "params/width=1.1:2")))
    old = tersgen.open(data)
    before = {name: old.parts(name) for name in old.splits}
    manifest = grow(data, 333)
    dataset = tersgen.open(data)
    assert [split.sizes for split in manifest.splits] == [(1000, 1333)] * 3
    for name, parts in before.items():
        assert np.array_equal(dataset.parts(name)[:1000], parts), name
        assert np.array_equal(old.parts(name), parts), name
    labels, widths = dataset["label"][:], dataset["params/width"][:].astype(float)
    test = dataset.splits["held"].rule.names.index("test")
    held = (labels == dataset.classes.index("random-0000")) | (widths >= 1.1)
    assert np.array_equal(dataset.parts("held") == test, held)
    groups = dataset.parts("species")
    for label in range(3):
        assert len(set(groups[labels == label].tolist())) == 1


def test_one_value_of_a_field_and_a_column_are_held_out(tmp_path, tiny_recipe):
    path = tmp_path / "data.zarr"
    run(make_plan(tiny_recipe, 300), path)
    dataset = tersgen.open(path)
    width, spots = dataset["params/width"][7], dataset["params/orientation"][:, 1]
    rule = SplitRule(hold_out=(f"params/width={width:.9g}", "params/orientation[1]=0.5:inf"))
    make_split(path, "default", rule)
    held = (dataset["params/width"][:] == width) | (spots >= 0.5)
    assert 1 < held.sum() < 300
    assert np.array_equal(tersgen.open(path).rows_in("test"), np.flatnonzero(held))


def test_columns_have_names(tmp_path, tiny_recipe):
    """They are stored by number, which a later version does not change."""
    instrument = {"resolution_cm1": (2, 9)}
    lines = {"profile": "lorentzian"}
    recipe = tersgen.Recipe(library=("random:3",), instrument=instrument, lineshape=lines)
    path = tmp_path / "data.zarr"
    run(make_plan(tersgen.resolve(recipe), 200), path)
    rule = SplitRule(hold_out=("params/instrument[resolution]=5:inf",))
    split = make_split(path, "default", rule)
    assert split.rule.hold_out == ("params/instrument[0]=5:inf",)
    assert make_split(path, "default", rule) == split
    dataset = tersgen.open(path)
    held = np.flatnonzero(dataset["params/instrument"][:, 0] >= 5)
    assert np.array_equal(dataset.rows_in("test"), held)
    with pytest.raises(ConfigError, match=r"or by name: resolution, .*; got resolutio$"):
        make_split(path, "other", SplitRule(hold_out=("params/instrument[resolutio]=5:6",)))


def test_splits_do_not_depend_on_the_back_end_or_the_layout(tiny_recipe, tmp_path):
    digests = set()
    for name, form, rows in (
        ("a.zarr", "zarr", 256),
        ("b.zarr", "zarr", 1024),
        ("c.h5", "hdf5", 256),
    ):
        run(make_plan(tiny_recipe, 700, form, shard_rows=rows), tmp_path / name)
        digests.add(make_split(tmp_path / name, "default", RULE).digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (SplitRule(hold_out=("dog",)), r"expected species of the dataset \(random-0000"),
        (SplitRule(hold_out=("params/wide=0:1",)), "expected a range of a field with one number"),
        (
            SplitRule(hold_out=("params/orientation=0:1",)),
            r"column of params/orientation.*got none",
        ),
        (SplitRule(hold_out=("params/orientation[4]=0:1",)), r"\[0\] to \[3\]; got 4"),
        (
            SplitRule(hold_out=("params/width[0]=0:1",)),
            "expected a range of a field with one number",
        ),
        (SplitRule(hold_out=("label=0:1",)), "expected a range of a field with one number"),
        (SplitRule(hold_out=("params/hotspots=0:1",)), "expected a range of a field with one"),
    ],
)
def test_rules_that_do_not_fit_are_refused(data, rule, message):
    with pytest.raises(ConfigError, match=message):
        make_split(data, "default", rule)
    assert tersgen.open(data).splits == {}
    assert not list(locate(data).folder.glob("builder*"))


def test_names_and_versions_that_cannot_be_split(data):
    for name in ("", "../x", "a/b", "x" * 65, "\x1b[31m"):
        with pytest.raises(ConfigError, match="name: expected"):
            make_split(data, name, RULE)
    version = find_version(locate(data), None).version[:8]
    with pytest.raises(ConfigError, match="versions do not change"):
        make_split(f"{data}@{version}", "default", RULE)
    with pytest.raises(UnknownFieldError, match="make one with tersgen split"):
        tersgen.open(data).rows_in("train")
    make_split(data, "default", RULE)
    with pytest.raises(UnknownFieldError, match="expected one of train, val, test, got 'dev'"):
        tersgen.open(data).rows_in("dev")


def test_a_dataset_that_is_being_written_is_not_split(data):
    with BuilderLock(locate(data).folder), pytest.raises(BusyError, match="is writing it"):
        make_split(data, "default", RULE)
