"""Splits of a dataset's rows into train, val, test or whatever parts a user names."""

import math
import re
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from .base import DIGEST, FILE_NAME, PART_NAME, Document, Name, field

PartName = Annotated[str, Field(pattern=PART_NAME)]
"""Name of one part of a split, as ``train``."""

SplitName = Annotated[str, Field(pattern=FILE_NAME)]
"""Name of a whole split, safe as the name of a file."""

Rows = Annotated[int, Field(ge=0)]

_RANGE = re.compile(
    r"([a-z_][a-z0-9_]*(?:/[a-z0-9_]+)?)(?:\[([a-z0-9_]{1,64})\])?=([^:=\s]+)(?::([^:=\s]+))?"
)
_SPECIES: TypeAdapter[str] = TypeAdapter(Name)


class FieldRange(NamedTuple):
    """The rows whose value of ``field`` is at least ``low`` and below ``high``.

    If these are the same, those whose value it is.
    """

    field: str
    low: float
    high: float
    column: str | None = None
    """Of a field with several numbers a row, which of them: its number or its name."""


def parse_range(text: str) -> FieldRange:
    """Return the field and the limits of a range; either limit may be infinite.

    Examples
    --------
    >>> parse_range("params/width=1.1:1.25")
    FieldRange(field='params/width', low=1.1, high=1.25, column=None)
    >>> parse_range("params/instrument[resolution]=6:16").column
    'resolution'
    >>> parse_range("params/laser_nm=785").high
    785.0
    """
    match = _RANGE.fullmatch(text)
    try:
        name, column, low, high = match.groups() if match else ("", None, "", "")
        value = float(low)
        limits = FieldRange(
            name,
            value,
            value if high is None else float(high),
            column,
        )
        is_one = high is None and math.isfinite(value)
    except ValueError:
        limits, is_one = FieldRange("", 0.0, 0.0), False
    if not (limits.low < limits.high or is_one):  # also if one of them is NaN
        raise ValueError(
            "expected a range FIELD=LOW:HIGH with LOW < HIGH as params/width=1.1:1.25, or "
            f"FIELD=VALUE, got {text}"
        )
    return limits


def _check_species(text: str) -> None:
    try:
        _SPECIES.validate_python(text)
    except ValidationError:
        raise ValueError(
            "hold_out: expected the name of a species, FIELD=LOW:HIGH or FIELD=VALUE, got "
            f"{text[:80]!r}"
        ) from None


class SplitRule(Document):
    """How rows are assigned to the parts of a split; with the labels it determines every row."""

    names: tuple[PartName, ...] = field(
        "names of the parts", "1", ("train", "val", "test"), min_length=1, max_length=100
    )
    ratios: tuple[Annotated[float, Field(ge=0)], ...] = field(
        "share of each part; their sum is 1", "1", (0.8, 0.1, 0.1)
    )
    seed: int = field("seed of the assignment", "1", 0, ge=0, lt=2**32)
    by: Literal["species", "group", "sample", "given"] = field(
        "species: each part has its share of every species, Eq. (8.1); group: each species is in "
        "one part only; for measured rows also sample: each group of rows, or each file, is in one "
        "part only, and given: as assigned with tersgen ingest",
        "1",
        "species",
    )
    hold_out: tuple[str, ...] = field(
        "species by name, and ranges FIELD=LOW:HIGH (LOW <= value < HIGH) or values FIELD=VALUE of "
        "a field with one number a row, or of one column, FIELD[COLUMN]=LOW:HIGH, that only the "
        "part hold_out_to contains",
        "1",
        (),
    )
    hold_out_to: str | None = field(
        "part that gets the held-out rows and no others; test if it exists, otherwise the last",
        "1",
        None,
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = ", ".join(self.names)
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"names: expected each part once, got {names}")
        if len(self.ratios) != len(self.names):
            raise ValueError(
                f"ratios: expected one for each part ({names}), got {len(self.ratios)}"
            )
        if abs(math.fsum(self.ratios) - 1) > 1e-6:
            raise ValueError(
                f"ratios: expected a sum of 1, got {' + '.join(f'{r:g}' for r in self.ratios)}"
                f" = {math.fsum(self.ratios):.7g}"
            )
        if self.hold_out_to is not None and self.hold_out_to not in self.names:
            raise ValueError(f"hold_out_to: expected one of {names}, got {self.hold_out_to}")
        if len(set(self.hold_out)) < len(self.hold_out):
            raise ValueError(f"hold_out: expected each once, got {', '.join(self.hold_out)}")
        for text in self.hold_out:
            if "=" in text:
                parse_range(text)
            else:
                _check_species(text)
        if self.hold_out and self.by in ("sample", "given"):
            raise ValueError(f"hold_out: expected none with by = {self.by}, got some")
        if not any(self.shares):
            raise ValueError(
                f"ratios: expected one above 0 for a part other than {self.names[self.held_part]}, "
                "which has only the held-out rows"
            )
        return self

    @property
    def held_part(self) -> int:
        """Number of the part that rows held out go to."""
        if self.hold_out_to is not None:
            return self.names.index(self.hold_out_to)
        return self.names.index("test") if "test" in self.names else len(self.names) - 1

    @property
    def held_species(self) -> tuple[str, ...]:
        """Species held out."""
        return tuple(text for text in self.hold_out if "=" not in text)

    @property
    def held_ranges(self) -> tuple[FieldRange, ...]:
        """Ranges held out; a row in any of them is."""
        return tuple(parse_range(text) for text in self.hold_out if "=" in text)

    @property
    def shares(self) -> tuple[float, ...]:
        """Ratios of the rows that are not held out, up to a common factor."""
        if not self.hold_out:
            return self.ratios
        return tuple(0.0 if j == self.held_part else r for j, r in enumerate(self.ratios))


