"""Processes, here threads, that watch over each other: who joins, who leaves, and how."""

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ters_train.engine import peers
from ters_train.engine.launch import Launch
from ters_train.engine.peers import PeerMonitor
from tersgen.errors import ConfigError

WAIT_S = 60.0


class Store:
    """What processes share: ``get`` waits."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._changed = threading.Condition()

    def set(self, key: str, value: str) -> None:
        with self._changed:
            self._values[key] = value.encode()
            self._changed.notify_all()

    def get(self, key: str) -> bytes:
        with self._changed:
            assert self._changed.wait_for(lambda: key in self._values, WAIT_S)
            return self._values[key]


@pytest.fixture(autouse=True)
def no_end(monkeypatch) -> None:
    """Let no one be ended for another's loss: that would be pytest."""
    monkeypatch.setattr(peers, "GRACE_S", 1e6)


def join(store: Store, rank: int, world_size: int, wait_s: float = WAIT_S) -> PeerMonitor:
    return PeerMonitor(Launch(rank, world_size, 0, "127.0.0.1", 1), store, wait_s)


def join_all(n: int) -> list[PeerMonitor]:
    store = Store()
    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(lambda rank: join(store, rank, n), range(n)))


def close(all_of_them: list[PeerMonitor]) -> None:
    for one in all_of_them:
        one.close()


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_all_learn_with_what_error_one_ends(failing) -> None:
    monitors = join_all(3)
    with pytest.raises(ValueError, match="bad row"), monitors[failing]:
        raise ValueError("bad row\n  in a block")
    for rank, one in enumerate(monitors):
        if rank != failing:
            assert one.explain() == (
                f"process {rank} of 3 has lost process {failing} on {socket.gethostname()}: it "
                "ended with: bad row in a block"
            )
    close(monitors)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_who_leaves_in_good_order_is_no_loss(monkeypatch, order) -> None:
    monkeypatch.setattr(peers, "_EXPLAIN_S", 0.2)
    monitors = join_all(3)
    for rank in order:
        with monitors[rank]:
            pass
        monitors[rank].close()
    for one in monitors:
        assert "waited for it too long" in one.explain()


def test_those_who_do_not_come_are_named() -> None:
    store = Store()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(join, store, 0, 4, 1.0)
        second = pool.submit(join, store, 2, 4)
        with pytest.raises(ConfigError, match="expected 4 processes within 1 s, not seen: 1, 3"):
            first.result()
        second.result().close()


@pytest.mark.parametrize("words", [b"", b"GET / HTTP/1.1\r\n\r\n", b'{"token": "x", "rank": 1}\n'])
def test_strangers_are_turned_away(words) -> None:
    store = Store()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(join, store, 0, 2)
        port, *_ = json.loads(store.get("lookout"))
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as stranger:
            stranger.sendall(words)
            stranger.shutdown(socket.SHUT_WR)
            assert stranger.recv(1) == b""
        second = pool.submit(join, store, 1, 2)
        close([first.result(), second.result()])
