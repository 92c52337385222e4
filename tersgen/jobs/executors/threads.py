"""Threads of this process.

Some make runs of rows, each generated, hashed and encoded in one go; others put them together into
shards and commit these. What is in flight is bounded, whatever the number of rows.
"""

import os
import platform
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

from ...cpus import available_cpus
from ...errors import ConfigError
from ...plugins import register
from ...schema.manifest import ShardRecord
from ..chunks import ChunkMaker, Encoded, Shard
from ..commit import ShardCommitter
from ..plan import SHARDS_IN_FLIGHT, Plan
from ..progress import ProgressCounter
from .interface import Executor, Job, Launcher
from .options import ClusterOptions


def make_shards(
    plan: Plan,
    todo: Sequence[int],
    maker: ChunkMaker,
    committer: ShardCommitter,
    threads: int,
    counter: ProgressCounter,
) -> None:
    """Make and commit shards; on any error those being written are finished, the others dropped."""
    upcoming = (unit for shard in todo for unit in maker.units(shard, plan.rows_of(shard)))
    ahead = plan.layout.shard_rows // maker.unit_rows + 2 * threads
    making: deque[Future[Encoded]] = deque()
    writing: deque[Future[ShardRecord]] = deque()
    try:
        with (
            ThreadPoolExecutor(threads, "tersgen-make") as makers,
            ThreadPoolExecutor(SHARDS_IN_FLIGHT - 1, "tersgen-commit") as committers,
        ):
            try:
                for shard in todo:
                    runs: list[Encoded] = []
                    for _ in maker.units(shard, plan.rows_of(shard)):
                        for start, n_rows in islice(upcoming, ahead - len(making) - len(runs)):
                            making.append(makers.submit(maker.make, start, n_rows))
                        runs.append(making.popleft().result())
                        counter.check()
                    while len(writing) >= SHARDS_IN_FLIGHT - 1:
                        writing.popleft().result()
                        counter.add(committer.committed)
                    writing.append(committers.submit(committer.commit, Shard(shard, runs)))
                for future in writing:
                    future.result()
                    counter.add(committer.committed)
            except BaseException:
                for run in making:
                    run.cancel()
                raise
    finally:
        counter.add(committer.committed)


class Threads:
    """Makes shards with so many threads."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def run(self, job: Job) -> None:
        """Make and commit every shard of a job."""
        name = f"{platform.node()}:{os.getpid()}"
        job.events.write("joined", worker=name, slots=self._threads)
        maker = job.plan.maker(job.store, job.rows)
        make_shards(job.plan, job.todo, maker, job.committer, self._threads, job.counter)
        job.events.write("left", worker=name)


@register("tersgen.executors", "threads")
class ThisProcess(Launcher):
    """Threads of this process."""

    def check(self, options: ClusterOptions) -> None:
        """Refuse options of jobs, and workers."""
        options.refuse_jobs()
        if options.workers:
            raise ConfigError("--workers: expected none with --scheduler threads; say --threads")

    @contextmanager
    def open(self, options: ClusterOptions, plan: Plan) -> Iterator[tuple[Executor, str]]:
        """Yield threads, one for each processor if the user does not say how many."""
        yield Threads(options.threads or available_cpus()), ""
