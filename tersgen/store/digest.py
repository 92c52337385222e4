"""Logical digests: over decompressed values, whatever the codec, chunk, shard or back end.

Those of a fixed-point array are its integers; the dataset's digest covers how they are decoded.
The little-endian values of each fixed run of rows (a leaf) are hashed with BLAKE3; leaves combine
pairwise into a tree, an odd node moving up as it is. A shard is a whole subtree, so the digest of
an array can be computed from those of its shards.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from ..schema.contents import Contents
from ..schema.digest import canonical_digest


def combine(nodes: Sequence[bytes]) -> bytes:
    """Return the root of a tree over digests, pair by pair; an odd one moves up."""
    level = list(nodes)
    while len(level) > 1:
        pairs = [blake3(level[k] + level[k + 1]).digest() for k in range(0, len(level) - 1, 2)]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def leaf_digests(values: NDArray[np.generic], leaf_rows: int) -> list[bytes]:
    """Return the digest of each leaf of some rows of an array, the last one maybe shorter."""
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return [
        blake3(little[first : first + leaf_rows].view(np.uint8).data).digest()
        for first in range(0, len(little), leaf_rows)
    ]


def dataset_digest(contents: Contents, n_samples: int, roots: Mapping[str, bytes]) -> str:
    """Return the digest of a dataset: over the recipe, the number of rows and every array."""
    arrays: dict[str, dict[str, object]] = {}
    for spec in contents.fields:
        arrays[spec.name] = {
            "digest": roots[spec.name].hex(),
            "dtype": spec.dtype,
            "shape": list(spec.shape),
        }
        if spec.fixed_point is not None:
            arrays[spec.name]["fixed_point"] = spec.fixed_point.model_dump()
    return canonical_digest(
        {
            "arrays": arrays,
            "classes": list(contents.classes),
            "n_samples": n_samples,
            "recipe": contents.recipe_digest,
        }
    )
