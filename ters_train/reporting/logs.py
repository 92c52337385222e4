"""The log of a run: one JSON object a line, the same as CSV, and TensorBoard scalars.

A resumed run continues in the same files: what was logged after the step that it resumes from is
taken out first, so no step is in the log twice.
"""

import csv
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tersgen.dataset.output_file import replace_file
from tersgen.errors import ConfigError, OutputError
from tersgen.files import why

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG, TABLE, SCALARS = "log.jsonl", "log.csv", "tensorboard"
LARGEST_LOG = 1 << 28
"""Larger logs are refused; an entry a second makes as much in 16 days."""

Entry = dict[str, Any]


def read_log(folder: Path) -> list[Entry]:
    """Return the entries of a run's log; lines that are not whole, after a crash, are left out."""
    path = folder / LOG
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            content = file.read(LARGEST_LOG + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {why(error)}") from None
    if len(content) > LARGEST_LOG:
        raise OutputError(f"{path}: expected at most {LARGEST_LOG >> 20} MiB, got more")
    # A line that has no end was not written whole, even where it happens to be JSON.
    lines = content.split(b"\n")[:-1]
    return [entry for entry in map(_parsed, lines) if entry is not None]


def _parsed(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_entry = isinstance(entry, dict) and type(entry.get("step")) is int
    return entry if is_entry else None


class RunLog:
    """The log of a run, open for appending, by one process of it.

    An entry is a mapping of names to numbers, texts, booleans or None. ``step`` is an integer;
    ``part`` says what was measured, such as ``train`` or ``val``, and groups the scalars of
    TensorBoard. Numbers that are not finite become None, which JSON can hold.

    Parameters
    ----------
    folder
        Folder of the run; it exists.
    last_step
        Step that the run resumes from: entries after it are taken out. None for a new run, whose
        log begins empty.
    tensorboard
        Whether to write scalars for TensorBoard too, if it is installed.
    """

    def __init__(
        self, folder: Path, last_step: int | None = None, *, tensorboard: bool = True
    ) -> None:
        self._folder = folder
        kept = [] if last_step is None else read_log(folder)
        self.entries = [entry for entry in kept if entry["step"] <= (last_step or 0)]
        self._columns = _columns_of(self.entries)
        # Written anew even when nothing is taken out: that ends a torn line and undoes a link.
        replace_file(folder / LOG, b"".join(_line(entry) for entry in self.entries))
        self._log = _appending(folder / LOG)
        self._table = self._new_table()
        self._writer = _summary_writer(folder / SCALARS, last_step) if tensorboard else None

    def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry to all logs, and hand it to the system."""
        clean = _checked(entry)
        self._write(self._log, _line(clean))
        self.entries.append(clean)
        new = [name for name in clean if name not in self._columns]
        if new:
            self._columns += new
            os.close(self._table)
            self._table = self._new_table()
        else:
            self._write(self._table, _table([clean], self._columns, heading=False))
        if self._writer is not None:
            part = str(clean.get("part", "run"))
            for name, value in clean.items():
                if name not in ("step", "epoch") and isinstance(value, int | float):
                    self._writer.add_scalar(f"{part}/{name}", value, clean["step"])

    def _write(self, descriptor: int, content: bytes) -> None:
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError as error:
            reason = why(error)
            raise OutputError(f"{self._folder}: the log cannot be written: {reason}") from None

    def _new_table(self) -> int:
        path = self._folder / TABLE
        replace_file(path, _table(self.entries, self._columns, heading=True))
        return _appending(path)

    def close(self) -> None:
        """Close all files."""
        os.close(self._log)
        os.close(self._table)
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Self:
        """Return the log."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all files."""
        self.close()


def _appending(path: Path) -> int:
    """Open a file for appending that :func:`replace_file` has just made."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)


def _checked(entry: Mapping[str, Any]) -> Entry:
    if type(entry.get("step")) is not int:
        raise ConfigError(f"expected a log entry with an integer step, got {entry.get('step')!r}")
    for name, value in entry.items():
        if value is not None and not isinstance(value, bool | int | float | str):
            raise ConfigError(
                f"{name}: expected a number, text or None in a log entry, "
                f"got {type(value).__name__}"
            )
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in entry.items()
    }


def _line(entry: Entry) -> bytes:
    return json.dumps(entry, allow_nan=False).encode() + b"\n"


def _columns_of(entries: Sequence[Entry]) -> list[str]:
    return list(dict.fromkeys(name for entry in entries for name in entry))


def _table(entries: Sequence[Entry], columns: list[str], *, heading: bool) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    if heading and columns:
        writer.writeheader()
    writer.writerows(entries)
    return text.getvalue().encode()


def _summary_writer(folder: Path, last_step: int | None) -> "SummaryWriter | None":
    """Return a writer of scalars; None where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    if folder.is_symlink():
        raise OutputError(f"{folder}: expected a folder, got a link; remove it")
    # hides what an earlier start has written, even if it saved no checkpoint
    purged = 0 if last_step is None else last_step + 1
    return SummaryWriter(str(folder), purge_step=purged)
