"""What a build asks of those who make its shards."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ...store.home import Home
from ...store.interface import Store
from ...store.lock import BuilderLock
from ..events import EventLog
from ..plan import Plan
from ..rows import RowMaker
from ..seal import Sealer
from ..tally import Tally


class Job(NamedTuple):
    """The shards that a build is to make, and what takes them."""

    plan: Plan
    home: Home
    store: Store
    lock: BuilderLock
    """Held by the one who calls the executor, and by nobody else."""
    rows: RowMaker | None
    """What makes rows; they are generated if there is nothing else."""
    todo: Sequence[int]
    """Shards to make, in any order."""
    sealer: Sealer
    """Takes each shard, or its record: ``seal``, ``commit``."""
    tally: Tally
    """Told by the main thread what was sealed."""
    events: EventLog


class Executor(Protocol):
    """Makes shards.

    It takes what comes, in any order, and hands each shard to the sealer of the job as soon as it
    is made. (It is called with the sealer, and does not return or yield receipts: threads seal from
    several threads at once, and what is sealed when the build is stopped is on record.)
    """

    def run(self, job: Job) -> None:
        """Make and seal every shard of a job.

        On any error, Ctrl-C included, those that are being sealed are finished, and the others
        dropped.
        """
