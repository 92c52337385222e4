"""What is left of jobs without the server, or without its database."""

import json
import sqlite3
from contextlib import closing

import pytest

import tersgen
from tersgen.errors import BusyError, ConfigError
from tersgen.serve.auth import Token, Tokens
from tersgen.serve.database import Database
from tersgen.serve.folder import Folder
from tersgen.serve.jobs import Jobs
from tersgen.serve.ready import ReadyRecipes

from .conftest import TABLE

ALICE = Token(name="alice", sha256="0" * 64, right="submit", created="2026-01-01T00:00:00+00:00")


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def opened():
    """Return a function: the jobs of a folder, as a server that starts has them."""
    databases = []

    def jobs_of(folder):
        databases.append(Database(folder.state / "server.sqlite"))
        return Jobs(folder, databases[-1], 1)

    yield jobs_of
    for one in databases:
        one.close()


def submitted(folder, jobs, seed, **options):
    ready = ReadyRecipes(folder).get({**TABLE, "seed": seed})
    return jobs.submit(ready, 50, f"{seed}.zarr", ALICE, **options)[0]


def plain(jobs):
    """Return all jobs without what only the database counts."""
    return [job.model_copy(update={"n_done": 0, "rate": 0.0, "revision": 0}) for job in jobs.all()]


def test_the_database_is_made_again_from_the_folders(folder, opened):
    jobs = opened(folder)
    first, second, third = (submitted(folder, jobs, seed) for seed in range(3))
    jobs.cancel(first.id, ALICE)
    jobs.set_priority(second.id, 7, ALICE)
    jobs.change(third.id, state="failed", message="no room")
    before = plain(jobs)
    assert [job.id for job in jobs.in_state("queued")] == [second.id]
    for path in folder.state.glob("server.sqlite*"):
        path.unlink()
    assert plain(opened(folder)) == before


@pytest.mark.parametrize("content", [b"not a database, but longer than its header is" * 99, b""])
def test_a_damaged_database_is_put_aside(folder, content, opened):
    jobs = opened(folder)
    submitted(folder, jobs, 1)
    before = plain(jobs)
    for path in folder.state.glob("server.sqlite*"):
        path.unlink()
    (folder.state / "server.sqlite").write_bytes(content)
    assert plain(opened(folder)) == before
    assert (folder.state / "server.damaged").exists() == bool(content)


def test_a_job_whose_server_was_killed(folder, opened):
    jobs = opened(folder)
    complete, waiting, ending = (submitted(folder, jobs, seed) for seed in range(3))
    for job in (complete, waiting, ending):
        jobs.change(job.id, state="running")
    jobs.change(ending.id, cancelling=True)
    recipe = jobs.path(complete) / "recipe.json"
    tersgen.build(recipe, 50, folder.path / complete.dataset, threads=1)
    (folder.jobs / "0000000000000000.partial").mkdir()
    states = {job.id: job.state for job in opened(folder).all()}
    assert states == {complete.id: "done", waiting.id: "queued", ending.id: "cancelled"}
    assert not [*folder.jobs.glob("*.partial")]


def test_a_job_written_but_not_in_the_database(folder, opened):
    jobs = opened(folder)
    job = submitted(folder, jobs, 1)
    path = folder.state / "server.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM jobs")
    assert submitted(folder, jobs, 1).id == job.id
    assert [one.id for one in opened(folder).all()] == [job.id]


def test_one_server_at_a_time(folder):
    with folder.held(), pytest.raises(BusyError, match="serves this folder already"), folder.held():
        pass
    with folder.held():  # it is free again
        pass


def test_wrong_folders(tmp_path):
    with pytest.raises(ConfigError, match="got nothing"):
        Folder(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="got a file"):
        Folder(tmp_path / "file")
    tersgen.build(TABLE, 5, tmp_path / "data.zarr", threads=1)
    with pytest.raises(ConfigError, match="got a dataset; serve the folder that it is in"):
        Folder(tmp_path / "data.zarr")


def test_names_that_a_url_cannot_have_are_left_out_and_listed(tmp_path):
    for name in ("fine.zarr", "not fine.zarr"):
        tersgen.build(TABLE, 5, tmp_path / name, threads=1)
    folder = Folder(tmp_path)
    assert [*folder.datasets()] == ["fine.zarr"]
    assert folder.left_out() == ["not fine.zarr"]


def test_tokens_outlive_the_server(folder):
    secret = Tokens(folder.tokens, "owner's").make("bob", "read", 1e9, None)
    tokens = Tokens(folder.tokens, "another")
    found = tokens.find(secret)
    assert (found.name, found.right, found.bytes) == ("bob", "read", 1e9)
    assert tokens.find("owner's") is None
    assert json.loads((folder.tokens / "bob.json").read_text())["sha256"] != secret
