"""Jobs: asked for, queued, cancelled and resumed; ``builder`` runs them.

Recipe and number of rows are the key: whoever asks for the same gets the same job. A job is a
folder with its recipe and its state, written before the database; the state of a build is that of
its dataset on disk.
"""

import json
import os
import shutil
import threading
from collections.abc import Container
from pathlib import Path
from typing import Any

from ..dataset.documents import load_head
from ..dataset.recipes import save_recipe
from ..dataset.versions import now
from ..errors import ConfigError, DatasetError, OutputError
from ..files import why
from ..jobs.plan import Estimate, check_space, estimate, make_plan
from ..schema.loading import validate_text
from ..store.files import write_durably
from ..store.location import DatasetLocation, find_location, guess_format, new_location
from ..store.writers import writers
from ..text import not_among
from .auth import Token
from .database import Database
from .folder import Folder, UnknownNameError
from .job import FINAL, Job, Priority, State, job_id
from .ready import Ready
from .recipes import RESOLVED, TakenError

_JOB = "job.json"
LOG = "log.txt"
"""What the build of a job prints."""


class QuotaError(OutputError):
    """A job would exceed what its token allows."""


class Jobs:
    """The jobs of a server; safe to use from many threads.

    Parameters
    ----------
    folder
        The served folder.
    database
        Where the queue is kept.
    threads
        Threads of a build.
    """

    def __init__(self, folder: Folder, database: Database, threads: int | None) -> None:
        self._folder = folder
        self._database = database
        self._threads = threads
        self._lock = threading.RLock()
        self._trial = threading.Lock()
        self._estimates: dict[tuple[str, int, str], Estimate] = {}
        self._recover()

    def _recover(self) -> None:
        """Take the jobs from their folders; what the database says beside that is lost."""
        found = []
        for path in sorted(self._folder.jobs.iterdir()):
            if path.name.endswith(".partial"):  # of this server, killed while it wrote
                shutil.rmtree(path, ignore_errors=True)
            elif (path / _JOB).is_file():
                found.append(validate_text(Job, (path / _JOB).read_text("utf-8"), str(path / _JOB)))
        self._database.keep_only(job.id for job in found)
        for job in found:
            self._database.put(job)
            if job.state == "running" and not self.is_written(job):
                self.settle(job)

    def path(self, job: Job) -> Path:
        """Return the folder of a job."""
        return self._folder.jobs / job.id

    def output(self, job: Job) -> DatasetLocation:
        """Return where the dataset of a job is."""
        path = self._folder.output(job.dataset)
        return new_location(path, guess_format(path))

    def all(self) -> list[Job]:
        """Return all jobs, newest first."""
        there = self._folder.locations()
        return [_seen(job, there) for job in self._database.all()]

    def in_state(self, state: State) -> list[Job]:
        """Return the jobs of a state in the order in which they are built."""
        return self._database.in_state(state)

    def get(self, id: str) -> Job:
        """Return a job."""
        job = self._database.get(id)
        if job is None:
            raise UnknownNameError(f"job: {not_among(id, [one.id for one in self.all()])}")
        return _seen(job, self._folder.locations()) if job.state == "done" else job

    def estimate(self, ready: Ready, n_samples: int, name: str = "data.zarr") -> Estimate:
        """Return what a build takes, from a trial in memory."""
        path = self._folder.output(name)
        location = new_location(path, guess_format(path))
        key = ready.digest, n_samples, location.format
        with self._trial:
            if key not in self._estimates:
                plan = make_plan(ready.recipe, n_samples, location.format)
                if len(self._estimates) >= 256:
                    self._estimates.clear()
                self._estimates[key] = estimate(plan, location, self._threads)
            return self._estimates[key]

    def submit(
        self,
        ready: Ready,
        n_samples: int,
        name: str,
        token: Token,
        priority: Priority = 0,
        executor: str = "threads",
    ) -> tuple[Job, bool]:
        """Return the job that builds a dataset, and whether it is new."""
        id = job_id(ready.digest, n_samples)
        with self._lock:
            known = self._database.get(id)
        expected = None if known else self.estimate(ready, n_samples, name)
        with self._lock:
            known = self._database.get(id)
            if known is not None:
                return self._wanted_again(known), False
            assert expected is not None
            job = Job(
                id=id, recipe_digest=ready.digest, n_samples=n_samples, dataset=name,
                owner=token.name, priority=priority, executor=executor,
                bytes=expected.bytes_stored, hours=expected.seconds / 3600, created=now(),
            )  # fmt: skip
            there = self._same_dataset(job)
            if there is not None:
                job = job.model_copy(
                    update={
                        **{"dataset": there, "state": "done", "n_done": n_samples, "ended": now()},
                        **{"bytes": 0.0, "hours": 0.0, "message": "the dataset was there already"},
                    }
                )
            else:
                self._check_name(name)
                self._check_quota(job, token)
                check_space(expected, self.output(job))
            self._write_folder(job, ready)
            self._database.put(job)
            return job, there is None

    def _wanted_again(self, job: Job) -> Job:
        """Return a job that somebody asks for again; a failed or cancelled one is resumed."""
        if job.state in ("queued", "running") or self.is_complete(job):
            return job
        return self.resume(job.id)

    def _same_dataset(self, job: Job) -> str | None:
        """Return the name of a dataset here with the same rows."""
        for served in self._folder.datasets().values():
            manifest = served.manifest
            if (manifest.recipe_digest, manifest.n_samples) == (job.recipe_digest, job.n_samples):
                return served.name
        return None

    def _check_name(self, name: str) -> None:
        taken = os.path.lexists(self._folder.output(name)) or name in self._folder.locations()
        if taken or any(one.dataset == name for one in self.all()):
            raise TakenError(f"name: expected a new one, got {name!r}, which has another dataset")

    def _check_quota(self, job: Job, token: Token) -> None:
        mine = [
            one for one in self.all() if one.owner == token.name and one.state != "cancelled"
        ] + [job]
        for what, most, used, unit in (
            ("size", token.bytes, sum(one.bytes for one in mine), "bytes"),
            ("time", token.hours, sum(one.hours for one in mine), "hours"),
        ):
            if most is not None and used > most:
                raise QuotaError(
                    f"quota of {token.name}: expected at most {most:.4g} {unit} in all jobs, got "
                    f"an estimated {what} of {used:.4g} {unit} with this one; cancel another job, "
                    "or ask for more"
                )

    def _write_folder(self, job: Job, ready: Ready) -> None:
        partial = self._folder.jobs / f"{job.id}.partial"
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            save_recipe(ready.recipe, partial / RESOLVED)
            write_durably(partial / _JOB, [_text(job)])
            shutil.rmtree(
                self.path(job), ignore_errors=True
            )  # one that never got into the database
            partial.rename(self.path(job))
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise OutputError(f"job {job.id}: cannot be written: {why(error)}") from None

    def change(self, id: str, **changes: Any) -> Job:
        """Return a job after a change; progress alone is not written to its folder."""
        with self._lock:
            job = self.get(id)
            new = job.model_copy(update={**changes, "revision": job.revision + 1})
            if {*changes} - {"n_done", "rate"}:
                try:
                    write_durably(self.path(job) / _JOB, [_text(new)])
                except OSError as error:
                    raise OutputError(f"job {id}: cannot be written: {why(error)}") from None
            self._database.put(new)
            return new

    def cancel(self, id: str, token: Token) -> Job:
        """Take a job from the queue, or end its build; what is built stays, and can be resumed."""
        with self._lock:
            job = self._own(id, token)
            if job.state == "queued":
                return self.change(id, state="cancelled", ended=now(), message="cancelled")
            if job.state == "running":
                return job if job.cancelling else self.change(id, cancelling=True)
            raise EndedError(
                f"job {id}: expected one that waits or runs, got one that is {job.state}"
            )

    def resume(self, id: str) -> Job:
        """Queue a job again that ended before its dataset was complete."""
        with self._lock:
            job = self.get(id)
            if job.state in FINAL and not self.is_complete(job):
                return self.change(
                    id, state="queued", cancelling=False, ended=None, message="", n_killed=0
                )
            raise EndedError(
                f"job {id}: expected one that has ended before its dataset was complete, got one "
                f"that is {job.state}"
            )

    def set_priority(self, id: str, priority: Priority, token: Token) -> Job:
        """Change the priority of a job."""
        return self.change(self._own(id, token).id, priority=priority)

    def _own(self, id: str, token: Token) -> Job:
        """Return a job that a token may change."""
        job = self.get(id)
        if token.right != "admin" and job.owner != token.name:
            raise NotYoursError(
                f"job {id}: expected one of {token.name}, got one of {job.owner}; ask them, or "
                "the owner of the server"
            )
        return job

    def is_complete(self, job: Job) -> bool:
        """Return whether the dataset of a job is there with all its rows."""
        location = find_location(self._folder.output(job.dataset))
        if location is None:
            return False
        try:
            head = load_head(location)
        except (DatasetError, ConfigError):
            return False
        return head.recipe_digest == job.recipe_digest and head.n_samples >= job.n_samples

    def is_written(self, job: Job) -> bool:
        """Return whether a process is writing the dataset of a job."""
        return bool(writers(self.output(job).folder))

    def settle(self, job: Job, failure: str = "") -> Job:
        """Return a running job in the state that follows from its dataset, now nobody writes it.

        ``failure`` is why its build failed; without one it goes back to the queue.
        """
        if self.is_complete(job):
            return self.change(
                job.id, state="done", ended=now(), n_done=job.n_samples, rate=0.0, message="",
                cancelling=False,
            )  # fmt: skip
        if job.cancelling:
            return self.change(
                job.id, state="cancelled", ended=now(), rate=0.0, message="cancelled",
                cancelling=False,
            )  # fmt: skip
        if failure:
            return self.change(job.id, state="failed", ended=now(), rate=0.0, message=failure)
        return self.change(job.id, state="queued", rate=0.0)


class EndedError(TakenError):
    """A job is not in a state in which this can be done."""


class NotYoursError(OutputError):
    """A job is somebody else's."""


def _seen(job: Job, there: Container[str]) -> Job:
    """Return a job, which says so if its dataset was removed."""
    if job.state != "done" or job.dataset in there:
        return job
    return job.model_copy(update={"message": "its dataset was removed; submit it again"})


def _text(job: Job) -> bytes:
    return json.dumps(job.model_dump(mode="json"), indent=1).encode() + b"\n"
