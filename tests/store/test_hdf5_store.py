import io
import json
import os
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import google_crc32c
import h5py
import numpy as np
import pytest

import tersgen
from tersgen.bytefile import LocalFile
from tersgen.errors import DamagedDataError
from tersgen.store.encode import fill_up
from tersgen.store.layout import Layout

ROWS = 100
"""A shard of 64 rows and one of 36, whose last chunk is not full."""


def same(left, right):
    return (
        left.dtype == right.dtype
        and left.shape == right.shape
        and left.tobytes() == (right.tobytes())
    )


def test_plain_h5py_reads_every_value(made, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    rows = made.generator.block(0, ROWS)
    with h5py.File(made.path) as file:
        assert set(file) == {"raman_shift", "entry", *(name.split("/")[0] for name in rows)}
        assert all(same(file[name][()], rows[name]) for name in rows)
        assert same(file["spectra"][77], rows["spectra"][77])
        assert json.loads(file.attrs["tersgen"])["recipe"] == "recipe.json"
    with h5py.File(made.shard_path(1)) as file:
        assert all(same(file[name][()], rows[name][64:]) for name in rows)
        assert file["label"].attrs["classes"].tolist() == [
            species.name.encode() for species in made.generator.recipe.library.species
        ]
        for name, spec in made.table.items():
            assert file[name].attrs["units"] == spec.unit.encode()
            assert file[name].attrs["long_name"] == spec.description.encode()
            assert [file[name].fletcher32, file[name].compression] == [True, None]


def test_no_plugin_is_loaded_for_it(made):
    script = (
        "import sys, h5py, numpy\n"
        "assert numpy.isfinite(h5py.File(sys.argv[1])['spectra'][()]).all()\n"
        "assert 'hdf5plugin' not in sys.modules\n"
    )
    environment = {**os.environ, "HDF5_PLUGIN_PATH": "/nonexistent"}
    subprocess.run([sys.executable, "-c", script, made.path], check=True, env=environment)


def test_chunks_give_back_the_rows(made):
    rows = made.generator.block(0, ROWS)
    for name in rows:
        assert same(made.read(0, name, 64), rows[name][:64])
        assert same(made.read(0, name, 17), rows[name][:17])
        assert same(made.read(1, name, 36), rows[name][64:])


def test_a_file_open_elsewhere_in_the_process_can_be_read(made):
    with h5py.File(made.path) as file:
        array = file["maps"]
        array[0]  # HDF5 keeps the shard open, with its own setting of file locking
        assert same(made.read(0, "maps", 64), array[:64])


def test_the_pair_can_be_moved(fresh, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    fresh.path.rename(tmp_path / "elsewhere" / fresh.path.name)
    fresh.folder.rename(tmp_path / "elsewhere" / fresh.folder.name)
    with h5py.File(tmp_path / "elsewhere" / fresh.path.name) as file:
        assert same(file["maps"][()], fresh.generator.block(0, ROWS)["maps"])


def test_a_last_shard_that_has_grown_shows_the_same_rows(fresh):
    fresh.shard_path(1).write_bytes(fresh.shard(1, 50))
    rows = fresh.generator.block(0, 114)
    with h5py.File(fresh.path) as file:
        assert all(same(file[name][()], rows[name][:ROWS]) for name in rows)
    assert all(same(fresh.read(1, name, 36), rows[name][64:100]) for name in rows)
    assert all(same(fresh.read(1, name, 50), rows[name][64:]) for name in rows)


def test_a_missing_shard_cannot_pass_for_data(fresh):
    fresh.shard_path(0).unlink()
    with h5py.File(fresh.path) as file:
        assert np.isnan(file["spectra"][:64]).all()
        assert (file["label"][:64] == -1).all()
        assert np.isfinite(file["spectra"][64:]).all()


def test_viewers_find_what_to_plot(made):
    with h5py.File(made.path) as file:
        assert file.attrs["NX_class"] == b"NXroot"
        entry = file[file.attrs["default"]]
        assert entry.attrs["NX_class"] == b"NXentry"
        for name, axes in (("spectra", [b".", b"raman_shift"]), ("maps", [b"."] * 4)):
            plot = entry[name]
            assert plot.attrs["NX_class"] == b"NXdata"
            assert plot[plot.attrs["signal"]] == file[name]
            assert plot.attrs["axes"].tolist() == axes
        shift = entry[entry.attrs["default"]]["raman_shift"]
        assert shift == file["raman_shift"]
        assert shift.attrs["units"] == b"cm^-1"
        np.testing.assert_allclose(shift, np.linspace(100.0, 4000.0, 64), rtol=1e-15)


@pytest.mark.parametrize(
    "absent", [{"maps": False}, {"spectra": False}, {"spectra": False, "maps": False}]
)
def test_a_dataset_without_some_arrays_has_an_index(
    hdf5_dataset, tiny_recipe, changed, tmp_path, absent
):
    made = hdf5_dataset(changed(tiny_recipe, fields=absent), tmp_path / "data.h5")
    made.write(20)
    with h5py.File(made.path) as file:
        assert ("raman_shift" in file) == absent.get("spectra", True)
        assert ("entry" in file) == (len(absent) == 1)
        assert same(file["label"][()], made.generator.labels(0, 20))


def test_bytes_are_the_same_every_time(hdf5_dataset, tiny_recipe, tmp_path):
    first, second = (hdf5_dataset(tiny_recipe, tmp_path / name / "data.h5") for name in "ab")
    first.write(ROWS)
    time.sleep(1.1)  # HDF5 would store times of whole seconds
    second.write(ROWS)
    assert first.path.read_bytes() == second.path.read_bytes()
    for number in (0, 1):
        assert first.shard_path(number).read_bytes() == second.shard_path(number).read_bytes()


def test_threads_may_share_a_store(made):
    shards: list[bytes] = []
    threads = [threading.Thread(target=lambda: shards.append(made.shard(1, 36))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(shards) == {made.shard_path(1).read_bytes()}
    assert len(shards) == 8


def test_many_classes_fit(hdf5_dataset, tiny_recipe, tmp_path):
    made = hdf5_dataset(tiny_recipe, tmp_path / "data.h5")
    names = [f"species {k} {'x' * 48}" for k in range(3000)]
    layout = Layout(chunk_rows=16, shard_rows=64)
    made.with_layout(layout, made.contents._replace(classes=tuple(names)))
    made.write(20)
    for path in (made.path, made.shard_path(0)):
        with h5py.File(path) as file:
            assert file["label"].attrs["classes"].tolist() == [name.encode() for name in names]


@pytest.mark.parametrize(("chunk_rows", "shard_rows"), [(1, 1), (1, 65536), (32, 32)])
def test_any_layout_fits(hdf5_dataset, tiny_recipe, tmp_path, chunk_rows, shard_rows):
    made = hdf5_dataset(tiny_recipe, tmp_path / "data.h5")
    layout = Layout(chunk_rows=chunk_rows, shard_rows=shard_rows)
    made.with_layout(layout, made.contents)
    rows = made.generator.block(0, 1)
    chunks = {
        name: [made.store.encode_chunk(fill_up(rows[name], chunk_rows, spec), spec)]
        for name, spec in made.table.items()
    }
    [file] = made.store.shard_files(0, 1, chunks)
    made.shard_path(0).write_bytes(b"".join(file.parts))
    assert all(same(made.read(0, name, 1), rows[name]) for name in rows)
    with h5py.File(made.shard_path(0)) as shard:
        assert all(same(shard[name][()], rows[name]) for name in rows)


def test_chunks_of_another_size_are_refused(made):
    spec = made.table["label"]
    short = made.store.encode_chunk(np.zeros(3, np.int32), spec)
    chunks = {name: [short] for name in made.table}
    with pytest.raises(ValueError, match="expected chunks of 2052 bytes, got one of 16"):
        list(made.store.shard_files(0, 16, chunks))


def test_a_chunk_must_have_its_size_and_checksum(made):
    spec = made.table["spectra"]
    values = np.random.default_rng(1).random((16, 64)).astype(np.float16)
    data = b"".join(made.store.encode_chunk(values, spec))
    check = google_crc32c.value(data)
    decoded = made.store.decode_chunk(data, check, spec)
    assert same(decoded, values)
    assert not decoded.flags.writeable
    for wrong in (b"", data[:-1], data + b"\0", data[:-4]):
        with pytest.raises(DamagedDataError, match="expected a chunk of 2052 bytes, got"):
            made.store.decode_chunk(wrong, check, spec)
    for position in (0, 1000, len(data) - 1):
        flipped = bytearray(data)
        flipped[position] ^= 8
        with pytest.raises(DamagedDataError, match=f"expected .* {check:08x}, got"):
            made.store.decode_chunk(bytes(flipped), check, spec)


# Files that nobody should trust. Each takes a new HDF5 file and makes "spectra" in it.


def create(file, shape=(64, 64), name="spectra", **options):
    options = {
        "dtype": "<f2",
        "chunks": (16, 64),
        "maxshape": (64, 64),
        "fletcher32": True,
        **options,
    }
    dataset = file.create_dataset(name, shape, **options)
    dataset[...] = 1
    return dataset


def virtual(file, folder):
    os.mkfifo(folder / "source.h5")  # whoever opens it hangs
    layout = h5py.VirtualLayout((64, 64), "<f2", maxshape=(64, 64))
    layout[...] = h5py.VirtualSource(str(folder / "source.h5"), "spectra", (64, 64))
    file.create_virtual_dataset("spectra", layout)


def endless_virtual(file, folder):
    os.mkfifo(folder / "source.h5")
    source = h5py.VirtualSource(
        str(folder / "source.h5"), "spectra", (64, 64), maxshape=(None, 64)
    )[: h5py.h5s.UNLIMITED, :]
    layout = h5py.VirtualLayout((64, 64), "<f2", maxshape=(None, 64))
    layout[: h5py.h5s.UNLIMITED, :] = source
    file.create_virtual_dataset("spectra", layout)


def external(file, folder):
    (folder / "secret").write_bytes(bytes(8192))
    file.create_dataset("spectra", (64, 64), "<f2", external=[(str(folder / "secret"), 0, 8192)])


def soft_link(file, folder):
    create(file, name="other")
    file["spectra"] = h5py.SoftLink("/other")


def external_link(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        create(other)
    file["spectra"] = h5py.ExternalLink(str(folder / "other.h5"), "spectra")


def bomb(file, folder):
    dataset = create(file, compression="gzip", fletcher32=False)
    dataset.id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 26)))


def huge_chunk(file, folder):
    file.create_dataset(
        "spectra", (64, 64), "<f2", chunks=(64, 1 << 23), maxshape=(64, 1 << 40), fletcher32=True
    )


def huge_shape(file, folder):
    file.create_dataset(
        "spectra", (1 << 40, 64), "<f2", chunks=(16, 64), maxshape=(1 << 40, 64), fletcher32=True
    )


def missing_chunk(file, folder):
    dataset = file.create_dataset(
        "spectra", (64, 64), "<f2", chunks=(16, 64), maxshape=(64, 64), fletcher32=True
    )
    dataset[:16] = 1
    dataset[32:] = 1


def unfiltered_chunk(file, folder):
    create(file).id.write_direct_chunk((16, 0), bytes(2048), filter_mask=1)


def long_chunk(file, folder):
    create(file).id.write_direct_chunk((16, 0), bytes(2053))


REFUSED = {
    "virtual": (virtual, "expected chunked storage"),
    "endless virtual": (endless_virtual, "expected chunked storage"),
    "external storage": (external, "expected chunked storage"),
    "contiguous": (
        lambda f, _: f.create_dataset("spectra", (64, 64), "<f2"),
        "expected chunked storage",
    ),
    "soft link": (soft_link, "found a link"),
    "external link": (external_link, "found a link"),
    "nothing": (lambda f, _: create(f, name="maps"), "found none"),
    "a group": (lambda f, _: f.create_group("spectra"), "found something else"),
    "a type": (lambda f, _: f.__setitem__("spectra", np.dtype("<f2")), "found something else"),
    "gzip": (bomb, r"expected filters \[3\], got \[1\]"),
    "two filters": (lambda f, _: create(f, shuffle=True), r"got \[2, 3\]"),
    "no filter": (lambda f, _: create(f, fletcher32=False), r"got \[\]"),
    "huge chunk": (huge_chunk, r"expected chunks of shape \(16, 64\)"),
    "huge shape": (huge_shape, r"expected a largest shape of \(64, 64\)"),
    "endless": (lambda f, _: create(f, maxshape=(None, 64)), "expected a largest shape"),
    "too few rows": (lambda f, _: create(f, (63, 64)), "at least 64 rows, got 63"),
    "big-endian": (lambda f, _: create(f, dtype=">f2"), "expected little-endian float16"),
    "integers": (lambda f, _: create(f, dtype="<i2"), "expected little-endian float16"),
    "missing chunk": (missing_chunk, "chunk 1 is missing"),
    "unfiltered chunk": (unfiltered_chunk, "chunk 1 to have a filter mask of 0, got 1"),
    "long chunk": (long_chunk, "chunk 1 to have bytes 2052, got 2053"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_crafted_files_are_refused(fresh, name):
    make, message = REFUSED[name]
    with h5py.File(fresh.shard_path(0), "w", libver=("v110", "v110")) as file:
        make(file, fresh.folder)
    with pytest.raises(DamagedDataError, match=message) as caught:
        fresh.read(0, "spectra", 64)
    assert "\n" not in str(caught.value)


def test_a_linked_group_is_refused(fresh):
    with h5py.File(fresh.shard_path(0), "r+") as file:
        file.move("sticks", "other")
        file["sticks"] = h5py.SoftLink("/other")
    with pytest.raises(DamagedDataError, match="expected the array itself"):
        fresh.read(0, "sticks/position", 64)


def rotated(value, count):
    return ((value << count) | (value >> (32 - count))) & 0xFFFFFFFF


def lookup3(data):
    """Jenkins' hash, the checksum of HDF5's metadata (H5_checksum_lookup3)."""
    a = b = c = (0xDEADBEEF + len(data)) & 0xFFFFFFFF
    if not data:
        return c
    padded = data + bytes(-len(data) % 12)
    words = np.frombuffer(padded, "<u4").tolist()
    for k in range(0, len(words), 3):
        a, b, c = (
            (total + word) & 0xFFFFFFFF
            for total, word in zip((a, b, c), words[k : k + 3], strict=True)
        )
        if k + 3 < len(words):
            for count in (4, 6, 8, 16, 19, 4):
                a = (a - c) & 0xFFFFFFFF ^ rotated(c, count)
                c = (c + b) & 0xFFFFFFFF
                a, b, c = b, c, a
    for count in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - rotated(b, count)) & 0xFFFFFFFF
        a, b, c = b, c, a
    return b


def with_chunk_moved(data, number, offset):
    """The file with another offset of chunk ``number`` of its only array, checksum corrected."""
    file = bytearray(data)
    start = data.index(b"FADB")
    end = next(
        k
        for k in range(start + 14, len(data))
        if lookup3(data[start:k]) == (int.from_bytes(data[k : k + 4], "little"))
    )
    size = (end - start - 14) // 4
    place = start + 14 + number * size
    file[place : place + 8] = offset.to_bytes(8, "little")
    file[end : end + 4] = lookup3(bytes(file[start:end])).to_bytes(4, "little")
    return bytes(file)


@pytest.mark.parametrize(
    ("origin", "offset", "message"),
    [
        ("first chunk", 0, "chunks overlap"),
        ("first chunk", 2051, "chunks overlap"),
        ("end", -2051, "ends at byte"),
        ("start", 2**62, "HDF5 cannot read it|ends at byte"),
        ("start", 2**64 - 2, "HDF5 cannot read it|ends at byte"),
        ("start", 2**64 - 1, "chunk 2 is missing"),
    ],
)
def test_chunks_cannot_lie_anywhere(fresh, origin, offset, message):
    image = io.BytesIO()
    with h5py.File(image, "w", libver=("v110", "v110")) as file:
        first = create(file).id.get_chunk_info_by_coord((0, 0)).byte_offset
    data = image.getvalue()
    offset += {"first chunk": first, "end": len(data), "start": 0}[origin]
    fresh.shard_path(0).write_bytes(with_chunk_moved(data, 2, offset))
    with pytest.raises(DamagedDataError, match=message):
        fresh.read(0, "spectra", 64)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99, "one byte less"])
def test_a_truncated_file_is_refused(fresh, share):
    path = fresh.shard_path(0)
    data = path.read_bytes()
    path.write_bytes(data[:-1] if isinstance(share, str) else data[: int(share * len(data))])
    with pytest.raises(DamagedDataError):
        fresh.read(0, "label", 64)


def test_a_disk_that_fails_is_an_error(made, monkeypatch):
    path, real = made.shard_path(0), os.preadv

    def fails(descriptor, buffers, offset):
        if offset:
            raise OSError(5, "Input/output error")
        return real(descriptor, buffers, offset)

    file = LocalFile(os.open(path, os.O_RDONLY))
    monkeypatch.setattr(os, "preadv", fails)
    with pytest.raises(DamagedDataError, match="HDF5 cannot read it"):
        made.store.chunk_table(file, made.table["label"], 0, 64)


def index_of(folder, make):
    with h5py.File(folder / "index.h5", "w", libver=("v110", "v110")) as file:
        make(file, folder)
    return (folder / "index.h5").read_bytes()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (external_link, "found a link"),
        (soft_link, "found a link"),
        (lambda f, _: create(f), "spectra: expected a virtual dataset, found another"),
        (lambda f, _: create(f, name="maps"), "found none"),
        (virtual, "expected it to name data.h5.d/shards/000000.h5, got /.*/source.h5"),
        (endless_virtual, "expected it to name data.h5.d/shards/000000.h5, got /.*/source.h5"),
    ],
)
def test_crafted_indexes_are_refused_and_not_followed(fresh, tmp_path, make, message):
    fresh.store.check_sources(fresh.path.read_bytes(), fresh.folder.name)
    with pytest.raises(DamagedDataError, match=message):
        fresh.store.check_sources(index_of(tmp_path, make), fresh.folder.name)


