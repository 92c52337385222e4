"""P6: data is data. What is hostile is refused in one line, before anything large is allocated."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from click.testing import CliRunner
from numcodecs import blosc

import tersgen
from tersgen.cli import main
from tersgen.dataset.basis import StoredBasis, contents_of
from tersgen.dataset.documents import checked_layout
from tersgen.dataset.splits import make_split
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import give_tag, list_tags, locate
from tersgen.errors import DamagedDataError, DatasetError, OutputError, TersError
from tersgen.jobs.convert import convert
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.repair import repair
from tersgen.jobs.run import run
from tersgen.schema.digest import canonical_json
from tersgen.schema.manifest import JournalLine
from tersgen.schema.split import SplitRule
from tersgen.store.backends import make_store
from tersgen.store.checksum_table import Place, arrays_check, dataset_id, make_table
from tersgen.store.checksums import checksum
from tersgen.store.encode import chunk_checks, fill_up, shard_parts
from tersgen.store.interface import Chunk
from tersgen.store.journal import read_journal
from tersgen.store.layout import leaf_rows


@pytest.fixture(scope="module")
def original(tiny_recipe, changed, tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "data.zarr"
    recipe = changed(tiny_recipe, fields={"params": False})
    run(make_plan(recipe, 300, chunk_rows=64, shard_rows=256), path)
    give_tag(locate(path), "v1", None)
    make_split(path, "default", SplitRule())
    return path


@pytest.fixture
def data(original, tmp_path):
    return Path(shutil.copytree(original, tmp_path / "data.zarr"))


@pytest.fixture
def outside(tmp_path):
    """A folder of somebody else, in which nothing may change."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "keep.txt").write_text("mine")
    return folder


def seen(path):
    if path.is_symlink():
        return path.readlink()
    return path.read_bytes() if path.is_file() else None


def state(folder):
    return {str(path.relative_to(folder)): seen(path) for path in sorted(folder.rglob("*"))}


@pytest.fixture
def rewrite(resealed):
    """Return what writes a manifest with another content, and the digests that belong to it."""

    def write(path, **changes):
        content = json.loads((path / "manifest.json").read_text())
        (path / "manifest.json").write_text(json.dumps(resealed(content, **changes)))

    return write


@pytest.fixture
def with_recipe(rewrite):
    """Return what writes another recipe, and a manifest that fits it."""

    def write(path, **sections):
        content = json.loads((path / "recipe.json").read_text())
        library = tersgen.open(path).library
        for name, values in sections.items():
            content[name] = {**content.get(name, {}), **values}
        text = json.dumps(content)
        for name in ("recipe.json", "versions/recipe.json"):
            (path / name).write_text(text)
        contents = contents_of(StoredBasis(content, lambda: library, "recipe"))
        table = contents.fields
        rewrite(
            path,
            recipe_digest=contents.recipe_digest,
            fields=[spec.model_dump() for spec in table],
            axes=[axis.model_dump() for axis in contents.axes],
            leaf_rows=leaf_rows(table),
            chunk_rows=1,
            shard_rows=1 if leaf_rows(table) == 1 else 256,
        )

    return write


# ---- documents

DOCUMENTS = ["manifest.json", "recipe.json"]
OTHER_DOCUMENTS = ["lock.json", "tags/v1.json", "journal.jsonl", "versions/recipe.json"]

BAD_TEXTS = {
    "deep": "[" * 1_000_000,
    "deep and closed": "[" * 1_000_000 + "]" * 1_000_000,
    "deep tables": '{"a":' * 1_000_000,
    "long number": "1" * 10_000,
    "not UTF-8": b"\xff\xfe\x00",
    "empty": "",
    "null": "null",
    "a list": "[]",
    "HTML": "<script>alert(1)</script>",
}


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("bad", BAD_TEXTS)
def test_documents_that_are_none_are_refused(data, name, bad):
    write(data / name, BAD_TEXTS[bad])
    before = state(data)
    with pytest.raises(DatasetError, match=f"{name}: ") as caught:
        tersgen.open(data)
    assert len(str(caught.value)) < 500
    assert not verify(data, quick=True).sound
    assert state(data) == before


@pytest.mark.parametrize("name", OTHER_DOCUMENTS)
@pytest.mark.parametrize("bad", ["deep", "not UTF-8", "long number"])
def test_other_documents_that_are_none_are_named(data, name, bad):
    write(data / name, BAD_TEXTS[bad])
    faults = verify(data, quick=True).faults
    assert str(data / name) in {fault.path for fault in faults}
    assert repair(data).verified.sound


