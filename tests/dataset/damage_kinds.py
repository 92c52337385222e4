"""What can go wrong with the bytes of a dataset, each kind a function that does it to a copy."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from damage_stock import MISPLACED, Stock, StoredChunk

from tersgen.schema.digest import canonical_digest


class Copy:
    """A copy of a dataset, to be damaged: files are replaced, so what is linked stays whole."""

    def __init__(self, stock: Stock, top: Path, seed: list[int]) -> None:
        self.stock = stock
        self.path = top / stock.path.name
        self.folder = top / stock.folder.name
        self.random = np.random.default_rng(seed)
        self.what = ""
        """What was done, for messages."""

    def pick(self, things: Any) -> Any:
        """Return one of some things."""
        things = list(things)
        return things[int(self.random.integers(len(things)))]

    def files(self, *patterns: str) -> list[str]:
        """Return the files in the folder, or those that fit a pattern."""
        found = {path for pattern in patterns or ("*",) for path in self.folder.rglob(pattern)}
        return sorted(str(one.relative_to(self.folder)) for one in found if one.is_file())

    def shards(self) -> list[str]:
        """Return the files with rows."""
        return sorted({chunk.file for chunk in self.stock.chunks})

    def read(self, name: str) -> bytes:
        """Return the bytes of a file in the folder; "" is the index."""
        return self._of(name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Put other bytes in the place of a file."""
        path = self._of(name)
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.what += f" {name or self.path.name}"

    def remove(self, name: str) -> None:
        """Remove a file or folder."""
        path = self._of(name)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.what += f" no {name or self.path.name}"

    def json(self, name: str) -> Any:
        """Return what a document holds."""
        return json.loads(self.read(name))

    def write_json(self, name: str, content: Any) -> None:
        """Replace a document as a writer would write it."""
        self.write(name, json.dumps(content, indent=1).encode() + b"\n")

    def _of(self, name: str) -> Path:
        return self.folder / name if name else self.path

    def any_file(self) -> str:
        """Return a file: as often a document as one with rows."""
        shards = self.shards()
        rest = sorted({*self.files()} - {*shards})
        if self.stock.form == "hdf5":
            rest.append("")
        return str(self.pick(self.pick((shards, rest))))


Kind = Callable[[Copy], None]
KINDS: dict[str, Kind] = {}


def kind(name: str) -> Callable[[Kind], Kind]:
    """Enter a function under the name of what it does."""

    def enter(function: Kind) -> Kind:
        KINDS[name] = function
        return function

    return enter


# ---- bytes


def _flip(copy: Copy, name: str, low: int, high: int) -> None:
    data = bytearray(copy.read(name))
    at = int(copy.random.integers(low, high))
    data[at] ^= 1 << int(copy.random.integers(8))
    copy.write(name, bytes(data))
    copy.what += f" bit of byte {at}"


@kind("a bit flipped in any file")
def flip_anywhere(copy: Copy) -> None:
    name = copy.any_file()
    _flip(copy, name, 0, len(copy.read(name)))


@kind("a bit flipped in a chunk")
def flip_chunk(copy: Copy) -> None:
    chunk = copy.pick(copy.stock.chunks)
    _flip(copy, chunk.file, chunk.offset, chunk.offset + chunk.size)


@kind("a bit flipped in checksum table or index of a shard")
def flip_seal(copy: Copy) -> None:
    name = copy.pick(copy.shards())
    inside = [one for one in copy.stock.chunks if one.file == name]
    size = len(copy.read(name))
    if copy.stock.form != "hdf5":
        return _flip(copy, name, max(one.offset + one.size for one in inside), size)
    taken = np.zeros(size, bool)
    for one in inside:
        taken[one.offset : one.offset + one.size] = True
    at = int(copy.pick(np.flatnonzero(~taken)))
    return _flip(copy, name, at, at + 1)


@kind("a bit flipped in a document or the library")
def flip_document(copy: Copy) -> None:
    name = copy.pick(copy.files("*.json", "*.jsonl", "*.npy", "*.tlib"))
    _flip(copy, name, 0, len(copy.read(name)))


@kind("a file truncated")
def cut(copy: Copy) -> None:
    name = copy.any_file()
    data = copy.read(name)
    copy.write(name, data[: int(copy.random.integers(len(data)))])


@kind("a file with bytes appended")
def grown(copy: Copy) -> None:
    name = copy.any_file()
    size = int(copy.pick((1, 4, 20, 4096)))
    more = copy.pick((bytes(size), copy.random.bytes(size)))
    data = copy.read(name)
    if copy.pick((True, False)):
        return copy.write(name, data + more)
    at = int(copy.random.integers(len(data)))
    return copy.write(name, data[:at] + more + data[at:])


