"""Whoever makes the shards, alone, together or one after the other: the same dataset."""

import pickle
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from distributed import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from tersgen.dataset.verify import verify
from tersgen.errors import ConfigError, OutputError
from tersgen.jobs.executors.clusters import job_script, worker_memory
from tersgen.jobs.executors.dask_executor import DaskExecutor
from tersgen.jobs.executors.interface import check_options, open_executor
from tersgen.jobs.executors.options import ClusterOptions
from tersgen.jobs.executors.threads import Threads
from tersgen.jobs.executors.work import topic_of
from tersgen.jobs.plan import make_plan
from tersgen.jobs.range_job import build_range, finalize
from tersgen.jobs.run import run
from tersgen.schema.library import Library
from tersgen.store.location import new_location

N_SAMPLES = 1300
N_SHARDS = 6


def plan_of(recipe, format="zarr", n_samples=N_SAMPLES):
    return make_plan(recipe, n_samples, format, shard_rows=256)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return names and contents, but of what tells times, and of records of lost shards."""
    return {
        str(path.relative_to(folder)): (
            None if path.is_dir() or path.name in ("manifest.json", "journal.jsonl")
            else path.read_bytes()
        )
        for path in folder.rglob("*")
        if not re.fullmatch(r"[0-9a-f]{64}\.json", path.name)
    }  # fmt: skip


@pytest.fixture(scope="module")
def whole(spectra_recipe, tmp_path_factory):
    """Return the digest of one process, and what is then in the folder, for both back ends."""
    found = {}
    for format in ("zarr", "hdf5"):
        place = tmp_path_factory.mktemp("whole")
        built = run(plan_of(spectra_recipe, format), place / "a", threads=2)
        found[format] = (built.manifest.digest, tree(place))
    return found


class Some:
    """Makes only some of the shards, and then fails as a machine that goes down."""

    def __init__(self, executor, n_shards: int) -> None:
        self._executor = executor
        self._n_shards = n_shards

    def run(self, job) -> None:
        self._executor.run(job._replace(todo=job.todo[: self._n_shards]))
        if len(job.todo) > self._n_shards:
            raise OSError(5, "Input/output error")


@pytest.mark.parametrize("format", ["zarr", "hdf5"])
def test_workers_make_the_dataset_of_one_process(
    spectra_recipe, tmp_path, dask_executor, whole, format
):
    told = []
    built = run(
        plan_of(spectra_recipe, format), tmp_path / "a", report=told.append, executor=dask_executor
    )
    digest, files = whole[format]
    assert built.manifest.digest == digest
    assert tree(tmp_path) == files
    assert verify(tmp_path / "a").sound
    last = told[-1]
    assert (last.n_done, last.shards_done, last.n_shards) == (N_SAMPLES, N_SHARDS, N_SHARDS)
    assert (last.n_workers, last.n_retries) == (2, 0)


def test_workers_of_this_machine_are_started_and_ended(spectra_recipe, tmp_path, whole):
    plan = plan_of(spectra_recipe)
    with open_executor(ClusterOptions(workers=1, threads=1), plan) as (executor, watching):
        assert run(plan, tmp_path / "a", executor=executor).manifest.digest == whole["zarr"][0]
        assert watching.startswith("dashboard")


@settings(max_examples=8, deadline=None)
@given(
    format=st.sampled_from(["zarr", "hdf5"]),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["threads", "workers", "range"]),
            st.integers(0, N_SHARDS - 1),
            st.integers(1, 3),
        ),
        max_size=4,
    ),
    last=st.sampled_from(["threads", "workers", "ranges"]),
    lost=st.sets(st.integers(0, N_SHARDS - 1), max_size=2),
)
def test_any_mixture_of_who_begins_and_who_goes_on_makes_the_same(
    spectra_recipe, dask_executor, whole, tmp_path_factory, format, steps, last, lost
):
    plan = plan_of(spectra_recipe, format)
    executors = {"threads": Threads(2), "workers": dask_executor}
    with tempfile.TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as place:
        out = Path(place) / "a"
        for who, first, n_shards in steps:
            if who == "range":
                build_range(plan, out, first, first + n_shards, threads=1)
                continue
            with suppress(OutputError):
                run(plan, out, executor=Some(executors[who], n_shards))
        location = new_location(out, format)
        if not (location.folder / "manifest.json").exists():
            for shard in lost:
                (location.folder / plan.store().shard_paths(shard)[0]).unlink(missing_ok=True)
        if last == "ranges":
            for first in (0, 2, 4):
                build_range(plan, out, first, first + 2, threads=1)
            manifest = finalize(out).manifest
        else:
            manifest = run(plan, out, executor=executors[last]).manifest
        digest, files = whole[format]
        assert manifest.digest == digest
        assert tree(Path(place)) == files
        assert verify(out).sound


class Strange:
    """Another build's reports come while an executor is at work."""

    def __init__(self, executor, client) -> None:
        self._executor = executor
        self._client = client

    def run(self, job) -> None:
        topic = topic_of(self._executor.order(job).lock_token)
        receipt = ["another", "{}", "one", 1.0, 0]
        failure = ["another", "differs", "one", "versions of another build", 0]
        done = threading.Event()

        def speak() -> None:
            while not done.wait(0.01):
                for kind, content in (("receipt", receipt), ("failure", failure)):
                    self._client.log_event(topic, {"shard": 0, kind: content})

        thread = threading.Thread(target=speak)
        thread.start()
        try:
            self._executor.run(job)
        finally:
            done.set()
            thread.join()


