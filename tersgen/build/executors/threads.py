"""Threads of this process.

Some make runs of rows, each generated, hashed and encoded in one go; others put them together into
shards and seal these. What is in flight is bounded, whatever the number of rows.
"""

import os
import platform
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from ...schema.manifest import ShardRecord
from ..chunks import ChunkMaker, Encoded, Shard
from ..plan import SHARDS_IN_FLIGHT, Plan
from ..seal import Sealer
from ..tally import Tally
from .interface import Job


def make_shards(
    plan: Plan, todo: Sequence[int], maker: ChunkMaker, sealer: Sealer, threads: int, tally: Tally
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
