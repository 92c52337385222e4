import google_crc32c
import numpy as np
import pytest

from tersgen.store.checksums import checksum
from tersgen.store.encode import shard_parts
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