@kind("a block of zeros")
def zeroed(copy: Copy) -> None:
    name = copy.any_file()
    data = bytearray(copy.read(name))
    size = int(copy.pick((16, 512, 4096)))
    at = int(copy.random.integers(len(data))) // size * size
    data[at : at + size] = bytes(len(data[at : at + size]))
    copy.write(name, bytes(data))


@kind("a chunk of zeros")
def zeroed_chunk(copy: Copy) -> None:
    chunk = copy.pick(copy.stock.chunks)
    data = bytearray(copy.read(chunk.file))
    data[chunk.offset : chunk.offset + chunk.size] = bytes(chunk.size)
    copy.write(chunk.file, bytes(data))


@kind("a file or folder deleted")
def deleted(copy: Copy) -> None:
    if copy.pick((True, True, False)):
        return copy.remove(copy.any_file())
    folders = [path for path in copy.folder.rglob("*") if path.is_dir()]
    return copy.remove(str(copy.pick(sorted(folders)).relative_to(copy.folder)))


# ---- right bytes in a wrong place


def _swap(copy: Copy, one: str, other: str) -> None:
    first, second = copy.read(one), copy.read(other)
    copy.write(one, second)
    copy.write(other, first)


def _shard_of(name: str) -> str:
    return next(part for part in Path(name).name.split(".") if part.isdigit())


def _renumbered(name: str, shard: int) -> str:
    """Return the file of another shard of the same array."""
    old = _shard_of(name)
    return str(Path(name).with_name(Path(name).name.replace(old, f"{shard:0{len(old)}}", 1)))


@kind("two shards of one array swapped")
def swap_shards(copy: Copy) -> None:
    name = copy.pick(copy.shards())
    other = copy.pick({0, 1, 2} - {int(_shard_of(name))})
    _swap(copy, name, _renumbered(name, other))


@kind("two arrays of one shard swapped")
def swap_arrays(copy: Copy) -> None:
    if copy.stock.form == "hdf5":
        return misdirect(copy, same_shard=True)
    name = copy.pick(copy.shards())
    alike = [
        other
        for other in copy.shards()
        if other != name and _shard_of(other) == _shard_of(name)
        and (len(copy.read(other)) == len(copy.read(name)) or copy.random.random() < 0.02)
    ]  # fmt: skip
    if not alike:
        return swap_arrays(copy)
    return _swap(copy, name, copy.pick(alike))


@kind("a shard of another dataset")
def foreign_shard(copy: Copy) -> None:
    what = copy.pick(MISPLACED)
    other = copy.stock.others[what]
    copy.what += f" {what}"
    if what == "form":
        found = [path for pattern in ("c.0*", "0*.h5") for path in other.rglob(pattern)]
        return copy.write(copy.pick(copy.shards()), copy.pick(sorted(found)).read_bytes())
    return copy.write(name := copy.pick(copy.shards()), (other / name).read_bytes())


@kind("the last shard as before the dataset grew")
def stale_shard(copy: Copy) -> None:
    last = [name for name in copy.shards() if int(_shard_of(name)) == 2]
    chosen = copy.pick(([copy.pick(last)], last))
    for name in chosen:
        copy.write(name, (copy.stock.before / name).read_bytes())


@kind("a chunk written over another")
def misdirect(copy: Copy, same_shard: bool = False) -> None:
    chunks = copy.stock.chunks
    target: StoredChunk = copy.pick(chunks)
    alike = [
        one
        for one in chunks
        if one != target and one.size <= target.size
        and (not same_shard or (one.file == target.file and one.array != target.array))
    ]  # fmt: skip
    equal = [one for one in alike if one.size == target.size]
    if not alike:
        return misdirect(copy, same_shard)
    source: StoredChunk = copy.pick(equal or alike)
    bytes_of = copy.read(source.file)[source.offset : source.offset + source.size]
    data = bytearray(copy.read(target.file))
    data[target.offset : target.offset + source.size] = bytes_of
    copy.write(target.file, bytes(data))
    copy.what += f" {target} by {source}"
    return None


@kind("a chunk of another dataset, or an earlier state of it, written over its own place")
def misdirect_foreign(copy: Copy) -> None:
    chunk: StoredChunk = copy.pick(copy.stock.chunks)
    other = copy.stock.others[copy.pick(("seed", "recipe"))]
    source = (other / chunk.file).read_bytes()
    data = bytearray(copy.read(chunk.file))
    data[chunk.offset : chunk.offset + chunk.size] = source[chunk.offset :][: chunk.size]
    copy.write(chunk.file, bytes(data[: len(copy.read(chunk.file))]))


