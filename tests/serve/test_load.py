"""Many clients at once."""

import threading
import time

import pytest

from .conftest import TABLE

pytestmark = pytest.mark.exhaustive

N_CLIENTS = 50
SECONDS = 10.0


def memory(pid):
    """Return the resident memory of a process, bytes."""
    with open(f"/proc/{pid}/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


def ask(service, k, end, faults, counts):
    """Ask for one thing after the other until the time is up."""
    urls = [
        "/api/v1/datasets", "/api/v1/datasets/small.zarr", "/data/small.zarr/maps/c.0.0.0.0",
        "/api/v1/datasets/small.zarr/rows?where=params/width > 1", "/virtual/load.zarr/zarr.json",
        "/api/v1/datasets/small.zarr/statistics", "/api/v1/jobs", "/api/v1/recipes/load",
    ]  # fmt: skip
    with service.client() as http:
        n = 0
        while time.monotonic() < end:
            n += 1
            kind = (k + n) % 10
            if kind < len(urls):
                answer = http.get(urls[kind])
            elif kind == 8:
                answer = http.post("/api/v1/preview", json={"recipe": TABLE, "index": n})
            else:
                answer = http.get(f"/virtual/load.zarr/spectra/c.{k * 1000 + n}.0")
            if answer.status_code != 200:
                faults.append((answer.status_code, answer.text[:200]))
        counts.append(n)


def round_of_clients(service, seconds):
    faults, counts = [], []
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=ask, args=(service, k, end, faults, counts))
        for k in range(N_CLIENTS)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not faults
    assert len(counts) == N_CLIENTS
    return sum(counts)


def test_fifty_clients(service):
    with service.client() as http:
        assert http.put("/api/v1/recipes/load", json={"recipe": TABLE}).status_code in (200, 201)
    round_of_clients(service, SECONDS)  # fills the bounded caches
    before = memory(service.process.pid)
    assert round_of_clients(service, SECONDS) > N_CLIENTS
    assert memory(service.process.pid) < 1.15 * before + (32 << 20)
