"""``tersgen info --build``: how far a build is, from what it writes down while it runs."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .options import human_bytes, human_time
from .saying import say, say_json

if TYPE_CHECKING:
    from ..build.events import Watched
    from ..build.watching import BuildSeen

_MOST_WORKERS = 20


def show_build(path: Path, as_json: bool) -> None:
    """Say how far the build of a dataset is."""
    from ..build.watching import see_build

    seen = see_build(path)
    if as_json:
        say_json(_content(path, seen))
        return
    if seen.is_complete:
        say(f"{path}: complete, {seen.n_samples} samples; no build is under way")
        return
    watched = seen.watched
    if watched is None:
        say(f"{path}: begun, {seen.n_samples} samples wanted; nothing is known of its build")
        return
    n_done, rate = len(watched.shards), watched.rows_recent / watched.seconds_recent
    share = n_done / watched.n_shards
    say(
        f"{path}: {n_done} of {watched.n_shards} shards ({100 * share:.1f} %) of "
        f"{seen.n_samples} samples; since {_at(watched.started)}: {watched.rows} samples, "
        f"{human_bytes(watched.bytes_stored)}, {watched.n_retries} tried again"
    )
    left = (1 - share) * seen.n_samples
    say(
        f"now {rate:.0f} samples/s (over {human_time(watched.seconds_recent)})"
        + (f", {human_time(left / rate)} left" if rate and left else "")
        + f"; last heard of {human_time(max(0.0, time.time() - watched.last))} ago"
    )
    for holder in seen.holders:
        say(f"written by process {holder.pid} on {holder.host}")
    if not seen.holders:
        say("nobody is writing it; the same command goes on")
    for reason in watched.stops[:_MOST_WORKERS]:
        say(f"stopped: {reason}")
    _say_workers(watched)


def _say_workers(watched: "Watched") -> None:
    if not watched.workers:
        return
    here = sum(worker.here for worker in watched.workers)
    say("", f"{here} of {len(watched.workers)} workers are there", "shards  s/shard  heard  worker")
    order = sorted(watched.workers, key=lambda worker: (not worker.here, worker.last))
    for worker in order[:_MOST_WORKERS]:
        mean = f"{worker.seconds / worker.n_shards:.2f}" if worker.n_shards else "-"
        host = f" on {worker.host}" if worker.host else ""
        gone = "" if worker.here else "  (gone)"
        say(f"{worker.n_shards:>6}  {mean:>7}  {_at(worker.last)}  {worker.name}{host}{gone}")
    if len(order) > _MOST_WORKERS:
        say(f"and {len(order) - _MOST_WORKERS} more")


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S UTC")


def _content(path: Path, seen: "BuildSeen") -> dict[str, object]:
    watched = seen.watched
    content: dict[str, object] = {
        "path": str(path),
        "complete": seen.is_complete,
        "n_samples": seen.n_samples,
        "writers": [{"host": one.host, "pid": one.pid} for one in seen.holders],
    }
    if watched is not None:
        content |= {
            "n_shards": watched.n_shards,
            "shards_done": len(watched.shards),
            "rows": watched.rows,
            "bytes_stored": watched.bytes_stored,
            "samples_per_s": watched.rows_recent / watched.seconds_recent,
            "n_retries": watched.n_retries,
            "started": watched.started,
            "last": watched.last,
            "stops": list(watched.stops),
            "workers": [worker._asdict() for worker in watched.workers],
        }
    return content