# ---- several files that agree


@kind("all files of a shard replaced by those of another")
def paired_shard(copy: Copy) -> None:
    one, other = copy.random.permutation(3)[:2].tolist()
    mine = [name for name in copy.shards() if int(_shard_of(name)) == one]
    data = {name: copy.read(name) for name in copy.shards()}
    for name in mine:
        copy.write(name, data[_renumbered(name, other)])
    if copy.pick((True, False)):
        _forge_record(copy, lambda record: record["shard"] == one, other)


def _forge_record(copy: Copy, wanted: Callable[[Any], bool], source: int) -> None:
    """Make the record of a shard say what that of another says."""
    lines = [json.loads(line) for line in copy.read("journal.jsonl").splitlines()]
    given = next(line["record"] for line in reversed(lines) if line["record"]["shard"] == source)
    for line in lines:
        record = line["record"]
        if wanted(record):
            record["digests"], record["class_counts"] = given["digests"], given["class_counts"]
            record["files"] = dict(zip(record["files"], given["files"].values(), strict=True))
    _write_journal(copy, [line["record"] for line in lines])


def _write_journal(copy: Copy, records: list[Any]) -> None:
    lines = [{"record": one, "check": canonical_digest(one)[:16]} for one in records]
    copy.write("journal.jsonl", b"".join(json.dumps(one).encode() + b"\n" for one in lines))


@kind("an array, a shard or all shards of another dataset")
def foreign_array(copy: Copy) -> None:
    other = copy.stock.others[copy.pick(("seed", "recipe", "layout"))]
    names = copy.shards()
    name = copy.pick(names)
    same = copy.pick((lambda n: Path(n).parent == Path(name).parent,
                      lambda n: _shard_of(n) == _shard_of(name), lambda _: True))  # fmt: skip
    for one in filter(same, names):
        copy.write(one, (other / one).read_bytes())
    if copy.pick((True, False)):
        copy.write("journal.jsonl", (other / "journal.jsonl").read_bytes())


PAIRS = (
    ("recipe.json", "versions/recipe.json"),
    ("recipe.json", "versions/recipe.json", "lock.json"),
    ("recipe.json", "versions/recipe.json", "lock.json", "manifest.json"),
    ("library.tlib", "versions/library.tlib"),
    ("manifest.json",),
    ("manifest.json", "recipe.json", "versions/recipe.json"),
    ("journal.jsonl",),
    ("lock.json",),
    ("lock.json", "journal.jsonl", "recipe.json", "versions/recipe.json", "versions"),
    ("lock.json", "journal.jsonl", "recipe.json", "manifest.json", "versions", "tags", "splits"),
    ("splits",),
    ("tags",),
)


@kind("documents of another dataset, all copies of each")
def foreign_documents(copy: Copy) -> None:
    copies = (*copy.stock.others.values(), copy.stock.before)
    other = copy.pick(copies)
    for name in copy.pick(PAIRS):
        source = other / name
        if source.is_dir():
            copy.remove(name)
            shutil.copytree(source, copy.folder / name)
        else:
            copy.write(name, source.read_bytes())
    copy.what += f" from {other.parent.name}"


@kind("a version under the name of another")
def renamed_version(copy: Copy) -> None:
    ids = sorted(Path(name).stem for name in copy.files("versions/*.json") if len(name) > 40)
    ids = [one for one in ids if len(one) == 64]
    one, other = copy.random.permutation(len(ids))[:2].tolist()
    for place in ("versions", "versions/copies"):
        _swap(copy, f"{place}/{ids[one]}.json", f"{place}/{ids[other]}.json")
    if copy.pick((True, False)):
        copy.write("manifest.json", copy.read(f"versions/{copy.pick(ids)}.json"))


@kind("records of the journal swapped, left out, doubled, or from an earlier state")
def journal_records(copy: Copy) -> None:
    records = [json.loads(line)["record"] for line in copy.read("journal.jsonl").splitlines()]
    one, other = copy.random.permutation(len(records))[:2].tolist()
    how = copy.pick(("numbers", "digests", "without", "order", "before"))
    copy.what += f" {how}"
    if how == "numbers":
        records[one]["shard"], records[other]["shard"] = (
            records[other]["shard"], records[one]["shard"],
        )  # fmt: skip
    elif how == "digests":
        records[one]["digests"], records[other]["digests"] = (
            records[other]["digests"], records[one]["digests"],
        )  # fmt: skip
    elif how == "without":
        del records[one]
    elif how == "order":
        records = [records[k] for k in copy.random.permutation(len(records)).tolist()]
    else:
        records.append(records.pop(one))
        records.append(records[other])
    _write_journal(copy, records)
