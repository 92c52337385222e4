"""Ctrl-C and SIGTERM: a command ends with one line, or finishes the current step first."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from .messages import say

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_REPEAT_S = 3.0
"""So soon it is the same Ctrl-C: a launcher passes on what its processes have got themselves."""


class _Stopped(SystemExit):
    """One of the signals came."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(self.exit_code)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Call a function at both signals.

    A signal that was ignored from the start, as in the background of a shell, still is. Elsewhere
    than in the main thread nothing is changed: signals do not come there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.getsignal(one) for one in _SIGNALS}
    for one, handling in before.items():
        if handling is not signal.SIG_IGN:
            signal.signal(one, handler)
    try:
        yield
    finally:
        # a process that was stopped ends, and listens to nothing more
        if not isinstance(sys.exception(), _Stopped):
            for one, handling in before.items():
                signal.signal(one, handling)


@contextmanager
def _exit_from_callbacks() -> Iterator[None]:
    """End the process where Python drops the exception of a signal: in callbacks from C code.

    The compiler has such callbacks, and cannot be used after one was interrupted. The state on disk
    is then that after a kill: the next builder takes over the lock of a dead process and resumes.
    """
    before = sys.unraisablehook

    def hook(dropped: "sys.UnraisableHookArgs") -> None:
        if not isinstance(dropped.exc_value, _Stopped):
            before(dropped)
            return
        say("stopped", err=True)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(dropped.exc_value.exit_code)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def stoppable(patient: bool = True) -> Iterator[None]:
    """End with exit code 130 after Ctrl-C and 143 after SIGTERM, and say what is kept.

    Signals after the first change nothing, or, if not ``patient``, end the process at once: C code
    that waits for another process returns to no handler.
    """
    came: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        # a second one, even in the middle of this, would tear apart what is being put in order;
        # it is not set to SIG_IGN: Python prints a traceback if one is on its way then
        if not came:
            came.append(number)
            if not patient:
                signal.signal(number, signal.SIG_DFL)
            raise _Stopped(number)

    try:
        with _handled(stop), _exit_from_callbacks():
            yield
    except _Stopped as error:
        # at its end Python puts back the handlers that kill
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for note in getattr(error, "__notes__", ["stopped"]):
            say(note, err=True)
        raise SystemExit(error.exit_code) from None


class Stop:
    """Whether, and by which signal, a command was asked to stop after the step in hand."""

    def __init__(self) -> None:
        self.signal = 0


@contextmanager
def stop_after_step() -> Iterator[Stop]:
    """Note the first of the signals, and say so; the next ends the process."""
    stop = Stop()
    repeat_s = _REPEAT_S if "LOCAL_RANK" in os.environ else 0.0
    first = 0.0

    def note(number: int, _: FrameType | None) -> None:
        nonlocal first
        if not stop.signal:
            stop.signal, first = number, time.monotonic()
            _announce(number)
        elif time.monotonic() - first > repeat_s:
            signal.signal(number, signal.SIG_DFL)  # at once: what is on disk is as after a kill
            os.kill(os.getpid(), number)

    with _handled(note):
        yield stop


def _announce(number: int) -> None:
    """Print at once what a signal does, past buffers that it may have interrupted."""
    if os.environ.get("RANK", "0") != "0":
        return
    text = (
        f"{signal.Signals(number).name}: stopping and saving after this step; once more stops now, "
        "and what was done since the last checkpoint is lost"
    )
    begin = "\n" if sys.stderr.isatty() else ""
    with suppress(OSError):
        os.write(2, f"{begin}{text}\n".encode())
