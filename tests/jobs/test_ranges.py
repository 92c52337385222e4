"""Jobs that build ranges of shards: many at once, killed, beside others; and finalize."""

import json
import shutil
import subprocess
import sys
import time

import pytest

import tersgen
from tersgen.dataset.basis import StoredBasis, contents_of
from tersgen.dataset.verify import verify
from tersgen.errors import BusyError, ConfigError, DatasetError, LostLockError, OutputError
from tersgen.jobs import range_job
from tersgen.jobs.plan import make_plan
from tersgen.jobs.range_job import build_range, finalize
from tersgen.jobs.run import run
from tersgen.store.journal import read_journal
from tersgen.store.location import new_location
from tersgen.store.lock import BuilderLock

FORMATS = ("zarr", "hdf5")
N_SAMPLES = 1300


@pytest.fixture
def plan(spectra_recipe):
    return make_plan(spectra_recipe, N_SAMPLES, shard_rows=256)


@pytest.fixture(scope="module")
def digest(spectra_recipe, tmp_path_factory):
    plan = make_plan(spectra_recipe, N_SAMPLES)
    return run(plan, tmp_path_factory.mktemp("whole") / "a").manifest.digest


def forge(path, **facts) -> None:
    """Change who holds a lock."""
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


@pytest.mark.parametrize("format", FORMATS)
def test_missing_ranges_are_named_and_then_made(spectra_recipe, tmp_path, digest, format):
    plan = make_plan(spectra_recipe, N_SAMPLES, format, shard_rows=256)
    out = tmp_path / "a"
    assert build_range(plan, out, 4, None)[:4] == (4, 6, 276, 0)
    build_range(plan, out, 0, 1)
    with pytest.raises(OutputError, match=r"expected all 6 shards, 3 missing: 1:4; make them"):
        finalize(out)
    assert build_range(plan, out, 0, 4)[:4] == (0, 4, 1024, 256)
    assert finalize(out).manifest.digest == digest
    assert verify(out).sound
    assert not (new_location(out, format).folder / "ranges").exists()
    assert finalize(out).manifest.digest == digest
    assert build_range(plan, out, 2, 4).n_kept == 512


def test_a_dataset_of_ranges_reads_as_incomplete(plan, tmp_path):
    build_range(plan, tmp_path / "a", 0, 3)
    with pytest.raises(DatasetError, match="incomplete: its build of 1300 samples did not finish"):
        tersgen.open(tmp_path / "a")


def test_a_usual_build_finishes_what_ranges_left(plan, tmp_path, digest):
    build_range(plan, tmp_path / "a", 1, 3)
    build_range(plan, tmp_path / "a", 4, 5)
    built = run(plan, tmp_path / "a")
    assert (built.n_kept, built.manifest.digest) == (768, digest)
    assert verify(tmp_path / "a").sound


def test_ranges_finish_what_a_build_left(plan, tmp_path, digest):
    run(plan, tmp_path / "a")
    (tmp_path / "a" / "manifest.json").unlink()
    shutil.rmtree(tmp_path / "a" / "versions")
    (tmp_path / "a" / "versions" / "copies").mkdir(parents=True)
    for name in ("recipe.json", "library.tlib"):
        shutil.copy(tmp_path / "a" / name, tmp_path / "a" / "versions" / name)
    (tmp_path / "a" / "label" / "c.2").unlink()
    assert build_range(plan, tmp_path / "a", 1, 4)[2:4] == (768, 512)
    assert finalize(tmp_path / "a").manifest.digest == digest
    assert verify(tmp_path / "a").sound


@pytest.mark.parametrize(("first", "last"), [(6, 9), (3, 3), (4, 2), (7, None)])
def test_shards_that_are_not_there_are_refused(plan, tmp_path, first, last):
    with pytest.raises(ConfigError, match="--shard-range: expected shards from 0:6, got"):
        build_range(plan, tmp_path / "a", first, last)
    assert not (tmp_path / "a").exists()


def seeded(plan, changed):
    document = StoredBasis.of(changed(plan.recipe, seed=12))
    return plan._replace(document=document, contents=contents_of(document))


def test_another_plan_is_refused(plan, changed, tmp_path):
    build_range(plan, tmp_path / "a", 0, 2)
    for other, difference in (
        (plan._replace(n_samples=1301), "n_samples: 1300 there, 1301 here"),
        (seeded(plan, changed), "seed: 11 there, 12 here"),
    ):
        with pytest.raises(OutputError, match=difference):
            build_range(other, tmp_path / "a", 2, 4)


def test_who_begins_first_decides_the_recipe(plan, changed, tmp_path, monkeypatch):
    """Of two jobs of other recipes that begin at once, one stops, whatever it had written."""
    other = seeded(plan, changed)
    real = range_job._write_first

    def overtaken(path, text):
        if path.name == "lock.json":
            monkeypatch.setattr(range_job, "_write_first", real)
            build_range(other, tmp_path / "a", 0, 1)
        real(path, text)

    monkeypatch.setattr(range_job, "_write_first", overtaken)
    with pytest.raises(OutputError, match="holds another dataset: seed: 12 there, 11 here"):
        build_range(plan, tmp_path / "a", 1, 2)
    assert run(other, tmp_path / "a").n_kept == 256


