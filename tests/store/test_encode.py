from contextlib import suppress

import google_crc32c
import numpy as np
import pytest

from tersgen.errors import DamagedDataError
from tersgen.schema.fields import FieldSpec
from tersgen.schema.fixed_point import FixedPoint
from tersgen.store.checksums import checksum
from tersgen.store.encode import chunk_blocks, encode_chunk, shard_parts
from tersgen.store.interface import Chunk
from tersgen.store.row_reader import row_part


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


def row_alone(spec, data, n_rows, row, compression="lz4"):
    """Return the rows of a chunk that are decoded for one, and the number of the first."""
    payload = np.frombuffer(data[:-4], np.uint8)
    blocks = chunk_blocks(payload, n_rows, spec, compression)
    part = row_part(blocks, spec, row, row, lambda begin, end: payload[begin:end])
    assert part.first <= row < part.first + len(part.values)
    return part


@pytest.mark.parametrize("compression", ["lz4", "none"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("shape", [(64, 1, 64, 64), (7, 1, 3, 5), (3, 1, 1, 70001)])
@pytest.mark.parametrize("levels", [1, 40, 255])
def test_a_row_alone_is_that_of_its_chunk(shape, dtype, levels, compression):
    values = (np.random.default_rng(1).random(shape) * levels).astype(dtype)
    if shape[0] == 64:
        values[-9:] = 0  # blocks of noise, and one that is compressed
    spec, data, _ = stored(values, compression)
    for row in {0, 1, len(values) // 2, len(values) - 1}:
        part = row_alone(spec, data, len(values), row, compression)
        expected = values[part.first : part.first + len(part.values)]
        np.testing.assert_array_equal(part.values, expected)
        assert part.values.dtype == values.dtype


def test_noise_of_8_bits_is_read_without_decoding():
    noise = np.random.default_rng(1).integers(0, 255, (64, 1, 64, 64), dtype=np.uint8)
    half = noise.copy()
    half[32:] = 0
    for values, row, is_decoded in ((noise, 40, False), (half, 9, False), (half, 40, True)):
        spec, data, _ = stored(values)
        assert row_alone(spec, data, 64, row).is_decoded == is_decoded


def test_a_row_of_a_chunk_that_lies_is_refused():
    values = (np.random.default_rng(1).random((64, 1, 64, 64)) * 40).astype(np.float16)
    spec, data, _ = stored(values)
    for place, number, text in (
        (16, 1 << 30, "expected block 0 inside the chunk"),  # where it begins
        (16, 17, "expected block 0 inside the chunk"),
        (8, 0, "expected 524288 blocks of 0"),  # size of a block
        (8, 4, "expected 131072 blocks of 4"),
        (4, 64, "expected a blosc chunk"),  # size of all
    ):
        lie = bytearray(data)
        lie[place : place + 4] = number.to_bytes(4, "little")
        with pytest.raises(DamagedDataError, match=text):
            row_alone(spec, bytes(lie), 64, 0)
    rng = np.random.default_rng(2)
    noise = rng.integers(0, 255, (64, 1, 64, 64), dtype=np.uint8)
    noise[:32] = 0
    for one, good in ((spec, data), stored(noise)[:2]):
        for _ in range(150):  # whatever else is written there: a row, or one line
            lie = bytearray(good)
            for place in rng.integers(0, 600, 4):
                lie[place] = rng.integers(256)
            with suppress(DamagedDataError):
                row_alone(one, bytes(lie), 64, 9)
