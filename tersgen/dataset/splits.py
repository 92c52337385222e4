"""Splits of a stored dataset: made, and grown with it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from ..errors import ConfigError, OutputError
from ..files import why
from ..schema.manifest import Manifest
from ..schema.split import FieldRange, Split, SplitName, SplitRule, parse_range
from ..store.files import Check
from ..store.location import DatasetLocation
from ..store.lock import BuilderLock
from .columns import column_number
from .dataset import Dataset
from .labels import check_labels
from .measured_splits import assign_measured
from .opening import open_version
from .parts import Parts, load_parts, store_split
from .stratify import SplitAssigner, split_digest
from .versions import find_version, locate_newest, now, publish

_BLOCK = 1 << 18
_IN_MIXTURE = "mixture/label"
_NAME: TypeAdapter[str] = TypeAdapter(SplitName)


def _held_rows(dataset: Dataset, rule: SplitRule, rows: slice) -> NDArray[np.bool_]:
    """Return which rows are held out, but for those of a species that is held out."""
    held = np.zeros(rows.stop - rows.start, bool)
    for name, low, high, column in rule.held_ranges:
        values = dataset[name][rows]
        values = values if column is None else values[:, int(column)]
        if low == high:
            held |= values == values.dtype.type(low)  # as stored: the float32 nearest to 632.8
            continue
        values = values.astype(np.float64)
        held |= (values >= low) & (values < high)
    if rule.held_species and _IN_MIXTURE in dataset:
        # wherever it is one of several species, too
        labels, counts = dataset[_IN_MIXTURE][rows], dataset["mixture/count"][rows]
        taken = [k for k, name in enumerate(dataset.classes) if name in rule.held_species]
        inside = np.arange(labels.shape[1]) < counts[:, None]
        held |= (np.isin(labels, taken) & inside).any(axis=1)
    return held


def _check_mixture(dataset: Dataset, rule: SplitRule) -> None:
    if rule.by == "group" and _IN_MIXTURE in dataset:
        raise ConfigError(
            "by: expected rows for mixtures, whose samples have species of several groups, got "
            "group; hold species out with --hold-out"
        )


def _resolved(dataset: Dataset, rule: SplitRule) -> SplitRule:
    """Return a rule with columns by their numbers, which no later version changes."""
    held = []
    for text in rule.hold_out:
        if "=" in text:
            one = parse_range(text)
            number = _checked_column(dataset, one)
            if number is not None:
                text = text.replace(f"[{one.column}]", f"[{number}]", 1)
        held.append(text)
    return SplitRule(**{**rule.model_dump(), "hold_out": tuple(held)})


def _checked_column(dataset: Dataset, one: FieldRange) -> int | None:
    """Return the number of the column that a range is of."""
    fields = {name: field for name, field in dataset.fields.items() if name != "label"}
    field = fields.get(one.field)
    if field is not None and field.ndim == 1 and one.column is None:
        return None
    if field is None or field.ndim != 2:
        scalars = [name for name, field in fields.items() if field.ndim == 1]
        raise ConfigError(
            f"hold_out: expected a range of a field with one number a row "
            f"({', '.join(scalars) or 'there is none'}), got {one.field}"
        )
    try:
        return column_number(one.field, one.column, field.shape[1])
    except ConfigError as error:
        raise ConfigError(f"hold_out: {error}") from None


def _blocks(start: int, stop: int) -> Iterator[slice]:
    for first in range(start, stop, _BLOCK):
        yield slice(first, min(stop, first + _BLOCK))


def assign_parts(
    dataset: Dataset, name: str, rule: SplitRule, previous: Split | None, old: Parts | None
) -> tuple[Split, Parts]:
    """Return a split of a dataset and the part of each row; ``previous`` and ``old`` are grown."""
    if rule.by in ("sample", "given"):
        return assign_measured(dataset, name, rule)
    _check_mixture(dataset, rule)
    start = previous.n_samples if previous else 0
    n_classes = len(dataset.classes)
    counts = np.zeros(n_classes, np.int64)
    for rows in _blocks(start, dataset.n_samples):
        free = ~_held_rows(dataset, rule, rows)
        labels = dataset["label"][rows]
        check_labels(labels, n_classes, rows.start, f"{dataset.path}: ")
        counts += np.bincount(labels[free], minlength=n_classes)
    assigner = SplitAssigner(rule, dataset.classes, counts.tolist(), previous)
    parts = np.empty(dataset.n_samples, np.uint8)
    if old is not None:
        parts[:start] = old
    for rows in _blocks(start, dataset.n_samples):
        held = _held_rows(dataset, rule, rows)
        parts[rows] = assigner.assign(dataset["label"][rows], held)
    return assigner.finish(name, split_digest(parts)), parts


def grow_splits(
    location: DatasetLocation, manifest: Manifest, grown: Dataset, check: Check
) -> tuple[Split, ...]:
    """Grow every split of a version by the rows that a dataset has gained; no old row moves.

    ``check`` is that of the lock that is held.
    """
    splits = []
    for split in manifest.splits:
        old = load_parts(location.folder, split)
        bigger, parts = assign_parts(grown, split.name, split.rule, split, old)
        store_split(location, bigger, parts, check)
        splits.append(bigger)
    return tuple(splits)


def check_split_name(name: str) -> None:
    """Refuse a name that cannot be that of a split's files."""
    try:
        _NAME.validate_python(name)
    except ValidationError:
        raise ConfigError(
            f"name: expected up to 64 letters, digits, '.', '_' and '-', got {name[:80]!r}"
        ) from None


def make_split(path: str | Path, name: str, rule: SplitRule, overwrite: bool = False) -> Split:
    """Split a dataset into parts, and publish that as its newest version.

    The same split again changes nothing. Versions before this one keep the splits that they have.

    Raises
    ------
    ConfigError
        If the name or the rule does not fit.
    OutputError
        If there is another split of the name and ``overwrite`` is not given; or it cannot be
        written.
    BusyError
        If a builder is writing the dataset.
    DatasetError
        If there is no complete dataset, or it is damaged.
    """
    check_split_name(name)
    location = locate_newest(path, "split")
    find_version(location, None)  # before a lock is written into what is no dataset
    with BuilderLock(location.folder) as lock:
        manifest = find_version(location, None)
        dataset = open_version(location, manifest)
        rule = _resolved(dataset, rule)
        known = manifest.split_named(name)
        if known is not None and known.rule == rule:
            return known
        if known is not None and not overwrite:
            shares = ", ".join(f"{ratio:g}" for ratio in known.rule.ratios)
            made = f"seed {known.rule.seed}, ratios {shares}"
            raise OutputError(
                f"{location}: has another split {name!r} "
                f"({'given with the rows' if known.rule.by == 'given' else made}); pass "
                "--overwrite to replace it in the newest version, or another --name"
            )
        split, parts = assign_parts(dataset, name, rule, None, None)
        others = tuple(one for one in manifest.splits if one.name != name)
        content = manifest.model_dump(exclude={"version"})
        content.update(
            parent=manifest.version,
            change=f"split {name}",
            created=now(),
            splits=tuple(sorted((*others, split), key=lambda one: one.name)),
        )
        newest = Manifest.sealed(**content)
        try:
            store_split(location, split, parts, lock.check)
            publish(location, newest, lock.check)
        except OSError as error:
            lock.check()  # who has taken over has removed what was being written
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"{location}: the split cannot be written: {why(error)}") from error
    return split
