"""What differs between two datasets, or two versions of one."""

from pathlib import Path

import numpy as np

from ..schema.base import Frozen, field
from .compare import Difference, compare_documents, compare_tables
from .dataset import Dataset, Field
from .opening import open as open_dataset

_BLOCK = 1024
_LAYOUT = ("format", "chunk_rows", "shard_rows", "compression")


class Statistics(Frozen):
    """Of the finite values of a field in the rows compared."""

    n_rows: int = field("rows compared", "row")
    mean: float = field("mean", "1")
    deviation: float = field("standard deviation", "1")
    least: float = field("least", "1")
    largest: float = field("largest", "1")


class FieldDifference(Frozen):
    """A field whose values differ, or that only one side has."""

    name: str = field("field", "1")
    unit: str = field("unit of the values", "1")
    first: Statistics | None = field("on the first side; none if it has no such field", "1")
    second: Statistics | None = field("on the second side; none if it has no such field", "1")


class SplitDifference(Frozen):
    """How the rows of a split moved."""

    name: str = field("split", "1")
    first_rows: int = field("rows it covers on the first side; 0 if it is not there", "row")
    second_rows: int = field("rows it covers on the second side; 0 if it is not there", "row")
    moved: int = field("rows of both sides that changed their part", "row")
    counts: dict[str, tuple[int, int]] = field("rows of each part on both sides", "row")


class Comparison(Frozen):
    """What differs."""

    first: str = field("the first side", "1")
    second: str = field("the second side", "1")
    equal: bool = field("whether recipe, rows, every value and the splits are the same", "1")
    rows: tuple[Difference, ...] = field("numbers of rows, layout, digest", "1")
    recipe: tuple[Difference, ...] = field("fields of the recipe", "1")
    library: tuple[Difference, ...] = field("species", "1")
    fields: tuple[FieldDifference, ...] = field("fields whose values differ", "1")
    splits: tuple[SplitDifference, ...] = field("splits that differ", "1")


def statistics(values: Field, most_rows: int) -> Statistics:
    """Return statistics of up to ``most_rows`` rows, in blocks spread evenly over a field."""
    n_rows = len(values)
    n_there, n_blocks = -(-n_rows // _BLOCK), -(-min(n_rows, most_rows) // _BLOCK)
    starts = (np.linspace(0, n_there - 1, n_blocks).astype(int) * _BLOCK).tolist()
    total = squares = 0.0
    count = used = 0
    least, largest = np.inf, -np.inf
    for start in starts:
        block = np.asarray(values[start : min(start + _BLOCK, n_rows)], np.float64)
        used += len(block)
        total += float(block.sum())
        squares += float(np.square(block).sum())
        count += block.size
        least, largest = min(least, float(block.min())), max(largest, float(block.max()))
    mean = total / count
    return Statistics(
        n_rows=used,
        mean=mean,
        deviation=max(0.0, squares / count - mean**2) ** 0.5,
        least=least,
        largest=largest,
    )


def _fields(one: Dataset, other: Dataset, most_rows: int) -> list[FieldDifference]:
    roots = [data.manifest.arrays if data.manifest else {} for data in (one, other)]
    found = []
    for name in [*one.fields, *(name for name in other.fields if name not in one)]:
        if name in roots[0] and roots[0].get(name) == roots[1].get(name):
            continue
        sides = [
            statistics(data[name], most_rows) if name in data else None for data in (one, other)
        ]
        if sides[0] == sides[1] and not (name in roots[0] and name in roots[1]):
            continue  # rows that are generated or drawn have no digest; their statistics agree
        unit = (one if name in one else other)[name].spec.unit
        found.append(FieldDifference(name=name, unit=unit, first=sides[0], second=sides[1]))
    return found


def _splits(one: Dataset, other: Dataset) -> list[SplitDifference]:
    found = []
    for name in sorted({*one.splits, *other.splits}):
        first, second = one.splits.get(name), other.splits.get(name)
        if first is not None and second is not None and first.digest == second.digest:
            continue
        moved = 0
        if first is not None and second is not None:
            n = min(first.n_samples, second.n_samples)
            moved = int((one.parts(name)[:n] != other.parts(name)[:n]).sum())
        counts: dict[str, tuple[int, int]] = {}
        for side, split in enumerate((first, second)):
            for name_of_part, n_rows in (split.part_rows if split else {}).items():
                both = list(counts.get(name_of_part, (0, 0)))
                both[side] = n_rows
                counts[name_of_part] = (both[0], both[1])
        found.append(
            SplitDifference(
                name=name,
                first_rows=first.n_samples if first else 0,
                second_rows=second.n_samples if second else 0,
                moved=moved,
                counts=counts,
            )
        )
    return found


def compare(
    first: str | Path, second: str | Path, most_rows: int = 16384, follow_links: bool = False
) -> Comparison:
    """Compare two datasets, versions (``data.zarr@v1.0``) or recipe files.

    Parameters
    ----------
    first, second
        What to compare.
    most_rows
        Rows of each side that statistics of differing fields are taken of.
    follow_links
        Whether files of the datasets may be links.
    """
    one, other = (open_dataset(path, follow_links=follow_links) for path in (first, second))
    tables = []
    for data in (one, other):
        names = (*_LAYOUT, "digest") if data.manifest else ()
        known = {name: getattr(data.manifest, name) for name in names}
        tables.append({"n_samples": data.n_samples, **known})
    rows = compare_tables(*tables)
    found = compare_documents(one.document, other.document)
    recipe = [item for item in found if not item.field.startswith("library.")]
    library = [item for item in found if item.field.startswith("library.")]
    fields = _fields(one, other, most_rows)
    splits = _splits(one, other)
    decisive = [item for item in rows if item.field not in _LAYOUT]
    return Comparison(
        first=str(first),
        second=str(second),
        equal=not (decisive or recipe or library or fields or splits),
        rows=tuple(rows),
        recipe=tuple(recipe),
        library=tuple(library),
        fields=tuple(fields),
        splits=tuple(splits),
    )
