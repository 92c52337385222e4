"""Documents of a dataset: its lock file, a record of each sealed shard, its versions."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from .base import DIGEST, TAG_NAME, Document, Name, Text, field
from .base import LIBRARY as LIBRARY
from .base import TIP_FIELD as TIP_FIELD
from .contents import Contents, Kind
from .digest import canonical_digest, digest_without, without_defaults
from .fields import Axis, Coordinate, FieldSpec
from .plugin import PluginRecord
from .split import Split

FORMAT_VERSION = 4
"""Version of the format on disk; others are refused."""

MANIFEST = "manifest.json"
RECIPE = "recipe.json"
JOURNAL = "journal.jsonl"
LOCK = "lock.json"
VERSIONS = "versions"
VERSION_FILE = re.compile(r"([0-9a-f]{64})\.json")
"""Name of a version's file, after its content id."""
TAGS = "tags"
SPLITS = "splits"
EVENTS = "events.jsonl"
"""What happens during a build, for people; gone when the dataset is complete."""
RANGES = "ranges"
"""Folders of jobs that seal ranges of shards; gone when the dataset is complete."""
BESIDE = ".d"
"""Suffix of the folder next to the index of an HDF5 dataset."""

LARGEST_N = 2**53
"""Most rows of a dataset: indices are exact in every language's numbers."""

Format = Literal["zarr", "hdf5"]
Compression = Literal["lz4", "none"]
"""Of signals and targets in Zarr; parameters never are, and HDF5 is not."""
Digest = Annotated[str, Field(pattern=DIGEST)]
TagName = Annotated[str, Field(max_length=64, pattern=TAG_NAME)]
InsidePath = Annotated[
    str, Field(max_length=200, pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*(/[a-z0-9_]+(\.[a-z0-9_]+)*)*$")
]
"""A path that stays inside the dataset's folder."""
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]


class FileFacts(Document):
    """A file on disk: its size, and a fast checksum against accidental damage."""

    bytes: Count = field("size of the file", "byte")
    xxh128: str = field("XXH3 128-bit hash of the file", "1", pattern=r"^[0-9a-f]{32}$")


class ShardRecord(Document):
    """One sealed shard: a line of the journal."""

    shard: Count = field("number of the shard", "1")
    rows: int = field("number of rows", "row", gt=0, le=LARGEST_N)
    files: dict[InsidePath, FileFacts] = field("its files, by path inside the folder", "1")
    digests: dict[str, Digest] = field("logical BLAKE3 digest of each array's rows", "1")
    class_counts: dict[Count, Count] = field("rows of each class that occurs, by label", "row")

    @property
    def bytes_stored(self) -> int:
        """Bytes of its files."""
        return sum(facts.bytes for facts in self.files.values())


class JournalLine(Document):
    """A line of the journal: a record and a checksum that proves it complete."""

    record: ShardRecord = field("the sealed shard", "1")
    check: str = field("first 16 digits of the BLAKE3 digest of the record's canonical JSON", "1")

    @classmethod
    def of(cls, record: ShardRecord) -> Self:
        """Return the line of a record."""
        return cls(record=record, check=_check_of(record.model_dump(mode="json")))

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, data: Any) -> Any:
        """Refuse a record that is not what its check says."""
        record = data.get("record") if isinstance(data, dict) else None
        if isinstance(record, dict) and data.get("check") != (wanted := _check_of(record)):
            raise ValueError(
                f"check: expected {wanted}, that of the record, got {data.get('check')!r:.40}"
            )
        return data


def _check_of(record: Mapping[str, Any]) -> str:
    """Return the first 16 digits of the digest of a record."""
    return canonical_digest(record)[:16]


class Environment(Document):
    """Machine and software of a build."""

    tersgen: Text = field("version of this package", "1")
    python: Text = field("version of Python", "1")
    platform: Text = field("operating system and machine", "1")
    cpu: Text = field("model of the processor", "1")
    packages: dict[Text, Text] = field("versions of the packages that make and store values", "1")


class Lock(Document):
    """The lock file: all that is needed to build the dataset again; written before any shard."""

    format_version: Literal[4] = field("version of the format", "1")
    format: Format = field("back end", "1")
    recipe_digest: Digest = field("BLAKE3 digest of the resolved recipe", "1")
    library_digest: Digest = field("BLAKE3 digest of the library", "1")
    generator: int = field("version of the generator", "1")
    seed: int = field("seed of all random streams", "1")
    n_samples: int = field("rows when complete", "row", gt=0, le=LARGEST_N)
    chunk_rows: int = field("rows of an inner chunk", "row", gt=0, le=LARGEST_N)
    shard_rows: int = field("rows of a shard", "row", gt=0, le=LARGEST_N)
    compression: Compression = field("compression of signals and targets in Zarr", "1", "lz4")
    plugins: tuple[PluginRecord, ...] = field("plug-ins that the values depend on", "1", ())
    environment: Environment = field("environment in which the build was started", "1")
    check: Digest = field("BLAKE3 digest of the rest of this document", "1")

    @classmethod
    def sealed(cls, **content: object) -> Self:
        """Return the lock file with ``check`` worked out from the rest."""
        return cls.model_validate(_sealed(cls, "check", content))

    @property
    def text(self) -> str:
        """The text of the file; the check covers its content, so only this text is valid."""
        return json.dumps(without_defaults(self), indent=1) + "\n"


