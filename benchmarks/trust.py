"""What trust costs: a build beside the same build without digests, checksums and flushes.

Also the HDF5 back end beside Zarr, verification beside plain reading of the same files, repair and
resume. All cases run one after the other in each round, and ratios are taken within a round.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

from machine import Json, describe, drop_cache, files_below, spread, write_json
from numpy_generator import CANONICAL

from tersgen.cpus import available_cpus
from tersgen.dataset.recipes import load_recipe
from tersgen.dataset.verify import verify
from tersgen.jobs.plan import make_plan
from tersgen.jobs.repair import repair
from tersgen.jobs.run import run
from tersgen.resolution import resolve
from tersgen.schema.manifest import FileFacts, Format

_PIECE = 8 << 20


def _no_leaves(values: Sequence[object], leaf_rows: int) -> list[bytes]:
    return [bytes(32)] * -(-len(values) // leaf_rows)


def _no_facts(parts: Sequence[bytes]) -> FileFacts:
    return FileFacts(bytes=sum(len(part) for part in parts), xxh128="0" * 32)


def _nothing(*_: object) -> bytes:
    return bytes(4)


def _no_crc(*_: bytes) -> int:
    return 0


PROTECTIONS: dict[str, list[tuple[str, object]]] = {
    "digests": [("tersgen.jobs.chunks.leaf_digests", _no_leaves)],
    "checksums of chunks": [
        ("tersgen.store.encode.checksum", _nothing),
        ("tersgen.store.hdf5_store.fletcher", _nothing),
        ("tersgen.store.hdf5_shard.crc32c", _no_crc),
    ],
    "checksums of files": [("tersgen.jobs.commit.facts_of", _no_facts)],
    "flushes to disk": [("os.fsync", _nothing)],
}


@contextmanager
def without(names: Sequence[str]) -> Iterator[None]:
    """Leave out some protections."""
    with ExitStack() as stack:
        for name in names:
            for target, replacement in PROTECTIONS[name]:
                stack.enter_context(patch(target, replacement))
        yield


def read_all(folder: Path, threads: int) -> None:
    """Read every byte of every file, and do nothing with it."""

    def read(path: Path) -> None:
        with path.open("rb", buffering=0) as file:
            while file.read(_PIECE):
                pass

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(read, files_below(folder)):
            pass


class Bench:
    """The cases, and the data they share."""

    def __init__(self, n: int, folder: Path, threads: int) -> None:
        self.n, self.folder, self.threads = n, folder, threads
        self.recipe = resolve(load_recipe(CANONICAL))

    def build(self, name: str, format: Format = "zarr", leave_out: Sequence[str] = ()) -> None:
        """Build a dataset anew."""
        plan = make_plan(self.recipe, self.n, format)
        with without(leave_out):
            run(plan, self.folder / name, threads=self.threads)

    def kept(self) -> Path:
        """Return a sound dataset that stays."""
        path = self.folder / "kept.zarr"
        if not path.exists():
            self.build("kept.zarr")
        return path

    def _verify(self, cold: bool) -> Callable[[], object]:
        def prepare_and_verify() -> float:
            if cold:
                drop_cache(self.kept())
            start = time.perf_counter()
            found = verify(self.kept(), threads=self.threads)
            assert found.sound
            return time.perf_counter() - start

        return prepare_and_verify

    def _read(self, cold: bool) -> Callable[[], object]:
        def prepare_and_read() -> float:
            if cold:
                drop_cache(self.kept())
            start = time.perf_counter()
            read_all(self.kept(), self.threads)
            return time.perf_counter() - start

        return prepare_and_read

    def _repair_one(self) -> float:
        path = sorted((self.kept() / "maps").glob("c.*"))[0]
        path.unlink()
        start = time.perf_counter()
        repair(self.kept(), threads=self.threads)
        return time.perf_counter() - start

    def cases(self) -> dict[str, Callable[[], object]]:
        """Return what is timed; a case that returns a number has timed itself."""
        every = list(PROTECTIONS)
        return {
            "build": lambda: self.build("a"),
            **{
                f"build without {name}": lambda name=name: self.build("a", leave_out=[name])
                for name in every
            },
            "build without any": lambda: self.build("a", leave_out=every),
            "build hdf5": lambda: self.build("a.h5", "hdf5"),
            "read warm": self._read(False),
            "verify warm": self._verify(False),
            "read cold": self._read(True),
            "verify cold": self._verify(True),
            "verify quick": lambda: verify(self.kept(), quick=True),
            "repair one shard": self._repair_one,
        }

    def clean(self) -> None:
        """Remove what the last case wrote; not timed."""
        for path in self.folder.iterdir():
            if path.name != "kept.zarr":
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def main() -> int:
    """Measure what digests, checksums and flushes cost, and how fast they are checked."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--n", type=int, default=131_072)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=available_cpus())
    parser.add_argument("--out", type=Path, help="folder for temporary data, on the disk to test")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.out, prefix="tersgen-benchmark-") as folder:
        bench = Bench(options.n, Path(folder), options.threads)
        stored = sum(path.stat().st_size for path in files_below(bench.kept()))
        seconds: dict[str, list[float]] = {name: [] for name in bench.cases()}
        for number in range(options.rounds):
            for name, call in bench.cases().items():
                start = time.perf_counter()
                timed = call()
                taken = timed if isinstance(timed, float) else time.perf_counter() - start
                bench.clean()
                seconds[name].append(taken)
                print(f"round {number + 1}  {name:<34} {taken:8.3f} s")

    def over(one: str, other: str) -> Json:
        return spread([a / b for a, b in zip(seconds[one], seconds[other], strict=True)])

    ratios = {
        "build / build without any": over("build", "build without any"),
        **{
            f"build / build without {name}": over("build", f"build without {name}")
            for name in PROTECTIONS
        },
        "build zarr / build hdf5": over("build", "build hdf5"),
        "read warm / verify warm": over("read warm", "verify warm"),
        "read cold / verify cold": over("read cold", "verify cold"),
        "build / verify cold": over("build", "verify cold"),
    }
    print(f"\n{'ratio of seconds':<44} {'median':>8} {'min':>8} {'max':>8}")
    for name, value in ratios.items():
        print(f"{name:<44} {value['median']:>8.4g} {value['min']:>8.4g} {value['max']:>8.4g}")
    rates: Json = {
        name: spread([stored / taken / 1e6 for taken in seconds[name]])
        for name in ("build", "read warm", "verify warm", "read cold", "verify cold")
    }
    result = {
        "machine": describe(),
        "n": options.n,
        "threads": options.threads,
        "stored_bytes": stored,
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "megabytes_per_s": rates,
        "ratios": ratios,
    }
    write_json(options.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
