"""P2: what is missing or damaged on disk is an error, never numbers."""

import shutil

import numpy as np
import pytest

import tersgen
from tersgen.dataset.verify import verify
from tersgen.errors import DamagedDataError


@pytest.fixture
def copy(built, tmp_path):
    shutil.copytree(built, tmp_path / "copy.zarr")
    return tmp_path / "copy.zarr"


def shard_of(folder, name, shard=0):
    (path,) = (folder / name).glob(f"c.{shard}*")
    return path


FIELDS = ["spectra", "maps", "tensors", "sticks/position", "label", "params/orientation"]


@pytest.mark.parametrize("name", FIELDS)
def test_a_deleted_shard_is_an_error(copy, name):
    shard_of(copy, name).unlink()
    with pytest.raises(DamagedDataError, match="missing; tersgen verify says more"):
        tersgen.open(copy)[name][3]
    assert len(tersgen.open(copy)[name][512:]) == 488


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("size", [0, 1, 10, 100])
def test_an_emptied_or_cut_shard_is_an_error(copy, name, size):
    path = shard_of(copy, name)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DamagedDataError):
        tersgen.open(copy)[name][3]


@pytest.mark.parametrize("name", FIELDS)
def test_a_chunk_marked_missing_is_an_error(copy, name):
    path = shard_of(copy, name)
    data = bytearray(path.read_bytes())
    start = len(data) - 4 - 16 * 8
    data[start : start + 16] = b"\xff" * 16
    from tersgen.store.encode import checksum

    data[-4:] = checksum(bytes(data[start:-4]))
    path.write_bytes(bytes(data))
    with pytest.raises(DamagedDataError):
        tersgen.open(copy)[name][3]
    assert len(tersgen.open(copy)[name][64:128]) == 64


@pytest.mark.parametrize("name", FIELDS)
def test_no_flipped_bit_gives_other_numbers(copy, name):
    path = shard_of(copy, name)
    sound = path.read_bytes()
    whole = tersgen.open(copy)[name][:512]
    random = np.random.default_rng(1)
    noticed = 0
    for position in random.integers(0, len(sound), 60):
        data = bytearray(sound)
        data[position] ^= 1 << random.integers(8)
        path.write_bytes(bytes(data))
        try:
            values = tersgen.open(copy)[name][:512]
        except DamagedDataError:
            noticed += 1
        else:
            assert values.tobytes() == whole.tobytes()
    # bits of the checksum that follows a chunk are not needed to read it: the seal has them too
    assert noticed >= 50


def test_metadata_for_others_changes_nothing_here(copy, dataset):
    before = dataset["spectra"][0].tobytes()
    path = copy / "spectra" / "zarr.json"
    path.write_text(path.read_text().replace('"lz4"', '"zstd"'))
    assert tersgen.open(copy)["spectra"][0].tobytes() == before
    assert [fault.kind for fault in verify(copy).faults] == ["metadata"]
