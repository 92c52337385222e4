"""Ctrl-C and SIGTERM: what is being sealed is finished, and one line says how to resume."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from .messages import say

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Stopped(SystemExit):
    """One of the signals came."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(self.exit_code)


@contextmanager
def _insisting() -> Iterator[None]:
    """End the process where Python drops what stops it: in functions that C code calls back.

    The compiler has such, and is of no use after one was cut short. What is on disk then is as
    after a kill: the next builder takes the lock of a dead process and goes on.
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
def stoppable() -> Iterator[None]:
    """End with exit code 130 after Ctrl-C and 143 after SIGTERM, and say what is kept.

    Signals after the first change nothing. One that was ignored from the start, as in the
    background of a shell, still is. Elsewhere than in the main thread nothing is changed: signals
    do not come there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.getsignal(one) for one in _SIGNALS}
    came: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        # a second one, even in the middle of this, would tear apart what is being put in order;
        # it is not set to SIG_IGN: Python prints a traceback if one is on its way then
        if not came:
            came.append(number)
            raise _Stopped(number)

    for one, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(one, stop)
    try:
        with _insisting():
            yield
    except _Stopped as error:
        before = {}  # the process ends, and listens to nothing more:
        # at its end Python puts back the handlers that kill
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for note in getattr(error, "__notes__", ["stopped"]):
            say(note, err=True)
        raise SystemExit(error.exit_code) from None
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
