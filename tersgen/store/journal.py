"""The journal: one line for each finished shard, appended and flushed after the shard's files.

A line that was not completely written fails its check and is ignored: its shard is rebuilt.
"""

import io
import os
from pathlib import Path
from typing import NamedTuple, Self

from pydantic import ValidationError

from ..bytefile import ByteStream
from ..schema.manifest import JOURNAL, JournalLine, ShardRecord
from .files import Check, write_all, write_durably
from .sources import exists_inside, open_inside

_LONGEST_LINE = 1 << 22


class JournalContent(NamedTuple):
    """What a journal says."""

    records: list[ShardRecord]
    bad_lines: list[int]
    """Numbers, from 1, of lines that are no whole record."""


def read_journal(folder: Path) -> JournalContent:
    """Return the records of a dataset's journal in the order of its lines; none without one."""
    records: list[ShardRecord] = []
    bad: list[int] = []
    if not exists_inside(folder, JOURNAL):
        return JournalContent(records, bad)
    _, file = open_inside(folder, JOURNAL)
    with io.BufferedReader(ByteStream(file)) as stream:
        lines = iter(lambda: stream.readline(_LONGEST_LINE), b"")
        for number, line in enumerate(lines, start=1):
            try:
                records.append(JournalLine.model_validate_json(line).record)
            except (ValidationError, ValueError):
                bad.append(number)
    return JournalContent(records, bad)


def _line(record: ShardRecord) -> bytes:
    return JournalLine.of(record).model_dump_json().encode() + b"\n"


def rewrite_journal(folder: Path, records: list[ShardRecord], check: Check | None = None) -> None:
    """Replace the journal by these records."""
    write_durably(folder / JOURNAL, [_line(record) for record in records], check)


class Journal:
    """A journal that is open for appending, by the one builder that holds the lock.

    It is written again, without the lines that are no record, and stays open: a builder that lost
    its lock still writes to a file that no longer has a name.
    """

    def __init__(self, folder: Path, check: Check | None = None) -> None:
        self.records = read_journal(folder).records
        rewrite_journal(folder, self.records, check)
        self._file = os.open(folder / JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def append(self, record: ShardRecord) -> None:
        """Write a record and flush it to disk."""
        size = os.fstat(self._file).st_size
        try:
            write_all(self._file, memoryview(_line(record)))
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, size)
            raise
        self.records.append(record)

    def __enter__(self) -> Self:
        """Return the journal."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        os.close(self._file)
