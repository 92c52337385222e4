"""The database of a server: jobs, for the queue, and who did what.

It can be removed while no server runs: the folder of each job has all that the next start needs.
"""

import sqlite3
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..dataset.versions import now
from ..errors import OutputError
from .job import Job

_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    created TEXT NOT NULL,
    job TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS queue ON jobs (state, priority DESC, created, id);
CREATE TABLE IF NOT EXISTS audit (
    time TEXT NOT NULL,
    token TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL
);
"""
_MOST_AUDITED = 100_000


class Database:
    """Jobs and audit in an SQLite file; safe to use from many threads.

    A file that is no database, or a damaged one, is put aside: see the module.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            try:
                self._connection = _opened(path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                path.replace(path.with_suffix(".damaged"))
                for ending in ("-wal", "-shm"):
                    path.with_name(path.name + ending).unlink(missing_ok=True)
                self._connection = _opened(path)
        except (sqlite3.Error, OSError) as error:
            raise OutputError(f"{path}: cannot be used: {error}") from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def put(self, job: Job) -> None:
        """Store a job, in place of what is stored of it."""
        row = (job.id, job.state, job.priority, job.created, job.model_dump_json())
        try:
            with self._lock, self._connection:
                self._connection.execute("REPLACE INTO jobs VALUES (?, ?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            raise OutputError(f"job {job.id}: cannot be stored: {error}") from None

    def keep_only(self, ids: Iterable[str]) -> None:
        """Forget all other jobs."""
        known = {*ids}
        with self._lock, self._connection:
            stored = [row[0] for row in self._connection.execute("SELECT id FROM jobs")]
            gone = [(one,) for one in stored if one not in known]
            self._connection.executemany("DELETE FROM jobs WHERE id = ?", gone)

    def get(self, id: str) -> Job | None:
        """Return a job, or None."""
        found = self._jobs("WHERE id = ?", id)
        return found[0] if found else None

    def all(self) -> list[Job]:
        """Return all jobs, newest first."""
        return self._jobs("ORDER BY created DESC, id")

    def in_state(self, state: str) -> list[Job]:
        """Return the jobs of a state in the order in which they are built."""
        return self._jobs("WHERE state = ? ORDER BY priority DESC, created, id", state)

    def _jobs(self, where: str, *values: str) -> list[Job]:
        with self._lock:
            rows = self._connection.execute(f"SELECT job FROM jobs {where}", values).fetchall()
        return [Job.model_validate_json(row[0]) for row in rows]

    def audit(self, token: str, action: str, subject: str) -> None:
        """Record who did what; a full disk does not undo it."""
        with self._lock, suppress(sqlite3.OperationalError), self._connection:
            self._connection.execute(
                "INSERT INTO audit VALUES (?, ?, ?, ?)", (now(), token, action, subject[:200])
            )
            self._connection.execute(
                "DELETE FROM audit WHERE rowid <= (SELECT MAX(rowid) FROM audit) - ?",
                (_MOST_AUDITED,),
            )

    def audited(self, limit: int) -> list[dict[str, str]]:
        """Return what was done last, newest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT time, token, action, subject FROM audit ORDER BY rowid DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [dict(zip(("time", "token", "action", "subject"), row, strict=True)) for row in rows]


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10.0, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
        connection.execute("SELECT COUNT(job) FROM jobs").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
