"""What a worker of a cluster does: make one shard, write its files, and say what it wrote.

A task is an order, which is the same for all shards of a build and small whatever the recipe, and
the number of a shard. The recipe and its library are read from the dataset's folder once by each
process. The worker holds no lock and writes no record: before it gives a file its name, it checks
whether its builder still holds the lock, as a builder does. What can be expected to fail is
returned, not raised, so that it comes back with the name of the machine.
"""

import errno
import platform
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from ...cpus import available_cpus
from ...dataset.basis import contents_of
from ...dataset.documents import load_stored_basis, understood
from ...errors import ConfigError, DatasetError, LostLockError, OutputError
from ...files import why
from ...plugins import Imported, import_again
from ...schema.manifest import RECIPE, Compression, Format, ShardRecord
from ...store.layout import Layout
from ...store.location import new_location
from ...store.lock import LockView
from ..chunks import ChunkMaker, Shard
from ..commit import ShardWriter
from ..environment import Versions, version_differences, versions
from ..plan import Plan

T = TypeVar("T")

_TRIES = 5
_FIRST_WAIT_S = 0.5
_PASSING = (errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EAGAIN, errno.ENOENT)
"""Errors that a network file system gives now and then; a second try may do."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


class BuildOrder(NamedTuple):
    """What a build orders from its workers; the same for each of its shards."""

    path: str
    """The dataset, as an absolute path."""
    format: Format
    recipe_digest: str
    n_samples: int
    chunk_rows: int
    shard_rows: int
    compression: Compression
    lock_number: int
    lock_token: str
    """Those of the lock that the builder holds."""
    threads: int | None
    """Threads of each worker process; None for those it may use, up to its Dask threads."""
    late_s: float
    """How long the file system may take to show a file to another machine."""
    versions: Versions
    """Those of the builder."""
    plugins: tuple[Imported, ...] = ()
    """Modules that the builder imported for their parts."""


class Receipt(NamedTuple):
    """A shard whose files are written."""

    token: str
    """Of the order that it was made for: the lock of the build."""
    record: str
    """The record of the shard, as JSON."""
    worker: str
    seconds: float
    n_retries: int
    """How often the file system had to be asked again."""

    def shard_record(self) -> ShardRecord:
        """Return the record of the shard."""
        return ShardRecord.model_validate_json(self.record)


class Failure(NamedTuple):
    """A shard that was not made, and why."""

    token: str
    """Of the order that it was to be made for."""
    reason: Literal["differs", "plugins", "unseen", "lost", "full", "files", "memory", "other"]
    worker: str
    text: str
    number: int = 0
    """The number of the system's error, for ``full`` and ``files``."""


class _Workplace:
    """All that a process needs to make any shard of a build; used by its Dask threads at once."""

    def __init__(self, order: BuildOrder, most_threads: int) -> None:
        location = new_location(Path(order.path), order.format)
        document = load_stored_basis(location, order.recipe_digest)
        understood(location.path, document)
        layout = Layout(
            chunk_rows=order.chunk_rows,
            shard_rows=order.shard_rows,
            compression=order.compression,
        )
        contents = contents_of(document)
        self.plan = Plan(document, contents, order.n_samples, layout, order.format)
        store = self.plan.store()
        self.threads = order.threads or min(available_cpus(), most_threads)
        # as many threads as processors, however many shards are asked for at once: shards asked
        # for later are made while the earlier ones are flushed to disk
        self.makers = ThreadPoolExecutor(self.threads, "tersgen-make")
        self.maker: ChunkMaker = self.plan.maker(store)
        view = LockView(location.folder, order.lock_number, order.lock_token, order.late_s)
        self.check = view.check
        self.writer = ShardWriter(location.folder, store, view.check)


_MOST_WORKPLACES = 4
_opening = threading.Lock()
_workplaces: dict[BuildOrder, _Workplace] = {}


def _workplace_of(order: BuildOrder, most_threads: int) -> _Workplace:
    """Return what the process has for an order; it keeps that of the last few."""
    with _opening:
        workplace = _workplaces.pop(order, None) or _Workplace(order, most_threads)
        _workplaces[order] = workplace
        while len(_workplaces) > _MOST_WORKPLACES:
            del _workplaces[next(iter(_workplaces))]
        return workplace


