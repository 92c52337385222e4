"""P4: damage that is real is named by verify and healed by repair, to the bit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import pytest
from click.testing import CliRunner

import tersgen
from tersgen.bytefile import LocalFile
from tersgen.cli import main
from tersgen.dataset.documents import checked_layout
from tersgen.dataset.splits import make_split
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import find_version, give_tag, locate
from tersgen.errors import (
    BusyError,
    ConfigError,
    DamagedDataError,
    DatasetError,
    IncompleteDatasetError,
    OutputError,
)
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.repair import repair
from tersgen.jobs.run import run
from tersgen.schema.manifest import JournalLine
from tersgen.schema.split import SplitRule
from tersgen.store.backends import make_store
from tersgen.store.journal import read_journal
from tersgen.store.lock import BuilderLock
from tersgen.text import command

N = 700
ROWS = [(0, 255), (256, 511), (512, 699)]
"""Rows of the shards of 256; chunks have 64."""


class Made:
    """A dataset that was built with 300 rows, tagged, split, and extended to 700."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.location = locate(path)
        self.folder = self.location.folder
        manifest = find_version(self.location, None)
        self.manifest = manifest
        layout = checked_layout(path, manifest)
        self.specs = {spec.name: spec for spec in manifest.fields}
        self.store = make_store(manifest.format, manifest.contents, layout)

    def shard(self, shard: int, array: str = "spectra") -> Path:
        return self.folder / self.store.array_path(shard, self.specs[array])

    def chunk(self, shard: int, array: str, number: int) -> tuple[int, int]:
        path = self.shard(shard, array)
        rows = ROWS[shard][1] - ROWS[shard][0] + 1
        file = LocalFile(os.open(path, os.O_RDONLY))
        table = self.store.chunk_table(file, self.specs[array], shard, rows)
        return tuple(table[number, :2].tolist())

    def copied(self, folder: Path) -> "Made":
        for one in {self.path, self.folder}:
            (shutil.copytree if one.is_dir() else shutil.copy2)(one, folder / one.name)
        return Made(folder / self.path.name)

    def content(self) -> dict[str, bytes]:
        dataset = tersgen.open(self.path)
        return {name: field[:].tobytes() for name, field in dataset.fields.items()} | {
            "parts": dataset.parts().tobytes(),
            "old": tersgen.open(f"{self.path}@v1")["maps"][:].tobytes(),
        }

    def identities(self) -> dict[str, tuple[int, int]]:
        files = [one for one in self.folder.rglob("*") if one.is_file()]
        return {
            str(one.relative_to(self.folder)): (one.stat().st_ino, one.stat().st_mtime_ns)
            for one in files
        }


def build(recipe, path):
    form = "hdf5" if path.suffix == ".h5" else "zarr"
    run(make_plan(recipe, 300, form, chunk_rows=64, shard_rows=256), path)
    give_tag(locate(path), "v1", None)
    make_split(path, "default", SplitRule())
    location, plan, _ = plan_extension(path, None, N)
    extend(location, plan)
    return Made(path)


@pytest.fixture(scope="module")
def recipe(tiny_recipe, changed):
    return changed(tiny_recipe, fields={"params": False, "precision": "uint8"})


@pytest.fixture(scope="module", params=["data.zarr", "data.h5"])
def original(request, recipe, tmp_path_factory):
    made = build(recipe, tmp_path_factory.mktemp("sound") / request.param)
    return SimpleNamespace(made=made, content=made.content())


@pytest.fixture
def data(original, tmp_path):
    return original.made.copied(tmp_path)


def flip(path, at=None):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 0x10
    path.write_bytes(content)


