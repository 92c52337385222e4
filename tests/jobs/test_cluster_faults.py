"""What goes wrong on a cluster, for real: the same digest or one line that says what to do."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import tersgen
from tersgen.dataset.verify import verify
from tersgen.errors import ClusterError, OutputError
from tersgen.jobs.executors.dask_executor import DaskExecutor
from tersgen.jobs.executors.interface import open_executor
from tersgen.jobs.executors.options import ClusterOptions
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run

pytestmark = pytest.mark.exhaustive
all_faults = pytest.mark.skipif(
    not os.environ.get("TERSGEN_ALL_FAULTS"),
    reason="takes minutes with all like it: set TERSGEN_ALL_FAULTS=1",
)

N_SAMPLES = 5120
N_SHARDS = 20
PATIENCE_S = 240
OPTIONS = [
    *("--n", N_SAMPLES, "--shard-rows", 256),
    *("--library", "random:2", "--set", "grid.n_points=64", "--set", "lineshape.fwhm_cm1=150"),
    *("--set", "fields.maps=false", "--set", "fields.sticks=false"),
    *("--set", "fields.tensors=false", "--set", "fields.params=false"),
]
FAULTS = Path(__file__).with_name("cluster_faults.py")


def wait_for(condition, what: str):
    """Wait until something is so, but not for ever; return it."""
    end = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)


class Cluster:
    """A scheduler, workers and builds, each a process of its own."""

    def __init__(self, place: Path, **environment) -> None:
        self.place = place
        self.environment = {
            **os.environ,
            "DASK_LOGGING__DISTRIBUTED": "critical",
            "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "false",
            **environment,
        }
        self.processes: list[subprocess.Popen] = []
        self.address = ""
        self.scheduler = None

    def start(self, *arguments, prefix=(), **environment) -> subprocess.Popen:
        """Start a Python process with so many arguments."""
        process = subprocess.Popen(
            [*prefix, sys.executable, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **environment},
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def start_scheduler(self) -> None:
        """Start a scheduler, and learn its address."""
        facts = self.place / f"scheduler-{len(self.processes)}.json"
        self.scheduler = self.start(
            *("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", 0),
            *("--no-dashboard", "--scheduler-file", facts),
        )
        wait_for(lambda: facts.exists() and facts.read_text().strip(), "the scheduler")
        self.address = json.loads(facts.read_text())["address"]

    def start_worker(self, fault: str = "", *options, prefix=()) -> subprocess.Popen:
        """Start a worker, with a fault loaded into it."""
        nanny = () if "--nanny" in options else ("--no-nanny",)
        preload = ("--preload", FAULTS) if fault else ()
        return self.start(
            *("-m", "distributed.cli.dask_worker", self.address, "--nthreads", 2, "--no-dashboard"),
            *("--host", "127.0.0.1", "--local-directory", self.place / "scratch"),
            *(*nanny, *options, *preload),
            prefix=prefix,
            TERSGEN_FAULT=fault,
        )

    def build(self, out: Path, *options) -> subprocess.Popen:
        """Start the build by this scheduler's workers."""
        workers = options or ("--scheduler", self.address, "--threads", 1, "--wait-workers", 60)
        return self.start("-m", "tersgen", "build", *OPTIONS, "--out", out, *workers)

    def close(self) -> None:
        """Kill what still runs."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes:
            process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def start_cluster(tmp_path):
    """Return a function that starts a scheduler and as many workers as faults are given."""
    started = []

    def start(*faults, **environment) -> Cluster:
        (tmp_path / "cluster").mkdir()
        started.append(Cluster(tmp_path / "cluster", **environment))
        started[0].start_scheduler()
        started[0].workers = [started[0].start_worker(fault) for fault in faults]
        return started[0]

    yield start
    for cluster in started:
        cluster.close()


@pytest.fixture(scope="module")
def recipe_and_digest(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "a.zarr"
    command = ["-m", "tersgen", "build", *OPTIONS, "--out", out, "--json"]
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, check=True
    )
    return tersgen.open(out).recipe, json.loads(done.stdout)["digest"]


@pytest.fixture(scope="module")
def digest(recipe_and_digest):
    return recipe_and_digest[1]


@pytest.fixture(scope="module")
def plan(recipe_and_digest):
    return make_plan(recipe_and_digest[0], N_SAMPLES, shard_rows=256)


def n_finished(out: Path) -> int:
    journal = out / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def ends_well(build: subprocess.Popen, out: Path, digest: str) -> str:
    """Return what a build says that must be as one that nothing disturbed."""
    said, errors = build.communicate(timeout=PATIENCE_S)
    assert build.returncode == 0, errors
    assert f"digest {digest}" in said
    is_whole(out, digest)
    return said


def is_whole(out: Path, digest: str) -> None:
    assert tersgen.open(out).digest == digest
    assert verify(out).sound
    left = [path.name for path in out.rglob("*")]
    assert not [name for name in left if re.search(r"partial|lock$|new$|events|ranges", name)]


def ends_badly(build: subprocess.Popen, code: int = 1) -> str:
    """Return the line of a build that must fail."""
    _, errors = build.communicate(timeout=PATIENCE_S)
    told = re.compile("dashboard|looking for|Warning")
    lines = [one for one in errors.splitlines() if not told.match(one)]
    assert build.returncode == code, errors
    assert len(lines) == 1, errors
    return lines[0]


def held(cluster: Cluster) -> list[Path]:
    return list(cluster.place.glob("held-*"))


def test_a_worker_killed_in_the_middle_of_a_shard(start_cluster, tmp_path, digest):
    cluster = start_cluster("hold," + str(tmp_path / "cluster"))
    build = cluster.build(tmp_path / "a.zarr")
    wait_for(lambda: held(cluster), "a shard that is about to get its name")
    assert list((tmp_path / "a.zarr").rglob("*.partial"))
    cluster.start_worker()
    cluster.workers[0].kill()
    ends_well(build, tmp_path / "a.zarr", digest)


def test_a_worker_that_slept_beyond_its_lease_does_no_harm(start_cluster, tmp_path, digest):
    cluster = start_cluster(
        "hold," + str(tmp_path / "cluster"), DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="3s"
    )
    out = tmp_path / "a.zarr"
    build = cluster.build(out)
    wait_for(lambda: held(cluster), "a shard that is about to get its name")
    cluster.workers[0].send_signal(signal.SIGSTOP)
    cluster.start_worker()
    ends_well(build, out, digest)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    (cluster.place / "go").touch()
    cluster.workers[0].send_signal(signal.SIGCONT)
    with suppress(subprocess.TimeoutExpired):
        cluster.workers[0].wait(timeout=10)
    is_whole(out, digest)
    files = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert files == {path: before[path] for path in files}


@all_faults
def test_a_worker_that_wakes_up_while_the_build_goes_on_does_no_harm(
    start_cluster, tmp_path, digest
):
    cluster = start_cluster(
        "hold," + str(tmp_path / "cluster"), DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="3s"
    )
    out = tmp_path / "a.zarr"
    build = cluster.build(out)
    wait_for(lambda: held(cluster), "a shard that is about to get its name")
    cluster.workers[0].send_signal(signal.SIGSTOP)
    cluster.start_worker("slow,0.05")
    wait_for(lambda: n_finished(out) >= 5, "some shards")
    (cluster.place / "go").touch()
    cluster.workers[0].send_signal(signal.SIGCONT)
    ends_well(build, out, digest)


@all_faults
def test_the_scheduler_killed(start_cluster, tmp_path, digest):
    cluster = start_cluster("slow,0.1")
    out = tmp_path / "a.zarr"
    build = cluster.build(out)
    wait_for(lambda: n_finished(out) >= 2, "some shards")
    cluster.scheduler.kill()
    line = ends_badly(build)
    found = re.search(
        r"the scheduler at tcp://[0-9.:]+ is gone; (\d+) of 5120 samples are on disk and kept; "
        "the same command resumes",
        line,
    )
    assert found, line
    assert 512 <= int(found[1]) == 256 * n_finished(out)
    cluster.start_scheduler()
    cluster.start_worker()
    said = ends_well(cluster.build(out), out, digest)
    assert f"{found[1]} of 5120 samples are there already and kept" in said


def test_the_client_killed_and_started_again(start_cluster, tmp_path, digest):
    cluster = start_cluster("slow,0.1")
    out = tmp_path / "a.zarr"
    for n_shards in (2, 6):
        build = cluster.build(out)
        wait_for(lambda n_shards=n_shards: n_finished(out) >= n_shards, "some shards")
        build.kill()
        build.wait(timeout=PATIENCE_S)
    ends_well(cluster.build(out), out, digest)


@all_faults
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_build_by_local_workers_is_stopped(start_cluster, tmp_path, digest, number, code):
    cluster = start_cluster()
    out = tmp_path / "a.zarr"
    local = ("--workers", 1, "--threads", 1)
    build = cluster.build(out, *local)
    wait_for(lambda: n_finished(out) >= 1, "a shard")
    os.killpg(build.pid, number)  # as a terminal does: the workers get it too
    line = ends_badly(build, code)
    assert re.search(r"stopped; \d+ of 5120 samples are on disk and kept; the same command", line)
    with pytest.raises(ProcessLookupError):
        wait_for(lambda: os.killpg(build.pid, 0), "the end of all workers")
    ends_well(cluster.build(out, *local), out, digest)


@all_faults
def test_local_workers_end_with_a_client_that_was_killed(start_cluster, tmp_path, digest):
    cluster = start_cluster()
    out = tmp_path / "a.zarr"
    build = cluster.build(out, "--workers", 1, "--threads", 1)
    wait_for(lambda: n_finished(out) >= 1, "a shard")
    build.kill()
    build.wait(timeout=PATIENCE_S)
    with pytest.raises(ProcessLookupError):
        wait_for(lambda: os.killpg(build.pid, 0), "the end of all workers")
    ends_well(cluster.build(out, "--workers", 1, "--threads", 1), out, digest)


@all_faults
def test_no_worker_is_waited_for_without_end(start_cluster, tmp_path):
    cluster = start_cluster()
    build = cluster.build(
        tmp_path / "a.zarr", "--scheduler", cluster.address, "--wait-workers", "3"
    )
    line = ends_badly(build)
    assert re.search(r"no worker of the scheduler at \S+ took a task for \d+ s", line)
    assert "no shard was finished, and nothing is left" in line
    assert not (tmp_path / "a.zarr").exists()


@all_faults
def test_no_scheduler_there(tmp_path, start_cluster):
    cluster = start_cluster()
    cluster.scheduler.kill()
    cluster.scheduler.wait(timeout=PATIENCE_S)
    line = ends_badly(cluster.build(tmp_path / "a.zarr"))
    assert re.search(r"Error: tcp://\S+: no Dask scheduler answers there", line)
    assert not (tmp_path / "a.zarr").exists()


@all_faults
def test_a_stopped_scheduler_is_not_waited_for_without_end(start_cluster, tmp_path, digest):
    cluster = start_cluster("slow,0.1")
    out = tmp_path / "a.zarr"
    options = ("--scheduler", cluster.address, "--threads", 1, "--wait-workers", 8)
    build = cluster.build(out, *options)
    wait_for(lambda: n_finished(out) >= 2, "some shards")
    cluster.scheduler.send_signal(signal.SIGSTOP)
    line = ends_badly(build)
    assert re.search(r"the scheduler at \S+ (is gone|has not answered for \d+ s); \d+ of", line)
    cluster.scheduler.send_signal(signal.SIGCONT)
    ends_well(cluster.build(out), out, digest)


def test_other_versions_are_refused(start_cluster, tmp_path):
    cluster = start_cluster("report,9.9.9")
    line = ends_badly(cluster.build(tmp_path / "a.zarr"))
    assert re.search(r"worker tcp://\S+ on \S+: versions differ: tersgen 9.9.9 there, ", line)
    assert f"{tersgen.__version__} here" in line
    assert not (tmp_path / "a.zarr").exists()


def test_a_stale_file_handle_that_passes_is_waited_out(start_cluster, tmp_path, digest):
    cluster = start_cluster("fail,ESTALE,3")
    ends_well(cluster.build(tmp_path / "a.zarr"), tmp_path / "a.zarr", digest)


@pytest.fixture
def here(start_cluster):
    """Return a function that gives an executor, of this process, for workers with faults."""
    contexts = []

    def give(plan, *faults, **settings) -> DaskExecutor:
        cluster = start_cluster(*faults)
        options = ClusterOptions(scheduler=cluster.address, threads=1, wait_s=60)
        contexts.append(open_executor(options, plan))
        executor, _ = contexts[-1].__enter__()
        return DaskExecutor(executor._client, threads=1, wait_s=60, **settings)

    yield give
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("ENOSPC", r"writing failed: No space left on device on tcp://\S+ on \S+; "),
        ("EDQUOT", r"writing failed: Disk quota exceeded on tcp://\S+ on \S+; "),
        ("EACCES", r"worker tcp://\S+ on \S+: shard \d+: Permission denied; "),
    ],
)
def test_a_node_that_cannot_write_is_named(here, plan, tmp_path, digest, number, message):
    executor = here(plan, f"fail,{number},always")
    with pytest.raises(OutputError, match=message + "no shard was finished"):
        run(plan, tmp_path / "a.zarr", executor=executor)
    assert not (tmp_path / "a.zarr").exists()
    assert run(plan, tmp_path / "a.zarr").manifest.digest == digest


@all_faults
def test_a_disk_that_is_full_for_all(start_cluster, disk, fill, digest):
    place, resize = disk
    cluster = start_cluster("slow,0.1")
    out = place / "a.zarr"
    build = cluster.build(out)
    wait_for(lambda: n_finished(out) >= 2, "some shards")
    fill(place)
    line = ends_badly(build)
    found = re.search(
        r"No space left on device.*; (\d+) of 5120 samples are on disk and kept", line
    )
    assert found, line
    resize(64)
    said = ends_well(cluster.build(out), out, digest)
    assert f"{found[1]} of 5120 samples are there already and kept" in said


@all_faults
def test_names_that_show_late_are_waited_for(here, plan, tmp_path, digest):
    (tmp_path / "stash").mkdir()
    executor = here(plan, f"late,1.5,{tmp_path / 'stash'}")
    assert run(plan, tmp_path / "a.zarr", executor=executor).manifest.digest == digest
    is_whole(tmp_path / "a.zarr", digest)


@all_faults
def test_names_that_never_show_are_an_error(here, plan, tmp_path):
    (tmp_path / "stash").mkdir()
    executor = here(plan, f"late,never,{tmp_path / 'stash'}", late_s=2)
    with pytest.raises(ClusterError, match=r"written by tcp://\S+ on \S+, were not seen here"):
        run(plan, tmp_path / "a.zarr", executor=executor)


@all_faults
@pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace takes root")
def test_a_worker_that_does_not_see_the_folder_is_named(here, plan, start_cluster, tmp_path):
    (tmp_path / "shared").mkdir()
    executor = here(plan, late_s=2)
    cluster = start_cluster.__closure__[0].cell_contents[0]
    mount = f'mount -t tmpfs tmpfs {tmp_path / "shared"} && exec "$@"'
    cluster.start_worker(prefix=("unshare", "--mount", "bash", "-c", mount, "bash"))
    with pytest.raises(
        ClusterError, match=r"worker tcp://\S+ on \S+ does not see the dataset: no recipe.json in"
    ):
        run(plan, tmp_path / "shared" / "a.zarr", executor=executor)


MEMORY = ("--nanny", "--memory-limit", "600MB")


@all_faults
def test_a_worker_out_of_memory_tries_once_more_with_half(
    start_cluster, recipe_and_digest, tmp_path
):
    cluster = start_cluster(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    cluster.start_worker("hungry,900,first", *MEMORY)
    plan = make_plan(recipe_and_digest[0], 512, shard_rows=256)
    digest = run(plan, tmp_path / "whole.zarr").manifest.digest
    out = tmp_path / "a.zarr"
    options = ("--scheduler", cluster.address, "--threads", 2, "--wait-workers", 60)
    ends_well(cluster.build(out, *options, "--n", 512), out, digest)


@all_faults
def test_a_shard_that_no_worker_has_the_memory_for_is_named(start_cluster, tmp_path):
    cluster = start_cluster(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    cluster.start_worker("hungry,900,always", *MEMORY)
    line = ends_badly(cluster.build(tmp_path / "a.zarr"))
    assert re.search(r"shard \d+: workers die of it, with half the threads too, the last one", line)
    assert "give them more (--memory)" in line


@all_faults
def test_a_cluster_that_scales_with_its_load(plan, tmp_path, digest):
    from distributed import Client, LocalCluster

    with LocalCluster(
        n_workers=0, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as cluster:  # fmt: skip
        cluster.adapt(minimum=0, maximum=2, interval="200ms", wait_count=3)
        with Client(cluster, set_as_default=False) as client:
            executor = DaskExecutor(client, threads=1, wait_s=60)
            assert run(plan, tmp_path / "a.zarr", executor=executor).manifest.digest == digest


@all_faults
@pytest.mark.parametrize("when", ["joining", "leaving"])
def test_workers_come_and_go(start_cluster, tmp_path, digest, when):
    cluster = start_cluster("slow,0.05", "slow,0.05")
    out = tmp_path / "a.zarr"
    build = cluster.build(out)
    wait_for(lambda: n_finished(out) >= 3, "some shards")
    if when == "leaving":
        cluster.workers[0].terminate()
    else:
        cluster.start_worker()
    ends_well(build, out, digest)
