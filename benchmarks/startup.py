"""Time to start, to compile, and memory against the number of samples, each in a new process."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from machine import Json, describe, spread, write_json

CANONICAL = Path(__file__).parents[1] / "examples" / "canonical.toml"


class Run(NamedTuple):
    """What one process took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def tersgen(*arguments: str, cache: Path | None = None) -> Run:
    """Run ``tersgen`` in a new process and return its time and its own peak resident memory.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    command = [sys.executable, "-c", "from tersgen.cli import main; main()", *arguments]
    environment = dict(os.environ)
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6)


def summary(runs: list[Run]) -> Json:
    """Return medians and extremes of several runs of one command."""
    return {
        "seconds": spread([run.seconds for run in runs]),
        "cpu_seconds": spread([run.cpu_seconds for run in runs]),
        "peak_mb": spread([run.peak_mb for run in runs]),
    }


def main() -> int:
    """Measure help, a first build, a later one, and the peak memory of two larger builds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--n", type=int, nargs=2, default=[50_000, 400_000], metavar="N",
                        help="samples of the builds whose memory is compared")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder for temporary data")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    few, many = options.n
    runs: dict[str, list[Run]] = {}

    def record(name: str, *arguments: str, cache: Path | None = None) -> None:
        run = tersgen(*arguments, cache=cache)
        runs.setdefault(name, []).append(run)
        print(f"{name:<28} {run.seconds:>7.2f} s {run.peak_mb:>7.0f} MB")

    with tempfile.TemporaryDirectory(dir=options.out, prefix="tersgen-benchmark-") as name:
        folder = Path(name)
        build = (
            "build",
            "--config",
            str(CANONICAL),
            "--overwrite",
            "--out",
            str(folder / "d.zarr"),
        )
        for number in range(options.rounds):
            cache = folder / f"cache{number}"
            record("help", "--help", cache=cache)
            record("build 1000, first run", *build, "--n", "1000", cache=cache)
            record("build 1000, compiled", *build, "--n", "1000", cache=cache)
            record(f"build {few}", *build, "--n", str(few), cache=cache)
            record(f"build {many}", *build, "--n", str(many), cache=cache)
    growth = [
        large.peak_mb / small.peak_mb
        for small, large in zip(runs[f"build {few}"], runs[f"build {many}"], strict=True)
    ]
    result = {
        "machine": describe(),
        "runs": {name: summary(values) for name, values in runs.items()},
        "n": [few, many],
        "peak_memory_ratio": spread(growth),
    }
    print(f"peak memory of {many} over {few} samples: {result['peak_memory_ratio']}")
    write_json(options.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
