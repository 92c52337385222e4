"""Real faults on a plain local file system: Icechunk, and tersgen's files where the fault applies.

Counts, not times. A flipped byte is one byte XOR a random value, anywhere in the files named;
everything is opened afresh and read whole after it. Outcomes: ``error`` (an exception), ``right``
(all values as written), ``WRONG`` (other values, no error), ``hangs`` (killed after the limit).
The numbers of a concurrent run depend on the machine and on chance.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import zarr

_CHUNKS, _ROWS = 64, 512
_LIMIT_S = 10.0
_SPAWN = multiprocessing.get_context("spawn")
Values = np.ndarray[Any, np.dtype[np.float32]]


def values_of(chunk: int) -> Values:
    """Return the values of a chunk, none of them the fill value."""
    return np.random.default_rng(chunk).random(_ROWS, np.float32) + np.float32(chunk)


EXPECTED = np.concatenate([values_of(chunk) for chunk in range(_CHUNKS)])


def repository(folder: Path, create: bool = False) -> icechunk.Repository:
    """Open or create a local repository."""
    icechunk.set_logs_filter("off")
    storage = icechunk.local_filesystem_storage(str(folder))
    make = icechunk.Repository.create if create else icechunk.Repository.open
    return make(storage)


def new(folder: Path, n_chunks: int, fill: bool, checked: bool = True) -> icechunk.Repository:
    """Create a repository with one array; ``checked`` adds a CRC32C to every chunk."""
    made = repository(folder, create=True)
    session = made.writable_session("main")
    codecs = [zarr.codecs.BloscCodec(cname="lz4", clevel=5)]
    array = zarr.create_array(
        session.store, name="x", shape=(n_chunks * _ROWS,), dtype="float32", chunks=(_ROWS,),
        fill_value=float("nan"),
        compressors=[*codecs, zarr.codecs.Crc32cCodec()] if checked else codecs,
    )  # fmt: skip
    if fill:
        array[:] = EXPECTED[: n_chunks * _ROWS]
    session.commit("array")
    return made


def read(folder: Path) -> Values:
    """Open a repository and read everything."""
    session = repository(folder).readonly_session("main")
    return np.asarray(zarr.open_array(session.store, path="x", mode="r")[:])


def outcome(call: Callable[[], object], expected: Any) -> str:
    """Return what reading did."""
    try:
        got = call()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of Rust is no Exception  # noqa: BLE001
        panic = type(error).__name__ == "PanicException"
        return "error (panic)" if panic else "error"
    return "right" if np.array_equal(got, expected) else "WRONG"


def flip(path: Path, rng: random.Random, call: Callable[[], str]) -> str:
    """Flip one byte of a file, return what ``call`` does, and put the byte back."""
    whole = path.read_bytes()
    place = rng.randrange(len(whole))
    path.write_bytes(
        whole[:place] + bytes([whole[place] ^ rng.randrange(1, 256)]) + whole[place + 1 :]
    )
    try:
        return call()
    finally:
        path.write_bytes(whole)


def drawn(paths: list[Path], rng: random.Random) -> Path:
    """Return one file, large ones more often."""
    return rng.choices(paths, [path.stat().st_size for path in paths])[0]


def below(folder: Path) -> list[Path]:
    """Return all files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _commit_many(folder: Path, chunks: range, barrier: Barrier, results: Any) -> None:
    opened = repository(folder)
    barrier.wait()
    acknowledged, conflicts, errors = [], 0, 0
    for chunk in chunks:
        while True:
            session = opened.writable_session("main")
            rows = slice(chunk * _ROWS, (chunk + 1) * _ROWS)
            zarr.open_array(session.store, path="x", mode="r+")[rows] = values_of(chunk)
            try:
                session.commit(str(chunk), rebase_with=icechunk.BasicConflictSolver())
            except icechunk.ConflictError:
                conflicts += 1
            except icechunk.IcechunkError:
                errors += 1
                if errors > 10 * len(chunks):
                    break
            else:
                acknowledged.append(chunk)
                break
    results.put((acknowledged, conflicts, errors))


