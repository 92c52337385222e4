"""Icechunk beside tersgen's own files: writing, flushing, exporting, opening and reading.

Every writer makes the same rows with the same generator and stores the same arrays, shards, chunks
and codecs: the Zarr metadata is copied from a dataset of tersgen, and the stored shards must be
equal to the byte. Cases run one after the other in each round, every second round backwards;
ratios are taken within a round. What a case left in the page cache is flushed before the next one.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import zarr
from blake3 import blake3
from machine import Json, describe, spread, write_json
from numpy_generator import CANONICAL
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

import tersgen
from tersgen.cpus import available_cpus
from tersgen.dataset.recipes import load_recipe
from tersgen.generator import Generator
from tersgen.jobs.plan import Plan, make_plan
from tersgen.jobs.run import run
from tersgen.resolution import resolve

_BRANCH = "main"
_ROWS = 64
Reader = dict[str, Any]


def files_below(folder: Path) -> list[Path]:
    """Return all files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def array_files(dataset: Path) -> Iterator[tuple[str, tuple[int, ...], Path]]:
    """Yield name, chunk index and path of every stored shard of a dataset of tersgen."""
    for path in files_below(dataset):
        if path.name.startswith("c."):
            index = tuple(int(part) for part in path.name.split(".")[1:])
            yield path.parent.relative_to(dataset).as_posix(), index, path


def flush(folder: Path, seen: set[Path]) -> None:
    """Flush files and folders that are not in ``seen`` to disk, and add them; refs always."""
    for path in [*folder.rglob("*"), folder]:
        if path not in seen or path.is_dir() or "refs" in path.parts:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            seen.add(path)


