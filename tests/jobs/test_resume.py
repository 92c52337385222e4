"""P3: what goes on gives what nothing interrupted; what is another dataset is refused."""

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tersgen
from tersgen.dataset.verify import verify
from tersgen.errors import BusyError, ConfigError, LostLockError, OutputError
from tersgen.jobs.finish import Origin
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.store.journal import read_journal, rewrite_journal
from tersgen.store.location import new_location
from tersgen.store.lock import BuilderLock

N_SAMPLES = 700
FORMATS = ("zarr", "hdf5")


@pytest.fixture(scope="module")
def recipe(tiny_recipe, changed):
    return changed(tiny_recipe, fields={"tensors": False, "params": False})


@pytest.fixture(scope="module")
def digest(recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "a.zarr"
    return run(make_plan(recipe, N_SAMPLES), out).manifest.digest


@pytest.fixture(scope="module")
def begun(recipe, tmp_path_factory):
    """Return a function that gives a build of two or three finished shards without a manifest."""
    kept = {}

    def begin(folder: Path, format="zarr", shard_rows=256):
        key = (format, shard_rows)
        if key not in kept:
            place = tmp_path_factory.mktemp("kept")
            plan = make_plan(recipe, N_SAMPLES, format, shard_rows=shard_rows)
            run(plan, place / f"a.{format}")
            kept[key] = (place, plan)
        place, plan = kept[key]
        shutil.copytree(place, folder, dirs_exist_ok=True)
        location = new_location(folder / f"a.{format}", format)
        (location.folder / "manifest.json").unlink()
        shutil.rmtree(location.folder / "versions")
        (location.folder / "versions" / "copies").mkdir(parents=True)
        for name in ("recipe.json", "library.tlib"):
            shutil.copy(location.folder / name, location.folder / "versions" / name)
        return location, plan

    return begin


def check(location, plan, digest, n_kept=None, **options):
    built = run(plan, location.path, **options)
    assert built.manifest.digest == digest
    assert n_kept in (None, built.n_kept)
    assert verify(location.path).sound
    names = [path.name for path in location.path.parent.rglob("*")]
    assert not [name for name in names if re.search(r"partial|lock$|new$", name)]


@settings(max_examples=9, deadline=None)
@given(
    format=st.sampled_from(FORMATS),
    shard_rows=st.sampled_from([256, 512]),
    threads=st.integers(1, 4),
    recorded=st.sets(st.integers(0, 2)),
    lost=st.sets(st.integers(0, 2)),
    order=st.randoms(use_true_random=False),
)
def test_whatever_was_sealed_the_rest_makes_the_same(
    begun, digest, tmp_path_factory, format, shard_rows, threads, recorded, lost, order
):
    with tempfile.TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder:
        location, plan = begun(Path(folder), format, shard_rows)
        records = [one for one in read_journal(location.folder).records if one.shard in recorded]
        order.shuffle(records)
        rewrite_journal(location.folder, records)
        for shard in lost & set(range(plan.n_shards)):
            (location.folder / order.choice(plan.store().shard_paths(shard))).unlink()
        n_kept = sum(one.rows for one in records if one.shard not in lost)
        check(location, plan, digest, n_kept, threads=threads)


@pytest.mark.parametrize("format", FORMATS)
def test_a_torn_or_damaged_journal_costs_the_shards_of_its_lines(begun, tmp_path, digest, format):
    location, plan = begun(tmp_path, format)
    journal = location.folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    rows = [JSON["record"]["rows"] for JSON in map(json.loads, lines)]
    size = len(lines[2])
    torn = [b"".join(lines[:2]) + lines[2][:cut] for cut in (0, 1, size // 2, size - 2)]
    cases = [(text, rows[0] + rows[1]) for text in torn]
    cases += [
        (b"".join(lines)[:-1], N_SAMPLES),  # only the newline is missing
        (lines[0] + b"garbage\n" + lines[1] + lines[2], N_SAMPLES),
        (lines[0] + lines[1][:-20] + b"\n" + lines[2], rows[0] + rows[2]),
        (b"\x00" * 5000, 0),
        (b"", 0),
    ]
    for text, n_kept in cases:
        begun(tmp_path, format)
        journal.write_bytes(text)
        check(location, plan, digest, n_kept)


@pytest.mark.parametrize("format", FORMATS)
def test_leftovers_and_the_lock_of_a_dead_process_are_cleared(begun, tmp_path, digest, format):
    location, plan = begun(tmp_path, format)
    shard = location.folder / plan.store().shard_paths(1)[0]
    dead = subprocess.Popen([sys.executable, "-c", ""])
    lock = BuilderLock(location.folder).__enter__()
    path = location.folder / "builder.1.lock"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pid": dead.pid}))
    dead.wait()
    for name in (f"{shard.name}.{lock.token}.partial", f"{shard.name}.new"):
        shard.with_name(name).write_bytes(b"half")
    if format == "hdf5":
        (location.folder / f"{location.path.name}.77.partial").write_bytes(b"half an index")
    (location.folder / f"builder.2.lock.{lock.token}.partial").write_bytes(b"half a lock")
    check(location, plan, digest, N_SAMPLES)
    with pytest.raises(LostLockError):
        lock.check()


def test_shards_left_without_record_are_proved_not_trusted(begun, tmp_path, digest):
    location, plan = begun(tmp_path)
    rewrite_journal(location.folder, [])
    path = location.folder / plan.store().shard_paths(1)[0]
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    check(location, plan, digest, 0)


def test_a_complete_build_is_left_alone(recipe, tmp_path, digest):
    plan = make_plan(recipe, N_SAMPLES)
    run(plan, tmp_path / "a.zarr")

    def state():
        paths = [tmp_path / "a.zarr", *(tmp_path / "a.zarr").rglob("*")]
        return {path: path.stat().st_mtime_ns for path in paths if path.is_file()}

    before = state()
    again = run(plan, tmp_path / "a.zarr")
    assert (again.n_kept, again.manifest.digest) == (N_SAMPLES, digest)
    assert state() == before


@pytest.mark.parametrize("complete", [False, True])
def test_another_dataset_is_refused_field_by_field(recipe, changed, begun, tmp_path, complete):
    location, plan = begun(tmp_path)
    if complete:
        run(plan, location.path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    other = changed(recipe, grid={"stop_cm1": 3500.0}, lineshape={"fwhm_cm1": 170.0}, seed=12)
    cases = [
        (make_plan(other, N_SAMPLES, shard_rows=256),
         "seed: 11 there, 12 here; grid.stop_cm1: 4000.0 there, 3500.0 here; "
         "lineshape.fwhm_cm1: 150.0 there, 170.0 here"),
        (make_plan(recipe, 701, shard_rows=256),
         f"to add the others: tersgen extend {location.path} --to 701" if complete
         else "n_samples: 700 there, 701 here"),
        (make_plan(recipe, N_SAMPLES, shard_rows=512), "shard_rows: 256 there, 512 here"),
        (make_plan(recipe, N_SAMPLES, chunk_rows=64, shard_rows=256),
         "chunk_rows: 256 there, 64 here"),
    ]  # fmt: skip
    for wanted, difference in cases:
        with pytest.raises(OutputError) as refused:
            run(wanted, location.path)
        assert difference in str(refused.value)
        assert "pass --overwrite" in str(refused.value)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before
    built = run(cases[0][0], location.path, overwrite=True)
    assert built.n_kept == 0
    assert verify(location.path).sound
    assert tersgen.open(location.path).recipe.seed == 12


def test_the_other_back_end_is_another_output(begun, recipe, tmp_path):
    location, _ = begun(tmp_path, "hdf5")
    with pytest.raises(ConfigError, match="expected a name for the format zarr"):
        run(make_plan(recipe, N_SAMPLES), location.path)


@pytest.mark.parametrize("there", ["manifest.json", "journal.jsonl"])
def test_a_dataset_without_its_lock_file_is_neither_continued_nor_lost(begun, tmp_path, there):
    location, plan = begun(tmp_path)
    if there == "manifest.json":
        run(plan, location.path)
        (location.folder / "journal.jsonl").unlink()
    (location.folder / "lock.json").unlink()
    with pytest.raises(OutputError, match=r"lock\.json is missing.*tersgen repair.*--overwrite"):
        run(plan, location.path)
    assert (location.folder / there).exists()
    assert run(plan, location.path, overwrite=True).n_kept == 0


class _Failing:
    """Makes no rows, but a dataset beside the one that is built."""

    def __init__(self, recipe, beside: Path) -> None:
        self._plan = make_plan(recipe, 10)
        self._beside = beside

    def make(self, *_):
        run(self._plan, self._beside)
        raise OSError(5, "Input/output error")


def test_a_build_that_fails_takes_back_only_what_it_made(recipe, tmp_path):
    out, beside = tmp_path / "runs" / "a.zarr", tmp_path / "runs" / "b.zarr"
    origin = Origin("build", rows=_Failing(recipe, beside))
    with pytest.raises(OutputError, match="Input/output error; no shard was finished, and nothing"):
        run(make_plan(recipe, 200), out, origin=origin, threads=1)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["b.zarr"]
    assert tersgen.open(beside).n_samples == 10


def test_a_refused_builder_removes_nothing(recipe, tmp_path):
    (tmp_path / "a.zarr").mkdir()
    with BuilderLock(tmp_path / "a.zarr"), pytest.raises(BusyError):
        run(make_plan(recipe, 10), tmp_path / "a.zarr")
    assert (tmp_path / "a.zarr").is_dir()


@pytest.mark.parametrize("format", ["zarr", pytest.param("hdf5", marks=pytest.mark.exhaustive)])
def test_a_full_disk_keeps_what_was_sealed(tmp_path, disk, fill, format):
    place, resize = disk
    sizes = ("--n", "10000", "--shard-rows", "256", "--library", "random:2")
    fields = [f"--set=fields.{name}=false" for name in ("maps", "sticks", "tensors", "params")]
    recipe = ("--set=grid.n_points=64", "--set=lineshape.fwhm_cm1=150", *fields)
    command = [sys.executable, "-m", "tersgen", "build", *sizes, *recipe, "--format", format]
    location = new_location(place / "a", format)
    build = subprocess.Popen(
        [*command, "--out", location.path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not read_journal(location.folder).records:
        assert build.poll() is None
        time.sleep(0.001)
    build.send_signal(signal.SIGSTOP)
    fill(place, leave=100_000)
    build.send_signal(signal.SIGCONT)
    _, errors = build.communicate()
    assert build.returncode == 1
    (line,) = errors.splitlines()
    found = re.search(
        r"Error: .*: writing failed: No space left on device; (\d+) of 10000 samples are on disk "
        r"and kept; the same command resumes",
        line,
    )
    kept = sum(one.rows for one in read_journal(location.folder).records)
    assert 0 < kept == int(found[1])
    assert not list(place.rglob("*partial*"))
    resize(64)
    again = subprocess.run(
        [*command, "--out", location.path], capture_output=True, text=True, check=True
    )
    assert f"{kept} of 10000 samples are there already and kept" in again.stdout
    plan = make_plan(tersgen.open(location.path).recipe, 10_000, format)
    assert tersgen.open(location.path).digest == run(plan, tmp_path / "whole").manifest.digest
    assert verify(location.path).sound


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("leave", [0, 4096, 65536])
def test_a_full_disk_without_a_sealed_shard_is_left_as_it_was(recipe, disk, fill, format, leave):
    place, _ = disk
    fill(place, leave)
    with pytest.raises(OutputError, match="No space left on device") as refused:
        run(make_plan(recipe, 2000, format), place / "new" / "a")
    assert "\n" not in str(refused.value)
    assert [path.name for path in place.iterdir()] == ["filler"]
