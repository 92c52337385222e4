import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numcodecs.fletcher32 import Fletcher32

from tersgen.numeric.fletcher import fletcher32


def checksum(data):
    return int(fletcher32(np.frombuffer(data, np.uint8)))


def by_the_formula(data):
    """Sums of big-endian words modulo 65535, where 65535 stands for a sum that is not empty."""
    words = np.frombuffer(data + b"\0" * (len(data) % 2), ">u2").tolist()
    first = second = 0
    for word in words:
        first += word
        second += first
    first, second = ((total - 1) % 65535 + 1 if total else 0 for total in (first, second))
    return second << 16 | first


# https://en.wikipedia.org/wiki/Fletcher's_checksum has these for little-endian words
@pytest.mark.parametrize(("text", "expected"), [(b"abcde", 0xF04FC729), (b"abcdef", 0x56502D2A)])
def test_published_values(text, expected):
    words = np.frombuffer(text + b"\0" * (len(text) % 2), "<u2").astype(">u2").tobytes()
    assert checksum(words) == expected


@given(st.binary(max_size=2000))
def test_any_bytes(data):
    assert checksum(data) == by_the_formula(data)


@pytest.mark.parametrize("n_bytes", [0, 1, 2, 511, 512, 513, 719, 721, 1024, 100_003, 2_000_000])
@pytest.mark.parametrize("kind", ["random", "ones", "zeros"])
def test_every_length_and_the_largest_sums(n_bytes, kind):
    data = {
        "random": np.random.default_rng(n_bytes).bytes(n_bytes),
        "ones": b"\xff" * n_bytes,
        "zeros": bytes(n_bytes),
    }[kind]
    assert checksum(data) == by_the_formula(data)
    if n_bytes:
        assert bytes(Fletcher32().encode(data))[-4:] == checksum(data).to_bytes(4, "little")


@pytest.mark.parametrize("n_bytes", [1, 2, 3, 719, 720, 721, 5001, 40_000])
def test_it_is_what_hdf5_writes(tmp_path, n_bytes):
    data = np.random.default_rng(n_bytes).integers(0, 256, n_bytes, np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("a", data=data, chunks=(n_bytes,), fletcher32=True)
        file.flush()
        _, stored = dataset.id.read_direct_chunk((0,))
    assert stored == data.tobytes() + checksum(data).to_bytes(4, "little")
