import numpy as np
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from tersgen.store.digest import combine, leaf_digests


def plain_root(leaves):
    """The tree spelt out: pair neighbours, an odd one moves up."""
    if len(leaves) == 1:
        return leaves[0]
    above = [blake3(b"".join(leaves[k : k + 2])).digest() for k in range(0, len(leaves) - 1, 2)]
    return plain_root(above + leaves[len(above) * 2 :])


@given(st.integers(1, 40), st.integers(0, 4))
def test_the_root_can_be_put_together_from_shards(n_leaves, power):
    leaves = [blake3(bytes([k])).digest() for k in range(n_leaves)]
    per_shard = 2**power
    shards = [combine(leaves[k : k + per_shard]) for k in range(0, n_leaves, per_shard)]
    assert combine(shards) == combine(leaves) == plain_root(leaves)


def test_leaves_are_of_little_endian_values_whatever_the_array():
    values = np.arange(10, dtype="<f4").reshape(10, 1)
    expected = [blake3(values[first : first + 4].tobytes()).digest() for first in (0, 4, 8)]
    assert leaf_digests(values, 4) == expected
    assert leaf_digests(values.astype(">f4"), 4) == expected
    assert leaf_digests(np.repeat(values, 2, axis=0)[::2], 4) == expected
