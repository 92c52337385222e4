"""SIGKILL of the server and of builds at many points: no job is lost, all digests are right.

``TERSGEN_ALL_FAULTS=1`` kills twenty times, without it six times.
"""

import contextlib
import os
import random
import signal
import threading
import time

import httpx
import pytest

import tersgen
from tersgen.errors import ServiceError
from tersgen.store.writers import writers

pytestmark = pytest.mark.exhaustive

N_KILLS = 20 if os.environ.get("TERSGEN_ALL_FAULTS") else 6
N_ROWS = 30_000


def recipe(seed):
    return {"library": ["random:8"], "seed": seed}


def slow_recipe(seed):
    """Return one of which a build takes long enough to be killed again and again."""
    return {"library": ["builtin:benzene"], "nearfield": {}, "seed": seed}


N_SLOW_ROWS = 6_000


@pytest.fixture(scope="module")
def digests(tmp_path_factory):
    """Return the digest of each job's dataset, from a build that nothing disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return {
        seed: tersgen.build(recipe(seed), N_ROWS, folder / f"{seed}.zarr").digest
        for seed in range(3)
    }


def finish(service, digests):
    """Wait until all jobs are done, and compare their datasets."""
    client = service.connect()
    jobs = {job.dataset: job for job in client.jobs()}
    assert {*jobs} == {f"{seed}.zarr" for seed in digests}
    for seed, digest in digests.items():
        job = client.job(jobs[f"{seed}.zarr"])
        *_, job = client.watch(job)
        if job.state == "failed":  # killed too often in a row
            assert "killed by SIGKILL" in job.message
            client.resume(job)
            *_, job = client.watch(job)
        assert job.state == "done", job
        assert tersgen.open(service.root / job.dataset).digest == digest


def submit(service, seed, recipe=recipe, n=N_ROWS):
    """Submit a job, and again if the server is killed meanwhile."""
    body = {"recipe": recipe(seed), "n": n, "name": f"{seed}.zarr"}
    with service.client() as http, contextlib.suppress(httpx.HTTPError):
        http.post("/api/v1/jobs", json=body)


def test_kills_of_the_server(new_service, digests):
    chance = random.Random(18)
    service = new_service()
    for k in range(N_KILLS):
        if k % 3 == 0:  # in the middle of a request, at any of its steps
            asked = threading.Thread(target=submit, args=(service, k // 3 % 3))
            asked.start()
            time.sleep(chance.uniform(0.0, 1.0))
            service.kill()
            asked.join()
        else:
            time.sleep(chance.uniform(0.0, 1.5))
            service.kill()
        if k % 5 == 4:
            for path in (service.root / ".tersgen").glob("server.sqlite*"):
                path.unlink()
        service.start()
    for seed in digests:
        submit(service, seed)
    finish(service, digests)


def test_kills_of_builds(new_service, tmp_path):
    chance = random.Random(19)
    digests = {
        seed: tersgen.build(slow_recipe(seed), N_SLOW_ROWS, tmp_path / f"{seed}.zarr").digest
        for seed in range(2)
    }
    service = new_service()
    for seed in digests:
        submit(service, seed, slow_recipe, N_SLOW_ROWS)
    client = service.connect()
    killed = set()
    while len(killed) < N_KILLS:
        time.sleep(chance.uniform(0.0, 1.0))
        for seed in digests:
            folder = service.root / f"{seed}.zarr"
            for holder in writers(folder) if folder.exists() else ():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(holder.pid, signal.SIGKILL)
                    killed.add(holder.pid)
        for job in client.jobs():
            if job.state == "failed":
                with contextlib.suppress(ServiceError):
                    client.resume(job)
        assert any(job.state != "done" for job in client.jobs()), len(killed)
    finish(service, digests)


def test_an_end_by_a_signal_resumes(new_service, digests):
    service = new_service()
    submit(service, 0)
    time.sleep(1.5)
    assert "Traceback" not in service.stop()
    assert not writers(service.root / "0.zarr") if (service.root / "0.zarr").exists() else True
    service.start()
    for seed in digests:
        submit(service, seed)
    finish(service, digests)
