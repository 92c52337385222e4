"""Running a build on this machine.

Threads make runs of rows, each generated, hashed and encoded in one go; others put them together
into shards and flush these to disk. What is in flight is bounded, whatever the number of rows.
"""

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from ..errors import OutputError
from ..sampling.block import available_cpus
from ..schema.digest import model_digest
from ..schema.manifest import JOURNAL, MANIFEST, RECIPE, Manifest, ShardRecord
from ..schema.recipe import GENERATOR_VERSION
from ..store.digest import combine, dataset_digest
from ..store.files import DirectFile, sync_folder, write_text
from ..store.layout import leaf_rows
from ..store.metadata import hierarchy
from ..store.zarr_store import create, write_shard
from .chunks import ChunkMaker, Encoded
from .output import check_output, topmost_new
from .plan import SHARDS_IN_FLIGHT, Plan


class Progress(NamedTuple):
    """How far a build is."""

    n_done: int
    n_samples: int
    bytes_stored: int


class Built(NamedTuple):
    """A finished build."""

    manifest: Manifest
    seconds: float


@contextmanager
def _removed_on_error(out: Path, made: Path) -> Iterator[None]:
    """Leave nothing half-written behind: on any error remove ``made``, which holds ``out``."""
    try:
        yield
    except OSError as error:
        shutil.rmtree(made, ignore_errors=True)
        reason = error.strerror or str(error)
        raise OutputError(
            f"{out}: writing failed, and what was written is removed: {reason}"
        ) from error
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _silent(progress: Progress) -> None:
    """Report nothing."""


class _Sealer:
    """Puts encoded runs together into shards on disk, and keeps the record of each."""

    def __init__(self, plan: Plan, out: Path) -> None:
        self._plan = plan
        self._out = out
        self._lock = threading.Lock()
        self._files = threading.local()
        self.records: dict[int, ShardRecord] = {}
        self.n_done = 0
        self.bytes_stored = 0

    def seal(self, shard: int, runs: list[Encoded]) -> None:
        """Write one shard of every array, then its record."""
        if not hasattr(self._files, "direct"):
            self._files.direct = DirectFile()
        size = 0
        digests = {}
        for spec in self._plan.table:
            chunks = [chunk for run in runs for chunk in run.chunks[spec.name]]
            size += write_shard(
                self._out, spec, shard, chunks, self._plan.layout, self._files.direct
            )
            digests[spec.name] = combine([leaf for run in runs for leaf in run.leaves[spec.name]])
        counts = sum(run.class_counts for run in runs)
        record = ShardRecord(
            shard=shard,
            rows=sum(run.n_rows for run in runs),
            bytes_stored=size,
            digests={name: digest.hex() for name, digest in digests.items()},
            class_counts={str(k): int(n) for k, n in enumerate(counts) if n},  # type: ignore[arg-type]
        )
        with self._lock, (self._out / JOURNAL).open("a", encoding="utf-8") as journal:
            journal.write(record.model_dump_json() + "\n")
            self.records[shard] = record
            self.n_done += record.rows
            self.bytes_stored += size


def _make_shards(
    plan: Plan, sealer: _Sealer, threads: int, report: Callable[[Progress], None]
) -> None:
    maker = ChunkMaker(plan.generator, plan.layout, len(plan.classes))
    unit = maker.unit_rows
    per_shard = plan.layout.shard_rows // unit
    n_units = -(-plan.n_samples // unit)
    making: deque[Future[Encoded]] = deque()
    sealing: deque[Future[None]] = deque()
    runs: list[Encoded] = []
    submitted = 0
    with (
        ThreadPoolExecutor(threads, "tersgen-make") as makers,
        ThreadPoolExecutor(SHARDS_IN_FLIGHT - 1, "tersgen-seal") as sealers,
    ):
        try:
            for unit_number in range(n_units):
                limit = (unit_number // per_shard + 1) * per_shard + 2 * threads
                while submitted < min(n_units, limit):
                    start = submitted * unit
                    rows = min(unit, plan.n_samples - start)
                    making.append(makers.submit(maker.make, start, rows))
                    submitted += 1
                runs.append(making.popleft().result())
                if len(runs) == per_shard or unit_number == n_units - 1:
                    while len(sealing) >= SHARDS_IN_FLIGHT - 1:
                        sealing.popleft().result()
                    sealing.append(sealers.submit(sealer.seal, unit_number // per_shard, runs))
                    runs = []
                    report(Progress(sealer.n_done, plan.n_samples, sealer.bytes_stored))
            for future in sealing:
                future.result()
        except BaseException:
            for run in making:
                run.cancel()
            for shard in sealing:
                shard.cancel()
            raise
    report(Progress(sealer.n_done, plan.n_samples, sealer.bytes_stored))


def _manifest(plan: Plan, sealer: _Sealer) -> Manifest:
    records = [sealer.records[shard] for shard in sorted(sealer.records)]
    roots = {
        spec.name: combine([bytes.fromhex(record.digests[spec.name]) for record in records])
        for spec in plan.table
    }
    recipe_digest = model_digest(plan.generator.recipe)
    return Manifest(
        tersgen_version=__version__,
        generator=GENERATOR_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        n_samples=plan.n_samples,
        chunk_rows=plan.layout.chunk_rows,
        shard_rows=plan.layout.shard_rows,
        leaf_rows=leaf_rows(plan.table),
        recipe_digest=recipe_digest,
        digest=dataset_digest(recipe_digest, plan.n_samples, roots),
        arrays={name: root.hex() for name, root in roots.items()},
        fields=plan.table,
        classes=plan.classes,
        class_counts=tuple(
            sum(record.class_counts.get(str(label), 0) for record in records)
            for label in range(len(plan.classes))
        ),
        bytes_stored=sealer.bytes_stored,
    )


def run(
    plan: Plan,
    out: Path,
    overwrite: bool = False,
    threads: int | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Built:
    """Build a dataset and return its manifest and the time taken.

    Raises
    ------
    OutputError
        If the output exists or cannot be written; nothing half-written is left behind.
    """
    check_output(out, overwrite)
    start = time.perf_counter()
    recipe = plan.generator.recipe
    made = topmost_new(out)
    if out.exists():
        try:
            shutil.rmtree(out)
        except OSError as error:
            raise OutputError(
                f"{out}: cannot be replaced ({error.strerror or error}); is another build writing "
                "it? wait for that, or pass another --out"
            ) from error
    with _removed_on_error(out, made):
        out.mkdir(parents=True)
        write_text(out / RECIPE, recipe.model_dump_json(indent=1) + "\n")
        attributes = {"tersgen": {"recipe": RECIPE, "manifest": MANIFEST, "journal": JOURNAL}}
        nodes = hierarchy(
            recipe, plan.table, plan.n_samples, plan.layout, list(plan.classes), attributes
        )
        create(out, recipe, nodes)
        sealer = _Sealer(plan, out)
        _make_shards(plan, sealer, threads or available_cpus(), report or _silent)
        manifest = _manifest(plan, sealer)
        for node in nodes:
            sync_folder(out / node)
        write_text(out / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
        sync_folder(out)
    return Built(manifest, time.perf_counter() - start)
