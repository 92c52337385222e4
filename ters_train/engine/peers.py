"""Processes that train together notice at once if one of them is gone, and which.

Libraries of collective operations notice it late, some never, and do not say who. So each process
keeps a connection to the first, over which it says how it ends. A connection that breaks without a
word is a process that was killed; one whose host does not answer the system's probes is a host that
is down or cut off. A process that is only slow, or paused, is neither: its system answers for it.
The first process tells the others. Who learns of a loss and is stuck in an operation that waits for
the lost one is ended, with the line that says why.
"""

import json
import os
import secrets
import selectors
import socket
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from tersgen.errors import ConfigError

from .launch import Launch, this_host

PROBE_AFTER_S, PROBE_EACH_S, N_PROBES = 15, 5, 6
"""A host is taken for lost if it answers none of so many probes, after so long a silence."""
GRACE_S = 5.0
"""How long a process may take to end by itself once another is lost."""
_EXPLAIN_S = 10.0
"""How long to wait for who was lost, once an operation has failed."""
_REACH_S, _GREET_S = 30.0, 5.0
_LONGEST = 4096
_KEY = "lookout"
_WELCOME = b"+"
_THEN = "continue with --resume, with any number of processes"


class Store(Protocol):
    """What processes share, as torch has it; ``get`` waits."""

    def set(self, key: str, value: str) -> None:
        """Set a value."""

    def get(self, key: str) -> bytes:
        """Return a value once it is there."""


class Loss(NamedTuple):
    """Which process was lost, and how."""

    rank: int
    host: str
    how: str


def _probed(connection: socket.socket) -> socket.socket:
    """Let the system find out whether the other end's host is there."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    limit_ms = 1000 * (PROBE_AFTER_S + PROBE_EACH_S * N_PROBES)
    for name, value in (
        ("TCP_KEEPIDLE", PROBE_AFTER_S),
        ("TCP_KEEPALIVE", PROBE_AFTER_S),  # its name on macOS
        ("TCP_KEEPINTVL", PROBE_EACH_S),
        ("TCP_KEEPCNT", N_PROBES),
        ("TCP_USER_TIMEOUT", limit_ms),
    ):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection


class _Peer:
    """The other end of a connection; messages are lines of JSON."""

    def __init__(self, connection: socket.socket, rank: int, host: str) -> None:
        self.connection = connection
        self.rank = rank
        self.host = host
        self._waiting = b""

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; a peer that is gone is noticed elsewhere."""
        with suppress(OSError):
            self.connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any] | Loss | None:
        """Return a message, None if it is not whole yet, or how the peer was lost."""
        try:
            data = self.connection.recv(_LONGEST)
        except OSError as error:
            if isinstance(error, ConnectionError):
                return self._gone()
            how = f"its host does not answer ({error.strerror}); {_THEN}"
            return Loss(self.rank, self.host, how)
        if not data:
            return self._gone()
        line, end, rest = (self._waiting + data).partition(b"\n")
        if not end:
            self._waiting = line
            return None
        self._waiting = rest
        message: dict[str, Any] = json.loads(line)
        return message

    def _gone(self) -> Loss:
        return Loss(self.rank, self.host, f"it was killed, or ran out of memory; {_THEN}")


