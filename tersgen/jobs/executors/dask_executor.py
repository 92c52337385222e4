"""Workers of a Dask cluster: Dask distributes, moves and retries; the plan and commits are ours.

One task is one shard. Every worker gets one task more than it can work on, and the next is
submitted when one is done: neither this process nor the scheduler holds more than these. Every
wait, for workers, for the scheduler and for files, has a limit, and ends in an error that says how
to resume.
"""

import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from ...errors import ClusterError, LostLockError
from ...plugins import imported
from ...schema.manifest import ShardRecord
from ..commit import is_written
from ..environment import versions
from .cluster_watch import Watch
from .interface import Job
from .options import WAIT_S
from .work import BuildOrder, Failure, Receipt, topic_of, work

LATE_S = 60.0
"""How long a shared file system may take to show a file on another machine."""
_LEAST_AHEAD = 32
"""Shards submitted at least, so that a cluster that scales with its load sees some."""
_TICK_S = 0.25
_SILENT_S = 10.0
"""How long a report may take after its task is done."""
_MOST_TRIES = 5


class _Flight(NamedTuple):
    """A shard that is submitted."""

    future: Any
    careful: bool


class DaskExecutor:
    """Makes shards on the workers of a Dask cluster.

    Parameters
    ----------
    client
        A ``distributed.Client``.
    threads
        Threads of each worker process; by default the processors it may use, but no more than its
        Dask threads.
    wait_s
        How long to wait for a first worker, for others once all are gone, or for a sign of life.
    late_s
        How long the shared file system may take to show files to another machine.
    """

    def __init__(
        self,
        client: Any,
        threads: int | None = None,
        wait_s: float = WAIT_S,
        late_s: float = LATE_S,
    ) -> None:
        self._client = client
        self._threads = threads
        self._wait_s = wait_s
        self._late_s = late_s

    def run(self, job: Job) -> None:
        """Make and commit every shard of a job.

        Raises
        ------
        ClusterError
            If scheduler or workers are lost, missing, or of other versions; or a shard cannot be
            made.
        OSError
            If a worker's file system refuses; the text names its machine.
        """
        if job.rows is not None:
            raise ValueError("expected rows that are generated: workers cannot make others")
        if job.todo:
            _Run(job, self._client, self.order(job), self._wait_s).run()

    def order(self, job: Job) -> BuildOrder:
        """Return what all tasks of a job have in common."""
        plan = job.plan
        return BuildOrder(
            path=str(job.location.path.absolute()),
            format=plan.format,
            recipe_digest=plan.contents.recipe_digest,
            n_samples=plan.n_samples,
            chunk_rows=plan.layout.chunk_rows,
            shard_rows=plan.layout.shard_rows,
            compression=plan.layout.compression,
            lock_number=job.lock.number,
            lock_token=job.lock.token,
            threads=self._threads,
            late_s=self._late_s,
            versions=versions(),
            plugins=imported(),
        )


