"""A dataset in the other back end: the same rows, recipe, splits and logical digest."""

from pathlib import Path
from threading import Event

from ..dataset.basis import StoredBasis, contents_of
from ..dataset.opening import open_version
from ..dataset.ownership import is_same_place
from ..dataset.parts import load_parts, store_split
from ..dataset.versions import find_version, locate_version
from ..errors import ConfigError
from ..schema.manifest import Compression, Format
from ..schema.split import Split
from ..store.files import Check
from ..store.layout import Layout, choose_layout
from ..store.location import DatasetLocation, new_location
from .finish import Origin
from .plan import Plan, check_compression
from .progress import Report
from .rows import StoredRuns
from .run import Built, run


def convert(
    path: str | Path,
    out: Path,
    format: Format,
    chunk_rows: int | None = None,
    shard_rows: int | None = None,
    compression: Compression | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    report: Report | None = None,
    follow_links: bool = False,
    cancel: Event | None = None,
    complete: bool = False,
) -> Built:
    """Copy a dataset, or a version of one, into another back end or layout.

    Rows are read and checked, not generated; the copy is published only if its logical digest is
    that of the original. A copy that was interrupted resumes. ``follow_links`` says whether files
    of the original may be links. With ``complete`` the copy stores the arrays that the original
    computes as rows are read: it is the dataset, with the digest, of the recipe that stores all.
    """
    location, reference = locate_version(path, follow_links)
    manifest = find_version(location, reference)
    source = open_version(location, manifest)
    layout, contents, document = Layout.of(manifest), manifest.contents, source.document
    digest: str | None = manifest.digest
    if complete:
        if not contents.computed:
            raise ConfigError(
                f"{path}: expected arrays that are computed as rows are read, got a dataset that "
                "stores them all; leave --store-images out"
            )
        document, digest = StoredBasis.of(source.recipe.complete), None
        contents = contents_of(document)
    target = new_location(out, format)
    if any(is_same_place(one, other) for one in location[:2] for other in target[:2]):
        raise ConfigError(f"{out}: expected a path other than the original's")
    same = layout.compression if format == "zarr" else None
    packed = check_compression(format, compression or same)
    try:
        wanted = choose_layout(
            contents.fields,
            manifest.n_samples,
            chunk_rows or layout.chunk_rows,
            shard_rows or layout.shard_rows,
            packed,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None
    plan = Plan(document, contents, manifest.n_samples, wanted, format)

    def origin(place: DatasetLocation) -> Origin:
        def splits(check: Check) -> tuple[Split, ...]:
            for split in manifest.splits:
                store_split(place, split, load_parts(location.folder, split), check)
            return manifest.splits

        return Origin(
            f"convert from {manifest.format}, version {manifest.version[:12]}",
            rows=StoredRuns(source, (spec.name for spec in contents.fields)),
            splits=splits,
            digest=digest,
        )

    return run(plan, target, overwrite, threads, report, origin, cancel=cancel)