def concurrent_commits(folder: Path, processes: int, each: int) -> dict[str, int]:
    """Commit other chunks of one array from several processes, again until acknowledged."""
    total = processes * each
    new(folder, total, fill=False)
    barrier, results = _SPAWN.Barrier(processes), _SPAWN.Queue()
    workers = [
        _SPAWN.Process(
            target=_commit_many, args=(folder, range(k * each, (k + 1) * each), barrier, results)
        )
        for k in range(processes)
    ]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    acknowledged = sorted(chunk for answer in answers for chunk in answer[0])
    messages = {one.message for one in repository(folder).ancestry(branch="main")}
    stored = read(folder).reshape(total, _ROWS)
    return {
        "acknowledged": len(acknowledged),
        "in the history": sum(str(chunk) in messages for chunk in acknowledged),
        "readable": sum(np.array_equal(stored[chunk], values_of(chunk)) for chunk in acknowledged),
        "conflicts seen and tried again": sum(answer[1] for answer in answers),
        "other errors, tried again": sum(answer[2] for answer in answers),
    }


def _write_for_ever(folder: Path, acknowledged: Any) -> None:
    opened = repository(folder)
    for version_number in range(10**6):
        session = opened.writable_session("main")
        zarr.open_array(session.store, path="x", mode="r+")[:] = EXPECTED + version_number
        session.commit(str(version_number))
        acknowledged.value = version_number


def killed(folder: Path, rng: random.Random) -> Counter[str]:
    """Kill a process that commits version after version; reopen."""
    new(folder, _CHUNKS, fill=True)
    acknowledged = _SPAWN.Value("q", -1)
    worker = _SPAWN.Process(target=_write_for_ever, args=(folder, acknowledged))
    worker.start()
    while acknowledged.value < 0:
        time.sleep(0.001)
    time.sleep(rng.random() * 0.5)
    worker.kill()
    worker.join()
    try:
        head = int(next(iter(repository(folder).ancestry(branch="main"))).message)
        whole = np.array_equal(read(folder), EXPECTED + head)
    except (icechunk.IcechunkError, OSError, ValueError):
        return Counter({"runs": 1, "cannot be opened": 1})
    partial = sum("#" in path.name for path in below(folder))
    before = len(below(folder))
    repository(folder).garbage_collect(datetime.now(UTC))
    right = np.array_equal(read(folder), EXPECTED + head)
    return Counter(
        {
            "runs": 1,
            "head is the last acknowledged, or one later": int(head - acknowledged.value in (0, 1)),
            "head whole and right": int(whole),
            "temporary files left": partial,
            "files of no version, removed by garbage collection": before - len(below(folder)),
            "head right after that": int(right),
            "temporary files left after that": sum("#" in path.name for path in below(folder)),
        }
    )


def forked(call: Callable[[], str]) -> str:
    """Fork, call in the child, and return what happened within the limit."""
    child = os.fork()
    if child == 0:
        os._exit({"right": 0, "WRONG": 2}.get(call(), 1))
    end = time.monotonic() + _LIMIT_S
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return {0: "right", 1: "error", 2: "WRONG"}.get(code, f"dies ({code})")
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


def faults_of_icechunk(folder: Path, trials: int, rng: random.Random) -> dict[str, Any]:
    """Return the counts for Icechunk."""
    result: dict[str, Any] = {}
    for processes, each in ((1, 100), (2, 100), (4, 50)):
        for number in range(3):
            name = f"{processes} processes commit {each} times each, run {number + 1}"
            result[name] = concurrent_commits(folder / name, processes, each)
            print(name, result[name], flush=True)
    kills: Counter[str] = Counter()
    for number in range(20):
        kills.update(killed(folder / f"kill{number}", rng))
    result["killed while committing"] = dict(kills)
    print(kills, flush=True)
    for checked in (True, False):
        where = folder / f"flips{checked}"
        new(where, _CHUNKS, fill=True, checked=checked)
        kind = "CRC32C codec" if checked else "blosc alone"
        flips = Counter(
            flip(drawn(below(where / "chunks"), rng), rng, lambda w=where: outcome(
                lambda: read(w), EXPECTED))
            for _ in range(trials)
        )  # fmt: skip
        result[f"a byte of a chunk flipped, {kind}"] = dict(flips)
    where = folder / "flipsTrue"
    for part in sorted(path.name for path in where.iterdir() if path.name != "chunks"):
        files = below(where / part) if (where / part).is_dir() else [where / part]
        if files:
            flips = Counter(
                flip(drawn(files, rng), rng, lambda: outcome(lambda: read(where), EXPECTED))
                for _ in range(trials)
            )
            result[f"a byte of {part} flipped"] = dict(flips)
    gone: Counter[str] = Counter()
    for path in below(where / "chunks")[:16]:
        kept = path.read_bytes()
        path.unlink()
        gone[outcome(lambda: read(where), EXPECTED)] += 1
        path.write_bytes(kept)
    result["a chunk's file deleted"] = dict(gone)
    assert outcome(lambda: read(where), EXPECTED) == "right"
    array = zarr.open_array(repository(where).readonly_session("main").store, path="x", mode="r")
    assert np.array_equal(array[:], EXPECTED)
    again = Counter(forked(lambda: outcome(lambda: array[:], EXPECTED)) for _ in range(3))
    result["forked, the open array read in the child"] = dict(again)
    fresh = Counter(forked(lambda: outcome(lambda: read(where), EXPECTED)) for _ in range(3))
    result["forked, opened again in the child"] = dict(fresh)
    return result


