"""P2: chunks and tables of checksums that were lost as zeros, exchanged or crafted are noticed."""

import google_crc32c
import h5py
import numpy as np
import pytest

from tersgen.errors import DamagedDataError
from tersgen.store.checksum_table import HEAD_WORDS


def same(left, right):
    return (
        left.dtype == right.dtype
        and left.shape == right.shape
        and left.tobytes() == (right.tobytes())
    )


def zeros(data, place):
    data[place] = bytes(place.stop - place.start)


ARRAYS = ["spectra", "maps", "tensors", "sticks/count", "label", "params/orientation"]


@pytest.mark.parametrize("name", ARRAYS)
def test_a_chunk_lost_as_zeros_is_noticed(fresh, name):
    place = fresh.place(0, name, 1)
    fresh.change(0, lambda data: zeros(data, place))
    with h5py.File(fresh.shard_path(0)) as file:
        assert not file[name][16:32].any()  # Fletcher's checksum of zeros is zero
    with pytest.raises(DamagedDataError, match="expected a chunk with the checksum"):
        fresh.read(0, name, 64)
    rows = fresh.generator.block(0, 64)
    assert same(fresh.read(0, name, 16), rows[name][:16])
    assert all(same(fresh.read(0, other, 64), rows[other]) for other in rows if other != name)


def test_a_table_lost_as_zeros_is_noticed(fresh):
    place = fresh.place(0, "checks")
    fresh.change(0, lambda data: zeros(data, place))
    rows = fresh.generator.block(0, 64)
    with h5py.File(fresh.shard_path(0)) as file:
        assert not file["checks"][()].any()
        assert all(same(file[name][()], rows[name]) for name in rows)
    for name in rows:
        with pytest.raises(DamagedDataError, match=r"checksum table \(checks\): .* does not match"):
            fresh.read(0, name, 64)
    assert same(fresh.read(1, "label", 36), fresh.generator.labels(64, 100))


def test_chunk_and_table_lost_as_zeros_are_noticed(fresh):
    lost = [fresh.place(0, name, 1) for name in ("maps", "label")] + [fresh.place(0, "checks")]
    fresh.change(0, lambda data: [zeros(data, place) for place in lost])
    for name in fresh.table:
        with pytest.raises(DamagedDataError, match=r"\(checks\)"):
            fresh.read(0, name, 64)


def test_all_that_is_not_metadata_lost_as_zeros_is_noticed(fresh):
    lost = [fresh.place(0, name, k) for name in fresh.table for k in range(4)]
    fresh.change(0, lambda data: [zeros(data, place) for place in lost])
    for name in fresh.table:
        with pytest.raises(DamagedDataError, match="expected a chunk with the checksum"):
            fresh.read(0, name, 16)


def entry(made, shard, name, number):
    """Where the checksum of a chunk stands in the file of a shard of 64 rows."""
    words = HEAD_WORDS + 4 * list(made.table).index(name) + number
    at = made.place(shard, "checks").start + 4 * words
    return slice(at, at + 4)


def test_the_table_holds_the_checksum_of_every_stored_chunk(made):
    data = made.shard_path(0).read_bytes()
    for name in made.table:
        for number in range(4):
            stored = google_crc32c.value(data[made.place(0, name, number)])
            assert data[entry(made, 0, name, number)] == stored.to_bytes(4, "little")
    with h5py.File(made.shard_path(0)) as file:
        *entries, last = file["checks"][()]
        assert len(entries) == HEAD_WORDS + 4 * len(made.table)
        assert last == google_crc32c.value(np.array(entries, "<u4").tobytes())


def swap(data, one, other):
    data[one], data[other] = data[other], data[one]


def test_chunks_of_two_arrays_that_are_exchanged_are_noticed(fresh):
    one, other = ("label", 0), ("sticks/count", 0)  # as many bytes each
    fresh.change(0, lambda data: swap(data, fresh.place(0, *one), fresh.place(0, *other)))
    with h5py.File(fresh.shard_path(0)) as file:
        assert file["label"][0] != fresh.generator.labels(0, 1)[0]
    for name, _ in (one, other):
        with pytest.raises(DamagedDataError, match="expected a chunk with the checksum"):
            fresh.read(0, name, 16)
    # with their checksums, too
    fresh.change(0, lambda data: swap(data, entry(fresh, 0, *one), entry(fresh, 0, *other)))
    for name, _ in (one, other):
        with pytest.raises(DamagedDataError, match=r"\(checks\)"):
            fresh.read(0, name, 16)


