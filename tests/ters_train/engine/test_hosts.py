"""Two hosts, each a namespace of the network, train over a shared folder as one process does."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from ters_train.engine.checkpoint import newest

MODEL = ["--set", "model.options.widths=[4,8]", "--set", "model.options.norm=group", "--set",
         "model.options.dropout=0", "--set", "transforms.spectrum_noise=0.05",
         # a channel that is constant has gradients of rounding errors, which AdamW magnifies
         "--inputs", "raw", "--set", "model.options.mask=false"]  # fmt: skip
COMMON = ["--batch-size", 32, "--epochs", 2, "--checkpoint-steps", 4, "--set", "optim.lr=0.01"]
WAIT_S = 240.0
IMPATIENT = {"ters_train.engine.ranks:PATIENCE_S": 30}
KILLED = """
import os, signal, sys
sys.path.insert(0, {folder!r})
from run_server import signal_at_call
from ters_train.cli import main
if os.environ["RANK"] == "1":
    signal_at_call("ters_train.engine.trainer:Trainer.train", 6, signal.SIGKILL)
main(prog_name="ters-train")
"""
"""What torchrun starts: the second process is killed before its sixth step."""
GONE = "another process ended, or did not answer for"
THEN = "; continue with --resume, with any number of processes"


class Host(NamedTuple):
    name: str
    address: str
    cable: str

    def how(self, **more: Any) -> dict[str, Any]:
        """Return how to start a process there."""
        return {"host": self.name, **more}

    def pull_cable(self) -> None:
        ip("-n", self.name, "link", "set", self.cable, "down")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=30)


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """Return two hosts with a cable between them and no other."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("expected Linux, root and ip: they make hosts of namespaces")
    one, two = (
        Host(f"ters-{name}-{os.getpid()}", f"198.18.0.{number}", f"cable-{name}")
        for number, name in ((1, "a"), (2, "b"))
    )
    made = []
    try:
        for host in (one, two):
            try:
                ip("netns", "add", host.name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no namespaces can be made here: {error.stderr.strip()}")
            made.append(host)
        ip("link", "add", one.cable, "netns", one.name, "type", "veth",
           "peer", "name", two.cable, "netns", two.name)  # fmt: skip
        for host in (one, two):
            ip("-n", host.name, "address", "add", f"{host.address}/30", "dev", host.cable)
            for link in (host.cable, "lo"):
                ip("-n", host.name, "link", "set", link, "up")
        yield one, two
    finally:
        for host in made:
            ip("netns", "delete", host.name)


@pytest.fixture(scope="module")
def alone(runs, few, tmp_path_factory) -> tuple[Path, dict[int, list[list[int]]]]:
    """Return a run of one process, and the rows of its steps."""
    folder = tmp_path_factory.mktemp("alone")
    arguments = ["--data", few, "--out", folder / "run", *MODEL, *COMMON]
    runs.good("fit", *arguments, rows=folder / "rows")
    return folder / "run", rows_of(folder / "rows")


def rows_of(path: Path) -> dict[int, list[list[int]]]:
    """Return the rows of the batches of each step."""
    return dict(json.loads(line) for line in path.read_text().splitlines())


def assert_close(run: Path, other: Path) -> None:
    tensors, wanted = (newest(one)[0].tensors["model"] for one in (run, other))
    assert tensors.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(tensors[name], value, rtol=2e-3, atol=2e-4, err_msg=name)


def wait_until(is_so: Callable[[], Any]) -> None:
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.05)


def has_checkpoint(run: Path) -> bool:
    return bool(list((run / "checkpoints").glob("step-*[0-9]")))


def test_two_hosts_learn_what_one_process_does(runs, few, alone, hosts, tmp_path) -> None:
    one, two = hosts
    rows = [tmp_path / str(rank) for rank in range(4)]
    hows = [host.how(rows=path) for host, path in zip((one, one, two, two), rows, strict=True)]
    arguments = ["fit", "--data", few, "--out", tmp_path / "run", *MODEL, *COMMON]
    ends = runs.group(4, *arguments, hows=hows, address=one.address)
    assert [done.returncode for done in ends] == [0] * 4, ends
    run, wanted = alone
    shares = list(map(rows_of, rows))
    for step, batches in wanted.items():
        parts = zip(*(share[step] for share in shares), strict=True)
        assert [[row for part in batch for row in part] for batch in parts] == batches
    assert_close(tmp_path / "run", run)


@pytest.mark.exhaustive
def test_a_host_that_is_cut_off_ends_the_others(runs, few, hosts, tmp_path) -> None:
    one, two = hosts
    run = tmp_path / "run"
    arguments = ["fit", "--data", few, "--out", run, *MODEL, *COMMON, "--epochs", 10000]
    hows = [host.how(constants=IMPATIENT) for host in hosts]
    started = runs.begin(2, *arguments, hows=hows, address=one.address)
    wait_until(lambda: has_checkpoint(run))
    two.pull_cable()
    for rank, process in enumerate(started):
        done = runs.wait(process)
        assert done.returncode == 1, done
        assert "Traceback" not in done.stderr
        *_, line = done.stderr.splitlines()
        assert line.startswith(f"Error: process {rank} of 2: {GONE} 0.5 min (")
        assert line.endswith(THEN)


@pytest.mark.exhaustive
def test_torchrun_on_two_hosts_loses_a_process_and_one_process_goes_on(
    runs, few, alone, hosts, tmp_path
) -> None:
    one, _ = hosts
    run = tmp_path / "run"
    script = tmp_path / "train.py"
    script.write_text(KILLED.format(folder=str(Path(__file__).parents[1])))
    launchers = []
    for number, host in enumerate(hosts):
        command = [
            "ip", "netns", "exec", host.name, sys.executable, "-m", "torch.distributed.run",
            "--nnodes", 2, "--node-rank", number, "--nproc-per-node", 1, "--master-addr",
            one.address, "--master-port", 29500, script, "fit", "--data", few, "--out", run,
            *MODEL, *COMMON,
        ]  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with (tmp_path / f"{number}.err").open("w") as err:
            launchers.append(
                subprocess.Popen(
                    list(map(str, command)), stdout=subprocess.DEVNULL, stderr=err, env=environment
                )
            )
    try:
        assert [launcher.wait(WAIT_S) for launcher in launchers] == [1, 1]
    finally:
        for launcher in launchers:
            launcher.kill()
            launcher.wait()
    assert f"Error: process 0 of 2: {GONE}" in (tmp_path / "0.err").read_text()
    assert "(SIGKILL)" in (tmp_path / "1.err").read_text()
    assert newest(run)[0].state.position.step == 4
    runs.good("fit", "--resume", run, rows=tmp_path / "rows")
    rows = rows_of(tmp_path / "rows")
    assert rows == {step: batches for step, batches in alone[1].items() if step >= 4}
    assert_close(run, alone[0])