class _Run:
    """One job on its way."""

    def __init__(self, job: Job, client: Any, order: BuildOrder, wait_s: float) -> None:
        self._job = job
        self._client = client
        self._order = order
        self._watch = Watch(client, wait_s)
        self._todo = deque(job.todo)
        self._careful: set[int] = set()
        """Shards whose workers died: tried once more, with half the threads."""
        self._flying: dict[int, _Flight] = {}
        self._unseen: dict[int, tuple[Receipt, ShardRecord, float]] = {}
        """Shards that are reported, and whose files are not seen here yet; and until when."""
        self._silent: dict[int, float] = {}
        """Shards whose task is done, and whose report is not here yet; and until when."""
        self._done: set[int] = set()
        self._begun: Counter[int] = Counter()
        self._tries: Counter[tuple[int, str]] = Counter()
        self._n_retries = 0
        self._known: set[str] = set()
        """Workers that the log knows to be here."""
        self._clerk = ThreadPoolExecutor(1, "tersgen-records")
        self._inbox: SimpleQueue[tuple[Any, Any]] = SimpleQueue()

    def run(self) -> None:
        """Make and commit every shard."""
        topic = topic_of(self._order.lock_token)
        connected = False
        try:
            while self._todo or self._flying or self._unseen or self._silent:
                self._job.counter.check()
                if connected != (self._client.status == "running"):
                    connected = not connected
                    if connected:
                        self._client.subscribe_topic(topic, self._heard)
                self._submit()
                self._listen()
                self._see()
                if self._watch.look():
                    self._workers_changed()
                self._job.counter.workers(
                    len(self._watch.workers), self._n_retries, self._watch.note
                )
        finally:
            self._finish(topic)

    def _heard(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take a report down; called from a thread of the client."""
        self._inbox.put((None, event[1]))

    def _submit(self) -> None:
        """Submit as many shards as keep every worker busy."""
        if self._client.status != "running":
            return
        slots = sum(self._watch.workers.values()) + len(self._watch.workers)
        while self._todo and len(self._flying) < max(_LEAST_AHEAD, slots):
            shard = self._todo.popleft()
            careful = shard in self._careful
            key = (f"shard-{self._order.lock_token}", shard, self._tries[shard, "submitted"])
            replacing = self._job.committer.replaces(shard)
            try:
                future = self._client.submit(work, self._order, shard, replacing, careful, key=key)
            except (OSError, RuntimeError):  # just disconnected; the watch will say for how long
                self._todo.appendleft(shard)
                return
            self._tries[shard, "submitted"] += 1
            self._flying[shard] = _Flight(future, careful)
            future.add_done_callback(lambda done, shard=shard: self._inbox.put((done, shard)))

    def _listen(self) -> None:
        """Take what has come."""
        try:
            future, content = self._inbox.get(timeout=_TICK_S)
            while True:
                if future is None:
                    self._report(content)
                else:
                    self._task_done(future, content)
                future, content = self._inbox.get_nowait()
        except Empty:
            return

    def _report(self, content: dict[str, Any]) -> None:
        """Take a report of a worker."""
        shard = content["shard"]
        if shard in self._done or not self._is_ours(content):
            return  # from one that was believed dead, or works for another build
        if "started" in content:
            self._begun[shard] += 1
            if self._begun[shard] > self._tries[shard, "submitted"]:
                self._again(shard, f"restarted by {content['started'][1]}")
        elif "receipt" in content:
            receipt = Receipt(*content["receipt"])
            record = ShardRecord.model_validate_json(receipt.record)
            self._silent.pop(shard, None)
            self._n_retries += receipt.n_retries
            self._unseen[shard] = (receipt, record, time.monotonic() + self._order.late_s)
        else:
            self._silent.pop(shard, None)
            self._failed(shard, Failure(*content["failure"]))

    def _is_ours(self, content: dict[str, Any]) -> bool:
        """Return whether a report is of this build: any client can speak on a topic."""
        reports = (content.get(kind) for kind in ("started", "receipt", "failure"))
        return any(report and report[0] == self._order.lock_token for report in reports)

    def _again(self, shard: int, why: str) -> None:
        self._n_retries += 1
        self._job.events.write("again", shard=shard, why=why[:300])

    def _task_done(self, future: Any, shard: int) -> None:
        """Take note that a task is done with, one way or another."""
        flight = self._flying.get(shard)
        if flight is None or flight.future.key != future.key:
            return
        del self._flying[shard]
        if shard in self._done or shard in self._unseen or shard in self._todo:
            return
        if future.status == "finished":
            self._silent[shard] = time.monotonic() + _SILENT_S
        elif future.status == "error":
            error = future.exception()
            if type(error).__name__ == "KilledWorker":
                self._worker_died(shard, flight.careful, str(error.last_worker.address))
            else:
                raise ClusterError(f"shard {shard}: {type(error).__name__}: {error}")
        else:  # taken away: the cluster was restarted, or the scheduler is lost
            self._once_more(shard, "removed by the cluster")

    def _failed(self, shard: int, failure: Failure) -> None:
        """Decide what comes of a shard that a worker could not make."""
        where = failure.worker
        if failure.reason == "differs":
            raise ClusterError(
                f"worker {where}: versions differ: {failure.text} (here: the builder)"
            )
        if failure.reason == "plugins":
            raise ClusterError(f"worker {where}: {failure.text}")
        if failure.reason == "unseen":
            raise ClusterError(
                f"worker {where} does not see the dataset: {failure.text}; expected a folder that "
                "all workers share"
            )
        if failure.reason == "full":
            raise OSError(failure.number, f"{failure.text} on {where}")
        if failure.reason == "memory":
            self._worker_died(shard, shard in self._careful, where)
            return
        if failure.reason == "lost":
            self._job.lock.check()
        if self._tries[shard, failure.reason] + 1 >= _MOST_TRIES or failure.reason == "other":
            text = f"worker {where}: shard {shard}: {failure.text}"
            if failure.reason == "files":
                raise OSError(failure.number, text)
            raise ClusterError(text)
        self._once_more(shard, failure.text, failure.reason)

    def _worker_died(self, shard: int, careful: bool, where: str) -> None:
        """Try a shard once more, with half the threads; or name it."""
        if careful:
            raise ClusterError(
                f"shard {shard}: workers die of it, with half the threads too, the last one "
                f"{where}; most likely out of memory: give them more (--memory), fewer threads "
                "(--threads), or build with smaller --shard-rows"
            )
        self._careful.add(shard)
        self._todo.appendleft(shard)
        self._again(shard, f"workers died of it, the last one {where}; with half the threads")

    def _once_more(self, shard: int, why: str, reason: str = "taken away") -> None:
        self._tries[shard, reason] += 1
        if self._tries[shard, reason] > _MOST_TRIES:
            raise ClusterError(f"shard {shard}: tried {_MOST_TRIES} times: {why}")
        self._todo.append(shard)
        self._again(shard, why)

    def _see(self) -> None:
        """Commit the shards whose files are seen here."""
        now = time.monotonic()
        for shard, (receipt, record, until) in list(self._unseen.items()):
            replacing = self._job.committer.replaces(shard)
            if is_written(self._job.location.folder, record, replacing):
                del self._unseen[shard]
                self._commit(shard, receipt, record, replacing)
            elif now > until:
                raise ClusterError(
                    f"shard {shard}: its files, written by {receipt.worker}, were not seen here "
                    f"with their sizes for {self._order.late_s:.0f} s; expected a folder that all "
                    "workers share"
                )
        for shard, until in list(self._silent.items()):
            if now > until:
                del self._silent[shard]
                self._once_more(shard, "done without a report")

    def _commit(self, shard: int, receipt: Receipt, record: ShardRecord, replacing: bool) -> None:
        plan = self._job.plan
        fits = record.shard == shard and record.rows == plan.rows_of(shard)
        if not fits or set(record.files) != set(self._job.store.shard_paths(shard)):
            raise ClusterError(f"worker {receipt.worker}: shard {shard}: its record is of another")
        address, _, host = receipt.worker.partition(" on ")
        facts = {"worker": address, "host": host, "seconds": round(receipt.seconds, 3)}
        # in another thread: no signal comes there, which would tear a record apart
        self._clerk.submit(self._job.committer.record, record, replacing, **facts).result()
        self._done.add(shard)
        self._watch.done(receipt.seconds)
        self._job.counter.add(self._job.committer.committed)

    def _workers_changed(self) -> None:
        """Log which workers came and went."""
        now = set(self._watch.workers)
        for address in sorted(now - self._known):
            self._job.events.write("joined", worker=address, slots=self._watch.workers[address])
        for address in sorted(self._known - now):
            self._job.events.write("left", worker=address)
        self._known = now

    def _finish(self, topic: str) -> None:
        """Commit what has come by now, and drop the rest; waits for nothing."""
        try:
            while not self._inbox.empty():
                future, content = self._inbox.get_nowait()
                if (
                    future is None
                    and "receipt" in content
                    and content["shard"] not in self._done
                    and self._is_ours(content)
                ):
                    receipt = Receipt(*content["receipt"])
                    self._unseen[content["shard"]] = (receipt, receipt.shard_record(), 0.0)
            for shard, (receipt, record, _) in list(self._unseen.items()):
                replacing = self._job.committer.replaces(shard)
                if is_written(self._job.location.folder, record, replacing):
                    self._commit(shard, receipt, record, replacing)
        except (OSError, LostLockError, ClusterError):
            pass  # there is an error on its way already, or all is done
        finally:
            self._clerk.shutdown()
            self._job.counter.add(self._job.committer.committed)
        for flight in self._flying.values():
            flight.future.release()
        if self._client.status == "running":
            with suppress(ValueError):  # it never was connected
                self._client.unsubscribe_topic(topic)
