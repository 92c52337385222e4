"""Threads of this process.

Some make runs of rows, each generated, hashed and encoded in one go; others put them together into
shards and seal these. What is in flight is bounded, whatever the number of rows.
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
from ..plan import SHARDS_IN_FLIGHT, Plan
from ..progress import ProgressCounter
from ..seal import Sealer
from .interface import Executor, Job, Launcher
from .options import ClusterOptions


def make_shards(
    plan: Plan,
    todo: Sequence[int],
    maker: ChunkMaker,
    sealer: Sealer,
    threads: int,
    tally: ProgressCounter,
) -> None:
    """Make and seal shards; on any error those being sealed are finished, the others dropped."""
    upcoming = (unit for shard in todo for unit in maker.units(shard, plan.rows_of(shard)))
    ahead = plan.layout.shard_rows // maker.unit_rows + 2 * threads
    making: deque[Future[Encoded]] = deque()
    sealing: deque[Future[ShardRecord]] = deque()
    try:
        with (
            ThreadPoolExecutor(threads, "tersgen-make") as makers,
            ThreadPoolExecutor(SHARDS_IN_FLIGHT - 1, "tersgen-seal") as sealers,
        ):
            try:
                for shard in todo:
                    runs: list[Encoded] = []
                    for _ in maker.units(shard, plan.rows_of(shard)):
                        for start, n_rows in islice(upcoming, ahead - len(making) - len(runs)):
                            making.append(makers.submit(maker.make, start, n_rows))
                        runs.append(making.popleft().result())
                    while len(sealing) >= SHARDS_IN_FLIGHT - 1:
                        sealing.popleft().result()
                        tally.add(sealer.sealed)
                    sealing.append(sealers.submit(sealer.seal, Shard(shard, runs)))
                for future in sealing:
                    future.result()
                    tally.add(sealer.sealed)
            except BaseException:
                for run in making:
                    run.cancel()
                raise
    finally:
        tally.add(sealer.sealed)


class Threads:
    """Makes shards with so many threads."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def run(self, job: Job) -> None:
        """Make and seal every shard of a job."""
        name = f"{platform.node()}:{os.getpid()}"
        job.events.write("joined", worker=name, slots=self._threads)
        maker = job.plan.maker(job.store, job.rows)
        make_shards(job.plan, job.todo, maker, job.sealer, self._threads, job.tally)
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
