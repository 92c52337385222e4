import pytest

from tersgen.schema.manifest import FileFacts, ShardRecord
from tersgen.store.journal import Journal, read_journal


def record(shard: int, rows: int = 256) -> ShardRecord:
    return ShardRecord(
        shard=shard,
        rows=rows,
        files={f"label/c.{shard}": FileFacts(bytes=rows, xxh128="0" * 32)},
        digests={"label": f"{shard:064x}"},
        class_counts={0: rows},
    )


RECORDS = [record(0), record(1), record(2, 44)]


@pytest.fixture
def written(tmp_path):
    with Journal(tmp_path) as journal:
        for one in RECORDS:
            journal.append(one)
    return tmp_path / "journal.jsonl"


def test_records_come_back_in_order(written):
    content = read_journal(written.parent)
    assert content.records == RECORDS
    assert content.bad_lines == []
    assert read_journal(written.parent / "none").records == []


def test_a_last_line_cut_anywhere_counts_for_nothing(written):
    whole = written.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for size in range(last, len(whole) + 1):
        written.write_bytes(whole[:size])
        # only its newline may be missing
        expected = RECORDS if size >= len(whole) - 1 else RECORDS[:2]
        assert read_journal(written.parent).records == expected
        if size % 32 and size < len(whole) - 1:
            continue
        with Journal(written.parent) as journal:
            journal.append(record(7))
        again = read_journal(written.parent)
        assert again.records == [*expected, record(7)]
        assert again.bad_lines == []


@pytest.mark.parametrize(
    "garbage",
    [b"\n", b"\x00" * 4096, b"\xff\xfe\n", b"{}\n", b'{"record": null}\n', b"[" * 100_000 + b"\n"],
)
@pytest.mark.parametrize("after", [0, 1, 3])
def test_garbage_is_left_out(written, garbage, after):
    lines = written.read_bytes().splitlines(keepends=True)
    lines.insert(after, garbage if after == 3 else garbage.rstrip(b"\n") + b"\n")
    written.write_bytes(b"".join(lines))
    assert read_journal(written.parent).bad_lines == [after + 1]
    with Journal(written.parent) as journal:
        assert journal.records == RECORDS
    assert read_journal(written.parent).bad_lines == []


def test_no_changed_bit_of_a_line_makes_another_record(written):
    whole = written.read_bytes()
    first = whole.index(b"\n")
    for at in range(first):
        data = bytearray(whole)
        data[at] ^= 1 << at % 8
        written.write_bytes(bytes(data))
        assert all(one in RECORDS for one in read_journal(written.parent).records)
