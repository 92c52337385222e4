"""Ctrl-C and SIGTERM: the step in hand is finished and saved; a second signal ends at once."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_REPEAT_S = 3.0
"""So soon it is the same Ctrl-C: a launcher passes on what its processes have got themselves."""


class Stop:
    """Whether, and by which signal, a run was asked to stop."""

    def __init__(self) -> None:
        self.signal = 0


def _say(number: int) -> None:
    """Say at once what comes of a signal: once, and past buffers that it may have come amid."""
    if os.environ.get("RANK", "0") != "0":
        return
    text = (
        f"{signal.Signals(number).name}: stopping and saving after this step; once more stops now, "
        "and what was done since the last checkpoint is lost"
    )
    begin = "\n" if sys.stderr.isatty() else ""
    with suppress(OSError):
        os.write(2, f"{begin}{text}\n".encode())


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Note the first of the signals, and say so; the next ends the process."""
    stop = Stop()
    before = {one: signal.getsignal(one) for one in _SIGNALS}
    repeat_s = _REPEAT_S if "LOCAL_RANK" in os.environ else 0.0
    first = 0.0

    def note(number: int, _: FrameType | None) -> None:
        nonlocal first
        if not stop.signal:
            stop.signal, first = number, time.monotonic()
            _say(number)
        elif time.monotonic() - first > repeat_s:
            signal.signal(number, signal.SIG_DFL)  # at once: what is on disk is as after a kill
            os.kill(os.getpid(), number)

    for one, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(one, note)
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