class PeerMonitor:
    """The connections of a process to the first, or of the first to all others; a context manager.

    Parameters
    ----------
    launch
        The processes.
    store
        What they share already.
    wait_s
        How long to wait for the others.

    Raises
    ------
    ConfigError
        If they cannot be reached.
    """

    def __init__(self, launch: Launch, store: Store, wait_s: float) -> None:
        self._launch = launch
        self._loss: Loss | None = None
        self._known = threading.Event()
        self._closed = threading.Event()
        self._peers = self._gather(store, wait_s) if launch.rank == 0 else [self._reach(store)]
        self._bell, self._ringer = socket.socketpair()
        self._thread = threading.Thread(target=self._watch, name="ters-lookout", daemon=True)
        self._thread.start()

    def _gather(self, store: Store, wait_s: float) -> list[_Peer]:
        """Return all others, once each has called."""
        token = secrets.token_hex(16)
        peers: dict[int, _Peer] = {}
        dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if dual else socket.AF_INET
        n_peers = self._launch.world_size - 1
        end = time.monotonic() + wait_s
        with socket.create_server(
            ("", 0), family=family, backlog=n_peers, dualstack_ipv6=dual
        ) as server:
            store.set(_KEY, json.dumps([server.getsockname()[1], token, this_host()]))
            while len(peers) < n_peers:
                server.settimeout(max(0.01, end - time.monotonic()))
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    for one in peers.values():
                        one.connection.close()
                    missing = sorted({*range(1, n_peers + 1)} - {*peers})
                    raise ConfigError(
                        f"expected {n_peers + 1} processes within {wait_s:.0f} s, not seen: "
                        f"{', '.join(map(str, missing[:16]))}"
                    ) from None
                peer = _greeted(connection, token)
                if peer is not None:
                    peers[peer.rank] = peer
        return list(peers.values())

    def _reach(self, store: Store) -> _Peer:
        """Return the first process."""
        port, token, host = json.loads(store.get(_KEY))
        address = (self._launch.address, int(port))
        try:
            connection = socket.create_connection(address, timeout=_REACH_S)
        except OSError as error:
            raise ConfigError(
                f"process 0 on {host} cannot be reached at {address[0]} port {port}: {error}; any "
                "port between the hosts must be open"
            ) from None
        peer = _Peer(_probed(connection), 0, str(host))
        peer.send({"token": token, "rank": self._launch.rank, "host": this_host()})
        try:
            welcome = connection.recv(len(_WELCOME))
        except OSError:
            welcome = b""
        if welcome != _WELCOME:
            connection.close()
            raise ConfigError(f"process 0 on {host} ended before all others were there")
        connection.settimeout(None)
        return peer

    def _watch(self) -> None:
        """Wait for words of the others, until one is lost or this process is done."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            for peer in self._peers:
                selector.register(peer.connection, selectors.EVENT_READ, peer)
            while not self._closed.is_set():
                for key, _ in selector.select():
                    peer = key.data
                    if peer is None:
                        return
                    message = peer.receive()
                    if message is None:
                        continue
                    selector.unregister(peer.connection)
                    loss = message if isinstance(message, Loss) else _loss_in(message)
                    if loss is not None:
                        self._tell(loss)
                        return

    def _tell(self, loss: Loss) -> None:
        """Pass on a loss, and see that this process ends."""
        if self._launch.rank == 0:
            for peer in self._peers:
                peer.send({"loss": loss})
        self._loss = loss
        self._known.set()
        if not self._closed.wait(GRACE_S):
            sys.stderr.write(f"Error: {self.explain()}\n")
            sys.stderr.flush()
            os._exit(1)

    @property
    def own_address(self) -> str:
        """The address of this host that the others reach it by, or it reaches them."""
        addresses = [str(peer.connection.getsockname()[0]) for peer in self._peers]
        seen = [address.removeprefix("::ffff:") for address in addresses]
        return next((one for one in seen if not one.startswith("127.")), seen[0])

    def explain(self) -> str:
        """Return which process was lost, in a line; it may take seconds to become known."""
        launch = self._launch
        self._known.wait(_EXPLAIN_S)
        who = f"process {launch.rank} of {launch.world_size} has lost"
        if self._loss is None:
            return f"{who} the connection to another one, or waited for it too long; {_THEN}"
        rank, host, how = self._loss
        return f"{who} process {rank} on {host}: {how}"

    def __enter__(self) -> Self:
        """Return the lookout."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell the others how this process ends."""
        message: dict[str, Any] = {"left": True}
        if error is not None and self._loss is None:
            reason = " ".join((str(error) or type(error).__name__).split())[:500]
            message = {"loss": Loss(self._launch.rank, this_host(), f"it ended with: {reason}")}
        for peer in self._peers:
            peer.send(message)

    def close(self) -> None:
        """End it; nothing waits for another process any more."""
        self._closed.set()
        self._ringer.send(b"!")
        self._thread.join(_GREET_S)
        for connection in (self._bell, self._ringer, *(peer.connection for peer in self._peers)):
            connection.close()


def _greeted(connection: socket.socket, token: str) -> _Peer | None:
    """Return who calls, None if it is not one of us."""
    connection.settimeout(_GREET_S)
    try:
        with connection.makefile("rb") as file:
            call = json.loads(file.readline(_LONGEST))
        if not secrets.compare_digest(str(call["token"]), token):
            raise ValueError(call)
        peer = _Peer(_probed(connection), int(call["rank"]), str(call["host"]))
        connection.sendall(_WELCOME)  # before it nothing else is said
    except (OSError, ValueError, KeyError, TypeError):
        connection.close()
        return None
    connection.settimeout(None)
    return peer


def _loss_in(message: dict[str, Any]) -> Loss | None:
    """Return the loss that a message tells of, None if its sender has left as it should."""
    return Loss(*message["loss"]) if "loss" in message else None
