"""Runs commands of ters-train, each in a process of its own that is forked from this one.

Importing torch takes seconds, a fork none. This process has no threads, so a fork of it is as good
as a new process. A request is a line of JSON; so is the answer.

    {"start": {"arguments": [...], "out": path, "err": path, ...}}  ->  {"pid": 123}
    {"wait": 123, "seconds": 60}  ->  {"status": 0}, negative for a signal, null if it still runs
"""

import atexit
import gc
import importlib
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

PRELOADED = (
    "ters_train.cli.evaluate",
    "ters_train.cli.fit",
    "ters_train.cli.watching",
    "ters_train.tasks.classification.counting",
    "ters_train.engine.fit",
    "ters_train.engine.trained",
    "ters_train.prediction.predict",
    "ters_train.reporting.page",
    "tersgen.numeric.fixed",
    "tersgen.numeric.rows",
    "tersgen.plotting.training",
    "torch.utils.tensorboard",
    "torch._dynamo",
    "torch.distributed",
)


_CLONE_NEWNET, _CLONE_NEWUTS = 0x40000000, 0x04000000


def signal_at_call(place: str, number: int, what: int) -> None:
    """Send this process a signal before a function, module:name or module:class.name, runs.

    ``number`` counts its calls from 1.
    """
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *groups, name = path.split(".")
    for group in groups:
        owner = getattr(owner, group)
    function, calls = getattr(owner, name), 0

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), what)
        return function(*arguments, **named)

    setattr(owner, name, counted)


def kill_at_change(folder: str, moment: str) -> None:
    """Kill this process before it changes something in a folder.

    ``moment`` is the beginning of what it is about to do, such as ``os.rename best-000000007`` or
    ``open step-000000003.partial/model``: an event of Python's audit, and a path in the folder.
    """

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("open", "os.rename", "os.mkdir", "os.rmdir"):
            return
        path = str(arguments[0])
        if folder not in path or (event == "open" and not arguments[2] & os.O_WRONLY):
            return
        if f"{event} {path.partition(folder)[2]}".startswith(moment):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


def record_rows(path: str) -> None:
    """Append to a file the rows that each step is taken on."""
    from ters_train.engine.trainer import Trainer

    train = Trainer.train

    def recorded(self: Trainer, batches: Any, epoch: int, rate: float | None = None) -> Any:
        rows = [batch["row"].tolist() for batch in batches]
        with Path(path).open("a") as file:
            file.write(json.dumps([self.step, rows]) + "\n")
        return train(self, batches, epoch, rate)

    Trainer.train = recorded  # type: ignore[method-assign]


def move_to(host: str) -> None:
    """Move this process to another host: a namespace of the network, and a name."""
    import ctypes
    import socket

    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", host).open() as namespace:
        moved = libc.setns(namespace.fileno(), _CLONE_NEWNET) or libc.unshare(_CLONE_NEWUTS)
    if moved:
        raise OSError(ctypes.get_errno(), f"cannot move to {host}")
    socket.sethostname(host)


def limit_memory(more: int) -> None:
    """Allow so many bytes of addresses beside those that there are."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more,) * 2)


def begin(job: dict[str, Any]) -> None:
    """Become the process of a job."""
    import torch

    for number, name in ((1, "out"), (2, "err")):
        file = os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(job["environment"])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
    torch.set_num_threads(1)
    if not job["report"]:
        importlib.import_module("ters_train.engine.results").write_report = lambda *_: None
    sys.path[:0] = job["paths"]  # as PYTHONPATH would
    if job["host"]:
        move_to(job["host"])
    for place, value in job["constants"].items():
        module, _, name = place.partition(":")
        setattr(importlib.import_module(module), name, value)
    if job["signal"]:
        signal_at_call(*job["signal"])
    if job["kill"]:
        kill_at_change(*job["kill"])
    if job["rows"]:
        record_rows(job["rows"])
    if job["memory"]:
        limit_memory(job["memory"])
    if job["file_bytes"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_bytes"],) * 2)


def finish(command: Callable[..., Any], arguments: list[str]) -> NoReturn:
    """Run a command and exit as Python does, but for taking down modules, which takes a second."""
    status: Any = 1
    try:
        command(arguments, prog_name="ters-train")
    except SystemExit as exit_:
        status = exit_.code
    except BaseException:  # noqa: BLE001 (as Python itself ends)
        traceback.print_exc()
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)


def wait(pid: int, seconds: float) -> int | None:
    """Return how a process ended, or None if it has not in time."""
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            return None
        time.sleep(0.005)


def main() -> None:
    """Serve until the input ends."""
    for module in PRELOADED:
        importlib.import_module(module)
    from ters_train.cli import main as command
    from ters_train.parts import _load_own
    from tersgen.random.assignment import shuffled

    _load_own()
    shuffled(2, 0)  # the first kernel of a process takes a third of a second
    gc.freeze()  # so that collections in the forked processes touch no page of what is there

    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer: dict[str, Any] = {"status": wait(request["wait"], request["seconds"])}
        else:
            pid = os.fork()
            if not pid:
                begin(request["start"])
                finish(command, request["start"]["arguments"])
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
