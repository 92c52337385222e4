"""The log of a build, line by line, for watching it from any node.

The log is a file of JSON lines in the dataset's folder, which exists only until the dataset is
complete. It is for people: nothing depends on it, and a build continues if its log cannot be
written.
"""

import json
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from ..errors import TersError
from ..plugins import imported
from ..schema.manifest import EVENTS, ShardRecord
from ..store.files import Check
from ..store.writers import range_folders

_LARGEST = 1 << 30
_LONGEST_LINE = 1 << 16
_RECENT_S = 120.0
_MOST_SPANS = 12
"""Ranges of shards that a message lists."""


def spans(shards: Iterable[int]) -> list[tuple[int, int]]:
    """Return shards as ranges, the end not included.

    >>> spans([0, 1, 2, 7, 8, 10])
    [(0, 3), (7, 9), (10, 11)]
    """
    found: list[tuple[int, int]] = []
    for shard in sorted(shards):
        if found and found[-1][1] == shard:
            found[-1] = (found[-1][0], shard + 1)
        else:
            found.append((shard, shard + 1))
    return found


def spans_text(shards: Iterable[int]) -> str:
    """Return shards as ranges, in words.

    >>> spans_text([0, 1, 2, 7, 8, 10])
    '0:3, 7:9, 10:11'
    """
    found = spans(shards)
    text = ", ".join(f"{first}:{last}" for first, last in found[:_MOST_SPANS])
    return f"{text} and {len(found) - _MOST_SPANS} more" if len(found) > _MOST_SPANS else text


def plugin_files() -> dict[str, list[str]]:
    """Return the files that plug-ins were imported from, if any, for the log."""
    files = [one.target for one in imported() if one.target.endswith(".py")]
    return {"plugins": files} if files else {}


def _reason(error: BaseException) -> str:
    """Return why a build ends, in words for the user.

    >>> _reason(SystemExit(143)), _reason(TersError("disk full"))
    ('by SIGTERM', 'disk full')
    """
    if isinstance(error, KeyboardInterrupt):
        return "by SIGINT"
    if isinstance(error, SystemExit):
        with suppress(TypeError, ValueError):
            return f"by {signal.Signals(int(error.code or 0) - 128).name}"
        return f"with exit code {error.code}"
    return str(error) if isinstance(error, TersError) else f"{type(error).__name__}: {error}"


