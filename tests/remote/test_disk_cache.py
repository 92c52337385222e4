"""Blocks of remote files on a disk: used again, checked, bounded, by several processes."""

import subprocess
import sys

import numpy as np
import pytest

import tersgen
from tersgen.errors import ConfigError
from tersgen.jobs.push import push
from tersgen.store.disk_cache import DiskCache, size_in_bytes


@pytest.fixture
def url(store, stored):
    push(stored["zarr"], "s3://bucket/cached.zarr")
    store.begin()
    return "s3://bucket/cached.zarr"


def test_rows_come_from_the_cache_the_second_time(store, url, stored, tmp_path, monkeypatch):
    from tersgen.store import remote

    monkeypatch.setattr(remote, "_TAIL", 2048)
    local = tersgen.open(stored["zarr"])["maps"][:]
    np.testing.assert_array_equal(tersgen.open(url, cache=tmp_path)["maps"][:], local)
    store.begin()
    monkeypatch.setenv("TERSGEN_CACHE", str(tmp_path))
    np.testing.assert_array_equal(tersgen.open(url)["maps"][:], local)
    shards = [one for one in store.asked if "/maps/c." in one.path]
    assert len(shards) == 3  # opened, to see whether they are the same


def test_a_damaged_block_is_read_anew(tmp_path):
    cache = DiskCache(tmp_path)
    cache.put("a", b"some bytes")
    assert cache.get("a", 10) == b"some bytes"
    assert cache.get("a", 9) is None
    (path,) = (tmp_path / "tersgen-blocks-1").iterdir()
    path.write_bytes(b"s0me bytes" + path.read_bytes()[10:])
    assert cache.get("a", 10) is None
    path.write_bytes(b"")
    assert cache.get("a", 10) is None


def test_the_oldest_blocks_go_and_nothing_else(tmp_path):
    folder = tmp_path / "tersgen-blocks-1"
    cache = DiskCache(tmp_path, limit=10_000)
    (folder / "notes.txt").write_bytes(bytes(50_000))
    for k in range(100):
        cache.put(str(k), bytes([k]) * 1000)
    blocks = [path for path in folder.iterdir() if path.name != "notes.txt"]
    assert sum(path.stat().st_size for path in blocks) <= 11_004
    assert cache.get("99", 1000) is not None
    assert (folder / "notes.txt").exists()


def test_a_folder_that_is_gone_is_no_error(tmp_path):
    cache = DiskCache(tmp_path)
    (tmp_path / "tersgen-blocks-1").rmdir()
    cache.put("a", b"some bytes")
    assert cache.get("a", 10) is None


_WRITER = """
import sys
from pathlib import Path
from tersgen.store.disk_cache import DiskCache
cache = DiskCache(Path(sys.argv[1]), limit=100_000)
for k in range(300):
    key, block = str(k % 60), bytes([k % 60]) * 3000
    cache.put(key, block)
    found = cache.get(key, 3000)
    assert found in (None, block)
"""


def test_several_processes_share_a_cache(tmp_path):
    some = [subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)]) for _ in range(3)]
    assert [one.wait() for one in some] == [0, 0, 0]
    left = list((tmp_path / "tersgen-blocks-1").iterdir())
    assert not [path for path in left if path.suffix == ".partial"]
    assert sum(path.stat().st_size for path in left) < 400_000


def test_settings_that_cannot_be_are_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cache: expected a folder"):
        DiskCache(tmp_path / "file")
    with pytest.raises(ConfigError, match="expected a size such as 20GB, got 'much'"):
        size_in_bytes("much")
    assert [size_in_bytes(text) for text in ("10", "2kB", "1.5 GB")] == [10, 2000, 1_500_000_000]
