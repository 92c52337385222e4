"""Jobs: one build for all who ask for the same, cancelled, resumed, refused."""

import contextlib
import json
import shutil
import subprocess
import time

import pytest

import tersgen
from tersgen.errors import ConfigError, OutputError, ServiceError
from tersgen.schema.presets import PRESETS
from tersgen.store.writers import writers

from .conftest import TABLE, TOKEN

LONG = {**PRESETS["nearfield"], "seed": 5, "fields": {"precision": "float16"}}
"""Takes 0.2 s for each shard, so that its build can be interrupted."""
N_LONG = 6000


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Return a server of its own: its queue is stopped and filled."""
    from .conftest import Service

    root = tmp_path_factory.mktemp("jobs") / "root"
    root.mkdir()
    running = Service(root)
    yield running
    assert "Traceback" not in running.stop()


@pytest.fixture(scope="module")
def client(service):
    return service.connect()


def ended(client, job):
    """Return a job once it has ended."""
    *_, last = client.watch(job)
    return last


def until(condition):
    """Wait until a condition holds."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_submit_watch_fetch(service, client, tmp_path):
    job = client.submit(TABLE, 300, "first.zarr")
    assert client.submit(TABLE, 300, "second.zarr").id == job.id  # one build
    states = [one.state for one in client.watch(job)]
    assert states[-1] == "done"
    assert client.submit(TABLE, 300, "third.zarr").dataset == "first.zarr"
    assert [one["name"] for one in client.datasets()] == ["first.zarr"]
    copy = client.fetch(job, tmp_path / "copy.zarr")
    expected = tersgen.build(TABLE, 300, tmp_path / "here.zarr", threads=1)
    assert tersgen.open(copy).digest == expected.digest == client.datasets()[0]["digest"]
    with pytest.raises(OutputError, match="got one that exists"):
        client.fetch(job, copy)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.zarr", "here.zarr"]


def test_a_dataset_that_is_there_already(service, client):
    tersgen.build(TABLE, 40, service.root / "by-hand.zarr", threads=1)
    job = client.submit(TABLE, 40, "other.zarr")
    assert (job.state, job.dataset, job.n_done) == ("done", "by-hand.zarr", 40)


@pytest.mark.exhaustive
def test_cancel_and_resume(service, client, tmp_path):
    job = client.submit(LONG, N_LONG, "long.zarr")
    until(lambda: client.job(job).n_done > 0)
    client.cancel(job)
    stopped = ended(client, job)
    assert stopped.state == "cancelled"
    assert 0 < stopped.n_done < N_LONG
    with pytest.raises(ServiceError, match="got one that is cancelled") as caught:
        client.cancel(job)
    assert caught.value.status == 409
    assert client.resume(job).state == "queued"
    assert ended(client, job).state == "done"
    there = tersgen.open(service.root / "long.zarr")
    made = tersgen.build(LONG, N_LONG, tmp_path / "here.zarr")
    assert there.digest == made.digest
    with pytest.raises(ServiceError, match="got one that is done"):
        client.resume(job)


@pytest.mark.exhaustive
def test_queue_and_priority(service, client):
    busy = client.submit({**LONG, "seed": 6}, N_LONG, "busy.zarr")
    low = client.submit({**TABLE, "seed": 20}, 50, "low.zarr")
    high = client.submit({**TABLE, "seed": 21}, 50, "high.zarr", priority=5)
    idle = client.submit({**TABLE, "seed": 22}, 50, "idle.zarr")
    assert client.cancel(idle).state == "cancelled"
    until(lambda: client.job(busy).state == "running")
    client.cancel(busy)
    done = [ended(client, job) for job in (low, high)]
    assert done[1].ended <= done[0].started
    assert not (service.root / "idle.zarr").exists()


@pytest.mark.exhaustive
def test_a_dataset_removed_by_hand_is_built_again(service, client):
    job = client.submit({**TABLE, "seed": 30}, 50, "removed.zarr")
    digest = ended(client, job) and tersgen.open(service.root / "removed.zarr").digest
    shutil.rmtree(service.root / "removed.zarr")
    assert "was removed" in client.job(job).message
    again = client.submit({**TABLE, "seed": 30}, 50, "removed.zarr")
    assert (again.id, ended(client, again).state) == (job.id, "done")
    assert tersgen.open(service.root / "removed.zarr").digest == digest