@pytest.mark.parametrize("data", [b"", b"<html>", bytes(5000)])
def test_an_index_that_is_none_is_refused(fresh, data):
    with pytest.raises(DamagedDataError, match="HDF5 cannot read it"):
        fresh.store.check_sources(data, fresh.folder.name)


def test_an_index_cut_short_is_refused(fresh):
    data = fresh.path.read_bytes()
    with pytest.raises(DamagedDataError):
        fresh.store.check_sources(data[: len(data) // 2], fresh.folder.name)


FLIPS = """
import sys
from pathlib import Path
import numpy as np
from tersgen import load_recipe, resolve
from tersgen.errors import DamagedDataError

sys.path.insert(0, sys.argv[1])
from conftest import Made

recipe = resolve(load_recipe("recipe.json"))
made = Made(recipe, Path("flips.h5").absolute())
path = made.shard_path(0)
data = made.shard(0, 36)
rows = made.generator.block(0, 36)
random = np.random.default_rng(5)
refused = 0
for flip in range(int(sys.argv[2])):
    flipped = bytearray(data)
    # half of the flips anywhere, the others near the ends, where most metadata lies
    position = random.integers(len(data)) if flip % 2 else -random.integers(8192)
    flipped[position] ^= random.integers(1, 256)
    path.write_bytes(flipped)
    for name in rows:
        try:
            read = made.read(0, name, 36)
        except DamagedDataError:
            refused += 1
        else:
            assert read.tobytes() == rows[name].tobytes(), (position, name)
print(refused)
"""


@pytest.mark.exhaustive
def test_no_flipped_byte_goes_unseen(tiny_recipe, tmp_path):
    # in a process of its own: HDF5 might crash
    n_flips = 600 if os.environ.get("TERSGEN_ALL_FAULTS") else 200
    tersgen.save_recipe(tiny_recipe, tmp_path / "recipe.json")
    done = subprocess.run(
        [sys.executable, "-c", FLIPS, str(Path(__file__).parent), str(n_flips)],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > n_flips / 3
