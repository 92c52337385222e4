import itertools
import os

import pytest
import xxhash

from tersgen.store.files import (
    DirectFile,
    file_facts,
    publish,
    write_durably,
    write_once,
    write_partial,
)


@pytest.mark.parametrize("total", [0, 1, 4095, 4096, (1 << 20) + 17, (8 << 20), (17 << 20) + 5])
@pytest.mark.parametrize("direct", [False, True])
def test_a_file_holds_its_parts(tmp_path, total, direct):
    data = os.urandom(total)
    cuts = sorted({0, total // 3, total // 2, total})
    parts = [data[a:b] for a, b in itertools.pairwise(cuts)]
    write_partial(tmp_path / "file", parts, DirectFile() if direct else None)
    assert (tmp_path / "file").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_writer_is_used_again_for_smaller_files(tmp_path):
    file = DirectFile()
    for total in (9 << 20, 2 << 20, 5 << 20):
        data = os.urandom(total)
        write_partial(tmp_path / str(total), [data], file)
        assert (tmp_path / str(total)).read_bytes() == data


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="director"):
        write_partial(tmp_path / "taken", [b"data"])
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_facts_are_size_and_a_standard_hash(tmp_path):
    facts = write_durably(tmp_path / "file", [b"one", b"two"])
    assert facts.bytes == 6
    assert facts.xxh128 == xxhash.xxh3_128_hexdigest(b"onetwo")
    assert file_facts(tmp_path / "file") == facts
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match="symbolic link"):
        file_facts(tmp_path / "link")


def test_a_name_that_is_taken_is_never_written_over(tmp_path):
    (tmp_path / "sealed").write_bytes(b"first")
    write_partial(tmp_path / "late", [b"second"])
    assert not publish(tmp_path / "late", tmp_path / "sealed")
    assert (tmp_path / "sealed").read_bytes() == b"first"
    assert not write_once(tmp_path / "sealed", [b"third"])
    assert write_once(tmp_path / "free", [b"fourth"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["free", "late", "sealed"]


def test_a_file_system_without_links_is_written_too(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert write_once(tmp_path / "file", [b"data"])
    assert not write_once(tmp_path / "file", [b"other"])
    assert (tmp_path / "file").read_bytes() == b"data"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
