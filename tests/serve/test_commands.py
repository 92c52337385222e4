"""The commands that serve, and those that speak to a server."""

import json
import re
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

import tersgen
from tersgen.cli import main
from tersgen.errors import ConfigError, OutputError
from tersgen.serve.running import listen

from .conftest import TABLE, TOKEN


@pytest.fixture
def command(service):
    """Return a function that runs a command against the server."""

    def run(*arguments, code=0):
        environment = {"TERSGEN_SERVER": service.url, "TERSGEN_TOKEN": TOKEN}
        done = CliRunner().invoke(main, [*map(str, arguments)], env=environment)
        assert done.exit_code == code, done.output
        return done

    return run


def test_submit_jobs_fetch(command, tmp_path, service):
    (tmp_path / "recipe.json").write_text(json.dumps({**TABLE, "seed": 70}))
    config = ("--config", tmp_path / "recipe.json", "--n", 40)
    done = command("submit", *config, "--name", "asked.zarr", "--watch", "--json")
    job = json.loads(done.stdout)
    assert (job["state"], job["n_done"]) == ("done", 40)
    assert "done" in command("submit", *config, "--name", "asked.zarr").stdout
    assert f"{job['id']}  done       40 of 40 rows  asked.zarr" in command("jobs").stdout
    assert json.loads(command("jobs", job["id"], "--json").stdout)["dataset"] == "asked.zarr"
    failed = command("jobs", job["id"], "--cancel", code=1)
    assert "expected one that waits or runs, got one that is done" in failed.output
    out = tmp_path / "copy.zarr"
    assert "fetched and verified" in command("fetch", "asked.zarr", "--out", out).stdout
    assert tersgen.open(out).digest == tersgen.open(service.root / "asked.zarr").digest
    assert "got one that exists" in command("fetch", "asked.zarr", "--out", out, code=1).output


def test_fetching_hdf5(command, tmp_path, service):
    command("fetch", "small.h5", "--out", tmp_path / "other.h5", code=2)
    command("fetch", "small.h5", "--out", tmp_path / "small.h5")
    assert (
        tersgen.open(tmp_path / "small.h5").digest == tersgen.open(service.root / "small.h5").digest
    )
    assert sorted(one.name for one in tmp_path.iterdir()) == ["small.h5", "small.h5.d"]


def test_a_copy_is_continued(command, tmp_path, service):
    version = tersgen.open(service.root / "small.zarr").manifest.version
    partial = tmp_path / f".small.zarr.{version[:16]}.fetch/small.zarr"
    (partial / "label").mkdir(parents=True)
    content = (service.root / "small.zarr/label/c.0").read_bytes()
    (partial / "label/c.0").write_bytes(content[:-1] + b"\0")  # of the right size, and wrong
    (partial / "manifest.json.new").write_bytes(b"torn")
    failed = command("fetch", "small.zarr", "--out", tmp_path / "copy.zarr", code=1)
    assert "the copy is not what the dataset says" in failed.output
    (partial / "label/c.0").unlink()
    command("fetch", "small.zarr", "--out", tmp_path / "copy.zarr")
    assert [one.name for one in tmp_path.iterdir()] == ["copy.zarr"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("jobs", "0" * 16), 1, "job: "),
        (("jobs", "--cancel"), 2, "--cancel: expected a JOB"),
        (("fetch", "smal.zarr"), 1, "did you mean 'small.zarr'?"),
        (("submit", "--n", 5, "--name", "x"), 2, "that end in .zarr or .h5"),
        (("submit", "--n", 5, "--name", "x.zarr", "--set", "grid.n_points=1"), 2, "grid.n_points"),
        (("jobs", "--server", "nonsense"), 2, "server: expected a URL"),
        (("jobs", "--token", "wrong"), 1, "got another"),
    ],
)  # fmt: skip
def test_errors_are_one_line(command, arguments, code, text):
    done = command(*arguments, code=code)
    assert text in done.output
    assert "Traceback" not in done.output


def test_ports():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OutputError, match=f"port {port} of 127.0.0.1 is in use; choose another"
        ):
            listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match="expected an address of this machine"):
        listen("no such host", 0)
    if socket.has_dualstack_ipv6():
        listen("::1", 0).close()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("nothing",), "expected a folder with datasets to serve, got nothing"),
        ((".", "--token-file", "short"), "expected a token of at least 16 characters"),
        ((".", "--executor", "x"), "expected NAME=OPTIONS"),
        ((".", "--executor", "x='"), "expected NAME=OPTIONS"),
    ],
)
def test_wrong_options_of_serve(tmp_path, monkeypatch, arguments, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short").write_text("short")
    done = CliRunner().invoke(main, ["serve", *arguments])
    assert (done.exit_code, text in done.output) == (2, True), done.output


def test_one_server_for_a_folder(service):
    done = CliRunner().invoke(main, ["serve", str(service.root), "--port", "0"])
    assert done.exit_code == 1
    assert f"process {service.process.pid} serves this folder already" in done.output


def test_examples_use_options_that_there_are():
    folder = Path(__file__).parents[2] / "examples/serve"
    lines = [
        line
        for file in folder.iterdir()
        for line in file.read_text().splitlines()
        if re.search(r"tersgen\"?,? \"?serve", line) and not line.startswith("#")
    ]
    assert len(lines) == 3
    known = CliRunner().invoke(main, ["serve", "--help"]).output
    options = {one for line in lines for one in re.findall(r"--[a-z-]+", line)}
    assert {"--port", "--token-file", "--host"} <= options
    assert all(re.search(rf"{one}\b", known) for one in options)
