"""Progress of a build, and of what is compiled before it."""

from functools import cache

from ..jobs.progress import Progress, Report
from ..text import human_bytes
from .common.messages import say
from .common.progress import Display


def _others(progress: Progress) -> str:
    """Return what is shown beside samples: shards, bytes, workers, retries."""
    parts = [f"{progress.shards_done} of {progress.n_shards} shards"] if progress.n_shards else []
    parts.append(human_bytes(progress.bytes_stored))
    if progress.n_workers is not None:
        parts.append(f"{progress.n_workers} worker{'s' if progress.n_workers != 1 else ''}")
    if progress.n_retries:
        parts.append(f"{progress.n_retries} tried again")
    return ", ".join([*parts, progress.note] if progress.note else parts)


def report_compiling(effect: str, left: int) -> None:
    """Say on standard error that kernels are compiled, which is done once on a machine, and why."""
    _say_why()
    say(
        f"compiling for this machine, once for each kind of recipe: {effect} ({left} to go)",
        err=True,
    )


@cache
def _say_why() -> None:
    from ..numeric._shipped import shipped

    if why := shipped().why_not:
        say(f"machine code in this installation {why}, so kernels are compiled", err=True)


def report_to(display: Display) -> Report:
    """Return what shows the progress of a build."""

    def report(progress: Progress) -> None:
        display.show(
            progress.n_done,
            progress.n_samples,
            lambda: _others(progress),
            progress.n_kept,
            at_once=bool(progress.note),
        )

    return report
