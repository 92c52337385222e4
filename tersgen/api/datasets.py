"""What commands do with datasets, from Python: ``split``, ``verify``, ``repair``, ``tag``, ..."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

from ..dataset.dataset import Dataset
from ..dataset.documents import load_tag
from ..dataset.opening import open as open_dataset
from ..dataset.opening import open_version
from ..dataset.versions import (
    delete_tag,
    find_version,
    give_tag,
    list_tags,
    locate_newest,
    locate_version,
    tag_names,
)
from ..errors import ConfigError, DatasetError, TersWarning
from ..jobs.status import BuildSeen, see_unfinished
from ..schema.loading import validate
from ..schema.manifest import Compression, Format, Tag
from ..schema.split import Split, SplitRule
from ..store.location import guess_format
from ..urls import as_path
from .counts import whole  # what needs Numba is imported when it is called: ``info`` is quick
from .progress import ProgressLike, files_to, reporting

if TYPE_CHECKING:
    from ..dataset.diff import Comparison
    from ..dataset.faults import Verified
    from ..jobs.push import Pushed
    from ..jobs.repair import Repaired

RATIOS = {"train": 0.8, "val": 0.1, "test": 0.1}
_SPREAD = "measured rows of one {} stay together; --by species spreads them"
_ALONE = (
    "all rows are of one group or file, so measurements of one sample may be in several parts; "
    "give a column group to tersgen ingest"
)


class SplitMade(NamedTuple):
    """A split, and what a user should know of how it was made."""

    split: Split
    note: str = ""
    warnings: tuple[str, ...] = ()


def split_dataset(
    path: str | Path,
    ratios: Mapping[str, float],
    name: str,
    seed: int,
    by: str | None,
    hold_out: Sequence[str],
    hold_out_to: str | None,
    overwrite: bool,
) -> SplitMade:
    """Split a dataset; see :func:`split`."""
    from ..dataset.measured_splits import default_by
    from ..dataset.splits import check_split_name, make_split

    check_split_name(name)
    given = {
        "names": tuple(ratios),
        "ratios": tuple(ratios.values()),
        "seed": seed,
        "by": by or "species",
        "hold_out": list(hold_out),
        "hold_out_to": hold_out_to,
    }
    rule = validate(SplitRule, given, "split")
    note = ""
    told: list[str] = []
    if by is None and not hold_out:
        location = locate_newest(path, "split")
        dataset = open_version(location, find_version(location, None))
        chosen = default_by(dataset)
        if chosen == "sample":
            note = _SPREAD.format("group" if "source/group" in dataset.fields else "file")
        elif dataset.kind == "measured":
            told.append(_ALONE)
        rule = rule.model_copy(update={"by": chosen})
    made = make_split(as_path(path), name, rule, overwrite)
    reason = (
        ": its share of each species rounds to none; build more rows, or give it a larger share"
        if made.rule.by == "species"
        else "; build more rows, or give it a larger share"
    )
    held = rule.names[rule.held_part]
    told += [
        f"no row is in {part}"
        + (f": none is in {', '.join(hold_out)}" if hold_out and part == held else reason)
        for part, n_rows in made.part_rows.items()
        if not n_rows
    ]
    return SplitMade(made, note, tuple(told))


def split(
    path: str | Path,
    ratios: Mapping[str, float] = RATIOS,
    *,
    name: str = "default",
    seed: int = 0,
    by: str | None = None,
    hold_out: Sequence[str] = (),
    hold_out_to: str | None = None,
    overwrite: bool = False,
) -> Split:
    """Split a dataset into parts, each row into one; kept with its newest version.

    Parameters
    ----------
    path
        The dataset.
    ratios
        Parts and their shares; the sum is 1.
    name
        Name of the split.
    seed
        Seed of the choice of rows.
    by
        ``"species"``: every part has its share of every species; ``"group"``: every species is
        whole in one part; ``"sample"``: measured rows of one group, or file, are together. By
        default ``"sample"`` for measured rows of several groups or files, otherwise
        ``"species"``.
    hold_out
        Species, ranges ``"FIELD=LOW:HIGH"`` and values ``"FIELD=VALUE"`` that only one part has.
    hold_out_to
        The part that has them; by default the last.
    overwrite
        Whether to replace the split of this name.

    Raises
    ------
    ConfigError
        If parts, ratios or what is held out are not possible.
    OutputError
        If there is another split of this name.
    DatasetError
        If there is no complete dataset.

    Warns
    -----
    TersWarning
        If a part gets no row, or measurements of one sample may be in several parts.
    """
    made = split_dataset(path, ratios, name, seed, by, hold_out, hold_out_to, overwrite)
    for text in made.warnings:
        warnings.warn(f"{path}: {text}", TersWarning, stacklevel=2)
    return made.split


def verify(
    path: str | Path,
    *,
    quick: bool = False,
    threads: int | None = None,
    follow_links: bool = False,
    progress: ProgressLike = None,
) -> "Verified":
    """Check whether a dataset, or a version of it, is complete and unchanged.

    Damage raises nothing: ``.sound`` and ``.faults`` say what was found.

    Parameters
    ----------
    path
        The dataset; ``data.zarr@v1.0`` is one version of it.
    quick
        Whether to leave the chunks unread: files, sizes, tables and documents alone.
    threads
        Threads; by default one for each processor.
    follow_links
        Whether files of the dataset may be links.
    progress
        Called with a :class:`tersgen.Progress` of files; True shows a bar.

    Raises
    ------
    DatasetError
        If there is no dataset.
    """
    from ..dataset.verify import verify as verify_dataset

    with reporting(progress) as report:
        return verify_dataset(path, quick, threads, files_to(report), follow_links)


def repair(
    path: str | Path, *, threads: int | None = None, progress: ProgressLike = None
) -> "Repaired":
    """Make what is damaged in a dataset again, and prove it by its digest.

    Returns
    -------
    Repaired
        ``.done``, a line for each thing made again, and ``.verified``, as :func:`verify` returns.

    Raises
    ------
    IncompleteDatasetError
        If its build did not finish.
    DatasetError, DamagedDataError
        If there is no dataset, or what it would be made from is lost.
    BusyError
        If a builder is writing it.
    """
    from ..jobs.repair import repair as repair_dataset

    with reporting(progress) as report:
        return repair_dataset(path, threads, files_to(report))


def tag(path: str | Path, name: str | None = None, *, delete: bool = False) -> list[Tag]:
    """Name a version of a dataset permanently; without a name, return its tags.

    Parameters
    ----------
    path
        The dataset; ``data.zarr@VERSION`` tags another version than the newest.
    name
        Name of the tag.
    delete
        Whether to delete it; a name is never reused.

    Raises
    ------
    ConfigError
        If the name is not possible, or there is none to delete.
    DatasetError, OutputError
        If there is no such version, or the tag exists.
    """
    location, reference = locate_version(path)
    if name is not None:
        return [delete_tag(location, name) if delete else give_tag(location, name, reference)]
    if delete:
        raise ConfigError("tag: expected the name of the tag to delete, got none")
    return list(list_tags(location))


def convert(
    path: str | Path,
    out: str | Path,
    *,
    format: Format | None = None,
    chunk_rows: int | None = None,
    shard_rows: int | None = None,
    compression: Compression | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    follow_links: bool = False,
    store_images: bool = False,
    progress: ProgressLike = None,
    cancel: Event | None = None,
) -> Dataset:
    """Copy a dataset: other back end or layout, same rows, same digest. Return it opened.

    Splits are copied; tags and older versions stay with the original. The parameters are those of
    :func:`tersgen.build`, whether files of the original may be links, and whether to store the
    masks and bonds that are computed as rows are read, which changes the digest.

    Raises
    ------
    DatasetError
        If there is no such dataset or version, or it is damaged.
    OutputError
        If the output holds something else, or cannot be written.
    CancelledError
        If it was cancelled; the same call resumes.
    """
    from ..jobs.convert import convert as convert_dataset

    with reporting(progress) as report:
        convert_dataset(
            path, Path(out), format or guess_format(Path(out)), chunk_rows, shard_rows, compression,
            overwrite, threads, report, follow_links, cancel, store_images,
        )  # fmt: skip
    return open_dataset(out)


def push(path: str | Path, url: str, *, progress: ProgressLike = None) -> "Pushed":
    """Copy a dataset with its versions, tags and splits to an object store.

    A push that was stopped is resumed by the same call, and one of a dataset that has grown or was
    split since brings the copy up to date. The extra ``remote`` is needed.

    Parameters
    ----------
    path
        The dataset, in Zarr.
    url
        Where it goes: ``s3://bucket/data.zarr``; gs and az, too.
    progress
        Called with a :class:`tersgen.Progress` in files; True shows a bar.

    Raises
    ------
    ConfigError
        If the URL is none that can be written to.
    OutputError
        If another dataset is there, or it cannot be written; what was sent stays.
    DatasetError
        If there is no complete dataset, it is damaged, or the store cannot be read.
    """
    from ..jobs.push import push as push_dataset

    with reporting(progress) as report:
        return push_dataset(as_path(path), url, files_to(report))


def diff(
    first: str | Path, second: str | Path, *, rows: int = 16384, follow_links: bool = False
) -> "Comparison":
    """Return what differs between two datasets or versions; ``rows`` of each are compared."""
    from ..dataset.diff import compare

    return compare(as_path(first), as_path(second), whole(rows, "rows"), follow_links)


class Info(NamedTuple):
    """What is known of a dataset: what it contains, or how far its build is."""

    path: Path
    dataset: Dataset | None
    """None for one that is not complete."""
    tags: dict[str, Tag | None]
    """Tags that are not deleted, by name; None for one that is damaged."""
    build: BuildSeen | None
    """A build or extension that is under way, or was stopped."""


def info(path: str | Path, *, follow_links: bool = False) -> Info:
    """Return what a dataset, or recipe file, contains, and how far its build is.

    Raises
    ------
    DatasetError
        If there is no dataset, or it is damaged.
    """
    path = as_path(path)
    seen = see_unfinished(path, follow_links)
    if seen and not seen.n_complete:
        return Info(path, None, {}, seen)
    dataset = open_dataset(path, follow_links=follow_links)
    tags: dict[str, Tag | None] = {}
    location = locate_version(path, follow_links)[0] if dataset.manifest else None
    for name in tag_names(location) if location else ():
        try:
            tags[name] = load_tag(location, name) if location else None
        except DatasetError:
            tags[name] = None
    live = {name: one for name, one in tags.items() if one is None or not one.deleted}
    return Info(path, dataset, live, seen)
