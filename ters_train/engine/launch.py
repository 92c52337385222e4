"""Who started this process: torchrun, by ``RANK`` and related variables, or srun of SLURM."""

import re
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from tersgen.errors import ConfigError

_FIRST_PORT, _N_PORTS = 20000, 12000
"""Below those that systems give to outgoing connections."""
_SCONTROL_S = 10.0
_SIOCGIFADDR = 0x8915


class Launch(NamedTuple):
    """A process among those that were started together."""

    rank: int
    world_size: int
    local_rank: int
    """Among those on its host."""
    address: str
    """Of the first process's host."""
    port: int
    """Where they find each other."""

    def environment(self) -> dict[str, str]:
        """Return it as the variables that torch reads."""
        return {
            "RANK": str(self.rank),
            "WORLD_SIZE": str(self.world_size),
            "LOCAL_RANK": str(self.local_rank),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
        }


def find_launch(environment: Mapping[str, str]) -> Launch | None:
    """Return the launch that the environment describes, None if this process is alone.

    ``RANK`` and ``WORLD_SIZE`` count, with ``MASTER_ADDR`` and ``MASTER_PORT``, as torchrun sets
    them. Without ``RANK``, a step of SLURM (srun) of more than one task is as good: the first host
    of the step is the rendezvous, at a port made of the numbers of job and step, unless
    ``MASTER_ADDR`` or ``MASTER_PORT`` say otherwise. A batch script itself is no such step.
    """
    if "RANK" not in environment and _number(environment, "SLURM_STEP_NUM_TASKS", 1) > 1:
        return _from_slurm(environment)
    world_size = _number(environment, "WORLD_SIZE", 1)
    if world_size == 1:
        return None
    if not environment.get("MASTER_ADDR"):
        raise ConfigError(
            f"WORLD_SIZE is {world_size}: expected MASTER_ADDR too; start it with torchrun or srun"
        )
    rank = _number(environment, "RANK")
    return Launch(
        rank,
        world_size,
        _number(environment, "LOCAL_RANK", 0),
        environment["MASTER_ADDR"],
        _number(environment, "MASTER_PORT"),
    )


def _from_slurm(environment: Mapping[str, str]) -> Launch:
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST", "")
    address = environment.get("MASTER_ADDR") or first_host(nodes)
    if not address:
        raise ConfigError("SLURM_STEP_NODELIST: expected the hosts of this step, found none")
    job, step = (_number(environment, f"SLURM_{name}_ID", 0) for name in ("JOB", "STEP"))
    return Launch(
        _number(environment, "SLURM_PROCID"),
        _number(environment, "SLURM_STEP_NUM_TASKS"),
        _number(environment, "SLURM_LOCALID"),
        address,
        _number(environment, "MASTER_PORT", _FIRST_PORT + (job + 101 * step) % _N_PORTS),
    )


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name)
    if text is None and default is not None:
        return default
    if text is None or not re.fullmatch(r"[0-9]{1,18}", text):
        found = "none" if text is None else repr(text)
        raise ConfigError(f"{name}: expected a whole number, found {found}")
    return int(text)


def first_host(nodes: str) -> str:
    """Return the first host of a list as SLURM writes it.

    >>> first_host("rack[07-12,31]-gpu[1-4],login2")
    'rack07-gpu1'
    """
    match = re.match(r"(?:[^,\[\]]|\[[^\]]*\])*", nodes)
    return re.sub(r"\[([^],-]*)[^]]*\]", r"\1", match[0] if match else "")


def reachable(host: str) -> str:
    """Return a host's name, or its address as SLURM knows it if the name means nothing here."""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        try:
            shown = subprocess.run(
                ["scontrol", "--oneliner", "show", "node", host],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                timeout=_SCONTROL_S,
            ).stdout  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return host
        match = re.search(r"\bNodeAddr=(\S+)", shown)
        return match[1] if match else host
    return host


def address_of(host: str) -> str:
    """Return the IPv4 address of a host, or its name if it has none."""
    try:
        return socket.gethostbyname(host)
    except OSError:
        return host


def address_towards(host: str) -> str:
    """Return the IPv4 address by which this host would reach another; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))  # any port will do
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def interface_of(address: str) -> str | None:
    """Return the network interface of this host that has an address; None if that is not known."""
    if sys.platform != "linux":
        return None
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # it has no address
                answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                if socket.inet_ntoa(answer[20:24]) == address:
                    return name
    return None


def names_itself_loopback() -> bool:
    """Return whether other hosts cannot use this host's name: to 127.0.1.1, say, or to nothing."""
    try:
        return socket.gethostbyname(socket.gethostname()).startswith("127.")
    except OSError:
        return True
