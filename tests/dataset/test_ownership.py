"""A folder is ours by a document that only tersgen writes, and by nothing else."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tersgen.dataset.ownership import (
    back_end_of,
    dataset_around,
    has_marker,
    is_dataset,
    is_inside,
    is_same_place,
)
from tersgen.jobs.plan import make_plan
from tersgen.jobs.range_job import build_range
from tersgen.jobs.run import run
from tersgen.schema.digest import canonical_digest
from tersgen.store.lock import BuilderLock

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = ("lock.json", "manifest.json", "journal.jsonl")
DOCUMENTS = ("lock.json", "manifest.json", "versions", "journal.jsonl")


@pytest.fixture(scope="module")
def plan(tiny_recipe):
    return make_plan(tiny_recipe, 300, shard_rows=256)


@pytest.fixture(scope="module")
def whole(plan, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "a.zarr"
    run(plan, path)
    return path


@pytest.fixture
def data(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "a.zarr"))


@pytest.mark.parametrize("kept", DOCUMENTS)
def test_any_genuine_document_is_a_marker(data, kept):
    for name in {*DOCUMENTS} - {kept}:
        path = data / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert has_marker(data)
    assert back_end_of(data) == (None if kept == "journal.jsonl" else "zarr")


def test_without_one_it_is_somebodys_folder(data):
    for name in DOCUMENTS:
        path = data / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert (data / "recipe.json").exists()
    assert not is_dataset(data)


@pytest.mark.parametrize("name", ["v4.zarr", "v4.h5.d"])
def test_datasets_of_other_versions_are_known(name):
    assert is_dataset(GOLDEN / name)


def test_a_later_version_of_the_format_is_known(tmp_path):
    content = {"format_version": 99, "format": "zarr", "more": [1, 2.5, None]}
    (tmp_path / "lock.json").write_text(json.dumps({**content, "check": canonical_digest(content)}))
    assert is_dataset(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_change_of_the_lock_file_is_a_marker(whole, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("edited")
    content = json.loads((whole / "lock.json").read_text())
    key = data.draw(st.sampled_from(sorted(content)))
    value = data.draw(st.none() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=True))
    (folder / "lock.json").write_text(json.dumps({**content, key: value}))
    assert has_marker(folder) == (content[key] == value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(name=st.sampled_from(NAMES), content=JSON | st.binary(max_size=60))
def test_what_others_write_is_none(tmp_path_factory, name, content):
    folder = tmp_path_factory.mktemp("others")
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / name).write_bytes(data)
    assert not is_dataset(folder)


@pytest.mark.parametrize(
    "content",
    [b"[" * 99_999, b'{"format_version": 3, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}", b"\xff"],
)
def test_hostile_documents_are_none(tmp_path, content):
    for name in NAMES:
        (tmp_path / name).write_bytes(content)
    assert not is_dataset(tmp_path)


def test_the_moments_before_the_lock_file(tmp_path):
    assert not is_dataset(tmp_path)
    with BuilderLock(tmp_path) as lock:
        assert is_dataset(tmp_path)
        (tmp_path / f"builder.2.lock.{lock.token}.partial").write_bytes(b"half")
        (tmp_path / "lock.json.4711.partial").write_bytes(b"half")
        assert is_dataset(tmp_path)
        (tmp_path / "notes.txt").write_text("mine")
        assert not is_dataset(tmp_path)
        (tmp_path / "notes.txt").unlink()
    (tmp_path / "lock.json.4711.partial").unlink()
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / "builder.1.lock").write_text("a lock of another program")
    assert not is_dataset(tmp_path)


def test_links_are_none(data, tmp_path):
    (tmp_path / "link.zarr").symlink_to(data)
    assert not is_dataset(tmp_path / "link.zarr")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "lock.json").symlink_to(data / "lock.json")
    assert not is_dataset(tmp_path / "linked")


def test_the_lock_file_is_the_first_document(plan, tmp_path, monkeypatch):
    """Whatever a builder was killed at, the folder is known for ours."""
    from tersgen.jobs import range_job, start

    written = []
    for module, name in ((start, "write_durably"), (range_job, "_write_first")):
        real = getattr(module, name)

        def noted(path, *rest, real=real):
            written.append(path.name)
            return real(path, *rest)

        monkeypatch.setattr(module, name, noted)
    run(plan, tmp_path / "a.zarr")
    assert written[0] == "lock.json"
    written.clear()
    build_range(plan, tmp_path / "b.zarr", 0, 1)
    assert written[0] == "lock.json"


def test_paths_are_compared_by_what_they_are(tmp_path):
    (tmp_path / "c1").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "c1")
    (tmp_path / "c1" / "a").write_text("")
    os.link(tmp_path / "c1" / "a", tmp_path / "hard")
    for spelt in ("c1/a", "c1/../c1/a", "link/a", "link/../c1/a", "hard"):
        assert is_same_place(tmp_path / spelt, tmp_path / "c1" / "a"), spelt
    for missing in ("c1/new/x", "link/new/x", "c1/../c1/new/x"):
        assert is_same_place(tmp_path / missing, tmp_path / "c1" / "new" / "x")
    assert not is_same_place(tmp_path / "c1" / "b", tmp_path / "c1" / "a")
    assert is_inside(tmp_path / "link" / "a", tmp_path / "c1")
    assert is_inside(tmp_path / "c1", tmp_path / "link")
    assert not is_inside(tmp_path / "c1", tmp_path / "c1" / "a")


def test_the_dataset_around_a_place(data, tmp_path):
    (tmp_path / "link").symlink_to(data)
    for inside in (data / "x", data / "maps" / "y" / "z", tmp_path / "link" / "x"):
        assert dataset_around(inside) == data
    assert dataset_around(data) is None
    assert dataset_around(data / ".." / "b.zarr") is None