def _retry(action: Callable[[], T], retried: Callable[[], object]) -> T:
    """Do something again, later and later, while the file system fails in a way that may pass."""
    wait_s = _FIRST_WAIT_S
    for _ in range(_TRIES - 1):
        try:
            return action()
        except LostLockError:
            raise
        except OSError as error:
            if not isinstance(error, DatasetError) and error.errno not in _PASSING:
                raise
            retried()
            time.sleep(wait_s)
            wait_s *= 2
    return action()


def _wait_for_recipe(order: BuildOrder) -> bool:
    """Wait until the dataset is seen here; return whether it is."""
    path = new_location(Path(order.path), order.format).folder / RECIPE
    end = time.monotonic() + order.late_s
    while not path.is_file():
        if time.monotonic() >= end:
            return False
        time.sleep(min(0.2, order.late_s))
    return True


def _make(workplace: _Workplace, number: int, careful: bool) -> Shard:
    rows = workplace.plan.rows_of(number)
    units = workplace.maker.units(number, rows)
    if careful:
        with ThreadPoolExecutor(max(1, workplace.threads // 2), "tersgen-careful") as makers:
            return Shard(number, list(makers.map(lambda unit: workplace.maker.make(*unit), units)))
    return Shard(
        number, list(workplace.makers.map(lambda unit: workplace.maker.make(*unit), units))
    )


def topic_of(token: str) -> str:
    """Return under which topic the workers of a build report."""
    return f"tersgen-{token}"


def work(order: BuildOrder, shard: int, replacing: bool, careful: bool) -> None:
    """Make a shard on this Dask worker; report that it was started, and what came of it.

    The reports are small and are sent over the scheduler's stream of events; nothing has to be
    fetched from the worker afterwards, so it may leave at once.
    """
    from distributed import get_worker

    worker = get_worker()
    topic = topic_of(order.lock_token)
    name = f"{worker.address} on {platform.node()}"
    worker.log_event(topic, {"shard": shard, "started": [order.lock_token, name]})
    result = make_shard(order, shard, replacing, careful, name, worker.state.nthreads)
    kind = "receipt" if isinstance(result, Receipt) else "failure"
    worker.log_event(topic, {"shard": shard, kind: list(result)})


def make_shard(
    order: BuildOrder,
    shard: int,
    replacing: bool = False,
    careful: bool = False,
    name: str = "",
    most_threads: int = 1,
) -> Receipt | Failure:
    """Make a shard and write its files.

    Parameters
    ----------
    order
        What all shards of the build have in common.
    shard
        Its number.
    replacing
        Whether it takes the place of files that are recorded.
    careful
        Take half the threads, which need less memory.
    name
        What the worker is called.
    most_threads
        Threads to use at most, if the order says nothing of them.
    """
    start = time.perf_counter()
    token = order.lock_token
    n_retries = 0

    def retried() -> None:
        nonlocal n_retries
        n_retries += 1

    different = version_differences(versions(), order.versions)
    if different:
        return Failure(token, "differs", name, different)
    try:
        import_again(tuple(Imported(*one) for one in order.plugins))
    except ConfigError as error:
        return Failure(token, "plugins", name, str(error))
    try:
        if not _wait_for_recipe(order):
            return Failure(token, "unseen", name, f"no {RECIPE} in {order.path}")
        workplace = _retry(lambda: _workplace_of(order, most_threads), retried)
        _retry(workplace.check, retried)
        made = _make(workplace, shard, careful)
        record = _retry(
            lambda: workplace.writer.write(made, secrets.token_hex(8), replacing), retried
        )
    except LostLockError as error:
        return Failure(token, "lost", name, str(error))
    except MemoryError:
        return Failure(token, "memory", name, "out of memory")
    except (DatasetError, OutputError) as error:
        return Failure(token, "other", name, str(error))
    except OSError as error:
        kind: Literal["full", "files"] = "full" if error.errno in _FULL else "files"
        return Failure(token, kind, name, why(error), error.errno or 0)
    seconds = time.perf_counter() - start
    return Receipt(token, record.model_dump_json(), name, seconds, n_retries)
