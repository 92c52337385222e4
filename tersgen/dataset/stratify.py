"""Which row is in which part of a split: exact shares, random rows, one pass over the labels."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, DamagedDataError
from ..random.assignment import fill_parts
from ..schema.split import Split, SplitRule
from ..store.digest import combine, leaf_digests
from .apportionment import apportion_classes, assign_groups
from .labels import check_labels

LEAF_ROWS = 2**20
"""Rows of a leaf of the digest of a split."""


def class_weights(counts: Sequence[float]) -> tuple[float, ...]:
    """Return 1/n_c scaled to mean 1 over the classes that have rows, Eq. (8.2).

    A class without rows has weight 0: it cannot be learnt, and as the rarest of all it would
    outweigh the others in a smoothed label, Eq. (6.2).

    Examples
    --------
    >>> class_weights((30, 10, 0))
    (0.5, 1.5, 0.0)
    """
    raw = [1 / max(count, 1.0) if count else 0.0 for count in counts]
    mean = math.fsum(raw) / max(1, sum(count > 0 for count in counts)) or 1.0
    return tuple(weight / mean for weight in raw)


def split_digest(parts: NDArray[np.uint8]) -> str:
    """Return the BLAKE3 tree digest of the part of each row, shape (n,), in hexadecimal."""
    return combine(leaf_digests(parts, LEAF_ROWS)).hex()


class SplitAssigner:
    """Gives each row its part, block by block in the order of rows.

    Its state is the rows that each part has still to get of each class, whatever the number of
    rows; the result does not depend on how rows are cut into blocks.

    Parameters
    ----------
    rule
        How to share rows.
    classes
        Species in label order, K of them.
    counts
        Rows of each class that come and are in no range held out, length K. (Of species held out
        the count does not matter.)
    previous
        The split to be grown by the rows that come: those it has keep their part.
    """

    def __init__(
        self,
        rule: SplitRule,
        classes: Sequence[str],
        counts: Sequence[int],
        previous: Split | None = None,
    ) -> None:
        _check(rule, classes, previous)
        self.rule = rule
        self.position = previous.n_samples if previous else 0
        """Index of the next row."""
        self._previous = previous
        taken = set(rule.held_species)
        self._held = np.array([name in taken for name in classes])
        free = np.where(self._held, 0, np.array(counts, np.int64))
        shape = (len(classes), len(rule.names))
        old = np.array(previous.counts if previous else np.zeros(shape), np.int64)
        self._groups: dict[str, str] = {}
        if rule.by == "group":
            known = previous.groups if previous else None
            self._groups = known or assign_groups(rule, classes, free.tolist())
            parts = [rule.names.index(self._groups[name]) for name in classes]
            self._left = np.zeros(shape, np.int64)
            self._left[np.arange(len(classes)), parts] = free
        else:
            self._left = _quotas(rule, free, old)
        self._counts = old + self._left

    def assign(
        self, labels: NDArray[np.int32], in_range: NDArray[np.bool_] | None = None
    ) -> NDArray[np.uint8]:
        """Return the part of each of the next rows as a number in ``rule.names``, shape (n,).

        Parameters
        ----------
        labels
            Class of each row, shape (n,).
        in_range
            Whether each row is in a range held out, shape (n,); None if none is.
        """
        n_classes = len(self._held)
        check_labels(labels, n_classes, self.position)
        held_part = self.rule.held_part
        held = self._held[labels]
        if in_range is not None:
            held |= in_range
        if held.any():
            self._counts[:, held_part] += np.bincount(labels[held], minlength=n_classes)
        parts = np.full(len(labels), held_part, np.uint8)
        bad = fill_parts(parts, labels, held, self.position, self._left, self.rule.seed)
        if bad >= 0:
            raise DamagedDataError(
                f"row {self.position + bad}: expected no more rows of this class than were "
                f"counted, got label {labels[bad]}; verify the dataset"
            )
        self.position += len(labels)
        return parts

    def finish(self, name: str, digest: str) -> Split:
        """Return the split when all rows have come.

        Parameters
        ----------
        name
            Name of the split.
        digest
            ``split_digest`` of all its rows, those of the previous split first.
        """
        missing = int(self._left.sum())
        before = self._previous.sizes if self._previous else ()
        if missing or self.position == (before[-1] if before else 0):
            raise DamagedDataError(
                f"split {name}: expected {missing or 'at least 1'} more rows after "
                f"{self.position}, got none; verify the dataset"
            )
        names = self.rule.names
        weighed = names.index("train") if "train" in names else 0
        return Split(
            name=name,
            rule=self.rule,
            sizes=(*before, self.position),
            counts=tuple(map(tuple, self._counts.tolist())),
            groups=self._groups,
            class_weights=class_weights(self._counts[:, weighed].tolist()),
            digest=digest,
        )


def _quotas(rule: SplitRule, free: NDArray[np.int64], old: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return rows of each class for each part, shape (K, S), from ``free`` new and old rows."""
    if rule.hold_out:
        old = old.copy()
        old[:, rule.held_part] = 0  # rows held out are in nobody's share
    totals = (free + old.sum(axis=1)).tolist()
    return np.array(apportion_classes(totals, rule, old.tolist()), np.int64) - old


def _changed(before: SplitRule, now: SplitRule) -> str:
    """Return what differs between two rules."""
    first, second = before.model_dump(), now.model_dump()
    return ", ".join(
        f"{name}={first[name]}, got {second[name]}" for name in first if first[name] != second[name]
    )


def _check(rule: SplitRule, classes: Sequence[str], previous: Split | None) -> None:
    unknown = sorted(set(rule.held_species) - set(classes))
    if unknown:
        raise ConfigError(
            f"hold_out: expected species of the dataset ({', '.join(classes[:12])}"
            f"{', ...' if len(classes) > 12 else ''}), got {', '.join(unknown)}"
        )
    if previous is None:
        return
    if rule != previous.rule:
        raise ConfigError(
            f"split {previous.name}: expected its own rule to grow it, "
            f"{_changed(previous.rule, rule)}; make a split of another name"
        )
    if len(previous.counts) != len(classes) or not set(previous.groups) <= set(classes):
        raise ConfigError(
            f"split {previous.name}: expected its {len(previous.counts)} classes to grow it, got "
            f"{len(classes)}, or others; make a new split"
        )
