"""Damaged files of every format: one line says so, quickly, and memory stays bounded."""

import random
import tracemalloc

import pytest

from tersgen.errors import MeasurementError
from tersgen.measured import isolated
from tersgen.measured.reader import ReadOptions
from tersgen.measured.reading import read_file

N_MUTATIONS = 50
N_ISOLATED = 5
"""Mutations of files that are each read in a process of their own."""
ISOLATED = ("a.nxs", "a.mat")
LARGEST_MEMORY = 16 << 20
"""A reader of a file of a few kB that allocates more trusts a length in it."""

FORMATS = [
    "a.spc", "xyxy.spc", "old.spc", "big.spc", "a.0", "series.0", "two.spe", "three.spe", "a.spa",
    "a.sp", "bwspec.txt", "enlighten.csv", "labspec.txt", "wire.txt", "witec.txt", "wide.csv",
    "map.csv", "points.csv", "a.nxs", "a.mat",
]  # fmt: skip


def mutated(content, rng):
    """Return a content with some bytes changed, cut, doubled or replaced by extreme numbers."""
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        # The beginning holds the lengths and offsets.
        at = rng.randrange(min(len(damaged), rng.choice((64, 600, 5000, len(damaged)))))
        match rng.randrange(6):
            case 0:
                damaged[at] ^= 1 << rng.randrange(8)
            case 1:
                damaged[at] = rng.randrange(256)
            case 2:
                extreme = rng.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1))
                damaged[at : at + 8] = extreme.to_bytes(8, "little")[: rng.choice((2, 4, 8))]
            case 3:
                del damaged[at : at + rng.randrange(1, 200)]
            case 4:
                damaged[at:at] = damaged[at : at + rng.randrange(1, 200)]
            case 5:
                del damaged[at:]
        if not damaged:
            return b""
    return bytes(damaged)


def check(path, content):
    """Read a damaged file: spectra, or one line; return whether it was read."""
    path.write_bytes(content)
    message = None
    try:
        found = read_file(path, ReadOptions(laser_nm=532.0)).content
    except MeasurementError as error:
        message = str(error)
    if message is None:
        assert len(found)
    else:
        assert message.isprintable(), message  # a line break is not
    return message is None


@pytest.mark.parametrize("name", FORMATS)
def test_mutations(corpus, tmp_path, name):
    rng = random.Random(name)
    path = tmp_path / name
    assert check(path, corpus[name])
    n_mutations = N_ISOLATED if name in ISOLATED else N_MUTATIONS
    tracemalloc.start()
    try:
        read = [check(path, mutated(corpus[name], rng)) for _ in range(n_mutations)]
        assert tracemalloc.get_traced_memory()[1] < LARGEST_MEMORY
    finally:
        tracemalloc.stop()
    assert not all(read)


@pytest.mark.parametrize("name", FORMATS)
def test_files_cut_short(corpus, tmp_path, name):
    whole = corpus[name]
    for k in (1, 5, 9) if name in ISOLATED else range(1, 10):
        check(tmp_path / name, whole[: k * len(whole) // 10])


@pytest.mark.exhaustive
def test_a_heap_that_hdf5_reads_for_ever(corpus, tmp_path, monkeypatch):
    whole = bytearray(corpus["a.nxs"])
    heap = whole.index(b"GCOL\x01")
    end, at = heap + int.from_bytes(whole[heap + 8 : heap + 16], "little"), heap + 16
    while whole[at : at + 2] != b"\0\0":  # the object 0 is the space that is free
        at += 16 + (int.from_bytes(whole[at + 8 : at + 16], "little") + 7) // 8 * 8
    assert at < end
    whole[at + 8 : at + 16] = bytes(8)
    monkeypatch.setattr(isolated, "_SECONDS", 3.0)
    path = tmp_path / "a.nxs"
    path.write_bytes(whole)
    with pytest.raises(MeasurementError, match="cannot be read as HDF5: not read after 3 s"):
        read_file(path, ReadOptions())


def test_the_corpus_has_every_format(corpus):
    assert sorted(corpus) == sorted(FORMATS)