class Manifest(Document):
    """One version of a dataset, immutable; a dataset without any is incomplete."""

    format_version: Literal[4] = field("version of the format", "1")
    version: Digest = field("BLAKE3 digest of the rest of this document", "1")
    parent: Digest | None = field("parent version", "1", None)
    change: Text = field("change since the parent version", "1")
    created: Text = field("time of completion, ISO 8601, UTC", "1")
    kind: Kind = field("origin of the samples", "1", "synthetic")
    format: Format = field("back end", "1")
    digest: Digest = field("logical digest of the dataset: recipe, rows and every value", "1")
    recipe_digest: Digest = field("BLAKE3 digest of the resolved recipe", "1")
    library_digest: Digest = field("BLAKE3 digest of the library", "1")
    generator: int = field("version of the generator", "1")
    seed: int = field("seed of all random streams", "1")
    n_samples: int = field("rows", "row", gt=0, le=LARGEST_N)
    chunk_rows: int = field("rows of an inner chunk", "row", gt=0, le=LARGEST_N)
    shard_rows: int = field("rows of a shard", "row", gt=0, le=LARGEST_N)
    compression: Compression = field("compression of signals and targets in Zarr", "1", "lz4")
    leaf_rows: int = field("rows of a leaf of the digest tree", "row", gt=0, le=LARGEST_N)
    arrays: dict[str, Digest] = field("logical digest of each array", "1")
    fields: tuple[FieldSpec, ...] = field("the table of arrays", "1", min_length=1)
    computed: tuple[FieldSpec, ...] = field(
        "arrays that are not stored, but computed from the recipe as rows are read", "1", ()
    )
    axes: tuple[Axis, ...] = field("positions along dimensions of the arrays", "1", ())
    coordinates: tuple[Coordinate, ...] = field(
        "values along dimensions that are not evenly spaced", "1", ()
    )
    classes: tuple[Name, ...] = field("species names in label order", "1")
    class_counts: tuple[Count, ...] = field("rows of each class", "row")
    bytes_stored: Count = field("bytes of all shards on disk", "byte")
    files: dict[InsidePath, FileFacts] = field("files that describe the arrays, by path", "1")
    splits: tuple[Split, ...] = field("the splits of this version", "1", ())
    environment: Environment = field("environment in which the build was completed", "1")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.class_counts) != len(self.classes) or sum(self.class_counts) != self.n_samples:
            raise ValueError(
                f"class_counts: expected one for each of {len(self.classes)} classes, in all "
                f"{self.n_samples}, got {len(self.class_counts)}, in all {sum(self.class_counts)}"
            )
        for split in self.splits:
            known = len(split.counts) == len(self.classes) and {*self.classes} >= {*split.groups}
            if not known or split.n_samples != self.n_samples:
                raise ValueError(
                    f"splits: expected all {self.n_samples} rows and the same classes, got others "
                    f"in {split.name}"
                )
        return self

    @classmethod
    def sealed(cls, **content: object) -> Self:
        """Return the manifest with ``version`` worked out from the rest."""
        return cls.model_validate(_sealed(cls, "version", content))

    @property
    def text(self) -> bytes:
        """The text of the manifest."""
        return json.dumps(without_defaults(self), indent=1).encode() + b"\n"

    @property
    def contents(self) -> Contents:
        """What the dataset holds."""
        return Contents(**{name: getattr(self, name) for name in Contents._fields})

    def split_named(self, name: str) -> Split | None:
        """Return the split of a name, or None."""
        return next((split for split in self.splits if split.name == name), None)


class Tag(Document):
    """A name for a version, given once: it never moves, and a deleted name is not reused."""

    name: TagName = field("the tag", "1")
    version: Digest = field("the tagged version", "1")
    created: Text = field("time of tagging, ISO 8601, UTC", "1")
    deleted: bool = field("whether the tag was deleted", "1", False)


def _sealed(model: type[Document], name: str, content: Mapping[str, object]) -> dict[str, object]:
    """Return the content of a document with the digest of everything else in it as ``name``."""
    whole = {"format_version": FORMAT_VERSION, **content}
    draft = model.model_validate({**whole, name: "0" * 64})
    return {**whole, name: digest_without(without_defaults(draft), name)}


def is_genuine(content: Mapping[str, Any], name: str) -> bool:
    """Return whether a stored document has the digest that it states."""
    return content.get(name) == digest_without(content, name)