@pytest.mark.exhaustive
def test_a_build_that_fails_says_why(service, client):
    job = client.submit({**LONG, "seed": 8}, N_LONG, "fails.zarr")
    until(lambda: client.job(job).n_done > 0)
    (service.root / "fails.zarr/recipe.json").unlink()
    client.cancel(job)
    ended(client, job)
    (service.root / "fails.zarr/lock.json").write_text("{}")
    client.resume(job)
    failed = ended(client, job)
    assert failed.state == "failed"
    assert "fails.zarr" in failed.message
    assert "Traceback" not in failed.message


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"name": "../x.zarr"}, ConfigError, "name: expected at most 64 letters"),
        ({"name": "x"}, ConfigError, "that end in .zarr or .h5"),
        ({"n": 0}, ConfigError, "greater than or equal to 1"),
        ({"n": 10**15}, ServiceError, "expected room for about"),
        ({"executor": "--plugin"}, ConfigError, "executor: expected one of threads"),
        ({"recipe": "nearfeild"}, ConfigError, "did you mean 'nearfield'"),
        ({"recipe": {"seed": -1}}, ConfigError, "seed"),
        ({"name": "taken.zarr"}, ServiceError, "which has another dataset"),
    ],
)  # fmt: skip
def test_what_is_refused(service, client, change, kind, text):
    (service.root / "taken.zarr").mkdir(exist_ok=True)
    given = {"recipe": {**TABLE, "seed": 40}, "n": 5, "name": "x.zarr", **change}
    n_before = len(client.jobs())
    with pytest.raises(kind, match=text):
        client.submit(given.pop("recipe"), given.pop("n"), given.pop("name"), **given)
    assert len(client.jobs()) == n_before


def test_quotas(service, client):
    with service.client() as http:
        body = {"name": "bob", "right": "submit", "bytes": 3e5}
        secret = http.post("/api/v1/tokens", json=body).json()["token"]
    bob = tersgen.connect(service.url, token=secret)
    mine = bob.submit({**TABLE, "seed": 50}, 200, "bob.zarr")
    with pytest.raises(
        ServiceError, match="quota of bob: expected at most 3e\\+05 bytes"
    ) as caught:
        bob.submit({**TABLE, "seed": 51}, 2000, "bob2.zarr")
    assert caught.value.status == 403
    theirs = client.submit(TABLE, 300, "first.zarr")
    with pytest.raises(ServiceError, match="expected one of bob, got one of owner"):
        bob.cancel(theirs)
    assert bob.cancel(mine).owner == "bob"


def test_events_resume(service, client):
    job = client.submit(TABLE, 300, "first.zarr")
    last = ended(client, job)
    with service.client() as http:
        url = f"/api/v1/jobs/{job.id}/events"
        whole = http.get(url).text
        assert json.loads(whole.split("data: ")[1])["state"] == "done"
        assert f"id: {last.revision}\n" in whole
        assert http.get(url, headers={"Last-Event-ID": "1"}).text == whole
        after = http.get(url, headers={"Last-Event-ID": str(last.revision)})
        assert (after.status_code, after.content) == (204, b"")


def test_connecting(service):
    with pytest.raises(ConfigError, match="server: expected a URL"):
        tersgen.connect("localhost")
    with pytest.raises(ConfigError, match="token: expected that of the server, got none"):
        tersgen.connect(service.url)
    with pytest.raises(ServiceError, match="token: expected one of this server, got another"):
        tersgen.connect(service.url, token="wrong")
    with pytest.raises(ServiceError, match=r"expected a server of tersgen, got: .*refused"):
        tersgen.connect("http://127.0.0.1:1", token="x")
    assert tersgen.connect(f"{service.url}/?token={TOKEN}").jobs()


@pytest.mark.exhaustive
def test_species_from_files(service, client, tmp_path):
    (tmp_path / "bands.csv").write_text("# intensity: activity\nposition,intensity\n500,1\n700,2\n")
    recipe = {**TABLE, "library": [str(tmp_path / "bands.csv"), "random:2"]}
    job = client.submit(recipe, 30, "uploaded.zarr")
    assert ended(client, job).state == "done"
    made = tersgen.build(recipe, 30, tmp_path / "here.zarr", threads=1)
    assert tersgen.open(service.root / "uploaded.zarr").digest == made.digest


@pytest.mark.exhaustive
def test_a_full_disk(tmp_path):
    from .conftest import Service

    root = tmp_path / "root"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=150m", "tmpfs", str(root)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    service = Service(root)
    try:
        client = service.connect()
        with pytest.raises(ServiceError, match=r"expected room for about .* free") as caught:
            client.submit(LONG, N_LONG, "large.zarr")
        assert caught.value.status == 507
        job = client.submit(LONG, 2500, "long.zarr")
        until(lambda: (root / "long.zarr/journal.jsonl").exists())
        with contextlib.suppress(OSError), (root / "filler").open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        until(lambda: not writers(root / "long.zarr"))
        (root / "filler").unlink()
        failed = ended(client, job)
        assert (failed.state, "No space left" in failed.message) == ("failed", True), failed
        client.resume(job)
        assert ended(client, job).state == "done"
        made = tersgen.build(LONG, 2500, tmp_path / "here.zarr")
        assert tersgen.open(root / "long.zarr").digest == made.digest
    finally:
        said = service.stop()
        subprocess.run(["umount", str(root)], check=True)
    assert "Traceback" not in said, said
