"""Builds of jobs: child processes that run the public command line, watched by one thread.

Nothing of a build is in the server: if the server is killed, its children go on, and the next
server watches them by the lock of their dataset. If a child is killed, the same command resumes.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

from ..dataset.versions import now
from ..errors import TersError
from ..jobs.status import see_build
from ..store.writers import writers
from .job import Job
from .jobs import LOG, Jobs
from .recipes import RESOLVED

_TICK_S = 0.2
_PROGRESS_S = 1.0
_MOST_KILLED = 3
_LAST_BYTES = 4096
_PATIENCE_S = 20.0

_log = logging.getLogger("tersgen.serve")


class Builder:
    """Starts builds of queued jobs, and watches them.

    Parameters
    ----------
    jobs
        The jobs.
    n_jobs
        Builds at the same time.
    executors
        Options of ``tersgen build`` by the name of an executor.
    threads
        Threads of a build.
    """

    def __init__(
        self,
        jobs: Jobs,
        n_jobs: int,
        executors: Mapping[str, Sequence[str]],
        threads: int | None,
    ) -> None:
        self._jobs = jobs
        self._n_jobs = n_jobs
        self._executors = executors
        self._threads = threads
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._seen: dict[str, float] = {}
        self._told: set[str] = set()
        self._trouble = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tersgen-builder")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the builds, which resume at the next start, and return when they have ended."""
        self._stop.set()
        self._thread.join()
        for child in self._children.values():
            _signal(child.pid)
        end = time.monotonic() + _PATIENCE_S
        for child in self._children.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        while not self._stop.wait(_TICK_S):
            try:
                self._tick()
                self._trouble = ""
            except TersError as error:  # the next round may succeed, as when a disk was full
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    _log.warning("%s", error)
            except Exception:  # noqa: BLE001 - the other jobs go on
                _log.exception("watching jobs failed; trying again")

    def _tick(self) -> None:
        running = self._jobs.in_state("running")
        for job in running:
            self._watch(job)
        n_free = self._n_jobs - len(self._jobs.in_state("running"))
        for job in self._jobs.in_state("queued")[: max(0, n_free)]:
            self._start(job)

    def _command(self, job: Job) -> list[str]:
        threads = [] if self._threads is None else ["--threads", str(self._threads)]
        return [
            *(sys.executable, "-m", "tersgen", "build"),
            *("--config", str(self._jobs.path(job) / RESOLVED)),
            *("--n", str(job.n_samples)),
            *("--out", str(self._jobs.output(job).path), "--json"),
            *self._executors.get(job.executor, threads),
        ]

    def _start(self, job: Job) -> None:
        # first, so that the next server watches a job whose server is killed here
        job = self._jobs.change(job.id, state="running", started=now(), message="starting")
        with (self._jobs.path(job) / LOG).open("wb") as log:
            self._children[job.id] = subprocess.Popen(
                self._command(job), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,  # a Ctrl-C is for the server alone
            )  # fmt: skip
        self._told.discard(job.id)

    def _watch(self, job: Job) -> None:
        """Look after a running job: how far it is, and whether it has ended."""
        child = self._children.get(job.id)
        if job.cancelling and job.id not in self._told:
            self._end(job, child)
        code = child.poll() if child else None
        is_written = self._jobs.is_written(job)
        if code is not None and is_written:  # by another build of the same, from before a restart
            del self._children[job.id]
        if (child is not None and code is None) or is_written:
            if time.monotonic() - self._seen.get(job.id, 0.0) >= _PROGRESS_S:
                self._seen[job.id] = time.monotonic()
                self._progress(job)
            return
        if code is not None and code < 0 and not job.cancelling:
            self._killed(job, -code)
        else:
            self._jobs.settle(job, self._failure(job) if code else "")
        self._children.pop(job.id, None)

    def _end(self, job: Job, child: "subprocess.Popen[bytes] | None") -> None:
        """Ask a build to end, whoever started it."""
        holders = [one.pid for one in writers(self._jobs.output(job).folder) if one.is_here]
        for pid in holders if child is None else [child.pid]:
            self._told.add(job.id)
            _signal(pid)

    def _killed(self, job: Job, number: int) -> None:
        """Queue a job again whose build was killed, unless that keeps happening."""
        n_done = self._n_done(job)
        n_killed = 1 if n_done > job.n_done else job.n_killed + 1
        name = signal.Signals(number).name
        if n_killed >= _MOST_KILLED:
            text = f"its build was killed by {name} {n_killed} times without progress"
            self._jobs.settle(job, text)
            return
        settled = self._jobs.settle(job)
        if settled.state == "queued":
            self._jobs.change(
                job.id, n_done=n_done, n_killed=n_killed, message=f"killed by {name}, resumed"
            )

    def _n_done(self, job: Job) -> int:
        try:
            return see_build(self._jobs.output(job).path).n_done
        except TersError:  # there is none yet
            return 0

    def _progress(self, job: Job) -> None:
        """Note how far a build is, if it is further."""
        try:
            seen = see_build(self._jobs.output(job).path)
        except TersError:  # there is none yet, or it is just being replaced
            return
        watched = seen.watched
        rate = watched.rows_recent / watched.seconds_recent if watched else 0.0
        new = {"n_done": min(seen.n_done, job.n_samples), "rate": float(f"{rate:.3g}")}
        if any(getattr(job, name) != value for name, value in new.items()):
            self._jobs.change(job.id, **new, **({"message": ""} if job.message else {}))

    def _failure(self, job: Job) -> str:
        """Return the last line that a build printed, which says why it failed."""
        try:
            with (self._jobs.path(job) / LOG).open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _LAST_BYTES))
                lines = file.read().decode("utf-8", "replace").split("\n")
        except OSError:
            lines = []
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
        return last.removeprefix("Error: ")[:1000]


def _signal(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGTERM)
