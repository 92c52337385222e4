"""What a dataset says of itself: its manifest, and a record for each sealed shard."""

from typing import Literal

from .base import Frozen, field
from .fields import FieldSpec

FORMAT_VERSION = 1
"""Version of the format on disk; others are refused."""

MANIFEST = "manifest.json"
RECIPE = "recipe.json"
JOURNAL = "journal.jsonl"


class ShardRecord(Frozen):
    """One sealed shard: a line of the journal."""

    shard: int = field("number of the shard", "1", ge=0)
    rows: int = field("rows in it", "row", gt=0)
    bytes_stored: int = field("bytes of its files", "byte", ge=0)
    digests: dict[str, str] = field("logical BLAKE3 digest of each array's rows", "1")
    class_counts: dict[str, int] = field("rows of each class that occurs, by label", "row")


class Manifest(Frozen):
    """Written last: a dataset without it is incomplete."""

    format_version: int = field("version of the format", "1", FORMAT_VERSION)
    kind: Literal["synthetic"] = field("how the samples came about", "1", "synthetic")
    tersgen_version: str = field("version of the package that built it", "1")
    generator: int = field("version of the generator", "1")
    created: str = field("time of completion, ISO 8601, UTC", "1")
    n_samples: int = field("rows", "row", gt=0)
    chunk_rows: int = field("rows of an inner chunk", "row", gt=0)
    shard_rows: int = field("rows of a shard", "row", gt=0)
    leaf_rows: int = field("rows of a leaf of the digest tree", "row", gt=0)
    recipe_digest: str = field("BLAKE3 digest of the resolved recipe", "1")
    digest: str = field("logical digest of the dataset: recipe, rows and every value", "1")
    arrays: dict[str, str] = field("logical digest of each array", "1")
    fields: tuple[FieldSpec, ...] = field("the table of arrays", "1")
    classes: tuple[str, ...] = field("species names in label order", "1")
    class_counts: tuple[int, ...] = field("rows of each class", "row")
    bytes_stored: int = field("bytes of all shards on disk", "byte", ge=0)