class Split(Document):
    """A split as made: its rule and the resulting counts; the rows are in a file of their own."""

    name: SplitName = field("name of the split", "1")
    rule: SplitRule = field("rule by which rows were assigned", "1")
    sizes: tuple[Rows, ...] = field(
        "rows of the dataset when the split was made and each time it grew", "row", min_length=1
    )
    counts: tuple[tuple[Rows, ...], ...] = field(
        "rows of each class (first index) in each part", "row", min_length=1
    )
    groups: dict[str, str] = field("part of each species, if species are not divided", "1", {})
    class_weights: tuple[Annotated[float, Field(ge=0)], ...] = field(
        "weight of each class in a loss, mean 1 over classes with rows, Eq. (8.2), from the part "
        "train or otherwise the first",
        "1",
    )
    digest: str = field("BLAKE3 digest of the part index of every row", "1", pattern=DIGEST)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sizes, names = self.sizes, self.rule.names
        if any(low >= high for low, high in zip((0, *sizes), sizes, strict=False)):
            raise ValueError(f"sizes: expected rising numbers above 0, got {list(sizes)}")
        for label, row in enumerate(self.counts):
            if len(row) != len(names):
                raise ValueError(
                    f"counts: expected one for each of {', '.join(names)}, got {list(row)} "
                    f"for class {label}"
                )
        total = sum(sum(row) for row in self.counts)
        if total != sizes[-1]:
            raise ValueError(f"counts: expected a sum of {sizes[-1]}, the last of sizes: {total}")
        if len(self.class_weights) != len(self.counts):
            raise ValueError(
                f"class_weights: expected one for each of {len(self.counts)} classes, "
                f"got {len(self.class_weights)}"
            )
        n_groups = len(self.counts) if self.rule.by == "group" else 0
        if len(self.groups) != n_groups:
            raise ValueError(
                f"groups: expected {n_groups} species for rule.by = {self.rule.by}, "
                f"got {len(self.groups)}"
            )
        for species, part in self.groups.items():
            if part not in names:
                raise ValueError(
                    f"groups: expected one of {', '.join(names)}, got {part} for {species}"
                )
        return self

    @property
    def n_samples(self) -> int:
        """Rows that the split covers."""
        return self.sizes[-1]

    @property
    def part_rows(self) -> dict[str, int]:
        """Rows of each part, by its name."""
        return dict(zip(self.rule.names, map(sum, zip(*self.counts, strict=True)), strict=True))
