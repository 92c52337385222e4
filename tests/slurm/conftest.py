"""SLURM as it is, on this machine: installed if it is absent, started, and ended again.

Two nodes, each with half of the processors, are two daemons; folders, ports and the key that they
trust each other by are their own, so that nothing of a SLURM that may be here is touched. What the
cluster starts is known by its configuration in the environment, and ended with it.
"""

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

NODES = ("tersgen1", "tersgen2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel")
WAIT_S = 240.0
"""Longer than anything here takes on a busy machine; what takes longer hangs."""
_START_S = 30.0
_PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
_APT = ("apt-get", "-y", "-q", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::Retries=1",
        "-o", "DPkg::Lock::Timeout=60")  # fmt: skip


class Done(NamedTuple):
    """What a command that has ended left."""

    returncode: int
    stdout: str
    stderr: str


class Job(NamedTuple):
    """A job, or a task of an array, that SLURM knows."""

    name: str
    """Number, or number of the array and of the task: 17_3."""
    state: str


def absent() -> list[str]:
    """Return which programs are missing."""
    return [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]


def install() -> None:
    """Install SLURM from the distribution's packages if it is absent; skip if that cannot be."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("expected Linux and root: SLURM's daemons start jobs as their users")
    if not absent():
        return
    if shutil.which("apt-get") is None:
        pytest.skip(f"expected apt-get, or SLURM: {', '.join(absent())} missing")
    install = ("install", "--no-install-recommends", "slurm-wlm", "munge")
    fetch = (*install, "--download-only")
    # only what fetches may be ended in the middle
    if said := _apt(*fetch) and (_apt("update") or _apt(*fetch)):
        pytest.skip(f"SLURM cannot be fetched: {said}")
    if said := _apt(*install, seconds=600):
        pytest.skip(f"SLURM cannot be installed: {said}")


def _apt(*command: str, seconds: float = 100) -> str:
    """Run apt-get; return nothing, or its last words if it fails."""
    try:
        done = subprocess.run(
            [*_APT, *command], capture_output=True, text=True, check=False, timeout=seconds,
            stdin=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"apt-get {command[0]} does not come to an end"
    *_, last = (done.stderr or done.stdout or "it says nothing").strip().splitlines()
    return last if done.returncode else ""


def free_ports(n: int) -> list[int]:
    """Return ports that nobody listens on."""
    probes = [socket.socket() for _ in range(n)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def configuration(folder: Path) -> str:
    """Return slurm.conf of two nodes that are this machine."""
    host = platform.node().partition(".")[0]
    cpus = max(1, (os.cpu_count() or 2) // len(NODES))
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // len(NODES) >> 20
    controller, *ports = free_ports(1 + len(NODES))
    lines = [
        "ClusterName=tersgen",
        f"SlurmctldHost={host}(127.0.0.1)",
        "SlurmUser=root",
        "AuthType=auth/munge",
        f"AuthInfo=socket={folder}/munge.socket",
        f"SlurmctldPort={controller}",
        f"SlurmctldPidFile={folder}/slurmctld.pid",
        f"SlurmdPidFile={folder}/slurmd.%n.pid",
        f"StateSaveLocation={folder}/state",
        f"SlurmdSpoolDir={folder}/spool.%n",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "JobAcctGatherType=jobacct_gather/none",
        "SwitchType=switch/none",
        "MpiDefault=none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_CPU",
        "SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0",
        "ReturnToService=2",
        "KillWait=2",
        "PropagateResourceLimits=NONE",
    ]
    for name, port in zip(NODES, ports, strict=True):
        lines.append(
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} "
            f"RealMemory={memory_mb} State=UNKNOWN"
        )
    lines.append("PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP")
    return "\n".join(lines) + "\n"


class Slurm:
    """A cluster of two nodes that runs."""

    WAIT_S = WAIT_S

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "state").mkdir()
        (folder / "slurm.conf").write_text(configuration(folder))
        self._conf = f"SLURM_CONF={folder}/slurm.conf"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SLURM", "SBATCH"))
        }
        self.environment = {
            **kept,
            "PATH": _PATH,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "OMP_NUM_THREADS": "1",
            "SLURM_CONF": str(folder / "slurm.conf"),
        }
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the daemons and wait until all nodes are idle."""
        key = self.folder / "key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        files = [f"--{kind}-file={self.folder}/munge.{kind}" for kind in ("pid", "log", "seed")]
        socket = self.folder / "munge.socket"
        self._daemon("munged", "--foreground", f"--key-file={key}", f"--socket={socket}", *files)
        self.wait_until(socket.exists, _START_S)
        self._daemon("slurmctld", "-D")
        for name in NODES:
            self._daemon("slurmd", "-D", "-N", name)
        wanted = ["idle"] * len(NODES)
        states = ("sinfo", "--noheader", "--Node", "--format", "%T")
        self.wait_until(lambda: self.run(*states).stdout.split() == wanted, _START_S)

    def _daemon(self, name: str, *options: str) -> None:
        """Start a daemon, which ends with this process if not before."""
        with (self.folder / f"{name}-{len(self._daemons)}.said").open("wb") as said:
            self._daemons.append(
                subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", name, *options],
                    stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=self.environment,
                )
            )  # fmt: skip

    def run(self, *command: object, **environment: object) -> Done:
        """Run a command on the node that users log in to."""
        added = {name: str(value) for name, value in environment.items()}
        done = subprocess.run(
            [*map(str, command)], capture_output=True, text=True, check=False, timeout=WAIT_S,
            stdin=subprocess.DEVNULL, env={**self.environment, **added}, cwd=self.folder,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def begin(self, *command: object, **environment: object) -> subprocess.Popen[str]:
        """Start a command there."""
        added = {name: str(value) for name, value in environment.items()}
        return subprocess.Popen(
            [*map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env={**self.environment, **added}, cwd=self.folder,
        )  # fmt: skip

    def good(self, *command: object, **environment: object) -> str:
        """Return what a command that must succeed says."""
        done = self.run(*command, **environment)
        assert done.returncode == 0, done
        return done.stdout

    def jobs(self, *states: str) -> list[Job]:
        """Return the jobs that wait or run, or those in some states, ended ones too."""
        chosen = ["--states", ",".join(states)] if states else []
        lines = self.good(
            "squeue", "--noheader", "--array", "--format", "%i %T", *chosen
        ).splitlines()
        return [Job(*line.split()) for line in lines]

    def wait_until(self, is_so: Callable[[], Any], seconds: float = WAIT_S) -> None:
        """Wait until something is so."""
        end = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end or any(daemon.poll() is not None for daemon in self._daemons):
                pytest.fail(f"nothing came of it within {seconds:.0f} s\n{self.told()}")
            time.sleep(0.05)

    def wait_idle(self) -> None:
        """Wait until no job is left."""
        self.wait_until(lambda: not self.jobs())

    def told(self) -> str:
        """Return the ends of what daemons and jobs have said."""
        files = [*sorted(self.folder.glob("*.said")), *sorted(self.folder.glob("*.out"))]
        return "\n".join(f"== {file.name}\n{file.read_text()[-2000:]}" for file in files)

    def _own(self) -> list[int]:
        """Return the processes that daemons or jobs of this cluster are, or have started."""
        own = []
        for place in Path("/proc").iterdir():
            if place.name.isdecimal() and int(place.name) != os.getpid():
                with suppress(OSError):
                    if self._conf.encode() in (place / "environ").read_bytes().split(b"\0"):
                        own.append(int(place.name))
        return own

    def stop(self) -> None:
        """End daemons, jobs, and whatever they have started; no trace of them is to be kept."""
        for daemon in self._daemons:
            daemon.kill()
            daemon.wait()
        while own := self._own():
            for pid in own:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """Return a SLURM cluster that runs on this machine."""
    install()
    with tempfile.TemporaryDirectory(prefix="tersgen-slurm-") as folder:
        Path(folder).chmod(0o755)  # munged wants its socket where all may reach it
        cluster = Slurm(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