def test_one_range_has_one_job_and_the_whole_has_none_beside_it(plan, tmp_path, digest):
    out = tmp_path / "a"
    build_range(plan, out, 0, 2)
    with BuilderLock(out / "ranges" / "0-2"):
        with pytest.raises(BusyError, match=r"0-2: process \d+ on \S+ is writing it"):
            build_range(plan, out, 0, 2)
        for whole in (lambda: run(plan, out), lambda: finalize(out)):
            with pytest.raises(BusyError, match=r"is building its shards 0:2; wait for it"):
                whole()
    with BuilderLock(out), pytest.raises(BusyError, match="is building the whole; wait for it"):
        build_range(plan, out, 2, 4)
    assert run(plan, out).manifest.digest == digest


def test_jobs_on_machines_that_are_gone_are_taken_over(plan, tmp_path, digest):
    out = tmp_path / "a"
    build_range(plan, out, 0, 2)
    lock = BuilderLock(out / "ranges" / "0-2").__enter__()
    forge(out / "ranges" / "0-2" / "builder.1.lock", machine="elsewhere", host="node7")
    with pytest.raises(BusyError, match=r"on node7 .*is dead, or .*pass --take-over"):
        build_range(plan, out, 0, 2)
    with pytest.raises(BusyError, match=r"on node7 is building its shards 0:2.*pass --take-over"):
        finalize(out)
    assert build_range(plan, out, 0, 2, take_over=True).n_kept == 512
    with pytest.raises(LostLockError):
        lock.check()
    whole = BuilderLock(out).__enter__()
    forge(out / "builder.1.lock", machine="elsewhere", host="node8")
    with pytest.raises(BusyError, match=r"on node8 is building the whole.*pass --take-over"):
        build_range(plan, out, 2, 6)
    build_range(plan, out, 2, 6, take_over=True)
    with pytest.raises(LostLockError):
        whole.check()
    assert finalize(out).manifest.digest == digest


class _Overtaken:
    """Tells of progress; at the first, another builder takes over the whole."""

    def __init__(self, plan, out) -> None:
        self._plan, self._out = plan, out
        self.digest = None

    def __call__(self, _) -> None:
        if self.digest is None:
            self.digest = ""
            forge(next((self._out / "ranges" / "0-6").glob("builder.*.lock")), machine="elsewhere")
            self.digest = run(self._plan, self._out, take_over=True).manifest.digest


def test_a_job_that_was_overtaken_changes_nothing(plan, tmp_path, digest):
    overtaken = _Overtaken(plan, tmp_path / "a")
    with pytest.raises(LostLockError):
        build_range(plan, tmp_path / "a", 0, 6, threads=1, report=overtaken)
    assert overtaken.digest == digest
    assert verify(tmp_path / "a").sound


def build(out, *more) -> list[str]:
    options = ["--n", 2560, "--shard-rows", 256, "--library", "random:2",
               "--set", "grid.n_points=64", "--set", "lineshape.fwhm_cm1=150"]  # fmt: skip
    options += [f"--set=fields.{name}=false" for name in ("maps", "sticks", "tensors", "params")]
    return [sys.executable, "-m", "tersgen", "build", *map(str, (*options, "--out", out, *more))]


@pytest.mark.exhaustive
def test_jobs_that_begin_at_once_and_one_that_is_killed(tmp_path):
    whole, out = tmp_path / "whole.zarr", tmp_path / "new" / "a.zarr"
    subprocess.run(build(whole), check=True, capture_output=True)
    ranges = ("0:3", "3:5", "5:8", "8:10")
    jobs = [
        subprocess.Popen(
            build(out, "--shard-range", one), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for one in ranges
    ]
    while not (out / "ranges" / "5-8").exists():
        assert jobs[2].poll() is None
        time.sleep(0.001)
    jobs[2].kill()
    for job in jobs:
        _, errors = job.communicate(timeout=240)
        assert job is jobs[2] or job.returncode == 0, errors
    subprocess.run(build(out, "--shard-range", "5:8"), check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-m", "tersgen", "finalize", out, "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout)["digest"] == tersgen.open(whole).digest
    assert verify(out).sound
    assert len(read_journal(out).records) == 10
    left = {path.name for path in out.rglob("*")}
    assert left == {path.name for path in whole.rglob("*")} - {
        path.name for path in (whole / "versions").rglob("*.json") if len(path.stem) == 64
    } | {path.name for path in (out / "versions").rglob("*.json") if len(path.stem) == 64}


def test_a_job_that_fails_keeps_what_it_sealed(plan, tmp_path, digest):
    out = tmp_path / "a"
    with pytest.raises(KeyError, match="no good"):
        build_range(plan, out, 0, 6, threads=1, report=fail_at(512))
    kept = sum(one.rows for one in read_journal(out / "ranges" / "0-6").records)
    assert kept >= 512
    assert build_range(plan, out, 0, 6).n_kept == kept
    assert finalize(out).manifest.digest == digest


def fail_at(n_rows):
    def report(progress):
        if progress.n_done == n_rows:
            raise KeyError("no good")

    return report
