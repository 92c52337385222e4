"""Computation of many molecules, by this process or by the workers of a Dask cluster.

A task is one molecule; its result comes back as the bytes of a library file. Each worker process
computes one at a time, with the threads that its environment allows.
"""

import platform
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ..errors import ClusterError, ConfigError, TersError
from ..files import is_limit
from ..library.computing import Computed, compute, imaginary_left_out
from ..library.conformers import compute_conformers
from ..library.engine import Engine, make_engine
from ..library.entries import Entry, make_conformers, make_molecule
from ..library.level import Level
from ..library.libraryfile import library_parts
from ..plugins import Imported, import_again, imported
from ..schema.library import Library
from .environment import Versions, program_versions
from .executors.options import ClusterOptions
from .tasks import check_versions, ended, open_client, workers_died


class Order(NamedTuple):
    """Settings that all molecules of a computation share."""

    engine: str
    """As ``--engine`` names it."""
    level: str
    """The level of theory, as JSON."""
    follow: bool
    """Whether imaginary modes are followed."""
    conformers: int
    """Number of starting geometries; 1 for a single species."""
    versions: Versions
    plugins: tuple[Imported, ...]

    def make_engine(self) -> Engine:
        """Return the engine."""
        return make_engine(self.engine, Level.model_validate_json(self.level))


class Outcome(NamedTuple):
    """Outcome of a molecule."""

    number: int
    content: bytes
    """A library file of its species; empty if it failed."""
    reason: str
    """Why it failed, or a warning about it; empty if there is none."""
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether there is no species."""
        return not self.content


def new_order(engine: str, level: Level, follow: bool = True, conformers: int = 1) -> Order:
    """Return an order to this process or to workers."""
    return Order(
        engine, level.model_dump_json(), follow, conformers, program_versions(), imported()
    )


_working = threading.Lock()
"""One molecule at a time: Dask gives a process two tasks."""
_engines: dict[Order, Engine] = {}


def compute_entry(order: Order, entry: Entry) -> Outcome:
    """Compute a molecule; expected failures are returned, with the reason."""
    check_versions(order.versions)
    with _working:
        if order not in _engines:
            try:
                import_again(tuple(Imported(*one) for one in order.plugins))
                _engines[order] = order.make_engine()
            except ConfigError as error:
                raise ClusterError(f"{platform.node()}: {error}") from None
        return compute_one(_engines[order], order, entry)


def compute_one(
    engine: Engine, order: Order, entry: Entry, report: Callable[[str], None] | None = None
) -> Outcome:
    """Compute a molecule with an engine, see ``compute_entry``."""
    start = time.perf_counter()
    try:
        if order.conformers > 1:
            starts, mirrored = make_conformers(entry, order.conformers)
            computed = compute_conformers(engine, starts, mirrored, report, order.follow)
        else:
            computed = [compute(engine, make_molecule(entry), report, order.follow)]
    except TersError as error:
        return Outcome(entry.number, b"", _line(error), time.perf_counter() - start)
    except Exception as error:
        if is_limit(error):
            raise
        text = f"{type(error).__name__}: {_line(error)}"
        return Outcome(entry.number, b"", text, time.perf_counter() - start)
    content = b"".join(library_parts(Library(_with_file(one, entry) for one in computed)))
    n_imaginary = sum(one.n_imaginary for one in computed)
    remark = imaginary_left_out(n_imaginary) if n_imaginary else ""
    return Outcome(entry.number, content, remark, time.perf_counter() - start)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]


def _with_file(computed: Computed, entry: Entry) -> Any:
    """Return the species, saying of which file it is."""
    species = computed.species
    known = {"file": entry.file, "sha256": entry.sha256}
    provenance = species.provenance.model_copy(update=known)
    return species.model_copy(update={"provenance": provenance})


def outcomes(
    order: Order,
    entries: Sequence[Entry],
    options: ClusterOptions,
    tell: Callable[[str], None],
    waiting: Callable[[str], None],
) -> Generator[Outcome, None, None]:
    """Yield the outcome of each molecule, in any order.

    Parameters
    ----------
    order, entries
        What to compute.
    options
        Whether this process or which workers compute.
    tell
        Called with a line at each step of a molecule, if this process computes.
    waiting
        Called now and then with what is waited for, if workers compute.
    """
    if options.executor == "threads":
        engine = order.make_engine()
        for entry in entries:
            yield compute_one(engine, order, entry, tell)
        return
    with open_client(options) as client:
        function = partial(compute_entry, order)
        for entry, future in ended(client, function, entries, options.wait_s, waiting):
            yield _outcome_of(future, entry)


def _outcome_of(future: Any, entry: Entry) -> Outcome:
    """Return what came of a molecule."""
    if workers_died(future):
        return Outcome(entry.number, b"", "workers died of it, most likely out of memory", 0.0)
    error = future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    if isinstance(error, TersError):
        raise error
    raise ClusterError(f"{entry.shown}: {type(error).__name__}: {_line(error)}")


def order_record(order: Order) -> Mapping[str, Any]:
    """Return all that determines the results of an order, as values for JSON."""
    named = ("engine", "level", "follow", "conformers")
    plugins = [one.digest for one in order.plugins]
    return {**{name: getattr(order, name) for name in named}, "plugins": plugins}
