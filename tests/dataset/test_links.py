"""Datasets whose files are links, as git-annex and the cache of Hugging Face keep them."""

import hashlib
import os
import pickle
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen.dataset.diff import compare
from tersgen.dataset.reproduce import reproduce
from tersgen.dataset.sources import Copies, ReadTimes
from tersgen.dataset.splits import make_split
from tersgen.dataset.verify import verify
from tersgen.errors import DamagedDataError, DatasetError, TersError
from tersgen.jobs.convert import convert
from tersgen.jobs.repair import repair
from tersgen.schema.split import SplitRule
from tersgen.store.links import REFUSED


@pytest.fixture(scope="module")
def plain(built, tmp_path_factory):
    """Return paths of a dataset with a split and a tag, in both back ends."""
    folder = tmp_path_factory.mktemp("plain")
    shutil.copytree(built, folder / "a.zarr")
    make_split(folder / "a.zarr", "default", SplitRule())
    convert(folder / "a.zarr", folder / "a.h5", "hdf5")
    return {"zarr": folder / "a.zarr", "hdf5": folder / "a.h5"}


def files_of(dataset: Path) -> list[Path]:
    """Return all files of a dataset."""
    places = [dataset, dataset.with_name(f"{dataset.name}.d")]
    return [
        path
        for place in places
        for path in ([place] if place.is_file() else place.rglob("*"))
        if path.is_file()
    ]


def annexed(dataset: Path, location: Path) -> Path:
    """Return a dataset as git-annex keeps it: read-only files under their key, and links to them.

    A key is named twice: as a folder, which is read-only, and as the file in it.
    """
    for path in files_of(dataset):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        key = f"SHA256E-s{path.stat().st_size}--{digest}{path.suffix}"
        md5 = hashlib.md5(key.encode()).hexdigest()
        stored = location / ".git/annex/objects" / md5[:2] / md5[2:4] / key / key
        stored.parent.mkdir(parents=True, exist_ok=True)
        if not stored.exists():
            shutil.copyfile(path, stored)
            stored.chmod(0o444)
        link = location / path.relative_to(dataset.parent)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(stored, link.parent))
    return location / dataset.name


def cached(dataset: Path, location: Path) -> Path:
    """Return a dataset as Hugging Face caches it: blobs by their hash, and a snapshot of links."""
    top = location / "datasets--someone--spectra"
    snapshot = top / "snapshots" / hashlib.sha1(b"revision").hexdigest()
    (top / "refs").mkdir(parents=True)
    (top / "refs" / "main").write_text(snapshot.name)
    (top / "blobs").mkdir()
    for path in files_of(dataset):
        blob = top / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copyfile(path, blob)
        link = snapshot / path.relative_to(dataset.parent)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot / dataset.name


LAYOUTS = {"git-annex": annexed, "Hugging Face": cached}


@pytest.fixture(params=[(a, b) for a in ("zarr", "hdf5") for b in LAYOUTS], ids="-".join)
def both(request, plain, tmp_path):
    """Return a dataset, and the same one as links."""
    back_end, layout = request.param
    return plain[back_end], LAYOUTS[layout](plain[back_end], tmp_path / "kept")


def test_every_value_is_read_through_links(both):
    plain, linked = map(tersgen.open, both[:1]), both[1]
    (whole,) = plain
    dataset = tersgen.open(linked, follow_links=True)
    assert (dataset.digest, dataset.splits) == (whole.digest, whole.splits)
    np.testing.assert_array_equal(dataset.parts(), whole.parts())
    for name in whole.fields:
        np.testing.assert_array_equal(dataset[name][:], whole[name][:])
    out = {"spectra": np.empty((100, whole["spectra"][0].nbytes), np.uint8)}
    rows = np.arange(100)
    dataset.blocks(["spectra"]).read_into(30, [Copies(rows, out, rows)], ReadTimes())
    assert out["spectra"].tobytes() == whole["spectra"][30:130].tobytes()


def test_without_being_asked_no_link_is_followed_and_the_error_says_how(both):
    with pytest.raises(DamagedDataError) as error:
        tersgen.open(both[1])
    assert REFUSED in str(error.value)
    for word in ("git-annex", "Hugging Face", "--follow-links", "follow_links=True"):
        assert word in REFUSED


