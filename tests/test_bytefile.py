import io
import os

import numpy as np
import pytest

from tersgen.bytefile import ByteStream, LocalFile, read_range
from tersgen.errors import DamagedDataError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(100)))
    return LocalFile(os.open(path, os.O_RDONLY))


def test_ranges_are_those_of_the_file(file):
    assert file.size == 100
    assert read_range(file, 10, 5) == bytes(range(10, 15))
    assert read_range(file, 100, 0) == b""
    with pytest.raises(DamagedDataError, match="expected 5 bytes at 97, got 3"):
        read_range(file, 97, 5)


def test_another_file_of_the_name_has_another_identity(file, tmp_path):
    (tmp_path / "other").write_bytes(bytes(range(100)))
    (tmp_path / "other").replace(tmp_path / "file")
    assert LocalFile(os.open(tmp_path / "file", os.O_RDONLY)).identity != file.identity


def test_a_stream_ends_with_zeros(file):
    stream = ByteStream(file)
    stream.seek(-3, os.SEEK_END)
    room = np.full(5, 7, np.uint8)
    assert stream.readinto(room) == 3
    assert room.tolist() == [97, 98, 99, 0, 0]
    stream.seek(0)
    assert io.BufferedReader(stream).read() == bytes(range(100))