def test_reports_of_another_build_count_for_nothing(
    spectra_recipe, tmp_path, dask_executor, local_cluster, whole
):
    with Client(local_cluster, set_as_default=False) as client:
        executor = Strange(dask_executor, client)
        built = run(plan_of(spectra_recipe), tmp_path / "a", executor=executor)
    assert built.manifest.digest == whole["zarr"][0]
    assert tree(tmp_path) == whole["zarr"][1]


def test_shards_that_are_replaced_are_replaced_by_workers_too(
    spectra_recipe, tmp_path, dask_executor, whole
):
    plan = plan_of(spectra_recipe)
    with pytest.raises(OutputError):
        run(plan, tmp_path / "a", executor=Some(Threads(1), 3))
    (tmp_path / "a" / "label" / "c.1").unlink()
    (tmp_path / "a" / "spectra" / "c.2.0").write_bytes(b"of others")
    built = run(plan, tmp_path / "a", executor=dask_executor)
    assert built.n_kept == 256
    assert built.manifest.digest == whole["zarr"][0]
    assert tree(tmp_path) == whole["zarr"][1]
    assert verify(tmp_path / "a").sound


def test_a_task_is_small_whatever_the_recipe(spectra_recipe, tmp_path, local_cluster):
    from distributed import Client

    sizes = []

    class Seeing(DaskExecutor):
        def run(self, job):
            sizes.append(len(pickle.dumps(self.order(job))))
            raise OSError(5, "seen")

    library = spectra_recipe.library
    one = library.species[0]
    many = Library(one.model_copy(update={"name": f"s{number}"}) for number in range(500))
    with Client(local_cluster.scheduler_address, set_as_default=False) as client:
        for n_samples, recipe in (
            (300, spectra_recipe),
            (10**9, spectra_recipe.model_copy(update={"library": many})),
        ):
            with pytest.raises(OutputError, match="seen"):
                run(make_plan(recipe, n_samples), tmp_path / "a", executor=Seeing(client))
    assert max(sizes) < 1500
    assert max(sizes) - min(sizes) < 100


def test_a_build_without_workers_does_not_load_dask(tmp_path):
    code = (
        "import sys; from tersgen.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'distributed', 'dask', 'tornado', 'dask_jobqueue'}))"
    )
    options = ["--n", "300", "--preset", "canonical", "--library", "random:2", "--set",
               "grid.n_points=64", "--set", "lineshape.fwhm_cm1=150"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, "build", "--out", tmp_path / "a.zarr", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("system", "lines"),
    [
        ("slurm", ["#SBATCH -p main", "#SBATCH --cpus-per-task=8", "#SBATCH -t 4:00:00",
                   "#SBATCH -A physics"]),
        ("pbs", ["#PBS -q main", "#PBS -l walltime=4:00:00", "#PBS -A physics"]),
        ("lsf", ["#BSUB -q main", "#BSUB -W 4:00", '#BSUB -P "physics"']),
    ],
)  # fmt: skip
def test_the_script_of_a_job_says_what_was_asked_for(spectra_recipe, system, lines):
    walltime = "4:00" if system == "lsf" else "4:00:00"
    options = ClusterOptions(
        workers=64, system=system, cores=8, walltime=walltime, queue="main", account="physics"
    )
    check_options(options)
    plan = make_plan(spectra_recipe, 10**9)
    script = job_script(options, plan).splitlines()
    by_name = options._replace(system=None, scheduler=system)
    check_options(by_name)
    assert job_script(by_name, plan).splitlines() == script
    for line in lines:
        assert line in script
    assert "export NUMBA_NUM_THREADS=8" in script
    assert "export OMP_NUM_THREADS=1" in script
    assert script[-1].endswith("--nthreads 2")


def test_memory_grows_with_threads_and_shards(spectra_recipe):
    small, large = (
        make_plan(spectra_recipe, 100),
        make_plan(spectra_recipe, 100, shard_rows=1 << 20),
    )
    assert worker_memory(small, 1) < worker_memory(small, 8)
    assert worker_memory(small, 1) < worker_memory(large, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 2, "scheduler": "tcp://a:1"}, "--scheduler: expected neither --workers"),
        ({"system": "slurm"}, "--cluster: expected --workers too"),
        ({"workers": 1, "memory": "8GB"}, "--memory: expected --cluster too"),
        ({"workers": 1, "threads": 10**6}, "--workers: expected workers x threads within the"),
        ({"workers": 10**6}, "--workers: expected workers x threads within the"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        check_options(ClusterOptions(**options))