def test_a_shard_alone_that_is_a_link_says_how_too(plain, tmp_path):
    path = shutil.copytree(plain["zarr"], tmp_path / "a.zarr")
    shard = path / "spectra" / "c.0.0"
    shard.rename(tmp_path / "elsewhere")
    shard.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DamagedDataError, match=r"c\.0\.0: expected a file, got a link, .*annex"):
        tersgen.open(path)["spectra"][0]
    reader = tersgen.open(path).blocks(["spectra"])
    rows, out = np.arange(1), {"spectra": np.empty((1, 256), np.uint8)}
    with pytest.raises(DamagedDataError, match="git-annex"):
        reader.read_into(0, [Copies(rows, out, rows)], ReadTimes())
    assert {one.kind for one in verify(path).faults} == {"link"}


def test_all_that_reads_reads_through_links(both, tmp_path):
    plain, linked = both
    found = verify(linked, follow_links=True)
    assert found.sound, found.faults
    assert not verify(linked).sound
    assert compare(plain, linked, follow_links=True).equal
    assert reproduce(linked, 0.5, follow_links=True).equal
    convert(linked, tmp_path / "copy.zarr", "zarr", follow_links=True)
    assert verify(tmp_path / "copy.zarr").sound
    assert not any(path.is_symlink() for path in (tmp_path / "copy.zarr").rglob("*"))
    again = pickle.loads(pickle.dumps(tersgen.open(linked, follow_links=True)))
    np.testing.assert_array_equal(again["label"][:], tersgen.open(plain)["label"][:])


def test_what_writes_follows_no_link(both):
    linked = both[1]
    before = {path: path.read_bytes() for path in files_of(linked)}
    with pytest.raises(TersError):
        make_split(linked, "other", SplitRule())
    for path, content in before.items():
        assert path.is_symlink()
        assert path.read_bytes() == content


def test_a_repair_replaces_links_and_leaves_what_they_lead_to(plain, tmp_path):
    linked = annexed(plain["zarr"], tmp_path / "kept")
    objects = {p: p.read_bytes() for p in (tmp_path / "kept/.git").rglob("*") if p.is_file()}
    with suppress(TersError):
        repair(linked)
    for path, content in objects.items():
        assert path.read_bytes() == content


def shard_of(linked: Path) -> Path:
    return next(iter(sorted((linked / "spectra").glob("c.0*"))))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_digests_and_checks_are_as_always(plain, tmp_path, layout):
    linked = LAYOUTS[layout](plain["zarr"], tmp_path)
    stored = shard_of(linked).resolve()
    content = bytearray(stored.read_bytes())
    content[40] ^= 1
    stored.chmod(0o644)
    stored.write_bytes(content)
    with pytest.raises(DamagedDataError, match="rows 0 to 63"):
        tersgen.open(linked, follow_links=True)["spectra"][0]
    assert not verify(linked, follow_links=True).sound


@pytest.mark.parametrize("end", ["nothing", "folder", "pipe", "device", "itself"])
@pytest.mark.parametrize("where", ["manifest.json", "shard"])
def test_a_link_to_anything_but_a_file_is_refused(plain, tmp_path, end, where):
    linked = annexed(plain["zarr"], tmp_path / "kept")
    link = shard_of(linked) if where == "shard" else linked / where
    target = tmp_path / "target"
    if end == "folder":
        target.mkdir()
    elif end == "pipe":
        os.mkfifo(target)
    link.unlink()
    link.symlink_to({"device": "/dev/zero", "itself": link}.get(end, target))
    with pytest.raises(DatasetError, match=r"git annex get|folder, pipe or device"):
        tersgen.open(linked, follow_links=True)["spectra"][0]
    if where == "shard":
        blocks = tersgen.open(linked, follow_links=True).blocks(["spectra"])
        rows, out = np.arange(1), {"spectra": np.empty((1, 256), np.uint8)}
        with pytest.raises(DatasetError, match=r"git annex get|folder, pipe or device"):
            blocks.read_into(0, [Copies(rows, out, rows)], ReadTimes())


def test_a_folder_that_is_a_link_is_refused_as_always(plain, tmp_path):
    path = shutil.copytree(plain["zarr"], tmp_path / "a.zarr")
    (path / "spectra").rename(tmp_path / "spectra")
    (path / "spectra").symlink_to(tmp_path / "spectra")
    dataset = tersgen.open(path, follow_links=True)
    with pytest.raises(DamagedDataError, match="expected a folder, got a link"):
        dataset["spectra"][0]
