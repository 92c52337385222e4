from contextlib import suppress

import google_crc32c
import numpy as np
import pytest

from tersgen.errors import DamagedDataError
from tersgen.schema.fields import FieldSpec
from tersgen.schema.fixed_point import FixedPoint
from tersgen.store.checksums import checksum
from tersgen.store.encode import decode_row, encode_chunk, shard_parts
from tersgen.store.interface import Chunk


def test_checksum_is_crc32c():
    # RFC 3720, appendix B.4: 32 bytes of zeros
    assert checksum(bytes(32)) == bytes.fromhex("aa36918a")
    assert int.from_bytes(checksum(b"abc"), "little") == google_crc32c.value(b"abc")


@pytest.mark.parametrize("n_chunks", [3, 4])
def test_a_shard_is_chunks_seal_index_and_checksum(n_chunks):
    chunks = [Chunk(payload, checksum(payload)) for payload in (b"one", b"", b"three")]
    shard = b"".join(shard_parts(chunks, n_chunks, b"seal"))
    table = shard[-4 - 16 * n_chunks : -4]
    assert shard[-4:] == checksum(table)
    assert shard[: -4 - 16 * n_chunks].endswith(b"seal")
    index = np.frombuffer(table, "<u8").reshape(n_chunks, 2)
    for (offset, size), chunk in zip(index, chunks, strict=False):
        assert shard[int(offset) : int(offset + size)] == chunk.payload + chunk.checksum
    assert (index[3:] == 2**64 - 1).all()


def stored(values, compression="lz4"):
    """Return the field of some values, and a chunk of them with its CRC32C."""
    fixed = {"fixed_point": FixedPoint.of(8, (0.0, 1.0))} if values.dtype == np.uint8 else {}
    spec = FieldSpec(name="maps", dims=("shift_channel", "row", "column"), shape=values.shape[1:],
                     dtype=values.dtype.name, unit="1", description="maps", **fixed)  # fmt: skip
    chunk = encode_chunk(values, spec, compression)
    return spec, chunk.payload + chunk.checksum, google_crc32c.value(chunk.payload)


@pytest.mark.parametrize("compression", ["lz4", "none"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("shape", [(64, 1, 64, 64), (7, 1, 3, 5), (3, 1, 1, 70001)])
@pytest.mark.parametrize("levels", [1, 40, 255])
def test_a_row_alone_is_that_of_its_chunk(shape, dtype, levels, compression):
    values = (np.random.default_rng(1).random(shape) * levels).astype(dtype)
    spec, data, check = stored(values, compression)
    for row in {0, 1, len(values) // 2, len(values) - 1}:
        one = decode_row(data, check, len(values), row, spec, compression)
        np.testing.assert_array_equal(one, values[row : row + 1])
        assert one.dtype == values.dtype


def test_a_row_of_a_chunk_that_lies_is_refused():
    values = (np.random.default_rng(1).random((64, 1, 64, 64)) * 40).astype(np.float16)
    spec, data, check = stored(values)
    with pytest.raises(DamagedDataError, match="checksum"):
        decode_row(data, check ^ 1, 64, 0, spec, "lz4")
    for place, number, text in (
        (16, 1 << 30, "expected block 0 inside the chunk"),  # where it begins
        (16, 17, "expected block 0 inside the chunk"),
        (8, 0, "expected 524288 blocks of 0"),  # size of a block
        (8, 4, "expected 131072 blocks of 4"),
        (4, 64, "expected a blosc chunk"),  # size of all
    ):
        lie = bytearray(data[:-4])
        lie[place : place + 4] = number.to_bytes(4, "little")
        with pytest.raises(DamagedDataError, match=text):
            decode_row(bytes(lie) + bytes(4), google_crc32c.value(bytes(lie)), 64, 0, spec, "lz4")
    rng = np.random.default_rng(2)
    for _ in range(300):  # whatever else is written there: a row, or one line
        lie = bytearray(data[:-4])
        for place in rng.integers(0, 600, 4):
            lie[place] = rng.integers(256)
        with suppress(DamagedDataError):
            decode_row(bytes(lie) + bytes(4), google_crc32c.value(bytes(lie)), 64, 9, spec, "lz4")
