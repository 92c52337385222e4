import itertools
import os

import pytest

from tersgen.store.files import DirectFile, write_durably


@pytest.mark.parametrize("total", [0, 1, 4095, 4096, (1 << 20) + 17, (8 << 20), (17 << 20) + 5])
@pytest.mark.parametrize("direct", [False, True])
def test_a_file_holds_its_parts(tmp_path, total, direct):
    data = os.urandom(total)
    cuts = sorted({0, total // 3, total // 2, total})
    parts = [data[a:b] for a, b in itertools.pairwise(cuts)]
    size = write_durably(tmp_path / "file", parts, DirectFile() if direct else None)
    assert size == total
    assert (tmp_path / "file").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_writer_is_used_again_for_smaller_files(tmp_path):
    file = DirectFile()
    for total in (9 << 20, 2 << 20, 5 << 20):
        data = os.urandom(total)
        write_durably(tmp_path / str(total), [data], file)
        assert (tmp_path / str(total)).read_bytes() == data


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="director"):
        write_durably(tmp_path / "taken", [b"data"])
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
