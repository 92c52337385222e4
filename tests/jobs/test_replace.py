"""A dataset takes the place of another when it is complete, and not before."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen.dataset.splits import make_split
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import give_tag, locate
from tersgen.errors import (
    BusyError,
    DamagedDataError,
    MeasurementError,
    OutputError,
    TersWarning,
)
from tersgen.jobs.convert import convert
from tersgen.jobs.finish import Origin
from tersgen.jobs.ingest import Target, ingest, plan_ingest
from tersgen.jobs.plan import make_plan
from tersgen.jobs.range_job import build_range
from tersgen.jobs.run import run
from tersgen.measured.collection import collect
from tersgen.measured.labels import LabelRule, LabelTable
from tersgen.schema.grid import Grid
from tersgen.schema.split import SplitRule
from tersgen.store import files
from tersgen.store.lock import BuilderLock

FORMATS = pytest.mark.parametrize("format", ["zarr", "hdf5"])
NAMES = {"zarr": "a.zarr", "hdf5": "a.h5"}


def state(root: Path) -> dict[str, bytes]:
    """Return every file, and what it holds."""
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


@pytest.fixture
def plan_of(spectra_recipe, changed):
    def plan(seed=11, n_samples=600, format="zarr"):
        recipe = changed(spectra_recipe, seed=seed)
        return make_plan(recipe, n_samples, format, shard_rows=256)

    return plan


@pytest.fixture
def old(plan_of, tmp_path):
    """Return a function that builds a dataset with versions, a split and a tag."""

    def build(format="zarr"):
        out = tmp_path / "data" / NAMES[format]
        run(plan_of(n_samples=300, format=format), out)
        make_split(out, "default", SplitRule(seed=1))
        give_tag(locate(out), "v1", None)
        return out

    return build


class StopError(Exception):
    """Stops a build."""


def stop_at(n_done):
    def report(progress):
        if progress.n_done >= n_done:
            raise StopError

    return report


@FORMATS
@pytest.mark.parametrize("at_once", [True, False])
def test_the_new_one_takes_the_place_of_the_old(old, plan_of, monkeypatch, format, at_once):
    if not at_once:  # as on a file system that cannot exchange two folders
        monkeypatch.setattr(files, "exchange", lambda *_: False)
    out = old(format)
    plan = plan_of(12, format=format)
    digest = run(plan, out, overwrite=True).manifest.digest
    assert tersgen.open(out).digest == digest
    assert verify(out).sound
    plain = out.parent.parent / "plain"
    run(plan, plain / out.name)
    trees = [
        {path.relative_to(root) for path in root.rglob("*") if len(path.stem) < 64}
        for root in (out.parent, plain)
    ]
    assert trees[0] == trees[1]


def test_this_system_exchanges_at_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("x")
    (tmp_path / "b").write_text("b")
    assert files.exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b" / "x").read_text() == "x"
    with pytest.raises(FileNotFoundError):
        files.exchange(tmp_path / "a", tmp_path / "none")


@FORMATS
def test_a_replacement_that_stops_leaves_the_old_one_and_goes_on(old, plan_of, format):
    out = old(format)
    before = state(out.parent)
    plan = plan_of(12, format=format)
    with pytest.raises(StopError) as stopped:
        run(plan, out, overwrite=True, threads=1, report=stop_at(256))
    (note,) = stopped.value.__notes__
    assert note.startswith(f"{out}: stopped; ")
    assert note.endswith("the same command resumes; the dataset that was there stays until then")
    after = state(out.parent)
    assert {name: after[name] for name in before} == before
    assert verify(out).sound
    built = run(plan, out, overwrite=True)
    assert built.n_kept >= 256
    assert tersgen.open(out).digest == built.manifest.digest
    assert not [path for path in out.parent.iterdir() if path.name.startswith(".")]


@FORMATS
def test_one_that_fails_before_its_first_shard_leaves_no_trace(old, plan_of, format):
    out = old(format)
    before = state(out.parent)

    class Failing:
        def make(self, *_):
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="nothing is left; the dataset that was there"):
        run(plan_of(12, format=format), out, overwrite=True, origin=Origin("x", rows=Failing()))
    assert state(out.parent) == before
    assert len(list(out.parent.iterdir())) == (1 if format == "zarr" else 2)


def test_another_command_drops_what_the_one_before_had_begun(old, plan_of):
    out = old()
    with pytest.raises(StopError):
        run(plan_of(12), out, overwrite=True, threads=1, report=stop_at(256))
    built = run(plan_of(13), out, overwrite=True)
    assert built.n_kept == 0
    assert tersgen.open(out).recipe.seed == 13
    assert [path.name for path in out.parent.iterdir()] == ["a.zarr"]


def test_a_build_that_was_begun_goes_on_where_it_is(plan_of, tmp_path):
    out = tmp_path / "a.zarr"
    with pytest.raises(StopError):
        run(plan_of(), out, overwrite=True, threads=1, report=stop_at(256))
    assert run(plan_of(), out, overwrite=True).n_kept >= 256


def test_a_build_that_was_begun_is_replaced_by_another(plan_of, tmp_path):
    out = tmp_path / "a.zarr"
    build_range(plan_of(), out, 0, 2)
    assert run(plan_of(12), out, overwrite=True).n_kept == 0
    assert tersgen.open(out).recipe.seed == 12
    assert verify(out).sound


def test_without_the_option_the_old_one_is_in_the_way(old, plan_of):
    out = old()
    with pytest.raises(StopError):
        run(plan_of(12), out, overwrite=True, threads=1, report=stop_at(256))
    with pytest.raises(OutputError, match="holds another dataset: seed: 11 there, 12 here"):
        run(plan_of(12), out)


def test_a_replacement_killed_between_two_renames_is_finished_first(old, plan_of, monkeypatch):
    out = old()
    monkeypatch.setattr(files, "exchange", lambda *_: False)
    real = Path.replace

    def killed(self, target):
        if Path(target) == out:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            run(plan_of(12), out, overwrite=True)
    assert not out.exists()
    for step in (lambda: run(plan_of(14), out), lambda: build_range(plan_of(14), out, 0, 1)):
        with pytest.raises(OutputError, match="another dataset is complete and was about to take"):
            step()
    assert run(plan_of(12), out, overwrite=True).n_kept == 600
    assert tersgen.open(out).recipe.seed == 12
    assert [path.name for path in out.parent.iterdir()] == ["a.zarr"]


def test_two_replacements_at_once(old, plan_of):
    out = old()
    with BuilderLock(out), pytest.raises(BusyError, match="is writing it"):
        run(plan_of(12), out, overwrite=True)
    staging = out.parent / ".a.zarr.tersgen-new"
    staging.mkdir()
    with BuilderLock(staging), pytest.raises(BusyError, match="is writing it"):
        run(plan_of(12), out, overwrite=True)
    assert verify(out).sound


@pytest.mark.parametrize("there", ["notes.txt", "a.zarr/notes.txt", "old/mine", "link", "file"])
def test_a_staging_folder_of_somebody(old, plan_of, there):
    out = old()
    staging = out.parent / ".a.zarr.tersgen-new"
    if there == "link":
        (out.parent / "far").mkdir()
        staging.symlink_to(out.parent / "far")
    elif there == "file":
        staging.write_text("mine")
    else:
        (staging / there).parent.mkdir(parents=True)
        (staging / there).write_text("mine")
    before = state(out.parent)
    with pytest.raises(OutputError, match=r"expected the folder of a replacement of a\.zarr"):
        run(plan_of(12), out, overwrite=True)
    assert state(out.parent) == before


class _Putting:
    """Tells of progress; at the end it puts a file into the dataset that is to be replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, progress) -> None:
        if progress.n_done == progress.n_samples:
            self._path.write_text("mine")


