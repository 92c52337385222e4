"""Progress for Python: a callable of the user's, or a bar for terminals and notebooks."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import ConfigError
from ..jobs.progress import Progress, Report

ProgressLike = Report | bool | None
"""A callable, True for a bar, or nothing."""

_EVERY_S = 10.0


class ProgressBar:
    """A bar of samples: in a notebook a widget, on a terminal a line; elsewhere a line every 10 s.

    Examples
    --------
    >>> import tersgen
    >>> bar = tersgen.ProgressBar()  # tersgen.build(..., progress=bar), or progress=True
    """

    def __init__(self, unit: str = "samples") -> None:
        self._unit = unit
        self._bar: Any = None

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        if self._bar is None:
            self._bar = self._new(progress)
        self._bar.set_postfix_str(progress.note, refresh=bool(progress.note))
        self._bar.update(progress.n_done - self._bar.n)

    def _new(self, progress: Progress) -> Any:
        with warnings.catch_warnings():  # tqdm warns where ipywidgets are missing: a line will do
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
        every = 0.1 if sys.stderr.isatty() or "ipykernel" in sys.modules else _EVERY_S
        return tqdm(
            total=progress.n_samples,
            initial=progress.n_kept,
            unit=f" {self._unit}",
            mininterval=every,
        )

    def close(self) -> None:
        """Leave the bar as it is; the next call starts a new one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def reporting(progress: ProgressLike) -> Iterator[Report | None]:
    """Yield what progress is reported to."""
    if progress is True:
        bar = ProgressBar()
        try:
            yield bar
        finally:
            bar.close()
    elif progress is None or progress is False:
        yield None
    elif callable(progress):
        yield progress
    else:
        raise ConfigError(f"progress: expected a callable or True, got {progress!r:.80}")


def compiling_to(report: Report | None, n_kept: int, n_samples: int) -> Callable[[str, int], None]:
    """Return what reports the kernels that are compiled before the first sample, as a note."""

    def compiling(effect: str, left: int) -> None:
        if report is not None:
            note = f"compiling for this machine: {effect} ({left} to go)"
            report(Progress(n_kept, n_samples, 0, n_kept, note=note))

    return compiling


def files_to(report: Report | None) -> Callable[[int, int], None] | None:
    """Return what reports files that are checked as progress."""
    if report is None:
        return None
    return lambda done, total: report(Progress(done, total, 0))
