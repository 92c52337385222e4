"""What reading a damaged copy of a dataset gives: values that are right, or one line that says no.

An *answer* is one of ``ANSWERS``; the worst of all that was tried is the outcome of a trial.
"""

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from damage_stock import Known, Stock

import tersgen
from ters_train.config import StreamConfig
from ters_train.data.order import Order
from ters_train.data.rows import all_rows
from ters_train.data.stream import Stream
from tersgen.dataset.dataset import Dataset
from tersgen.dataset.parts import load_parts
from tersgen.dataset.sources import BlockSource, Copies, ReadTimes, as_bytes
from tersgen.dataset.versions import locate
from tersgen.errors import TersError

ANSWERS = ("right", "another version", "refused", "OTHER ERROR", "WRONG")
"""From best to worst. Another version has other rows or descriptions, and says so by its id."""


class TooLongError(BaseException):
    """A trial takes longer than anything does here."""


class Seen:
    """Answers, the worst of them, and what is to be said of them."""

    def __init__(self) -> None:
        self.worst = "right"
        self.notes: list[str] = []
        self.errors: list[str] = []

    def add(self, answer: str, note: str = "") -> None:
        """Take an answer."""
        self.worst = max(self.worst, answer, key=ANSWERS.index)
        if answer in ("OTHER ERROR", "WRONG"):
            self.notes.append(note[-1500:])
        if answer == "refused":
            self.errors.append(note)

    def attempt(self, function: Callable[[], Any]) -> Any:
        """Return what a function returns, or None; what it raises is an answer."""
        try:
            return function()
        except TersError as error:
            text = str(error)
            self.add("OTHER ERROR" if "\n" in text or not text else "refused", text)
        except Exception:  # noqa: BLE001
            self.add("OTHER ERROR", traceback.format_exc())
        return None


def look(path: Path, stock: Stock, seen: Seen, blocks: bool = True, stream: bool = False) -> None:
    """Read everything of the newest version, and of the tagged one."""
    for reference, known in stock.known.items():
        data = seen.attempt(lambda r=reference: tersgen.open(f"{path}{r}"))
        if data is None:
            continue
        genuine = {one.version: one for one in (*stock.known.values(), *stock.known_of_others)}
        if data.manifest.version in genuine and data.manifest.version != known.version:
            known = genuine[data.manifest.version]
            seen.add("another version")
        describe(data, known, seen)
        for name in data.fields:
            values = seen.attempt(lambda d=data, n=name: d[n][:])
            if values is not None:
                compare(name, 0, values, known, seen)
        if not reference and blocks:
            reader = seen.attempt(lambda d=data: d.blocks(d.fields))
            if reader is not None:
                read_blocks(data, reader, known, seen)
        if not reference and stream:
            read_stream(seen.attempt(lambda d=data: stream_of(d)), data, known, seen)


def describe(data: Dataset, known: Known, seen: Seen) -> None:
    """Compare what a dataset says of itself; what is another version may say something else."""
    manifest = data.manifest
    assert manifest is not None
    same = manifest.version == known.version
    if not same:
        seen.add("another version")
    specs = {name: field.spec.model_dump() for name, field in data.fields.items()}
    axes = {name: axis.model_dump() for name, axis in data.axes.items()}
    mine = (data.n_samples, data.classes, data.digest, specs, axes)
    if same and mine != (known.n_samples, known.classes, known.digest, known.specs, known.axes):
        seen.add("WRONG", f"descriptions: {mine}")
    folder = locate(data.path).folder
    for split in manifest.splits:
        parts = seen.attempt(lambda s=split: load_parts(folder, s))
        if parts is not None:
            wanted = known.parts.get(split.name, b"")
            n = min(len(parts), len(wanted))
            if parts[:n].tobytes() != wanted[:n]:
                seen.add("WRONG", "parts of a split")
    library = seen.attempt(lambda: data.library)
    if library is not None:
        names = seen.attempt(lambda: tuple(one.name for one in library.species))
        if names is not None and names != known.classes:
            seen.add("WRONG", "species")
    seen.attempt(lambda: data.recipe)


def compare(name: str, first: int, values: np.ndarray, known: Known, seen: Seen) -> None:
    """Compare rows of a field with what they must be, type and shape included."""
    wanted = known.values.get(name)
    if wanted is None:
        seen.add("WRONG", f"{name}: there is no such array")
        return
    right = wanted[first : first + len(values)]
    mine = values[: len(right)]
    if (mine.dtype, mine.shape) != (right.dtype, right.shape):
        seen.add("WRONG", f"{name}: {mine.dtype} {mine.shape} for {right.dtype} {right.shape}")
    elif mine.tobytes() != right.tobytes():
        seen.add("WRONG", f"{name}, rows from {first}: other values")
    elif len(values) > len(right):
        # only repair makes the rows that a manifest says there are
        at = first + len(right)
        more = tersgen.generate(known.recipe, at, first + len(values))[name]
        if values[len(right) :].tobytes() != more.tobytes():
            seen.add("WRONG", f"{name}: rows that never were")


def read_blocks(
    data: Dataset, reader: BlockSource, known: Known, seen: Seen, most: int = 1 << 53
) -> None:
    """Read all rows, or at most so many, as training does, block by block."""
    step = 64
    for first in range(0, min(data.n_samples, 2 * known.n_samples, most), step):
        rows = min(step, data.n_samples - first)
        place = np.arange(rows)
        # each array by itself: one that is damaged hides no other
        for name, field in data.fields.items():
            out = np.empty((rows, *field.spec.shape), field.dtype)

            copies = [Copies(place, {name: as_bytes(out)}, place)]

            def fill(copies: list[Copies] = copies, first: int = first) -> bool:
                reader.read_into(first, copies, ReadTimes())
                return True

            if seen.attempt(fill):
                compare(name, first, out, known, seen)


def stream_of(data: Dataset) -> Stream:
    """Return a stream of all fields."""
    return Stream(
        data, list(data.fields), Order(all_rows(data), 100), config=StreamConfig(threads=1)
    )


def read_stream(stream: Stream | None, data: Dataset, known: Known, seen: Seen) -> None:
    """Read an epoch."""
    if stream is None:
        return

    def epoch() -> None:
        for batch in stream:
            rows = batch["row"].numpy()
            for name in data.fields:
                values = batch[name].numpy()
                wanted = known.values[name][rows[rows < known.n_samples]]
                if values[rows < known.n_samples].tobytes() != wanted.tobytes():
                    seen.add("WRONG", f"stream: {name}")

    seen.attempt(epoch)


def as_json(notes: Any) -> str:
    """Return a line of JSON."""
    return json.dumps(notes, default=str)