@pytest.mark.parametrize("depth", [100, 900, 950, 980, 1000, 1100, 5000])
def test_deep_values_of_fields_are_refused(data, depth):
    content = (data / "manifest.json").read_text()
    deep = "[" * depth + "]" * depth
    (data / "manifest.json").write_text(content.replace('"build"', deep).replace('"zarr"', deep))
    with pytest.raises(DatasetError):
        tersgen.open(data)


def edited(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"n_samples": 300', '"n_samples": 300, "n_samples": 300', "a name is given twice"),
        ('"n_samples": 300', '"n_samples": true', "n_samples: expected a valid integer, got True"),
        ('"n_samples": 300', '"n_samples": "300"', "n_samples: expected a valid integer"),
        ('"n_samples": 300', '"n_samples": 300.0', "n_samples: expected a valid integer"),
        ('"n_samples": 300', '"n_samples": -300', "n_samples: expected greater than 0"),
        ('"n_samples": 300', '"n_samples": NaN', "n_samples: |JSON"),
        ('"n_samples": 300', '"n_samples": 1e400', "n_samples: expected a valid integer|finite"),
        ('"n_samples": 300', '"n_samples": 99999999999999999999', "n_samples: expected less than"),
        ('"chunk_rows": 64', '"chunk_rows": 1099511627776', "its content is not what its version"),
        ('"chunk_rows": 64', '"chunk_rows": 1' + "0" * 400, "chunk_rows: expected less than"),
        ('"change": "split default"', '"change": "\\u001b[31mred"', "change: expected"),
        ('"change": "', '"\\u009b31m": 1, "change": "', "its content is not what its version"),
        ('"created": "', '"created": "<b>\\n', "created: expected"),
        ('"name": "default"', '"name": "../default"', "name: expected"),
        ('"name": "default"', '"name": "/etc/passwd"', "name: expected"),
        ('"name": "spectra"', '"name": "../../etc"', "name: expected"),
        ('"zarr.json": {', '"../zarr.json": {', "expected"),
        ('"zarr.json": {', '"/etc/zarr.json": {', "expected"),
    ],
)
def test_values_that_cannot_be_are_refused(data, old, new, message):
    edited(data / "manifest.json", old, new)
    with pytest.raises(DatasetError, match=message) as caught:
        tersgen.open(data)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("changes", [
    {"n_samples": 2**53, "class_counts": [2**53, 0, 0]},
    {"n_samples": 2**40, "class_counts": [2**40, 0, 0], "chunk_rows": 1, "shard_rows": 256},
])  # fmt: skip
def test_more_rows_than_there_ever_were_are_refused(data, changes, rewrite):
    rewrite(data, splits=[], **changes)
    before = state(data)
    dataset = tersgen.open(data)
    for rows in (slice(None), slice(0, None, 2), [0, 2**39], slice(300, 400)):
        with pytest.raises(DatasetError, match=r"missing|expected at least"):
            dataset["label"][rows]
    with pytest.raises(DatasetError, match=r"expected \d+ shards, found records of 2"):
        verify(data)
    with pytest.raises(
        DatasetError, match=r"are not those of version|expected \d+ shards, found records of 2"
    ):
        repair(data)
    for name, content in before.items():
        if name.startswith(("spectra", "label", "recipe", "lock", "journal")):
            assert state(data)[name] == content


@pytest.mark.parametrize("changes", [
    {"chunk_rows": 2**40, "shard_rows": 2**40},
    {"chunk_rows": 2**40},
    {"chunk_rows": 3},
    {"shard_rows": 64},
    {"leaf_rows": 128},
    {"digest": "0" * 64},
])  # fmt: skip
def test_absurd_layouts_are_refused(data, changes, rewrite):
    rewrite(data, **changes)
    with pytest.raises(DatasetError):
        tersgen.open(data)
    with pytest.raises(DatasetError):
        verify(data)


@pytest.mark.parametrize(
    "changes", [{"dtype": "int32"}, {"unit": "nm"}, {"dims": ["mode_2"]}, {"shape": [1]}]
)
def test_an_array_of_another_type_shape_or_unit_than_was_written_is_refused(data, changes, rewrite):
    manifest = json.loads((data / "manifest.json").read_text())
    for spec in manifest["fields"]:
        if spec["name"] == "sticks/position":
            spec.update(changes)
    rewrite(data, fields=manifest["fields"])
    with pytest.raises(DamagedDataError, match="of another array, or of another type"):
        tersgen.open(data)["sticks/position"][3]
    assert not verify(data, quick=True).sound


