"""Faults of a node, loaded into a Dask worker by ``--preload``; ``TERSGEN_FAULT`` says which.

Nothing of this is in the product: system calls, or the version that a worker reports, are changed
from outside, in the worker's process alone.
"""

import errno
import os
import threading
import time
from pathlib import Path

import numpy as np

import tersgen

REAL_LINK = os.link


def _is_shard(path) -> bool:
    return Path(path).parent.name in ("label", "spectra", "shards")


def hold(folder: str) -> None:
    """Stop before the first file gets its name, say so, and wait to be told to go on."""
    held = threading.Event()

    def link(source, target, **options):
        if _is_shard(target) and not held.is_set():
            held.set()
            (Path(folder) / f"held-{os.getpid()}").touch()
            while not (Path(folder) / "go").exists():
                time.sleep(0.02)
        return REAL_LINK(source, target, **options)

    os.link = link


def fail(number: str, times: str) -> None:
    """Let giving names fail so many times, or ``always``."""
    left = [10**9 if times == "always" else int(times)]

    def link(source, target, **options):
        if _is_shard(target) and left[0] > 0:
            left[0] -= 1
            code = getattr(errno, number)
            raise OSError(code, os.strerror(code), str(target))
        return REAL_LINK(source, target, **options)

    os.link = link


def late(seconds: str, stash: str) -> None:
    """Show names late: a file that was given its name is seen after so many seconds, or never."""

    def link(source, target, **options):
        if not _is_shard(target):
            return REAL_LINK(source, target, **options)
        if Path(target).exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        hidden = Path(stash) / f"{os.getpid()}-{time.monotonic_ns()}"
        REAL_LINK(source, hidden)
        if seconds != "never":
            threading.Timer(float(seconds), lambda: hidden.rename(target)).start()
        return None

    os.link = link


def slow(seconds: str) -> None:
    """Take so long to flush each file."""
    real = os.fsync

    def fsync(descriptor):
        time.sleep(float(seconds))
        real(descriptor)

    os.fsync = fsync


def hungry(megabytes: str, when: str) -> None:
    """Take memory while a shard is made: always, or only if it is not made with care."""
    from tersgen.jobs.executors import work

    real = work._make

    def make(workplace, number, careful):
        if when == "always" or not careful:
            taken = np.ones(int(megabytes) << 17)
            for _ in range(100):  # the nanny looks now and then
                time.sleep(0.1)
            del taken
        return real(workplace, number, careful)

    work._make = make


def report(version: str) -> None:
    """Report another version of tersgen."""
    tersgen.__version__ = version


def dask_setup(_) -> None:
    """Install the fault that the environment asks for."""
    name, *arguments = os.environ["TERSGEN_FAULT"].split(",")
    {one.__name__: one for one in (hold, fail, late, slow, hungry, report)}[name](*arguments)