def test_chunk_and_table_of_another_shard_are_noticed(fresh):
    fresh.shard_path(1).write_bytes(fresh.shard(1, 64))
    other = fresh.shard_path(1).read_bytes()
    first, table = fresh.place(0, "maps", 0), fresh.place(0, "checks")

    def take(place):
        return lambda data: data.__setitem__(place, other[place])

    fresh.change(0, take(first))
    with pytest.raises(DamagedDataError, match="expected a chunk with the checksum"):
        fresh.read(0, "maps", 16)
    fresh.change(0, take(table))  # now the chunk has its checksum, but the place is another
    for name in fresh.table:
        with pytest.raises(DamagedDataError, match=r"\(checks\): the file is of shard 1, not 0"):
            fresh.read(0, name, 64)


def test_a_table_of_a_shard_of_other_rows_is_refused(fresh):
    table = fresh.place(1, "checks")
    old = fresh.shard_path(1).read_bytes()
    fresh.shard_path(1).write_bytes(fresh.shard(1, 48))  # as many chunks: the same places
    assert fresh.place(1, "checks") == table
    fresh.change(1, lambda data: data.__setitem__(table, old[table]))
    assert same(fresh.read(1, "label", 32), fresh.generator.labels(64, 96))
    with pytest.raises(DamagedDataError, match="expected a chunk with the checksum"):
        fresh.read(1, "label", 36)


def rewritten(made, make):
    """Take the table out of a sound shard, and put another one in."""
    with h5py.File(made.shard_path(0), "r+", libver=("v110", "v110")) as file:
        values = file["checks"][()]
        del file["checks"]
        make(file, values)


def put(file, values, dtype="<u4", **options):
    options = {"chunks": values.shape, "fletcher32": True, **options}
    file.create_dataset("checks", data=values.astype(dtype), **options)


def linked(file, values):
    put(file, values)
    file.move("checks", "other")
    file["checks"] = h5py.SoftLink("/other")


REFUSED_TABLES = {
    "none": (lambda f, _: f, "found none"),
    "a link": (linked, "found a link"),
    "contiguous": (lambda f, v: f.create_dataset("checks", data=v), "expected chunked storage"),
    "no filter": (lambda f, v: put(f, v, fletcher32=False), r"expected filters \[3\], got \[\]"),
    "int32": (lambda f, v: put(f, v, "<i4"), "expected little-endian uint32"),
    "one short": (lambda f, v: put(f, v[1:]), "expected chunks of shape"),
    "one more": (lambda f, v: put(f, np.append(v, 0)), "expected chunks of shape"),
    "endless": (lambda f, v: put(f, v, maxshape=(None,)), "expected a largest shape"),
    "huge": (
        lambda f, _: f.create_dataset(
            "checks", (1 << 40,), "<u4", chunks=(1 << 29,), fletcher32=True
        ),
        "expected chunks of shape",
    ),
    "no chunk": (
        lambda f, v: f.create_dataset("checks", v.shape, "<u4", chunks=v.shape, fletcher32=True),
        "chunk 0 is missing",
    ),
    "another checksum": (
        lambda f, v: put(f, np.append(v[:-1], v[-1] ^ 1)), "does not match",
    ),
    "another entry": (lambda f, v: put(f, np.append(v[:1] ^ 1, v[1:])), "does not match"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED_TABLES)
def test_crafted_tables_are_refused(fresh, name):
    make, message = REFUSED_TABLES[name]
    rewritten(fresh, put)
    assert same(fresh.read(0, "maps", 64), fresh.generator.block(0, 64)["maps"])
    rewritten(fresh, make)
    with pytest.raises(DamagedDataError, match=rf"\(checks\): .*{message}") as caught:
        fresh.read(0, "maps", 64)
    assert "\n" not in str(caught.value)
