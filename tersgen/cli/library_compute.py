"""The work of ``tersgen library compute``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..text import human_time
from .common.messages import say
from .common.progress import Display
from .library_output import say_written
from .workers import take_workers

if TYPE_CHECKING:
    from ..jobs.compute_library import Candidate, Computation, Row
    from ..jobs.progress import Progress
    from ..library.engine import Engine

_LONG_S = 600.0
"""A molecule that takes longer is announced."""


def compute_library(
    source: str, output: Path, name: str | None, overwrite: bool, engine: str,
    options: dict[str, Any],
) -> None:  # fmt: skip
    """Compute the molecules of a source into a library file; see the command's help."""
    from ..api.computing import prepare_library
    from ..jobs.compute_library import write_report
    from ..library.level import Level
    from ..schema.loading import validate

    workers = take_workers(None, options)
    report = options.pop("report")
    prepared = prepare_library(
        source,
        output,
        engine=engine,
        name=name,
        overwrite=overwrite,
        charge=options.pop("charge"),
        follow=not options.pop("flag_imaginary"),
        conformers=options.pop("conformers"),
        skip_bad=options.pop("skip_bad"),
        report=report,
        level=validate(Level, options, "level of theory"),
    )
    if prepared.there is not None:
        say(f"{output}: holds these molecules already, nothing to do")
        return
    computation = prepared.computation
    try:
        _run(computation, prepared.candidates, prepared.engine, workers)
    finally:
        if report is not None:
            write_report(report, computation.rows())
    _say_rows(computation.rows(), len(prepared.candidates), report)


def _run(
    computation: "Computation", candidates: "list[Candidate]", engine: "Engine", workers: Any
) -> None:
    _announce(candidates, engine, computation.n_kept)
    start = computation.progress()
    with Display("molecules").begin(start.n_samples, start.n_kept) as display:

        def show(now: "Progress") -> None:
            display.show(now.n_done, now.n_samples, lambda: now.note, now.n_kept)

        def note(text: str) -> None:
            if text:
                display.note(text)

        def step(text: str) -> None:
            if start.n_samples == 1:  # of many, the number that is done says more
                note(text)

        library = computation.run(workers, show, step, note)
    say_written(library, computation.output)


def _announce(candidates: "list[Candidate]", engine: "Engine", n_kept: int) -> None:
    """Announce long computations, and what is kept from before."""
    from ..jobs.compute_library import estimate_seconds

    if n_kept:
        say(f"{n_kept} of {len(candidates)} molecules are computed already and kept", err=True)
    if all(one.problem for one in candidates):
        return
    total, largest = estimate_seconds(candidates, engine)
    longest = engine.seconds(largest.n_atoms)
    if longest is not None and longest > _LONG_S:
        say(
            f"{largest.entry.shown} has {largest.n_atoms} atoms: about {human_time(longest)} on "
            f"one processor with {engine.name}, without symmetry",
            err=True,
        )
    elif total > _LONG_S:
        say(
            f"{len(candidates)} molecules: about {human_time(total)} on one processor with "
            f"{engine.name}",
            err=True,
        )


def _say_rows(rows: "list[Row]", n_molecules: int, report: Path | None) -> None:
    """Report what was left out, by name for the first molecules."""
    from ..jobs.compute_library import counts

    if n_molecules > 1:
        see = f"; see {report}" if report is not None else ""
        say(f"{n_molecules} molecules: {counts(rows)}{see}")
    noted = [row for row in rows if row.reason]
    for row in noted[:10]:
        say(f"Warning: molecule {row.number} ({row.name}): {row.status}: {row.reason}", err=True)
    if len(noted) > 10:
        say(f"Warning: {len(noted) - 10} more are not shown (--report FILE)", err=True)
