"""The log of a build: read while it runs, by anybody; nothing goes by it."""

import json
from contextlib import suppress

import pytest

from tersgen.errors import OutputError
from tersgen.jobs.events import EventLog, spans, watch
from tersgen.jobs.plan import make_plan
from tersgen.jobs.range_job import build_range
from tersgen.jobs.run import run
from tersgen.jobs.status import see_build
from tersgen.store.lock import BuilderLock


@pytest.fixture
def plan(spectra_recipe):
    return make_plan(spectra_recipe, 1300, shard_rows=256)


def looking(out, seen):
    def report(progress):
        seen.append(see_build(out))

    return report


def test_a_build_is_seen_while_it_runs(plan, tmp_path):
    seen = []
    run(plan, tmp_path / "a", threads=1, report=looking(tmp_path / "a", seen))
    shards = [len(one.watched.shards) for one in seen]
    assert shards == sorted(shards)
    assert shards[-1] == 6
    last = seen[-1]
    assert (last.n_samples, last.is_complete, len(last.holders)) == (1300, False, 1)
    assert (last.watched.rows, last.watched.n_shards) == (1300, 6)
    assert last.watched.bytes_stored > 0
    (worker,) = last.watched.workers
    assert (worker.here, worker.n_shards) == (True, 6)
    after = see_build(tmp_path / "a")
    assert (after.is_complete, after.watched, after.holders) == (True, None, ())
    assert not (tmp_path / "a" / "events.jsonl").exists()


def test_workers_of_a_cluster_are_seen(plan, tmp_path, dask_executor):
    seen = []
    run(plan, tmp_path / "a", report=looking(tmp_path / "a", seen), executor=dask_executor)
    watched = seen[-1].watched
    assert (len(watched.shards), watched.n_retries, watched.stops) == (6, 0, ())
    assert len(watched.workers) == 2
    assert sum(worker.n_shards for worker in watched.workers) == 6
    assert all(worker.name.startswith("tcp://") and worker.here for worker in watched.workers)
    assert {worker.host for worker in watched.workers if worker.n_shards} != {""}


def test_jobs_of_ranges_are_seen_together(plan, tmp_path):
    seen = []
    build_range(plan, tmp_path / "a", 0, 2)
    build_range(plan, tmp_path / "a", 1, 5, report=looking(tmp_path / "a", seen))
    watched = seen[-1].watched
    assert watched.shards == {0, 1, 2, 3, 4}
    assert watched.rows == 5 * 256


def stopping(progress):
    if progress.n_done >= 512:
        raise OSError(5, "Input/output error")


def test_a_build_that_stopped_says_why_and_its_next_start_what_it_kept(plan, tmp_path):
    with pytest.raises(OutputError):
        run(plan, tmp_path / "a", threads=1, report=stopping)
    seen = see_build(tmp_path / "a")
    assert seen.watched.stops == ("OSError: [Errno 5] Input/output error",)
    assert seen.holders == ()
    kept = len(seen.watched.shards)
    again = []
    run(plan, tmp_path / "a", threads=1, report=looking(tmp_path / "a", again))
    assert again[0].watched.stops == ()
    assert len(again[-1].watched.shards) == 6
    assert again[-1].watched.rows == 1300 - 256 * kept


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SystemExit(130), "by SIGINT"),
        (SystemExit(143), "by SIGTERM"),
        (SystemExit(1), "with exit code 1"),
        (KeyboardInterrupt(), "by SIGINT"),
        (OutputError("a.zarr: no space"), "a.zarr: no space"),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
    ],
)
def test_why_a_build_stopped_is_said_in_words(tmp_path, error, reason):
    with BuilderLock(tmp_path) as lock, suppress(BaseException), EventLog(tmp_path, lock.check):
        raise error
    assert watch([tmp_path / "events.jsonl"], 1).stops == (reason,)


def test_lines_are_whole_and_what_is_none_is_passed_over(tmp_path):
    with BuilderLock(tmp_path) as lock, EventLog(tmp_path, lock.check) as log:
        log.write("started", kept=[[0, 2]])
        log.write("again", shard=3)
    path = tmp_path / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["event"] for line in lines] == ["started", "again"]
    bad = [b"{", b"[]\n", b"null\n", b'{"event": 3, "time": 1}\n', b'{"event": "committed"}\n',
           b'{"event": "committed", "time": 1, "shard": "x"}\n', b"\xff\xfe\n",
           b"x" * 100000 + b"\n"]  # fmt: skip
    path.write_bytes(lines[0] + b"\n".join(bad) + b"\n" + lines[1])
    watched = watch([path], 5)
    assert watched.shards >= {0, 1}
    assert watched.n_retries == 1


def test_a_log_that_cannot_be_written_stops_nothing(plan, tmp_path):
    build_range(plan, tmp_path / "a", 0, 1)
    (tmp_path / "a" / "events.jsonl").mkdir()
    assert run(plan, tmp_path / "a").manifest.n_samples == 1300


@pytest.mark.parametrize(
    ("shards", "wanted"),
    [([], []), ([5], [(5, 6)]), ([2, 0, 1], [(0, 3)]), ([9, 1, 2, 7], [(1, 3), (7, 8), (9, 10)])],
)
def test_shards_as_ranges(shards, wanted):
    assert spans(shards) == wanted
