"""Bit-shuffled rows against blosc, which shuffles and puts back in order by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numcodecs import blosc

from tersgen.numeric.bits import TILE_BYTES, copy_bit_shuffled


def shuffled(rows):
    """Rows as blosc leaves them when it is told that nothing was shuffled; and its block size."""
    encoded = bytearray(blosc.compress(rows.reshape(-1), b"lz4", 5, blosc.BITSHUFFLE, 0))
    if encoded[2] & 7 != 4:
        return None, 0
    encoded[2] ^= 4
    words = np.empty(rows.nbytes // 8, np.uint64)
    blosc.decompress(bytes(encoded), words.view(np.uint8))
    return words, int.from_bytes(encoded[8:12], "little")


@pytest.mark.parametrize("row_bytes", [TILE_BYTES, 2 * TILE_BYTES, 4 * TILE_BYTES])
@pytest.mark.parametrize("n_rows", [1, 3, 64, 200, 256])
def test_rows_come_back(n_rows, row_bytes):
    rng = np.random.default_rng(n_rows)
    smooth = np.sin(np.arange(n_rows * row_bytes // 2) / 50) + 1e-3 * rng.normal(
        size=n_rows * row_bytes // 2
    )
    rows = smooth.astype(np.float16).reshape(n_rows, -1)
    words, block = shuffled(rows)
    assert words is not None
    assert block % row_bytes == 0
    take = np.sort(rng.permutation(n_rows)[: n_rows - n_rows // 3])
    put = rng.permutation(2 * n_rows)[: len(take)]
    out = np.zeros((2 * n_rows, row_bytes), np.uint8)
    copy_bit_shuffled(words, block // 8, take, out.view(np.uint64), put)
    np.testing.assert_array_equal(out.view(np.float16)[put], rows[take])
    untouched = np.setdiff1d(np.arange(2 * n_rows), put)
    assert not out[untouched].any()


@given(st.integers(0, 2**32 - 1), st.integers(0, 16))
def test_every_bit_finds_its_place(seed, n_bits):
    """Random bits of some places, zeros of the others: compressible, and each bit is tried."""
    rng = np.random.default_rng(seed)
    mask = np.uint16(sum(1 << int(bit) for bit in rng.permutation(16)[:n_bits]))
    rows = rng.integers(0, 2**16, (4, TILE_BYTES // 2), dtype=np.uint16) & mask
    words, block = shuffled(rows)
    if words is None:
        return  # blosc stored it as it is
    out = np.empty((4, TILE_BYTES), np.uint8)
    copy_bit_shuffled(words, block // 8, np.arange(4), out.view(np.uint64), np.arange(4)[::-1])
    np.testing.assert_array_equal(out.view(np.uint16)[::-1], rows)
