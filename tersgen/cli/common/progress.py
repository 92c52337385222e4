"""Progress on standard error: a bar on a terminal, elsewhere a line every ten seconds at most."""

import sys
import time
from collections.abc import Callable
from typing import Any, Self

from tqdm import tqdm

from ...text import human_time, printable
from .messages import say

EVERY_S = 10.0
_BAR_EVERY_S = 0.5


class Display:
    """Shows how many of a known number of things are done; a context manager.

    Parameters
    ----------
    unit
        What they are, such as samples.
    quiet
        Whether nothing is shown.
    every_s
        Seconds between lines where there is no terminal.
    """

    def __init__(self, unit: str, quiet: bool = False, every_s: float = EVERY_S) -> None:
        self._unit = unit
        self._quiet = quiet
        self._on_terminal = not quiet and sys.stderr.isatty()
        self._every_s = _BAR_EVERY_S if self._on_terminal else every_s
        self._bar: tqdm[Any] | None = None
        self._start = self._last = time.perf_counter()

    def begin(self, total: int, n_before: int = 0) -> Self:
        """Show a bar, where one can be shown, and count time from now."""
        self._start = self._last = time.perf_counter()
        if self._on_terminal:
            self._bar = self._new_bar(total, n_before)
        return self

    def _new_bar(self, total: int, n_before: int) -> "tqdm[Any]":
        return tqdm(
            total=total, initial=n_before, unit=f" {self._unit}", unit_scale=total >= 10_000,
            dynamic_ncols=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()

    @property
    def is_due(self) -> bool:
        """Whether it is time to show something."""
        return not self._quiet and time.perf_counter() - self._last >= self._every_s

    def show(
        self,
        n: int,
        total: int,
        text: Callable[[], str] = str,
        n_before: int = 0,
        at_once: bool = False,
    ) -> None:
        """Show how many are done: always in a bar, as a line if it is time to.

        Parameters
        ----------
        n, total
            How many are done, and how many there are.
        text
            What else is said; called only if it is shown.
        n_before
            How many were done before: they are no part of the rate.
        at_once
            Whether a bar is redrawn now.
        """
        now = time.perf_counter()
        if self._on_terminal:
            self._last = now
            bar = self._bar = self._bar or self._new_bar(total, n_before)
            bar.initial = n_before
            bar.set_postfix_str(printable(text()), refresh=at_once)
            bar.update(n - bar.n)
        elif self.is_due:
            rate = (n - n_before) / (now - self._start)
            self._last = now
            parts = [f"{n} of {total} {self._unit}", text()]
            if rate:
                shown = f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
                parts.insert(1, f"{shown} {self._unit}/s")
                parts.append(f"{human_time((total - n) / rate)} left")
            say(", ".join(filter(None, parts)), err=True)

    def note(self, text: str) -> None:
        """Show a text in between, if it is time to."""
        if self.is_due:
            self._last = time.perf_counter()
            if self._bar is not None:
                self._bar.set_postfix_str(printable(text))
            else:
                say(text, err=True)

    def line(self, text: str) -> None:
        """Show a line, above the bar if there is one."""
        if not self._quiet:
            self._last = time.perf_counter()
            if self._bar is not None:
                self._bar.write(printable(text), file=sys.stderr)
            else:
                say(text, err=True)