def assert_heals(original, data, shards=(), untouched=True):
    """Repair, and prove that all is as before and nothing else was touched; return what it did."""
    before = data.identities()
    repaired = repair(data.path)
    assert repaired.verified.sound, repaired.verified.faults
    assert data.content() == original.content
    assert find_version(data.location, None).digest == original.made.manifest.digest
    assert verify(f"{data.path}@v1").sound
    if untouched:
        for shard in set(range(len(ROWS))) - set(shards):
            for name in data.store.shard_paths(shard):
                assert data.identities()[name] == before[name], name
    after = data.identities()
    assert repair(data.path).done == []
    assert data.identities() == after
    return repaired.done


def named(found, **facts):
    """The faults of a verification that have these facts."""
    return [
        one for one in found.faults if all(getattr(one, name) == v for name, v in facts.items())
    ]


ARRAYS = ["spectra", "maps", "tensors", "sticks/position", "sticks/count", "label"]


@pytest.mark.parametrize("array", ARRAYS)
def test_a_flipped_bit_names_the_rows_of_its_chunk(original, data, array):
    offset, size = data.chunk(1, array, 0)
    flip(data.shard(1, array), offset + size // 2)
    (fault,) = verify(data.path).faults
    assert (fault.kind, fault.shard, fault.array) == ("chunk", 1, array)
    assert fault.rows == (256, 319)
    assert verify(data.path, quick=True).sound  # sizes tell nothing
    (old,) = verify(f"{data.path}@v1").faults
    assert old == fault.model_copy(update={"rows": (256, 299)})
    done = assert_heals(original, data, [1])
    assert done == ["shard 1: 256 rows rebuilt, digests as recorded"]


@pytest.mark.parametrize("array", ARRAYS)
def test_a_chunk_lost_as_zeros_is_never_read(original, data, array):
    offset, size = data.chunk(1, array, 0)
    with data.shard(1, array).open("r+b") as file:
        file.seek(offset)
        file.write(bytes(size))
    with pytest.raises(DamagedDataError, match="rows 256 to 319"):
        tersgen.open(data.path)[array][256]
    (fault,) = verify(data.path).faults
    assert (fault.kind, fault.shard, fault.array) == ("chunk", 1, array)
    assert fault.rows == (256, 319)
    assert_heals(original, data, [1])


@pytest.mark.parametrize("with_chunk", [False, True])
def test_a_table_of_checksums_lost_as_zeros_is_never_read(original, data, with_chunk):
    if data.location.format == "zarr":
        pytest.skip("HDF5 only")
    path = data.shard(1)
    with h5py.File(path) as file:
        chunk = file["checks"].id.get_chunk_info(0)
    lost = [(chunk.byte_offset, chunk.size), *[data.chunk(1, "maps", 0)][: int(with_chunk)]]
    with path.open("r+b") as file:
        for offset, size in lost:
            file.seek(offset)
            file.write(bytes(size))
    for array in ("maps", "label"):
        with pytest.raises(DamagedDataError, match=r"its checksum table \(checks\)"):
            tersgen.open(data.path)[array][300]
    found = verify(data.path).faults
    assert {(fault.kind, fault.shard) for fault in found} == {("chunk", 1)}
    assert {fault.array for fault in found} == {*data.specs}
    assert_heals(original, data, [1])


def test_the_last_rows_of_the_last_chunk_are_those_there_are(data):
    offset, size = data.chunk(2, "label", 2)
    flip(data.shard(2, "label"), offset + size // 2)
    (fault,) = verify(data.path).faults
    assert fault.rows == (512 + 128, 699)


def truncate(path):
    os.truncate(path, path.stat().st_size * 2 // 3)


def empty(path):
    path.write_bytes(b"")


def grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def into_folder(path):
    path.unlink()
    path.mkdir()


def into_pipe(path):
    path.unlink()
    os.mkfifo(path)


def into_link(path):
    moved = path.with_name("elsewhere")
    path.rename(path.parents[1] / moved.name)
    path.symlink_to(path.parents[1] / moved.name)


@pytest.mark.parametrize(
    ("damage", "kind", "array"),
    [
        (truncate, "size", "maps"),
        (truncate, "size", "label"),
        (empty, "size", "sticks/intensity"),
        (grow, "size", "spectra"),
        (Path.unlink, "missing", "tensors"),
        (Path.unlink, "missing", "label"),
        (into_folder, "link", "label"),
        (into_pipe, "link", "maps"),
        (into_link, "link", "sticks/count"),
    ],
)
def test_a_damaged_shard_is_named_and_made_again(original, data, damage, kind, array):
    damage(data.shard(1, array))
    for quick in (True, False):
        found = verify(data.path, quick=quick)
        assert named(found, kind=kind, shard=1, rows=ROWS[1]), found.faults
        assert {fault.shard for fault in found.faults} == {1}
        arrays = {fault.array for fault in found.faults}
        assert arrays == {array} or (data.location.format == "hdf5" and None in arrays)
    if damage is not grow:
        with pytest.raises(DatasetError):
            tersgen.open(data.path)[array][300]
    assert_heals(original, data, [1])


def test_a_folder_with_files_in_the_place_of_a_shard_is_left_alone(data):
    path = data.shard(1)
    into_folder(path)
    (path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"got a folder .*; move it away"):
        repair(data.path)
    assert (path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("array", ["spectra", "label"])
def test_swapped_shards_are_told_apart(original, data, array):
    one, other = data.shard(0, array), data.shard(1, array)
    one.rename(one.with_name("aside"))
    other.rename(one)
    one.with_name("aside").rename(other)
    assert {fault.shard for fault in verify(data.path, quick=True).faults} == {0, 1}
    found = verify(data.path)
    for shard, owner in ((0, 1), (1, 0)):
        texts = [one.message for one in found.faults if (one.kind, one.shard) == ("chunk", shard)]
        assert texts
        assert all(f"the file is of shard {owner}, not {shard}" in one for one in texts)
    assert {fault.shard for fault in found.faults} == {0, 1}
    with pytest.raises(DamagedDataError, match="the file is of shard 1, not 0"):
        tersgen.open(data.path)[array][3]
    assert_heals(original, data, [0, 1])


@pytest.mark.parametrize("array", ["spectra", "label", "tensors"])
def test_a_stale_shard_of_another_recipe_is_found(original, data, recipe, tmp_path, array):
    (tmp_path / "other").mkdir()
    recipe = recipe.model_copy(update={"seed": 12})
    out = tmp_path / "other" / data.path.name
    run(make_plan(recipe, N, data.location.format, chunk_rows=64, shard_rows=256), out)
    other = Made(out)
    shutil.copyfile(other.shard(1, array), data.shard(1, array))
    (fault,) = named(verify(data.path), kind="chunk", shard=1, array=array, rows=ROWS[1])
    assert "the file is of another dataset" in fault.message
    assert not verify(data.path, quick=True).sound
    with pytest.raises(DamagedDataError, match="the file is of another dataset"):
        tersgen.open(data.path)[array][300]
    assert_heals(original, data, [1])


def edit_json(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def old_versions(data):
    return [
        one
        for one in (data.folder / "versions").glob("*.json")
        if one.stem not in ("recipe", data.manifest.version)
    ]


def head_version(data):
    return data.folder / "versions" / f"{data.manifest.version}.json"


def split_rows(data):
    return data.folder / f"splits/default-{data.manifest.splits[0].digest[:16]}.npy"


def tear_journal(data):
    path = data.folder / "journal.jsonl"
    os.truncate(path, path.stat().st_size - 9)


def spoil_journal_line(data):
    path = data.folder / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "{not a record}\n", *lines[1:]]))


def give_journal_of_another(data):
    """Records with right checks, of the same shards and sizes, and other values."""
    path = data.folder / "journal.jsonl"
    records = read_journal(data.folder).records
    record = next(one for one in records if (one.shard, one.rows) == (1, 256))
    digests = dict.fromkeys(record.digests, "0" * 64)
    line = JournalLine.of(record.model_copy(update={"digests": digests}))
    with path.open("a") as file:
        file.write(line.model_dump_json() + "\n")


DOCUMENT_FAULTS = {
    "torn journal": (tear_journal, "journal", "journal.jsonl"),
    "bad journal line": (spoil_journal_line, "journal", "journal.jsonl"),
    "journal of another": (give_journal_of_another, "journal", "journal.jsonl"),
    "journal lost": (lambda d: (d.folder / "journal.jsonl").unlink(), "journal", "journal.jsonl"),
    "journal a pipe": (lambda d: into_pipe(d.folder / "journal.jsonl"), "journal", "journal.jsonl"),
    "manifest lost": (lambda d: (d.folder / "manifest.json").unlink(), "manifest", "manifest.json"),
    "manifest edited": (
        lambda d: edit_json(d.folder / "manifest.json", change="other"),
        "manifest",
        "manifest.json",
    ),
    "manifest a pipe": (
        lambda d: into_pipe(d.folder / "manifest.json"), "manifest", "manifest.json",
    ),
    "lock lost": (lambda d: (d.folder / "lock.json").unlink(), "lock", "lock.json"),
    "environment in the lock edited": (
        lambda d: (d.folder / "lock.json").write_text(
            (d.folder / "lock.json").read_text().replace('"python": "3', '"python": "2')
        ),
        "lock",
        "lock.json",
    ),
    "lock without a blank": (
        lambda d: (d.folder / "lock.json").write_text(
            (d.folder / "lock.json").read_text().replace(": ", ":", 1)
        ),
        "lock",
        "lock.json",
    ),
    "lock edited": (lambda d: edit_json(d.folder / "lock.json", seed=7), "lock", "lock.json"),
    "recipe flipped": (lambda d: flip(d.folder / "recipe.json"), "recipe", "recipe.json"),
    "recipe lost": (lambda d: (d.folder / "recipe.json").unlink(), "recipe", "recipe.json"),
    "recipe a blank more": (lambda d: grow_text(d.folder / "recipe.json"), "recipe", "recipe.json"),
    "copy of the recipe flipped": (
        lambda d: flip(d.folder / "versions/recipe.json"), "recipe", "versions/recipe.json",
    ),
    "copy of the recipe lost": (
        lambda d: (d.folder / "versions/recipe.json").unlink(), "recipe", "versions/recipe.json",
    ),
    "newest version lost": (lambda d: head_version(d).unlink(), "version", head_version),
    "newest version flipped": (lambda d: flip(head_version(d)), "version", head_version),
    "old version lost": (
        lambda d: old_versions(d)[0].unlink(), "version", lambda d: old_versions(d)[0],
    ),
    "old version flipped": (
        lambda d: flip(old_versions(d)[1]), "version", lambda d: old_versions(d)[1],
    ),
    "copy of a version flipped": (
        lambda d: flip(d.folder / "versions/copies" / f"{d.manifest.version}.json"),
        "version",
        lambda d: d.folder / "versions/copies" / f"{d.manifest.version}.json",
    ),
    "copy of the newest version lost": (
        lambda d: (d.folder / "versions/copies" / f"{d.manifest.version}.json").unlink(),
        "version",
        lambda d: d.folder / "versions/copies" / f"{d.manifest.version}.json",
    ),
    "copy of an old version lost": (
        lambda d: (d.folder / "versions/copies" / old_versions(d)[0].name).unlink(),
        "version",
        lambda d: d.folder / "versions/copies" / old_versions(d)[0].name,
    ),
    "all copies lost": (
        lambda d: shutil.rmtree(d.folder / "versions/copies"),
        "tag",
        "versions/copies/tag-v1.json",
    ),
    "copy of a tag lost": (
        lambda d: (d.folder / "versions/copies/tag-v1.json").unlink(),
        "tag",
        "versions/copies/tag-v1.json",
    ),
    "tag flipped": (lambda d: flip(d.folder / "tags/v1.json"), "tag", "tags/v1.json"),
    "tag lost": (lambda d: (d.folder / "tags/v1.json").unlink(), "tag", "tags/v1.json"),
    "tag moved": (
        lambda d: edit_json(d.folder / "tags/v1.json", version="0" * 64), "tag", "tags/v1.json",
    ),
    "copy of a tag emptied": (
        lambda d: empty(d.folder / "versions/copies/tag-v1.json"),
        "tag",
        "versions/copies/tag-v1.json",
    ),
    "rows of a split flipped": (lambda d: flip(split_rows(d)), "split", split_rows),
    "rows of a split cut": (lambda d: truncate(split_rows(d)), "split", split_rows),
    "rows of a split lost": (lambda d: split_rows(d).unlink(), "split", split_rows),
    "rows of a split a pipe": (lambda d: into_pipe(split_rows(d)), "split", split_rows),
    "page of a split edited": (
        lambda d: edit_json(d.folder / "splits/default.json", name="x"),
        "split",
        "splits/default.json",
    ),
    "page of a split lost": (
        lambda d: (d.folder / "splits/default.json").unlink(), "split", "splits/default.json",
    ),
}  # fmt: skip


def grow_text(path):
    path.write_text(path.read_text() + " ")


def into_link_folder(path):
    """Move a folder out of the dataset, and leave a link to it."""
    away = path.parents[1] / "away"
    shutil.move(path, away)
    path.symlink_to(away)


@pytest.mark.parametrize(
    "original",
    ["data.zarr", pytest.param("data.h5", marks=pytest.mark.exhaustive)],  # the documents are alike
    indirect=True,
)
@pytest.mark.parametrize("name", DOCUMENT_FAULTS)
def test_a_damaged_document_is_named_and_restored(original, data, name):
    damage, kind, place = DOCUMENT_FAULTS[name]
    path = place(data) if callable(place) else data.folder / place
    damage(data)
    for quick in (False,) if name == "journal of another" else (False, True):
        found = verify(data.path, quick=quick)
        assert named(found, kind=kind, path=str(path)), found.faults
    assert_heals(original, data)


def test_what_lies_behind_a_link_is_left_alone_and_lost(original, data):
    into_link_folder(data.folder / "versions")
    away = data.folder.parent / "away"
    outside = {one.name: one.read_bytes() for one in away.rglob("*.json")}
    found = verify(data.path)
    assert named(found, kind="link", path=str(data.folder / "versions"))
    repaired = repair(data.path)
    assert {one.name: one.read_bytes() for one in away.rglob("*.json")} == outside
    assert "versions: a link or pipe in place of a folder removed" in repaired.done
    # the versions before the newest were only there
    assert {fault.kind for fault in repaired.verified.faults} == {"version", "tag"}
    assert tersgen.open(data.path)["maps"][:].tobytes() == original.content["maps"]


def test_both_recipes_lost_is_one_clear_line(data, tersgen_command):
    flip(data.folder / "recipe.json")
    (data.folder / "versions/recipe.json").unlink()
    faults = verify(data.path).faults
    assert [fault.kind for fault in faults] == ["recipe", "recipe"]
    with pytest.raises(DatasetError, match="are both damaged, and all else is made from them"):
        repair(data.path)
    assert tersgen_command("repair", data.path) == (1, 1)
    assert tersgen_command("info", data.path) == (1, 1)


@pytest.fixture
def tersgen_command():
    """A function that runs a command: its exit code, and the lines of its error."""

    def call(*arguments):
        done = CliRunner().invoke(main, list(map(str, arguments)))
        assert isinstance(done.exception, SystemExit | None)
        return done.exit_code, len(done.stderr.splitlines())

    return call


METADATA = {
    "data.zarr": [
        "zarr.json", "spectra/zarr.json", "sticks/zarr.json", "sticks/position/zarr.json",
        "raman_shift/zarr.json", "raman_shift/c.0",
    ],
    "data.h5": ["../data.h5"],
}  # fmt: skip


@pytest.mark.parametrize("damage", [flip, Path.unlink, empty, into_pipe, into_link])
def test_damaged_metadata_is_named_and_written_again(original, data, damage):
    names = METADATA[data.path.name]
    for name in names if damage is flip else names[::5]:
        path = data.path if name.startswith("..") else data.folder / name
        damage(path)
        for quick in (False, True):
            (fault,) = verify(data.path, quick=quick).faults
            assert (fault.kind, fault.path) == ("metadata", str(path))
        if name != names[-1]:
            assert repair(data.path).verified.sound
    assert_heals(original, data)


def renamed(data, name):
    path = data.path.with_name(name)
    data.path.rename(path)
    data.folder.rename(path.with_name(f"{name}.d"))
    return Made(path)


@pytest.mark.parametrize("name", ["other.h5", "longer%b %%.µ.h5", "a.h5"])
def test_a_renamed_pair_is_named_and_its_index_made_again(original, data, name):
    if data.location.format == "zarr":
        pytest.skip("HDF5 only")
    data = renamed(data, name)
    with h5py.File(data.path) as file:
        assert (file["spectra"][:5] == file["spectra"].attrs["_FillValue"]).all()
    for quick in (False, True):
        (fault,) = verify(data.path, quick=quick).faults
        assert (fault.kind, fault.path) == ("metadata", str(data.path))
        shard = f"{name}.d/shards/000000.h5".replace("%", "%%")
        assert f"expected it to name {shard}, got data.h5.d/shards/000000.h5" in fault.message
        assert command("tersgen", "repair", data.path) in fault.message
    assert data.content() == original.content  # our own reader goes by the manifest
    done = assert_heals(original, data)
    assert done == ["index written again", "a version with the new sizes of files published"]
    with h5py.File(data.path) as file:
        values = data.specs["spectra"].fixed_point.decoded(file["spectra"][:])
        assert values.tobytes() == original.content["spectra"]


def test_a_pair_that_was_renamed_and_renamed_back_is_sound(data):
    if data.location.format == "zarr":
        pytest.skip("HDF5 only")
    data = renamed(renamed(data, "other.h5"), "data.h5")
    assert verify(data.path).sound
    assert repair(data.path).done == []


def test_an_index_larger_than_any_document_is_no_fault(data, monkeypatch):
    monkeypatch.setattr("tersgen.dataset.inspection.LARGEST_DOCUMENT", 1000)
    assert verify(data.path).sound  # as for ten thousand shards


def test_consolidated_metadata_that_tell_of_more_rows_are_found(original, data):
    if data.location.format == "hdf5":
        pytest.skip("Zarr only")
    path = data.folder / "zarr.json"
    content = json.loads(path.read_text())
    content["consolidated_metadata"]["metadata"]["label"]["shape"] = [10**6]
    path.write_text(json.dumps(content))
    assert [fault.kind for fault in verify(data.path).faults] == ["metadata"]
    assert_heals(original, data)


def test_everything_at_once(original, data):
    offset, _ = data.chunk(0, "maps", 0)
    flip(data.shard(0, "maps"), offset + 3)
    data.shard(2, "label").unlink()
    for name in ("manifest.json", "lock.json", "recipe.json", "splits/default.json"):
        (data.folder / name).unlink()
    tear_journal(data)
    flip(split_rows(data))
    head_version(data).unlink()
    kinds = {fault.kind for fault in verify(data.path).faults}
    assert kinds >= {"manifest", "lock", "recipe", "journal", "version"}
    assert_heals(original, data, untouched=False)


def test_a_lost_manifest_without_versions_is_made_again(tiny_recipe, tmp_path):
    manifest = run(make_plan(tiny_recipe, 500, shard_rows=256), tmp_path / "a.zarr").manifest
    (tmp_path / "a.zarr" / "manifest.json").unlink()
    shutil.rmtree(tmp_path / "a.zarr" / "versions")
    assert {fault.kind for fault in verify(tmp_path / "a.zarr").faults} == {"recipe", "incomplete"}
    repaired = repair(tmp_path / "a.zarr")
    assert repaired.verified.sound
    assert repaired.verified.digest == manifest.digest


def test_a_build_puts_a_lost_manifest_back_with_parent_and_splits(original, data, recipe):
    plan = make_plan(recipe, N, data.location.format, chunk_rows=64, shard_rows=256)
    before = data.identities()
    (data.folder / "manifest.json").unlink()
    with pytest.raises(DatasetError, match=r"manifest\.json: missing; tersgen repair restores it"):
        tersgen.open(data.path)
    built = run(plan, data.path)
    assert (built.n_kept, built.manifest) == (N, original.made.manifest)
    assert find_version(data.location, None) == original.made.manifest
    assert built.manifest.parent is not None
    assert [split.name for split in built.manifest.splits] == ["default"]
    assert verify(data.path).sound
    for name in data.store.shard_paths(1):
        assert data.identities()[name] == before[name]


def test_a_lost_manifest_whose_versions_do_not_tell_is_for_repair(original, data, recipe):
    plan = make_plan(recipe, N, data.location.format, chunk_rows=64, shard_rows=256)
    text = head_version(data).read_bytes()
    for damage in (flip, Path.unlink):  # then the newest that can be read has fewer rows
        head_version(data).write_bytes(text)
        damage(head_version(data))
        (data.folder / "manifest.json").unlink(missing_ok=True)
        before = data.identities()
        with pytest.raises(OutputError, match=r"manifest\.json is missing.*tersgen repair first"):
            run(plan, data.path)
        assert data.identities() == before
    assert_heals(original, data)


def test_an_incomplete_dataset_is_to_be_finished(data, tersgen_command):
    shutil.rmtree(data.folder / "versions")
    (data.folder / "versions").mkdir()
    for name in ("recipe.json", "library.tlib"):
        shutil.copy(data.folder / name, data.folder / "versions")
    (data.folder / "manifest.json").unlink()
    path = data.folder / "journal.jsonl"
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    before = data.identities()
    with pytest.raises(IncompleteDatasetError, match="to resume: tersgen build --config"):
        repair(data.path)
    assert data.identities() == before
    assert tersgen_command("repair", data.path) == (1, 1)


def test_repair_waits_for_no_builder(data):
    flip(data.folder / "recipe.json")
    before = data.identities()
    code = (
        "import sys, pathlib\nfrom tersgen.store.lock import BuilderLock\n"
        "with BuilderLock(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, data.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match=f"process {holder.pid} on .* is writing it"):
            repair(data.path)
        found = verify(data.path)
        assert any(f"process {holder.pid}" in note for note in found.notes)
        holder.stdin.close()
    assert data.identities() == before
    with BuilderLock(data.folder):
        pass


def test_versions_cannot_be_repaired(data):
    with pytest.raises(ConfigError, match="versions do not change; repair"):
        repair(f"{data.path}@v1")


@pytest.mark.parametrize("name", ["data.zarr", "data.h5"])
def test_a_dataset_needs_no_file_that_it_was_made_from(tmp_path, tiny_recipe, name):
    table = tmp_path / "quinine.csv"
    table.write_text("position,activity\n1370,10\n1620,3\n")
    update = {"library": (str(table),), "random": tersgen.Recipe().random}
    recipe = tersgen.resolve(tiny_recipe.model_copy(update=update))
    form = "hdf5" if name.endswith(".h5") else "zarr"
    digest = run(make_plan(recipe, 300, form, shard_rows=256), tmp_path / name).manifest.digest
    table.unlink()
    shards = [one for one in locate(tmp_path / name).folder.rglob("*") if one.is_file()]
    for one in shards:
        if one.suffix == ".h5" or one.name.startswith("c.1"):
            one.unlink()
    repaired = repair(tmp_path / name)
    assert repaired.verified.sound
    assert repaired.verified.digest == digest
    assert tersgen.open(tmp_path / name).classes == ("quinine",)
