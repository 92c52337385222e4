"""The last step of a build: all records are combined into a version."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..dataset.versions import now
from ..errors import DamagedDataError
from ..schema.manifest import FileFacts, Manifest, ShardRecord
from ..schema.split import Split
from ..store.digest import combine, dataset_digest
from ..store.files import Check
from ..store.layout import leaf_rows
from .environment import environment
from .plan import Plan
from .rows import RowMaker


def _no_splits(_: Check) -> tuple[Split, ...]:
    return ()


class Origin(NamedTuple):
    """Where the rows of a version come from, and what goes with them."""

    change: str
    """What the version's history says."""
    rows: RowMaker | None = None
    """What makes rows; they are generated if there is nothing else."""
    parent: Manifest | None = None
    """The version that this one comes from."""
    splits: Callable[[Check], tuple[Split, ...]] = _no_splits
    """Makes the splits of the new version, once all shards are finished; given the lock's check."""
    digest: str | None = None
    """The logical digest that must come out, where it is known before."""


BUILT = Origin("build")


def make_manifest(
    plan: Plan,
    records: Mapping[int, ShardRecord],
    files: Mapping[str, FileFacts],
    origin: Origin,
    check: Check,
) -> Manifest:
    """Return the manifest of a complete dataset from the records of all its shards.

    ``check`` is that of the lock that is held.
    """
    ordered = [records[shard] for shard in range(plan.n_shards)]
    roots = {
        spec.name: combine([bytes.fromhex(record.digests[spec.name]) for record in ordered])
        for spec in plan.table
    }
    digest = dataset_digest(plan.contents, plan.n_samples, roots)
    if origin.digest is not None and digest != origin.digest:
        raise DamagedDataError(
            f"expected the digest {origin.digest[:12]}, got {digest[:12]}: the rows are not those "
            "that were recorded; run tersgen verify on the source"
        )
    return Manifest.sealed(
        parent=origin.parent.version if origin.parent else None,
        change=origin.change,
        created=now(),
        **plan.contents._asdict(),
        format=plan.format,
        digest=digest,
        n_samples=plan.n_samples,
        chunk_rows=plan.layout.chunk_rows,
        shard_rows=plan.layout.shard_rows,
        compression=plan.layout.compression,
        leaf_rows=leaf_rows(plan.table),
        arrays={name: root.hex() for name, root in roots.items()},
        class_counts=tuple(
            sum(record.class_counts.get(label, 0) for record in ordered)
            for label in range(len(plan.classes))
        ),
        bytes_stored=sum(record.bytes_stored for record in ordered),
        files=dict(files),
        splits=origin.splits(check),
        environment=environment(),
    )