def test_repair_makes_no_shards_in_a_layout_that_no_other_version_has(data, rewrite):
    before = {name: content for name, content in state(data).items() if "/c." in name}
    rewrite(data, chunk_rows=32)
    with pytest.raises(DatasetError, match="its chunk_rows are not those of version"):
        repair(data)
    assert {name: content for name, content in state(data).items() if "/c." in name} == before
    assert len(tersgen.open(f"{data}@v1")["label"][:]) == 300


def test_a_split_of_other_rows_is_refused(data):
    content = json.loads((data / "manifest.json").read_text())
    content["n_samples"], content["class_counts"] = 301, [101, 100, 100]
    (data / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="splits: expected all 301 rows"):
        tersgen.open(data)


SPARSE = [
    "manifest.json", "lock.json", "journal.jsonl", "tags/v1.json", "recipe.json", "label/c.0",
    "zarr.json", "splits/default.json",
]  # fmt: skip


@pytest.mark.parametrize("name", SPARSE)
def test_huge_files_are_not_read(data, name):
    os.truncate(data / name, 10 << 30)
    assert str(data / name) in {fault.path for fault in verify(data).faults}
    assert repair(data).verified.sound


PIPES = [*SPARSE, "versions/recipe.json", "raman_shift/c.0", "spectra/zarr.json", "spectra/c.1.0"]


READ = """
import sys, tersgen
from tersgen.dataset.verify import verify
from tersgen.errors import TersError
for path in sys.argv[1:]:
    try:
        [field[:] for field in tersgen.open(path).fields.values()]
    except TersError:
        pass
    for quick in (True, False):
        assert not verify(path, quick).sound, path
"""


def test_nothing_waits_for_a_pipe(original, tmp_path):
    copies = [tmp_path / str(number) / "data.zarr" for number, _ in enumerate(PIPES)]
    for copy, name in zip(copies, PIPES, strict=True):
        shutil.copytree(original, copy)
        (copy / name).unlink()
        os.mkfifo(copy / name)
    subprocess.run([sys.executable, "-c", READ, *copies], timeout=120, check=True)
    for copy in copies:
        assert repair(copy).verified.sound


# ---- links


def read_all(path):
    dataset = tersgen.open(path)
    for name in dataset.fields:
        dataset[name][:]
    dataset.parts()
    tersgen.open(f"{path}@v1")


def extend_by(path, n):
    location, plan, _ = plan_extension(path, n, None)
    extend(location, plan)


@pytest.mark.parametrize("name", [
    "manifest.json", "recipe.json", "spectra/c.0.0", "splits", "spectra", "sticks", "versions",
    "tags", "lock.json", "journal.jsonl", "raman_shift", "zarr.json",
])  # fmt: skip
def test_links_are_not_followed(data, outside, name):
    target = outside / Path(name).name
    shutil.move(data / name, target)
    (data / name).symlink_to(target)
    before = state(outside)
    assert str(data / name) in {
        str(parent) for fault in verify(data).faults
        for parent in (Path(fault.path), *Path(fault.path).parents)
    }  # fmt: skip
    if name not in ("lock.json", "journal.jsonl", "raman_shift", "zarr.json"):
        with pytest.raises(TersError):
            read_all(data)
    repair(data)
    assert state(outside) == before
    assert not (data / name).is_symlink()


@pytest.mark.parametrize("name", ["versions", "tags", "splits"])
def test_nothing_is_written_through_a_link(data, outside, name):
    shutil.rmtree(data / name)
    (data / name).symlink_to(outside)
    before = state(outside)
    location = locate(data)
    acts = {"splits": lambda: make_split(data, "other", SplitRule(seed=5))}
    with pytest.raises(TersError, match=r"link|missing"):
        acts.get(name, lambda: give_tag(location, "v2", None))()
    assert state(outside) == before