class EventLog:
    """A log that one process writes; a context manager. ``check`` is that of the lock it holds."""

    def __init__(self, folder: Path, check: Check) -> None:
        check()
        self._path = folder / EVENTS
        self._torn = False
        self._file: Any = None
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        is_new = not os.path.lexists(self._path)
        with suppress(OSError):
            descriptor = os.open(self._path, flags | (os.O_CREAT if is_new else 0), 0o666)
            self._file = os.fdopen(descriptor, "ab", buffering=0)
        try:
            check()
        except OSError:  # another has taken over meanwhile: leave no log in its dataset
            if self._file is not None:
                self._file.close()
                if is_new:
                    self._path.unlink(missing_ok=True)
            raise

    def write(self, event: str, **facts: object) -> None:
        """Append a line, in one piece."""
        if self._file is None:
            return
        line = {"time": round(time.time(), 3), "event": event, **facts}
        data = b"\n" * self._torn + json.dumps(line).encode() + b"\n"
        try:
            self._torn = self._file.write(data) != len(data)
        except OSError:
            self._torn = True

    def committed(self, record: ShardRecord, **facts: object) -> None:
        """Append that a shard is finished."""
        self.write(
            "committed", shard=record.shard, rows=record.rows, bytes=record.bytes_stored, **facts
        )

    def __enter__(self) -> Self:
        """Return the log."""
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Say why it ends, and close it."""
        if error is not None:
            self.write("stopped", reason=_reason(error)[:500])
        if self._file is not None:
            self._file.close()


@dataclass
class WorkerSeen:
    """What a worker has done in this build."""

    name: str
    host: str = ""
    """Its machine, where the name does not say it."""
    here: bool = True
    n_shards: int = 0
    seconds: float = 0.0
    """Spent on its shards, in all."""
    last: float = 0.0
    """When it was last heard of, seconds since 1970."""


class Watched(NamedTuple):
    """How far a build is, from its logs."""

    n_shards: int
    """Shards in all."""
    shards: set[int]
    """Those that are finished."""
    rows: int
    bytes_stored: int
    """Of shards finished since the build was last started."""
    rows_recent: int
    """Rows finished in the last ``seconds_recent``."""
    seconds_recent: float
    n_retries: int
    workers: tuple[WorkerSeen, ...]
    started: float
    """When the oldest of those who write was started, seconds since 1970."""
    last: float
    stops: tuple[str, ...]
    """Why those that stopped did so."""


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a log; torn lines, and those that are no event, are skipped."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
        return
    with path.open("rb") as file:
        for line in iter(lambda: file.readline(_LONGEST_LINE), b""):
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if (
                isinstance(event, dict)
                and isinstance(event.get("event"), str)
                and isinstance(event.get("time"), int | float)
            ):
                yield event


def _session(path: Path) -> list[dict[str, Any]]:
    """Return the events of a log since the build was last started."""
    events: list[dict[str, Any]] = []
    for event in _lines(path):
        if event["event"] == "started":
            events = []
        events.append(event)
    return events


def _number(event: dict[str, Any], name: str) -> float:
    value = event.get(name)
    return value if isinstance(value, int | float) else 0


def logs(folder: Path) -> list[Path]:
    """Return the logs of a dataset that is being built."""
    return [
        path
        for path in (folder / EVENTS, *(place / EVENTS for place in range_folders(folder)))
        if path.is_file()
    ]


def watch(paths: Sequence[Path], n_shards: int) -> Watched | None:
    """Return how far a build is, from its logs; None if they say nothing."""
    now = time.time()
    sessions = [events for events in map(_session, paths) if events]
    if not sessions:
        return None
    shards: set[int] = set()
    rows = n_bytes = rows_recent = n_retries = 0
    seen: dict[str, WorkerSeen] = {}
    stops: list[str] = []
    started = min(events[0]["time"] for events in sessions)
    recent = max(started, now - _RECENT_S)
    for events in sessions:
        if events[-1]["event"] == "stopped":
            stops.append(str(events[-1].get("reason", "")))
        alone: object = None
        for event in events:
            kind, name = event["event"], event.get("worker", alone)
            worker = WorkerSeen(str(name))
            if isinstance(name, str):
                worker = seen.setdefault(name, worker)
            worker.last = max(worker.last, event["time"])
            worker.host = str(event.get("host", worker.host))
            if kind == "started":
                for first, last in event.get("kept", ()):
                    shards.update(range(first, min(last, n_shards)))
            elif kind == "committed" and (shard := _number(event, "shard")) not in shards:
                shards.add(int(shard))
                rows += int(_number(event, "rows"))
                n_bytes += int(_number(event, "bytes"))
                rows_recent += int(_number(event, "rows")) if event["time"] >= recent else 0
                worker.n_shards += 1
                worker.seconds += _number(event, "seconds")
            elif kind == "again":
                n_retries += 1
            elif kind in ("joined", "left"):
                worker.here = kind == "joined"
                alone = name  # threads of one process do not say each time who they are
    return Watched(
        n_shards=n_shards,
        shards=shards,
        rows=rows,
        bytes_stored=n_bytes,
        rows_recent=rows_recent,
        seconds_recent=max(now - recent, 1e-3),
        n_retries=n_retries,
        workers=tuple(seen[name] for name in sorted(seen)),
        started=started,
        last=max(events[-1]["time"] for events in sessions),
        stops=tuple(stops),
    )