def evict(folder: Path) -> None:
    """Drop the files of a folder from the page cache."""
    for path in files_below(folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def stored_digests(paths: list[Path]) -> list[bytes]:
    """Return the sorted digests of files."""
    return sorted(blake3(path.read_bytes()).digest() for path in paths)


class Bench:
    """A plan, a dataset made from it, and the ways to store the same rows."""

    def __init__(self, plan: Plan, folder: Path, threads: int) -> None:
        self.plan, self.folder, self.threads = plan, folder, threads
        self.source = folder / "source"
        run(plan, self.source, threads=threads)
        self._buffer = default_buffer_prototype().buffer

    def starts(self) -> range:
        """Return the first row of every shard."""
        return range(0, self.plan.n_samples, self.plan.layout.shard_rows)

    def block(self, start: int) -> dict[str, np.ndarray]:
        """Generate the rows of one shard with all threads."""
        stop = min(self.plan.n_samples, start + self.plan.layout.shard_rows)
        return Generator(self.plan.recipe).block(start, stop, self.threads)

    def generate(self, _: Path) -> None:
        """Generate all rows and drop them."""
        for start in self.starts():
            self.block(start)

    def build(self, folder: Path) -> None:
        """Build with tersgen: digests, checksums and flushes included."""
        run(self.plan, folder, threads=self.threads)

    def _put(self, store: Any, key: str, data: bytes) -> None:
        sync(store.set(key, self._buffer.from_bytes(data)))

    def _describe(self, store: Any) -> None:
        """Write the metadata of all arrays, and the axis, as they are in the source."""
        for path in sorted(self.source.rglob("zarr.json")):
            node = json.loads(path.read_text())
            node.pop("consolidated_metadata", None)
            if node["node_type"] == "array":  # Icechunk takes no keys with dots
                node["chunk_key_encoding"] = {"name": "default"}
            self._put(store, path.relative_to(self.source).as_posix(), json.dumps(node).encode())
        for name, index, path in array_files(self.source):
            if name == "raman_shift":
                key = "/".join([name, "c", *map(str, index)])
                self._put(store, key, path.read_bytes())

    def _fill(self, store: Any, sealed: Callable[[bool], Any]) -> None:
        """Write all rows with zarr-python; the next shard is made while one is written.

        ``sealed`` is called after each shard, told whether it was the last, and returns the store
        for the next.
        """
        with ThreadPoolExecutor(1) as maker, ThreadPoolExecutor(self.threads) as writers:
            starts = list(self.starts())
            coming = maker.submit(self.block, starts[0])
            for number, start in enumerate(starts):
                rows = coming.result()
                if number + 1 < len(starts):
                    coming = maker.submit(self.block, starts[number + 1])
                group = zarr.open_group(store, mode="r+")

                def write(name: str, group: Any = group, rows: Any = rows, a: int = start) -> None:
                    group[name][a : a + len(rows[name])] = rows[name]

                list(writers.map(write, rows))
                store = sealed(number + 1 == len(starts))

    def zarr_python(self, folder: Path) -> None:
        """Write with zarr-python into plain files."""
        store = sync(zarr.storage.LocalStore.open(folder))
        self._describe(store)
        self._fill(store, lambda _: store)

    def icechunk(self, folder: Path, each_shard: bool, flushed: bool = False) -> None:
        """Write with zarr-python into Icechunk."""
        seen: set[Path] = set()
        repository = icechunk.Repository.create(icechunk.local_filesystem_storage(str(folder)))
        session = repository.writable_session(_BRANCH)
        self._describe(session.store)

        def sealed(last: bool) -> Any:
            nonlocal session
            if each_shard or last:
                session.commit("shards")
                if flushed:
                    flush(folder, seen)
                if not last:
                    session = repository.writable_session(_BRANCH)
            return session.store

        self._fill(session.store, sealed)

    def export_copies(self, folder: Path) -> None:
        """Copy the sealed shards of a dataset into Icechunk, as they are."""
        repository = icechunk.Repository.create(icechunk.local_filesystem_storage(str(folder)))
        session = repository.writable_session(_BRANCH)
        self._describe(session.store)
        for name, index, path in array_files(self.source):
            if name != "raman_shift":
                key = "/".join([name, "c", *map(str, index)])
                self._put(session.store, key, path.read_bytes())
        session.commit("copied")

    def export_references(self, folder: Path) -> None:
        """Make an Icechunk repository that refers to the sealed shards (virtual chunks)."""
        prefix = f"file://{self.source.as_posix()}/"
        config = icechunk.RepositoryConfig.default()
        config.set_virtual_chunk_container(
            icechunk.VirtualChunkContainer(
                prefix, icechunk.local_filesystem_store(str(self.source))
            )
        )
        repository = icechunk.Repository.create(
            icechunk.local_filesystem_storage(str(folder)), config, {prefix: None}
        )
        session = repository.writable_session(_BRANCH)
        self._describe(session.store)
        for name, index, path in array_files(self.source):
            if name == "raman_shift":
                continue
            status = path.stat()
            changed = datetime.fromtimestamp(int(status.st_mtime) + 1, UTC)
            chunk = icechunk.VirtualChunkSpec(
                list(index), f"file://{path.as_posix()}", 0, status.st_size, None, changed
            )
            session.store.set_virtual_refs(name, [chunk])
        repository.save_config()
        session.commit("referred to")

    def writers(self) -> dict[str, Callable[[Path], None]]:
        """Return what is timed as a writer, by name."""
        return {
            "generation alone": self.generate,
            "tersgen": self.build,
            "zarr-python, plain files": self.zarr_python,
            "icechunk, commit a shard": partial(self.icechunk, each_shard=True),
            "icechunk, commit a shard, flushed": partial(
                self.icechunk, each_shard=True, flushed=True
            ),
            "icechunk, one commit": partial(self.icechunk, each_shard=False),
            "icechunk, one commit, flushed": partial(self.icechunk, each_shard=False, flushed=True),
            "export to icechunk, copies": self.export_copies,
            "export to icechunk, references": self.export_references,
        }

    def _zarr_arrays(self, group: Any) -> Reader:
        return {spec.name: group[spec.name] for spec in self.plan.table}

    def _icechunk_arrays(self, folder: Path) -> Reader:
        prefix = f"file://{self.source.as_posix()}/"
        storage = icechunk.local_filesystem_storage(str(folder))
        repository = icechunk.Repository.open(
            storage, authorize_virtual_chunk_access={prefix: None}
        )
        session = repository.readonly_session(_BRANCH)
        return self._zarr_arrays(zarr.open_group(session.store, mode="r"))

    def readers(self) -> dict[str, tuple[list[Path], Callable[[], Reader]]]:
        """Return the folders each reader reads from, and how it is opened."""
        native, references = (
            self.folder / "icechunk, commit a shard",
            self.folder / "export to icechunk, references",
        )
        return {
            "tersgen": ([self.source], lambda: dict(tersgen.open(self.source))),
            "zarr-python on tersgen's files": (
                [self.source],
                lambda: self._zarr_arrays(zarr.open_group(self.source, mode="r")),
            ),
            "icechunk": ([native], lambda: self._icechunk_arrays(native)),
            "icechunk references": (
                [references, self.source],
                lambda: self._icechunk_arrays(references),
            ),
        }

    def read(self, opening: Callable[[], Reader], rows: list[int]) -> dict[str, float]:
        """Return the seconds to open, to read single rows, and to read everything in order."""
        taken = {}
        begin = time.perf_counter()
        arrays = opening()
        taken["open"] = time.perf_counter() - begin
        begin = time.perf_counter()
        for row in rows:
            for array in arrays.values():
                np.asarray(array[row])
        taken["single rows"] = time.perf_counter() - begin
        begin = time.perf_counter()
        for start in self.starts():
            stop = min(self.plan.n_samples, start + self.plan.layout.shard_rows)
            for array in arrays.values():
                np.asarray(array[start:stop])
        taken["everything"] = time.perf_counter() - begin
        return taken


def on_disk(bench: Bench, name: str) -> Json:
    """Return bytes, files and equal shards of what a writer left."""
    folder = bench.source if name == "tersgen" else bench.folder / name
    files = files_below(folder)
    result: Json = {"bytes": sum(path.stat().st_size for path in files), "files": len(files)}
    chunks = folder / "chunks"
    if chunks.is_dir():
        ours = stored_digests([path for _, _, path in array_files(bench.source)])
        theirs = stored_digests(files_below(chunks))
        if "references" not in name:
            result["shards_equal_to_the_byte"] = ours == theirs
    return result


def measure(bench: Bench, rounds: int, quiet: bool = False) -> Json:
    """Run all cases in each round; return seconds and ratios."""
    seconds: dict[str, list[float]] = {}
    disk: Json = {}

    def note(name: str, value: float) -> None:
        seconds.setdefault(name, []).append(value)
        if not quiet:
            print(f"{name:<60} {value:>9.4f} s", flush=True)

    rng = np.random.default_rng(0)
    for number in range(rounds):
        writers = list(bench.writers().items())
        for name, call in writers if number % 2 == 0 else reversed(writers):
            target = bench.folder / name
            shutil.rmtree(target, ignore_errors=True)
            begin = time.perf_counter()
            call(target)
            note(f"write: {name}", time.perf_counter() - begin)
            if target.exists():
                flush(target, set())
                disk[name] = disk.get(name) or on_disk(bench, name)
        rows = [int(row) for row in rng.integers(0, bench.plan.n_samples, _ROWS)]
        readers = list(bench.readers().items())
        for name, (folders, opening) in readers if number % 2 == 0 else reversed(readers):
            for folder in folders:
                evict(folder)
            for state in ("cold", "warm"):
                for part, value in bench.read(opening, rows).items():
                    note(f"{part}, {state}: {name}", value)
    ratios = {}
    for base in ("tersgen", "zarr-python, plain files", "zarr-python on tersgen's files"):
        for name, values in seconds.items():
            what, who = name.split(": ", 1)
            under = seconds.get(f"{what}: {base}", values)
            if under is not values and who != "tersgen":
                ratios[f"{what}: {who} / {base}"] = spread(
                    [a / b for a, b in zip(values, under, strict=True)], 3
                )
    return {
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "ratios_of_seconds": ratios,
        "on_disk": disk,
    }


def main() -> int:
    """Compare Icechunk on a local file system with tersgen's own files."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--n", type=int, default=65536, help="samples of a dataset")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=available_cpus())
    parser.add_argument("--out", type=Path, help="folder for temporary data, on the disk to test")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    icechunk.set_logs_filter("error")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    generator = Generator(resolve(load_recipe(CANONICAL)))
    plan = make_plan(generator.recipe, options.n)
    with tempfile.TemporaryDirectory(dir=options.out, prefix="tersgen-benchmark-") as name:
        folder = Path(name).resolve()
        small = make_plan(generator.recipe, 2 * plan.layout.shard_rows)
        measure(Bench(small, folder / "first", options.threads), 1, quiet=True)  # warms all up
        shutil.rmtree(folder / "first")
        result = measure(Bench(plan, folder, options.threads), options.rounds)
    result = {
        "machine": describe(),
        "icechunk": version("icechunk"),
        "n": options.n,
        "threads": options.threads,
        "shard_rows": plan.layout.shard_rows,
        **result,
    }
    print(f"\n{'ratio of seconds, above 1 is slower':<90} median min max")
    for name, value in result["ratios_of_seconds"].items():
        print(f"{name:<90} {value['median']:>8} {value['min']:>8} {value['max']:>8}")
    for name, value in result["on_disk"].items():
        print(name, value)
    write_json(options.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
