"""Files on local disks are mapped; losing their ends is damage like any other, not the end."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen.bytefile import LocalFile
from tersgen.dataset.sources import Copies, ReadTimes
from tersgen.errors import DamagedDataError
from tersgen.jobs.convert import convert
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.store import bus_errors, mapping
from tersgen.store.mapping import is_local, mapped

N, CHUNK = 512, 64
TIMES = 10
FIELD = "maps"
SCRIPT = Path(__file__).with_name("read_mapped.py")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files are mapped on Linux only")


@pytest.fixture(scope="module")
def stored(tiny_recipe, tmp_path_factory):
    """A dataset of two shards whose chunks hold plain rows, in both back ends."""
    folder = tmp_path_factory.mktemp("mapping")
    plan = make_plan(tiny_recipe, N, chunk_rows=CHUNK, shard_rows=256, compression="none")
    run(plan, folder / "a.zarr")
    convert(folder / "a.zarr", folder / "a.h5", "hdf5")
    return folder


@pytest.fixture(params=["a.zarr", "a.h5"])
def dataset(request, stored, tmp_path):
    """A copy of it that may be damaged."""
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    return tersgen.open(tmp_path / request.param)


def shard(dataset):
    """The file with the first rows of the field."""
    path = dataset.path
    if path.suffix == ".h5":
        return path.with_name(path.name + ".d") / "shards" / "000000.h5"
    [file] = (path / FIELD).glob("c.0.*")
    return file


def first_rows(dataset, source):
    out = {FIELD: np.zeros((CHUNK, dataset[FIELD].spec.row_bytes), np.uint8)}
    source.read_into(0, [Copies(np.arange(CHUNK), out, np.arange(CHUNK))], ReadTimes())
    return out[FIELD]


def expected(dataset):
    return dataset[FIELD][:CHUNK].reshape(CHUNK, -1).view(np.uint8)


@pytest.fixture
def reads(monkeypatch):
    """The size of each read of a file."""
    sizes, real = [], os.preadv

    def counted(descriptor, buffers, offset):
        sizes.append(len(buffers[0]))
        return real(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", counted)
    return sizes


def test_a_chunk_is_read_once_and_then_copied_from_memory(dataset, reads):
    source, wanted = dataset.blocks([FIELD]), expected(dataset)
    reads.clear()
    np.testing.assert_array_equal(first_rows(dataset, source), wanted)
    assert max(reads) >= wanted.nbytes
    reads.clear()
    for _ in range(2):
        np.testing.assert_array_equal(first_rows(dataset, source), wanted)
    assert reads == []


def test_every_copy_is_checked(dataset):
    source = dataset.blocks([FIELD])
    wanted = first_rows(dataset, source)
    np.testing.assert_array_equal(first_rows(dataset, source), wanted)
    data = bytearray(shard(dataset).read_bytes())
    data[data.index(wanted[0].tobytes())] ^= 1
    with shard(dataset).open("r+b") as file:  # in place: the mapping sees it, too
        file.write(data)
    with pytest.raises(DamagedDataError, match="rows 0 to 63"):
        first_rows(dataset, source)


def test_a_truncated_file_is_damage_until_it_is_whole_again(dataset):
    source = dataset.blocks([FIELD])
    wanted = first_rows(dataset, source)
    np.testing.assert_array_equal(first_rows(dataset, source), wanted)
    path, before = shard(dataset), bus_errors.faults()
    data = path.read_bytes()
    os.truncate(path, 0)
    with pytest.raises(DamagedDataError, match="rows 0 to 63"):
        first_rows(dataset, source)
    assert bus_errors.faults() > before  # pages of the mapping were lost
    path.write_bytes(data)
    for _ in range(3):
        np.testing.assert_array_equal(first_rows(dataset, source), wanted)


@pytest.mark.parametrize(
    "dataset", ["a.zarr", pytest.param("a.h5", marks=pytest.mark.exhaustive)], indirect=True
)
def test_a_process_survives_files_that_are_truncated_while_it_reads(dataset):
    path = shard(dataset)
    data = path.read_bytes()
    child = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", str(SCRIPT), str(dataset.path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        assert child.stdout.readline() == "whole\n"
        for k in range(TIMES):
            os.truncate(path, len(data) * (k % 3) // 4)
            assert child.stdout.readline() == "damaged\n"
            path.write_bytes(data)
            assert child.stdout.readline() == "whole\n"
        child.stdin.close()
        result = json.loads(child.stdout.readline())
    assert child.returncode == 0
    assert result["wrong"] == 0
    assert result["faults"] >= TIMES  # each found the file mapped


OTHER = """
import faulthandler, mmap, os, sys
from tersgen.bytefile import LocalFile
from tersgen.store.mapping import mapped
ours = mapped(LocalFile(os.open(sys.argv[1], os.O_RDONLY)))
assert ours is not None
with open(sys.argv[1], "r+b") as file:
    another = mmap.mmap(file.fileno(), 0)
    file.truncate(0)
print(ours[0], flush=True)
print(another[0])
"""


@pytest.mark.parametrize("options", [[], ["-X", "faulthandler"]])
def test_other_bus_errors_end_the_process_as_before(tmp_path, options):
    (tmp_path / "file").write_bytes(bytes([7]) * 10000)
    done = subprocess.run(
        [sys.executable, *options, "-c", OTHER, str(tmp_path / "file")], capture_output=True
    )
    assert done.stdout == b"0\n"
    assert done.returncode == -signal.SIGBUS
    assert (b"Fatal Python error: Bus error" in done.stderr) == bool(options)


def test_files_are_read_while_another_handler_is_installed(dataset, reads):
    source, wanted = dataset.blocks([FIELD]), expected(dataset)
    for _ in range(2):
        first_rows(dataset, source)
    kept = ctypes.create_string_buffer(152)
    system = ctypes.CDLL(None)
    system.sigaction(signal.SIGBUS, None, kept)
    reads.clear()
    signal.signal(signal.SIGBUS, signal.SIG_DFL)
    try:
        np.testing.assert_array_equal(first_rows(dataset, source), wanted)
        assert reads
    finally:
        system.sigaction(signal.SIGBUS, kept, None)
    reads.clear()
    np.testing.assert_array_equal(first_rows(dataset, source), wanted)
    assert reads == []


def test_only_files_on_local_disks_are_mapped(dataset):
    assert is_local(os.open(shard(dataset), os.O_RDONLY))
    assert not is_local(os.open("/proc/self/status", os.O_RDONLY))
    assert mapped(LocalFile(os.open("/proc/self/status", os.O_RDONLY))) is None


def test_a_mapping_ends_with_its_last_user(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 5000)
    released = []
    monkeypatch.setattr(mapping.bus_errors, "release", released.append)
    content = mapped(LocalFile(os.open(path, os.O_RDONLY)))
    part = content[:10]
    del content
    assert not released
    assert bytes(part) == b"x" * 10
    del part
    assert len(released) == 1
    monkeypatch.undo()
    bus_errors.release(released[0])
