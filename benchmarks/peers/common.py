"""What all peers share: the rows that they store, the command line, and how an epoch is timed.

Needs NumPy alone: it runs in the environment of every peer.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

APART = "fields apart"
"""Ends the name of a setting that stores each field under its name, as most users do."""

Batch = dict[str, Any]
Epoch = Callable[[], Iterable[Batch]]


class Field(NamedTuple):
    """Columns of the matrix that hold a field, and the shape of one row of it."""

    start: int
    stop: int
    shape: tuple[int, ...]


class Reader(Protocol):
    """Opens a folder with a setting; each call of what it returns begins an epoch."""

    def __call__(self, folder: Path, batch: int, setting: str) -> Epoch:
        """Return what begins an epoch."""


def load_fields(folder: Path) -> dict[str, Field]:
    """Return the fields that were written with ``save_fields``."""
    stored = json.loads((folder / "fields.json").read_text())
    return {name: Field(start, stop, tuple(shape)) for name, (start, stop, shape) in stored.items()}


def save_fields(folder: Path, fields: dict[str, Field]) -> None:
    """Write where in a row which field is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fields.json").write_text(json.dumps(fields))


def load_matrix(source: Path) -> np.ndarray:
    """Return all rows, one behind the other: float32, shape (n, width), in the page cache."""
    return np.load(source / "rows.npy", mmap_mode="r")


def split(flat: Any, fields: dict[str, Field]) -> Batch:
    """Return the fields of rows of the matrix, NumPy's or torch's, as views of it."""
    n = len(flat)
    return {
        name: flat[:, field.start : field.stop].reshape(n, *field.shape)
        for name, field in fields.items()
    }


def row_apart(row: np.ndarray, fields: dict[str, Field]) -> dict[str, np.ndarray]:
    """Return the fields of a row of the matrix, each an array of its own."""
    return {
        name: np.array(row[field.start : field.stop].reshape(field.shape))
        for name, field in fields.items()
    }


def files_below(folder: Path) -> list[Path]:
    """Return all files of a folder."""
    found = os.walk(folder, followlinks=True)
    return sorted(Path(above) / name for above, _, names in found for name in names)


def drop_cache(folder: Path) -> None:
    """Ask the system to forget the files of a folder."""
    for path in files_below(folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def warm_cache(folder: Path) -> None:
    """Read every file of a folder once."""
    for path in files_below(folder):
        with path.open("rb", buffering=0) as file:
            while file.read(8 << 20):
                pass


def _cpu_seconds() -> float:
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _total(values: Any) -> float:
    array = values if isinstance(values, np.ndarray) else values.numpy()
    return float(array.sum(dtype=np.float64))


def sums(batches: Iterable[Batch]) -> dict[str, float]:
    """Return the sum of every field over an epoch: it is the same for all who read the same."""
    totals: dict[str, float] = {"samples": 0}
    for batch in batches:
        totals["samples"] += len(batch["label"])
        for name, values in batch.items():
            totals[name] = totals.get(name, 0.0) + _total(values)
    return totals


def timed(epoch: Epoch) -> dict[str, Any]:
    """Return what an epoch took and gave; every batch is touched."""
    n = n_bytes = 0
    labels = 0.0
    cpu, start = _cpu_seconds(), time.perf_counter()
    for batch in epoch():
        n += len(batch["label"])
        labels += float(batch["label"].sum())
        n_bytes += sum(values.nbytes for values in batch.values())
    seconds = time.perf_counter() - start
    return {
        "samples": n,
        "seconds": seconds,
        "cpu_seconds": _cpu_seconds() - cpu,  # worker processes that live on are not in it
        "bytes": n_bytes,
        "labels": labels,
    }


def measure(open_epoch: Callable[[], Epoch], folder: Path, cold: bool) -> dict[str, Any]:
    """Time an epoch: the second of two; or the first, of files that nobody has in memory.

    Before a cold one a few batches are read, so that no import and no compiler is timed; what they
    read is dropped with the rest.
    """
    epoch = open_epoch()
    if cold:
        for _ in islice(iter(epoch()), 2):
            pass
        del epoch
        drop_cache(folder)
        return timed(open_epoch())
    warm_cache(folder)
    for _ in epoch():
        pass
    return timed(epoch)


def flat_batches(
    loader: Iterable[Any], fields: dict[str, Field], to_tensor: Callable[[Any], Any]
) -> Iterator[Batch]:
    """Yield batches of flat rows as batches of fields."""
    for flat in loader:
        yield split(to_tensor(flat), fields)


def main(
    write: Callable[[Path, Path], None], read: Reader, settings: Iterable[str], dtype: str
) -> None:
    """Run one peer.

    ``write FOLDER SOURCE`` stores the rows of SOURCE; ``settings`` prints the settings; ``read
    FOLDER`` prints one line of JSON: samples, seconds, setting.
    """
    parser = argparse.ArgumentParser(description="one peer of the loader")
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write")
    writing.add_argument("folder", type=Path)
    writing.add_argument("source", type=Path)
    commands.add_parser("settings")
    reading = commands.add_parser("read")
    reading.add_argument("folder", type=Path)
    reading.add_argument("--batch", type=int, default=256)
    reading.add_argument("--setting", default=next(iter(settings)))
    reading.add_argument("--cold", action="store_true")
    reading.add_argument("--check", action="store_true", help="print sums of fields, no times")
    options = parser.parse_args()
    if options.command == "settings":
        print(json.dumps(list(settings)))
    elif options.command == "write":
        write(options.folder, options.source)
    else:

        def open_epoch() -> Epoch:
            return read(options.folder, options.batch, options.setting)

        result: dict[str, Any]
        if options.check:
            result = {"sums": sums(open_epoch()())}
        else:
            result = measure(open_epoch, options.folder, options.cold)
        print(json.dumps({**result, "setting": options.setting, "dtype": dtype}))