def test_a_file_that_comes_meanwhile_stops_the_exchange(old, plan_of):
    out = old()
    mine = out / "label" / "mine"
    with pytest.raises(OutputError, match="found 'label/mine' in it"):
        run(plan_of(12), out, overwrite=True, report=_Putting(mine))
    assert verify(out).sound
    assert tersgen.open(out).recipe.seed == 11
    mine.rename(out.parent / "mine")
    assert run(plan_of(12), out, overwrite=True).n_kept == 600
    assert tersgen.open(out).recipe.seed == 12
    assert (out.parent / "mine").read_text() == "mine"


def test_a_file_that_comes_at_the_last_moment_stays_and_is_named(old, plan_of, monkeypatch):
    out = old()
    exchange = files.exchange

    def late(one, other):
        (out / "label" / "mine").write_text("mine")
        return exchange(one, other)

    monkeypatch.setattr(files, "exchange", late)
    place = out.parent / ".a.zarr.tersgen-new" / "old" / "a.zarr" / "label" / "mine"
    with pytest.warns(TersWarning, match=f"{place}: is no part of the dataset that was replaced"):
        run(plan_of(12), out, overwrite=True)
    assert tersgen.open(out).recipe.seed == 12
    assert place.read_text() == "mine"
    assert {path.name for path in place.parent.iterdir()} == {"mine"}
    monkeypatch.undo()
    with (
        pytest.warns(TersWarning, match="is no part of"),
        pytest.raises(OutputError, match=r"has files of others, left when a\.zarr was replaced"),
    ):
        run(plan_of(13), out, overwrite=True)
    (out.parent / ".a.zarr.tersgen-new" / "old").rename(out.parent.parent / "moved")
    run(plan_of(13), out, overwrite=True)
    assert [path.name for path in out.parent.iterdir()] == ["a.zarr"]