def _build_for_ever(folder: Path, done: Any) -> None:
    plan, build = _planned(40_000)
    done.value = 0
    build(plan, folder)
    done.value = 1


def _planned(n: int) -> tuple[Any, Callable[..., Any]]:
    from numpy_generator import CANONICAL

    from tersgen.dataset.recipes import load_recipe
    from tersgen.jobs.plan import make_plan
    from tersgen.jobs.run import run
    from tersgen.resolution import resolve

    return make_plan(resolve(load_recipe(CANONICAL)), n), run


def faults_of_tersgen(folder: Path, trials: int, rng: random.Random) -> dict[str, Any]:
    """Return the counts for a dataset of tersgen."""
    import tersgen
    from tersgen.errors import IncompleteDatasetError

    def everything(where: Path) -> Values:
        opened = tersgen.open(where)
        return np.concatenate(
            [np.asarray(field[:]).astype(np.float32).ravel() for field in opened.values()]
        )

    plan, build = _planned(512)
    where = folder / "d.zarr"
    build(plan, where)
    expected = everything(where)
    call = lambda: outcome(lambda: everything(where), expected)  # noqa: E731
    shards = [path for path in below(where) if path.name.startswith("c.")]
    shards = [path for path in shards if "raman_shift" not in path.parts]
    result: dict[str, Any] = {
        "a byte of a shard flipped": dict(
            Counter(flip(drawn(shards, rng), rng, call) for _ in range(trials))
        )
    }
    for name in ("manifest.json", "recipe.json"):
        flips = Counter(flip(where / name, rng, call) for _ in range(trials))
        result[f"a byte of {name} flipped"] = dict(flips)
    gone: Counter[str] = Counter()
    for path in shards:
        kept = path.read_bytes()
        path.unlink()
        gone[call()] += 1
        path.write_bytes(kept)
    result["a shard's file deleted"] = dict(gone)
    opened = tersgen.open(where)["label"]
    labels = opened[:]
    again = Counter(forked(lambda: outcome(lambda: opened[:], labels)) for _ in range(3))
    result["forked, the open array read in the child"] = dict(again)
    kills: Counter[str] = Counter()
    for number in range(10):
        target, done = folder / f"kill{number}.zarr", _SPAWN.Value("q", -1)
        worker = _SPAWN.Process(target=_build_for_ever, args=(target, done))
        worker.start()
        while not (target / "zarr.json").exists():
            time.sleep(0.001)
        time.sleep(rng.random() * 0.5)
        worker.kill()
        worker.join()
        try:
            tersgen.open(target)
            kills["opened, finished" if done.value == 1 else "opened, UNFINISHED"] += 1
        except IncompleteDatasetError:
            kills["refused as incomplete"] += 1
    result["killed while building"] = dict(kills)
    return result


def main() -> int:
    """Count what Icechunk and tersgen do after real faults."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--trials", type=int, default=200, help="flipped bytes of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-icechunk", action="store_true", help="tersgen need not be there")
    parser.add_argument("--out", type=Path, help="folder for temporary data, on the disk to test")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out, prefix="tersgen-faults-") as name:
        folder = Path(name)
        (folder / "icechunk").mkdir()
        result = {
            "icechunk": version("icechunk"),
            "zarr": version("zarr"),
            "of icechunk": faults_of_icechunk(folder / "icechunk", options.trials, rng),
        }
        if not options.only_icechunk:
            (folder / "tersgen").mkdir()
            result["of tersgen"] = faults_of_tersgen(folder / "tersgen", options.trials, rng)
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
