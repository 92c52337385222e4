"""What can be wrong with a dataset, and the report that says so."""

from typing import Literal

from ..schema.base import Frozen, field

Kind = Literal[
    "incomplete",
    "recipe",
    "lock",
    "manifest",
    "version",
    "tag",
    "split",
    "metadata",
    "journal",
    "missing",
    "link",
    "size",
    "bytes",
    "chunk",
    "digest",
]


class Fault(Frozen):
    """One thing that is wrong."""

    kind: Kind = field("what is wrong", "1")
    path: str = field("the file", "1")
    message: str = field("what was expected and what came", "1")
    shard: int | None = field("shard", "1", None)
    array: str | None = field("array", "1", None)
    rows: tuple[int, int] | None = field("first and last row that cannot be trusted", "row", None)

    def __str__(self) -> str:
        """Return one line."""
        where = [] if self.shard is None else [f"shard {self.shard}"]
        where += [] if self.array is None else [self.array]
        where += [] if self.rows is None else [f"rows {self.rows[0]} to {self.rows[1]}"]
        return f"{self.path}: {', '.join(where)}{': ' if where else ''}{self.message}"


class Verified(Frozen):
    """What a verification found."""

    path: str = field("the dataset", "1")
    sound: bool = field("whether it is complete and nothing is wrong", "1")
    quick: bool = field("whether only files, sizes, journal and metadata were checked", "1")
    version: str | None = field("the version", "1")
    digest: str | None = field("its logical digest", "1")
    n_samples: int = field("rows", "row")
    n_shards: int = field("shards", "1")
    bytes_checked: int = field("bytes of shards checked", "byte")
    seconds: float = field("time taken", "s")
    notes: tuple[str, ...] = field("what is worth knowing and no fault", "1", ())
    faults: tuple[Fault, ...] = field("what is wrong", "1", ())
