"""Where a dataset may be written, and what is left alone: each fault was seen once."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tersgen.dataset.verify import verify
from tersgen.errors import ConfigError, DatasetError, OutputError, TersError
from tersgen.jobs.convert import convert
from tersgen.jobs.ingest import Target, ingest, plan_ingest
from tersgen.jobs.plan import make_plan
from tersgen.jobs.range_job import build_range, finalize
from tersgen.jobs.repair import repair
from tersgen.jobs.run import run
from tersgen.measured.collection import collect, find_files
from tersgen.measured.labels import LabelRule
from tersgen.store.journal import read_journal
from tersgen.store.location import new_location

NO_FIELDS = [f"--set=fields.{name}=false" for name in ("maps", "sticks", "tensors", "params")]
TINY = ["--library", "random:2", "--set", "grid.n_points=64", "--set", "lineshape.fwhm_cm1=150"]


def state(root: Path) -> dict[str, object]:
    """Return every file and folder, and what it holds."""
    paths = sorted(path for path in root.rglob("*") if "partial" not in path.name)
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else "folder"
        for path in paths
    }


@pytest.fixture
def measurements(tmp_path):
    """Return a folder as a spectroscopist has it: subfolders with names that are ours, too."""
    folder = tmp_path / "exp"
    for name in ("spectra", "raw", "label"):
        (folder / name).mkdir(parents=True)
    axis = np.arange(200.0, 1200.0, 10.0)
    for k in range(3):
        lines = (f"{x} {(x - 300 * k) ** 2:.3f}\n" for x in axis)
        (folder / "spectra" / f"{k}.txt").write_text("".join(lines))
        (folder / "raw" / f"{k}.wdf").write_bytes(bytes([k]) * 100)
    return folder


def plan_of(recipe, n_samples=300, **more):
    return make_plan(recipe, n_samples, shard_rows=256, **more)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_measurements_is_no_output(measurements, spectra_recipe, overwrite):
    before = state(measurements)
    with pytest.raises(OutputError, match="found 'label' in one that is no dataset of tersgen"):
        run(plan_of(spectra_recipe), measurements, overwrite=overwrite)
    with pytest.raises(OutputError, match="no dataset of tersgen"):
        build_range(plan_of(spectra_recipe), measurements, 0, 1)
    assert state(measurements) == before


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_a_stopped_build_takes_no_measurements_with_it(measurements, more):
    before = state(measurements)
    command = [sys.executable, "-m", "tersgen", "build", "--n", "1e6", *TINY, *NO_FIELDS, *more]
    build = subprocess.Popen(
        [*command, "--out", measurements], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while build.poll() is None:
        if state(measurements) != before:
            build.send_signal(signal.SIGTERM)
            break
    _, errors = build.communicate()
    assert build.returncode == 1, errors
    assert "no dataset of tersgen" in errors
    assert state(measurements) == before


def test_ingest_into_the_measurements_on_a_full_disk(measurements, disk, fill):
    place, _ = disk
    shutil.copytree(measurements, place / "exp")
    fill(place, leave=60_000)
    before = state(place)
    collection = collect(find_files([place / "exp" / "spectra"]), LabelRule(label="x"))
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="no dataset of tersgen"):
            ingest(*plan_ingest(collection, Target(), "zarr"), place / "exp", overwrite)
        assert state(place) == before


def test_foreign_files_that_come_while_a_build_is_stopped_stay(spectra_recipe, tmp_path):
    """Where a build takes back what it began, it takes only what it made."""
    out = tmp_path / "a.zarr"

    class Failing:
        def make(self, *_):
            (out / "notes.txt").write_text("mine")
            (out / "label" / "mine").mkdir()
            (out / "spectra" / "mine.txt").write_text("mine")
            (out / "spectra" / "away").symlink_to(tmp_path)
            raise OSError(5, "Input/output error")

    from tersgen.jobs.finish import Origin

    with pytest.raises(OutputError, match="no shard was finished"):
        run(plan_of(spectra_recipe), out, origin=Origin("build", rows=Failing()), threads=1)
    left = {str(path.relative_to(out)) for path in out.rglob("*")}
    assert left == {"notes.txt", "label", "label/mine", "spectra", "spectra/mine.txt",
                    "spectra/away"}  # fmt: skip


@pytest.fixture
def data(spectra_recipe, tmp_path):
    path = tmp_path / "c1" / "a.zarr"
    path.parent.mkdir()
    run(plan_of(spectra_recipe), path)
    return path


@pytest.mark.parametrize(
    "spelt", ["c1/../c1/a.zarr", "link/a.zarr", "c1/./a.zarr", "link/../c1/a.zarr"]
)
def test_a_copy_onto_itself_however_it_is_spelt(data, tmp_path, spelt):
    (tmp_path / "link").symlink_to(tmp_path / "c1")
    before = state(data)
    with pytest.raises(ConfigError, match="expected a path other than the original's"):
        convert(data, tmp_path / spelt, "zarr", overwrite=True)
    assert state(data) == before
    assert verify(data).sound


def test_the_index_and_the_folder_of_hdf5_are_one_place(data, tmp_path):
    convert(data, tmp_path / "b.h5", "hdf5")
    before = state(tmp_path)
    for source in ("b.h5", "b.h5.d", "c1/../b.h5.d"):
        with pytest.raises(ConfigError, match="expected a path other"):
            convert(tmp_path / source, tmp_path / "b.h5", "hdf5", overwrite=True)
        with pytest.raises(TersError):
            convert(tmp_path / source, tmp_path / "b.h5.d", "zarr", overwrite=True)
    assert state(tmp_path) == before


@pytest.mark.parametrize("format", ["zarr", "hdf5"])
def test_no_dataset_inside_a_dataset(spectra_recipe, tmp_path, format):
    outer = new_location(tmp_path / "outer", format)
    run(plan_of(spectra_recipe, format=format), outer.path)
    (tmp_path / "link").symlink_to(outer.folder)
    before = state(tmp_path)
    places = ("inner.zarr", "label/deep/inner.zarr", "x/../inner.zarr")
    for inside in (tmp_path / "link" / "inner.zarr", *(outer.folder / one for one in places)):
        for overwrite in (False, True):
            with pytest.raises(OutputError, match="inside the dataset"):
                run(plan_of(spectra_recipe), inside, overwrite=overwrite)
    assert state(tmp_path) == before


def test_below_somebodys_manifest_there_is_room(spectra_recipe, tmp_path):
    (tmp_path / "manifest.json").write_text('{"files": ["mine"]}')
    (tmp_path / "lock.json").write_text("{}")
    assert run(plan_of(spectra_recipe), tmp_path / "runs" / "a.zarr").manifest.n_samples == 300
    assert (tmp_path / "lock.json").read_text() == "{}"


@pytest.mark.parametrize("content", [b"a spectrum", b"\x89HDF\r\n\x1a\n", "other index"])
def test_an_hdf5_file_of_somebody_is_no_index(spectra_recipe, tmp_path, content):
    run(plan_of(spectra_recipe, format="hdf5"), tmp_path / "a.h5")
    run(plan_of(spectra_recipe, format="hdf5"), tmp_path / "other.h5")
    data = (tmp_path / "other.h5").read_bytes() if content == "other index" else content
    (tmp_path / "a.h5").write_bytes(data)
    before = state(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"the index over a\.h5\.d, got another file"):
            run(plan_of(spectra_recipe, format="hdf5"), tmp_path / "a.h5", overwrite=overwrite)
    assert state(tmp_path) == before


@pytest.mark.parametrize("folder", [None, "empty", "foreign"])
def test_an_hdf5_file_without_a_dataset_beside_it(spectra_recipe, tmp_path, folder):
    (tmp_path / "a.h5").write_bytes(b"mine")
    if folder:
        (tmp_path / "a.h5.d").mkdir()
    if folder == "foreign":
        (tmp_path / "a.h5.d" / "notes").write_text("mine")
    before = state(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"remove it yourself|no dataset of tersgen"):
            run(plan_of(spectra_recipe, format="hdf5"), tmp_path / "a.h5", overwrite=overwrite)
    assert state(tmp_path) == before


@pytest.mark.parametrize("name", ["notes.txt", "label/mine", "splits/mine.json", "tags/mine.json",
                                  "ranges/mine", "versions/copies/mine.json", "label/c.99",
                                  "shards/000000.txt", "empty/"])  # fmt: skip
def test_one_foreign_file_however_deep_keeps_a_dataset(data, spectra_recipe, name):
    path = data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if name.endswith("/") else path.write_text("{}")
    before = state(data)
    first = name.partition("/")[0]
    with pytest.raises(OutputError, match=f"found '{first}.*' in it, which is no part of one"):
        run(plan_of(spectra_recipe, 200), data, overwrite=True)
    assert state(data) == before


def test_a_build_goes_on_amid_foreign_files(spectra_recipe, tmp_path):
    out = tmp_path / "a.zarr"
    build_range(plan_of(spectra_recipe), out, 0, 1)
    (out / "notes.txt").write_text("mine")
    (out / "ranges" / "0-1" / "mine").write_text("mine")
    assert run(plan_of(spectra_recipe), out).n_kept == 256
    assert (
        (out / "notes.txt").read_text() == (out / "ranges" / "0-1" / "mine").read_text() == "mine"
    )
    assert [path.name for path in (out / "ranges" / "0-1").iterdir()] == ["mine"]


def test_no_link_in_a_dataset_under_way_is_followed(spectra_recipe, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "log").write_text("mine")
    (outside / "0-1").mkdir()
    (outside / "0-1" / "journal.jsonl").write_text("mine")
    out = tmp_path / "a.zarr"
    build_range(plan_of(spectra_recipe), out, 0, 1)
    finalized = out / "ranges" / "0-1" / "events.jsonl"
    finalized.unlink()
    finalized.symlink_to(outside / "log")
    (out / "events.jsonl").symlink_to(outside / "log")
    (out / "ranges" / "1-2").symlink_to(outside / "0-1")
    before = state(outside)
    run(plan_of(spectra_recipe), out)
    assert state(outside) == before
    assert (out / "events.jsonl").is_symlink()


@pytest.mark.parametrize("name", ["manifest.json", "lock.json", "recipe.json", "journal.jsonl"])
def test_repair_does_nothing_to_a_folder_of_somebody(tmp_path, name):
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / name).write_text("{}")
    (tmp_path / "exp" / "splits").write_text("a list of mine")
    (tmp_path / "exp" / "tags").symlink_to(tmp_path)
    before = state(tmp_path / "exp")
    for step in (repair, finalize):
        with pytest.raises(DatasetError):
            step(tmp_path / "exp")
    assert state(tmp_path / "exp") == before


def test_repair_removes_no_file_in_the_place_of_a_folder(data):
    (data / "tags").write_text("mine")
    with pytest.raises(OutputError, match="expected a folder, got a file; move it away"):
        repair(data)
    assert (data / "tags").read_text() == "mine"


def test_a_build_killed_after_its_lock_file_writes_the_recipe(spectra_recipe, tmp_path):
    out = tmp_path / "a.zarr"
    build_range(plan_of(spectra_recipe), out, 0, 1)
    (out / "recipe.json").unlink()
    (out / "versions" / "recipe.json").unlink()
    with pytest.raises(OutputError, match="holds another dataset: recipe: "):
        run(plan_of(spectra_recipe.model_copy(update={"seed": 99})), out)
    assert run(plan_of(spectra_recipe), out).n_kept == 256
    assert verify(out).sound
    assert len(read_journal(out).records) == 2
