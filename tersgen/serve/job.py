"""A job: a dataset that somebody asked for, and how far it is."""

import hashlib
from typing import Annotated, Literal

from pydantic import Field

from ..schema.base import Frozen, field
from ..schema.manifest import LARGEST_N, Digest

State = Literal["queued", "running", "done", "failed", "cancelled"]
FINAL: tuple[State, ...] = ("done", "failed", "cancelled")
Priority = Annotated[int, Field(ge=-100, le=100)]


def job_id(recipe_digest: str, n_samples: int) -> str:
    """Return the id of the job that builds so many rows of a recipe: always the same."""
    return hashlib.sha256(f"{recipe_digest}:{n_samples}".encode()).hexdigest()[:16]


class Job(Frozen):
    """A dataset that somebody asked for; its journal, not this, says what is on disk."""

    id: str = field("follows from recipe and number of rows", "1", pattern=r"^[0-9a-f]{16}$")
    recipe_digest: Digest = field("digest of the resolved recipe", "1")
    n_samples: int = field("rows", "row", gt=0, le=LARGEST_N)
    dataset: str = field("name of the dataset", "1")
    owner: str = field("name of the token that asked for it", "1")
    priority: Priority = field("higher ones are built first", "1", 0)
    executor: str = field("name of the executor that builds it", "1", "threads")
    bytes: float = field("estimated size", "byte", 0.0)
    hours: float = field("estimated time", "h", 0.0)
    created: str = field("time, ISO 8601, UTC", "1")
    state: State = field("state", "1", "queued")
    cancelling: bool = field("whether it was cancelled and is ending", "1", False)
    started: str | None = field("when its build was last started", "1", None)
    ended: str | None = field("when it ended", "1", None)
    n_done: int = field("rows that are finished", "row", 0)
    rate: float = field("rows per second in the last two minutes", "1/s", 0.0)
    message: str = field("why it failed, or what it waits for", "1", "")
    n_killed: int = field("times in a row that its build was killed without progress", "1", 0)
    revision: int = field("raised by each change", "1", 0)