def test_another_dataset_in_the_staging_folder_is_exchanged_back(
    old, plan_of, tmp_path, monkeypatch
):
    out = old()
    run(plan_of(13), tmp_path / "third.zarr")
    before = state(out)
    exchange, calls = files.exchange, []

    def overtaken(one, other):
        calls.append(one)
        if len(calls) == 1:
            one.rename(tmp_path / "away")
            shutil.copytree(tmp_path / "third.zarr", one)
        return exchange(one, other)

    monkeypatch.setattr(files, "exchange", overtaken)
    with pytest.raises(OutputError, match="got another dataset; the same command resumes"):
        run(plan_of(12), out, overwrite=True)
    assert len(calls) == 2
    after = {name: data for name, data in state(out).items() if not name.startswith("builder.")}
    assert after == before


def test_damage_of_the_source_costs_nothing(old, plan_of, tmp_path):
    out = old()
    source = tmp_path / "source.h5"
    run(plan_of(12, format="hdf5"), source)
    path = tmp_path / "source.h5.d" / "shards" / "000001.h5"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    before = state(out)
    with pytest.raises(DamagedDataError):
        convert(source, out, "zarr", overwrite=True)
    assert state(out) == before


@pytest.fixture
def collection(tmp_path):
    folder = tmp_path / "spectra"
    folder.mkdir()
    rows = ["file,label,part"]
    for k in range(3):
        lines = (f"{x} {(x - 300 * k) ** 2:.3f}\n" for x in np.arange(200.0, 1200.0, 10.0))
        (folder / f"{k}.txt").write_text("".join(lines))
        rows.append(f"{k}.txt,x{k},{'train' if k else 'test'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return collect(sorted(folder.iterdir()), LabelRule(LabelTable(tmp_path / "labels.csv")))


@FORMATS
def test_a_grid_that_is_not_covered_costs_nothing(old, collection, format):
    out = old(format)
    before = state(out.parent)
    wide = Target(Grid(start_cm1=10.0, stop_cm1=3000.0, n_points=64))
    with pytest.raises(MeasurementError, match="expected a spectrum over 10 to 3000"):
        ingest(*plan_ingest(collection, wide, format), out, overwrite=True)
    assert state(out.parent) == before


@FORMATS
def test_measured_rows_take_their_split_with_them(old, collection, format):
    out = old(format)
    ingest(*plan_ingest(collection, Target(), format), out, overwrite=True)
    dataset = tersgen.open(out)
    assert (dataset.kind, dataset.splits["default"].rule.by) == ("measured", "given")
    assert verify(out).sound
    assert tersgen.open(out).n_samples == 3


@FORMATS
def test_a_converted_dataset_takes_its_splits_with_it(old, plan_of, tmp_path, format):
    out = old(format)
    source = tmp_path / "source.zarr"
    run(plan_of(12), source)
    make_split(source, "other", SplitRule(seed=3))
    convert(source, out, format, overwrite=True)
    assert list(tersgen.open(out).splits) == ["other"]
    assert verify(out).sound


@pytest.mark.parametrize("damaged", ["lock.json", "manifest.json", "recipe.json", "journal.jsonl",
                                     "versions/recipe.json", "tags/v1.json"])  # fmt: skip
def test_a_damaged_dataset_can_be_replaced(old, plan_of, damaged):
    out = old()
    (out / damaged).write_bytes((out / damaged).read_bytes()[:-20])
    run(plan_of(12), out, overwrite=True)
    assert verify(out).sound
    assert tersgen.open(out).recipe.seed == 12
    assert [path.name for path in out.parent.iterdir()] == ["a.zarr"]


def test_the_other_back_end_under_the_same_name(plan_of, tmp_path):
    run(plan_of(), tmp_path / "a.h5.d")
    with pytest.raises(OutputError, match="expected a hdf5 dataset to replace, got a zarr one"):
        run(plan_of(format="hdf5"), tmp_path / "a.h5", overwrite=True)
    assert verify(tmp_path / "a.h5.d").sound


def test_a_full_disk_leaves_the_old_one(plan_of, disk, fill):
    place, resize = disk
    run(plan_of(n_samples=300), place / "a.zarr")
    before = state(place / "a.zarr")
    fill(place, leave=60_000)
    with pytest.raises(OutputError, match="No space left on device") as refused:
        run(plan_of(12, n_samples=30_000), place / "a.zarr", overwrite=True)
    assert "\n" not in str(refused.value)
    assert state(place / "a.zarr") == before
    (place / "filler").unlink()
    resize(64)
    run(plan_of(12, n_samples=3000), place / "a.zarr", overwrite=True)
    assert sorted(path.name for path in place.iterdir()) == ["a.zarr"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGKILL]])
def test_a_process_that_ends_while_it_replaces(old, signals):
    out = old()
    before = state(out)
    command = [sys.executable, "-m", "tersgen", "build", "--n", "20000", "--shard-rows", "256",
               "--library", "random:2", "--set", "grid.n_points=64", "--out", out, "--overwrite",
               *(f"--set=fields.{one}=false" for one in ("maps", "sticks", "tensors", "params")),
               "--set", "lineshape.fwhm_cm1=150"]  # fmt: skip
    journal = out.parent / ".a.zarr.tersgen-new" / "a.zarr" / "journal.jsonl"
    build = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while not (journal.exists() and journal.stat().st_size):
        assert build.poll() is None, build.communicate()
        time.sleep(0.001)
    for one in signals:
        build.send_signal(one)
    _, errors = build.communicate()
    if signals == [signal.SIGTERM]:
        assert "kept; the same command resumes; the dataset that was there stays" in errors
    assert {name: data for name, data in state(out).items() if "builder" not in name} == before
    assert tersgen.open(out).n_samples == 300
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(again.stdout)["n_kept"] > 0
    assert tersgen.open(out).n_samples == 20_000
    assert [path.name for path in out.parent.iterdir()] == ["a.zarr"]
    shutil.rmtree(out)
