"""Rows by the parts of a split, for formats that keep a file for each."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..dataset.dataset import Dataset

ALL = "train"
"""The part of all rows if there is no split: readers expect this name for a single part."""


def part_views(dataset: "Dataset", split: str) -> Iterator[tuple[str, "Dataset"]]:
    """Yield the names and the rows of the parts of a split that have rows.

    A dataset without the split ``default`` has one part, ``train``.

    Raises
    ------
    UnknownFieldError
        If it lacks another split.
    """
    if split == "default" and split not in dataset.splits:
        yield ALL, dataset
        return
    numbers = dataset.parts(split)
    for k, name in enumerate(dataset.splits[split].rule.names):
        if (numbers == k).any():
            yield name, dataset.view(numbers == k)
