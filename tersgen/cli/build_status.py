"""``tersgen info --build``: the progress of a build, from the log that it writes while it runs."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..text import counted, human_bytes, human_time
from .common.messages import say, say_json

if TYPE_CHECKING:
    from ..jobs.events import Watched
    from ..jobs.status import BuildSeen

_MOST_WORKERS = 20


def show_build(path: Path, as_json: bool, follow_links: bool = False) -> None:
    """Say how far the build of a dataset is."""
    from ..jobs.status import see_build

    seen = see_build(path, follow_links)
    if as_json:
        say_json({"path": str(path), **build_content(seen)})
    else:
        say_build(path, seen)


def say_build(path: Path, seen: "BuildSeen") -> None:
    """Say how far a build or an extension is, who is writing it, and how to resume it."""
    if seen.is_complete:
        say(f"{path}: complete, {counted(seen.n_samples, 'sample')}; no build is under way")
        _say_writers(seen)
        return
    n_done = len(seen.shards)
    what = "being written" if seen.holders else "incomplete"
    if seen.n_complete:
        what = f"an extension of its {seen.n_complete} samples, {what}"
    text = (
        f"{path}: {what}: {n_done} of {seen.n_shards} shards "
        f"({100 * n_done / seen.n_shards:.1f} %), {seen.n_done} of {seen.n_samples} samples"
    )
    watched = seen.watched
    if watched is None:
        say(f"{text}; nothing else is known of its build")
    else:
        rate = watched.rows_recent / watched.seconds_recent if seen.holders else 0.0
        say(
            f"{text}; since {_at(watched.started)}: {watched.rows} samples, "
            f"{human_bytes(watched.bytes_stored)}, {watched.n_retries} tried again"
        )
        left = seen.n_samples - seen.n_done
        say(
            (f"now {rate:.0f} samples/s (over {human_time(watched.seconds_recent)})"
            + (f", {human_time(left / rate)} left; " if rate else "; ") if seen.holders else "")
            + f"last heard of {human_time(max(0.0, time.time() - watched.last))} ago"
        )  # fmt: skip
    _say_writers(seen)
    if not seen.holders:
        say(f"nobody is writing it; to resume: {seen.command}")
    if watched is not None:
        for reason in watched.stops[:_MOST_WORKERS]:
            say(f"stopped: {reason}")
        _say_workers(watched, bool(seen.holders))


def _say_writers(seen: "BuildSeen") -> None:
    for holder in seen.holders:
        since = f" since {holder.since}" if holder.since else ""
        say(f"written by process {holder.pid} on {holder.host}{since}")


def _say_workers(watched: "Watched", is_written: bool) -> None:
    if not watched.workers:
        return
    here = sum(worker.here for worker in watched.workers)
    n_workers = len(watched.workers)
    counted = f"{n_workers} worker{'' if n_workers == 1 else 's'}"
    title = f"{counted}, {here} at work" if is_written else f"{counted} took part"
    say("", title, f"shards  s/shard  {'heard':<12}  worker")
    order = sorted(watched.workers, key=lambda worker: (not worker.here, worker.last))
    for worker in order[:_MOST_WORKERS]:
        # only workers of a cluster record the time of a shard
        mean = f"{worker.seconds / worker.n_shards:.2g}" if worker.seconds else "-"
        host = f" on {worker.host}" if worker.host else ""
        gone = "  (gone)" if is_written and not worker.here else ""
        say(f"{worker.n_shards:>6}  {mean:>7}  {_at(worker.last)}  {worker.name}{host}{gone}")
    if len(order) > _MOST_WORKERS:
        say(f"and {len(order) - _MOST_WORKERS} more")


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S UTC")


def build_content(seen: "BuildSeen") -> dict[str, object]:
    """Return how far a build is, for JSON."""
    watched = seen.watched
    content: dict[str, object] = {
        "complete": seen.is_complete,
        "n_samples": seen.n_samples,
        "n_complete": seen.n_complete,
        "n_done": seen.n_done,
        "n_shards": seen.n_shards,
        "shards_done": len(seen.shards),
        "writers": [{"host": one.host, "pid": one.pid, "since": one.since} for one in seen.holders],
        "to_finish": None if seen.is_complete else seen.command,
    }
    if watched is not None:
        content |= {
            "rows": watched.rows,
            "bytes_stored": watched.bytes_stored,
            "samples_per_s": watched.rows_recent / watched.seconds_recent,
            "n_retries": watched.n_retries,
            "started": watched.started,
            "last": watched.last,
            "stops": list(watched.stops),
            "workers": [asdict(worker) for worker in watched.workers],
        }
    return content