def test_a_dataset_with_links_in_it_is_not_replaced(data, outside, tiny_recipe):
    (data / "maps" / "more").symlink_to(outside)
    before = state(outside), state(data)
    with pytest.raises(OutputError, match="found 'maps/more' in it, which is no part of one"):
        run(make_plan(tiny_recipe, 20), data, overwrite=True)
    (data / "tensors").rename(outside.parent / "moved")
    (data / "tensors").symlink_to(outside)
    with pytest.raises(OutputError, match="found 'tensors' in it, which is no part of one"):
        run(make_plan(tiny_recipe, 20), data, overwrite=True)
    (data / "tensors").unlink()
    (outside.parent / "moved").rename(data / "tensors")
    assert (state(outside), state(data)) == before
    (data / "maps" / "more").unlink()
    run(make_plan(tiny_recipe, 20), data, overwrite=True)
    assert verify(data).sound


@pytest.mark.parametrize("name", ["spectra", "sticks", "journal.jsonl", "splits", "versions"])
def test_extending_writes_nothing_outside(data, outside, name):
    target = outside / name
    shutil.move(data / name, target)
    (data / name).symlink_to(target)
    before = state(outside)
    with suppress(TersError):
        extend_by(data, 100)
    assert state(outside) == before


# ---- journals and splits


def test_a_journal_cannot_name_files_outside(data, outside):
    record = read_journal(data).records[0]
    (outside / "victim").write_text("mine")
    for name in ("../outside/victim", "/etc/passwd", "a/../../outside/victim", "..", "a//b", ""):
        files = {name: next(iter(record.files.values()))}
        line = JournalLine.model_construct(
            record=record.model_copy(update={"files": files}), check="0" * 16
        )
        text = canonical_json(line.record.model_dump(mode="json"))
        line = line.model_copy(update={"check": blake3(text.encode()).hexdigest(16)[:16]})
        with (data / "journal.jsonl").open("a") as file:
            file.write(line.model_dump_json() + "\n")
    faults = verify(data).faults
    assert [fault.kind for fault in faults] == ["journal"] * 6
    assert repair(data).verified.sound


