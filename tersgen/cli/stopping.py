"""Ctrl-C and SIGTERM: what is being sealed is finished, and one line says how to go on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Stopped(SystemExit):
    """One of the signals came."""


def _ignore(_number: int, _: FrameType | None) -> None:
    # not SIG_IGN: Python prints a traceback if a signal is on its way while that is set
    pass


def _stop(number: int, _: FrameType | None) -> NoReturn:
    for one in _SIGNALS:  # more of them would tear apart what is being put in order
        signal.signal(one, _ignore)
    raise _Stopped(128 + number)


@contextmanager
def stoppable() -> Iterator[None]:
    """End with exit code 130 after Ctrl-C and 143 after SIGTERM, and say what is kept.

    Signals after the first change nothing. One that was ignored from the start, as in the
    background of a shell, still is.
    """
    before = {one: signal.getsignal(one) for one in _SIGNALS}
    for one, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(one, _stop)
    try:
        yield
    except _Stopped as error:
        before = {}  # the process ends, and listens to nothing more
        for note in getattr(error, "__notes__", ["stopped"]):
            click.echo(note, err=True)
        raise SystemExit(error.code) from None
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
