"""What this process may use of the machine: processors, the smallest of all limits, and memory."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def _group_limits(own: Path, groups: Path) -> Iterator[int]:
    """Yield the processors that each control group (version 2) above this process allows."""
    try:
        lines = own.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    name = next((line[3:] for line in lines if line.startswith("0::")), None)
    if name is None:
        return
    inside = Path(name.lstrip("/"))
    if ".." in inside.parts:  # it lies outside what this container sees
        inside = Path()
    for place in (inside, *inside.parents):
        try:
            quota, period = (groups / place / "cpu.max").read_text("ascii").split()
            if quota != "max":
                yield max(1, -(-int(quota) // int(period)))
        except (OSError, ValueError, ZeroDivisionError):
            continue


def _from_slurm() -> Iterator[int]:
    """Yield the processors that SLURM gives to each task, where it says so."""
    text = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if text.isdecimal() and int(text) > 0:
        yield int(text)


def available_cpus(own: Path = _OWN, groups: Path = _GROUPS) -> int:
    """Return how many processors this process may use.

    It is the smallest of: those it may run on (``sched_getaffinity``), the quota of its control
    group and of those above (``cpu.max``, rounded up), and ``SLURM_CPUS_PER_TASK``.
    """
    ours = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return min([len(ours) or os.cpu_count() or 1, *_group_limits(own, groups), *_from_slurm()])


def free_memory() -> int:
    """Return how many bytes of memory are free, or can be made so."""
    try:
        text = Path("/proc/meminfo").read_text("ascii", "replace")
    except OSError:
        text = ""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(found[1]) << 10 if found else pages