def test_a_journal_of_far_too_many_lines_is_not_read(data):
    line = (data / "journal.jsonl").read_bytes().splitlines(keepends=True)[0]
    with (data / "journal.jsonl").open("ab") as file:
        file.write(line * (-(-(66 << 20) // len(line))))
    (fault,) = [one for one in verify(data).faults if one.shard is None]
    assert fault.message.startswith("expected at most")
    assert repair(data).verified.sound
    assert (data / "journal.jsonl").stat().st_size < 10_000


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("trapped",))


def test_the_rows_of_a_split_are_never_unpickled(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (path,) = (data / "splits").glob("*.npy")
    with path.open("wb") as file:
        np.save(file, np.array([Trap()], object), allow_pickle=True)
    for content in (path.read_bytes(), b"PK\x03\x04" + bytes(400), b"\x93NUMPY\x01\x00v\x00"
                    + b"{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,), }\n"
                    + bytes(300)):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(DamagedDataError, match="tersgen repair rebuilds it"):
            tersgen.open(data).parts()
    assert not (tmp_path / "trapped").exists()


# ---- chunks that decode to far more

LIMITED = """
import resource, sys
import tersgen
from tersgen.errors import TersError
from tersgen.dataset.verify import verify
tersgen.open(sys.argv[1])
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + {memory}, now + {memory}))
try:
    first, stop = map(int, sys.argv[3:])
    tersgen.open(sys.argv[1])[sys.argv[2]][first:stop]
except TersError as error:
    sys.exit(str(error))
""".replace("{memory}", str(256 << 20))


def refused(path, array, row, count=1):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path, array, str(row), str(row + count)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


def test_a_small_chunk_that_decodes_to_half_a_gibibyte_is_refused(data, with_recipe, rewrite):
    with_recipe(data, grid={"n_points": 1 << 20}, map={"height": 1, "width": 1})
    rewrite(data, chunk_rows=256, shard_rows=256)
    bomb = blosc.compress(bytes(256 * 2 << 20), b"zstd", 9, blosc.BITSHUFFLE, 0, 2)
    assert len(bomb) < 200_000
    path = data / "spectra" / "c.0.0"
    for content in (bomb, b"\x02\x01\x21\x02" + bomb[4:]):
        chunks = [Chunk(content, checksum(content))]
        layout = checked_layout(data, tersgen.open(data).manifest)
        opened = tersgen.open(data)
        identity = dataset_id(opened.manifest.recipe_digest, "zarr", layout)
        place = Place(identity, arrays_check([opened["spectra"].spec]), 0)
        parts = shard_parts(chunks, 1, make_table(place, 256, chunk_checks(chunks, 1)))
        with path.open("wb") as file:
            file.writelines(parts)
            file.truncate(max(file.tell(), 4 << 20))
        end = b"".join(parts[-3:])
        body = path.read_bytes()[: len(content) + 4].ljust((4 << 20) - len(end), b"\0")
        path.write_bytes(body + end)
        assert "expected LZ4 that decodes to 536870912 bytes" in refused(data, "spectra", 3)


def test_a_small_file_cannot_hold_huge_rows(data, with_recipe):
    with_recipe(data, map={"height": 4096, "width": 4096, "channels": 1024})
    assert "its checksum table" in refused(data, "maps", 0)
    assert "expected at least" in refused(data, "maps", 0, 2)
    assert "missing" in refused(data, "maps", 299)


# ---- labels

COUNTED = """
import resource, sys
from tersgen.dataset.verify import verify
verify(sys.argv[1], quick=True)
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), now + (1 << 30)))
sys.stdout.write(" ".join(fault.kind for fault in verify(sys.argv[1], threads=1).faults))
"""


def with_label(path, row, label):
    """Write a shard again in which one label is another, with checksums that fit."""
    dataset, location = tersgen.open(path), locate(path)
    manifest = dataset.manifest
    layout = checked_layout(path, manifest)
    store = make_store(manifest.format, manifest.contents, layout)
    shard, inside = divmod(row, layout.shard_rows)
    first = shard * layout.shard_rows
    chunks = {}
    for spec in manifest.fields:
        values = dataset[spec.name][first : first + layout.shard_rows].copy()
        if spec.name == "label":
            values[inside] = label
        parts = [values[at : at + layout.chunk_rows] for at in range(0, len(values), 64)]
        full = [fill_up(part, layout.chunk_rows, spec) for part in parts]
        chunks[spec.name] = [store.encode_chunk(part, spec) for part in full]
    for file in store.shard_files(shard, len(values), chunks):
        (location.folder / file.path).write_bytes(b"".join(file.parts))


@pytest.mark.exhaustive
@pytest.mark.parametrize("label", [-1, 3, 1000, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("name", ["data.zarr", "data.h5"])
def test_labels_of_no_species_are_damage(original, data, tmp_path, name, label):
    path = tmp_path / name
    if name == "data.h5":
        convert(original, path, "hdf5")
    with_label(path, 270, label)
    message = f"row 270: expected a label from 0 to 2, got label {label}; verify the dataset"
    dataset = tersgen.open(path)
    assert dataset.sample(269)["species"] in dataset.classes
    for row in (270, -30):
        with pytest.raises(DamagedDataError, match=message) as caught:
            dataset.sample(row)
        assert str(path) in str(caught.value)
    with pytest.raises(DamagedDataError, match=message):
        make_split(path, "other", SplitRule(seed=5))
    with pytest.raises(DamagedDataError, match=message):
        convert(path, tmp_path / "copy.zarr", "zarr")
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, path], capture_output=True, text=True, check=False
    )
    assert "digest" in done.stdout, done.stderr
    assert repair(path).verified.sound


# ---- names


def test_paths_cannot_lead_elsewhere(data, monkeypatch):
    monkeypatch.chdir(data.parent)
    for path in (
        "data.zarr@../../x",
        "data.zarr@/etc",
        "data.zarr@..",
        "data.zarr@",
        "@",
        "x" * 300,
    ):
        with pytest.raises(DatasetError):
            tersgen.open(path)


def test_files_with_odd_names_are_no_tags(data):
    for name in ("\x1b[31m.json", "<b>.json", "..json", "a b.json"):
        shutil.copy(data / "tags" / "v1.json", data / "tags" / name)
    assert [tag.name for tag in list_tags(locate(data))] == ["v1"]
    shutil.copy(data / "tags" / "v1.json", data / "tags" / "v2.json")
    with pytest.raises(DatasetError, match="expected the tag 'v2', got 'v1'"):
        list_tags(locate(data))
    assert [fault.kind for fault in verify(data, quick=True).faults] == ["tag"]


@pytest.mark.parametrize("command", ["info", "verify", "repair"])
def test_no_output_can_steer_a_terminal(data, command):
    odd = data.rename(data.with_name("\x1b[31m\x9bred.zarr"))
    os.truncate(odd / "label" / "c.0", 5)
    for more in ((), ("--json",)):
        text = CliRunner().invoke(main, [command, str(odd), *more]).stdout
        assert text
        assert all(one.isprintable() or one == "\n" for one in text), text
