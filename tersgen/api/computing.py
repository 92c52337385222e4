"""Libraries of computed molecules from Python: ``tersgen.compute_library``."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..dataset.output_file import check_output_file
from ..errors import ConfigError, LibraryError, OutputError, TersWarning
from ..jobs.compute_library import (
    Candidate,
    Computation,
    examine,
    is_result,
    refuse_bad,
    repeated,
    write_report,
)
from ..jobs.molecules import new_order
from ..jobs.progress import Progress
from ..library.engine import Engine, make_engine
from ..library.entries import read_entries
from ..library.importing import load_library
from ..library.level import Level
from ..library.sourcefile import species_name
from ..schema.library import Library
from ..schema.loading import validate
from .building import cluster_options
from .counts import whole
from .progress import ProgressLike, reporting

_ENDINGS = (".tlib", ".json")


class PreparedLibrary(NamedTuple):
    """Molecules ready to be computed, or the result of an earlier identical call."""

    engine: Engine
    candidates: list[Candidate]
    computation: Computation
    there: Library | None
    """Library that an identical call has written."""


def prepare_library(
    source: str,
    output: Path,
    *,
    engine: str,
    level: Level,
    name: str | None,
    charge: int,
    follow: bool,
    conformers: int,
    skip_bad: bool,
    report: Path | None,
    overwrite: bool,
) -> PreparedLibrary:
    """Return molecules ready to be computed, see ``compute_library``."""
    with_engine = make_engine(engine, level)
    with_engine.check_level()
    for path in (output,) if report is None else (output, report):
        check_output_file(path)
        if not path.parent.is_dir():
            raise OutputError(f"{path}: expected a folder {path.parent} to write into, got none")
    entries = read_entries(source, name, charge)
    if len(entries) == 1 and not entries[0].name:
        entries = [entries[0]._replace(name=species_name(output))]
    candidates = examine(entries, with_engine)
    refuse_bad(candidates, skip_bad)
    for text in repeated(candidates):
        warnings.warn(text, TersWarning, stacklevel=3)
    order = new_order(engine, level, follow, conformers)
    there = None if overwrite else _content_of(output)
    if there is not None and not is_result(there, candidates, with_engine, order, skip_bad):
        there = None
    if there is None and output.exists() and not overwrite:
        raise OutputError(f"{output}: exists already; pass --overwrite to replace it")
    if there is not None and report is not None and not report.exists():
        text = f"{report}: is not written, as nothing is computed; --overwrite computes again"
        warnings.warn(text, TersWarning, stacklevel=3)
    computation = Computation(candidates, output, order, with_engine.program(), skip_bad)
    return PreparedLibrary(with_engine, candidates, computation, there)


def _content_of(output: Path) -> Library | None:
    """Return the library that is at the output, if there is one."""
    try:
        return load_library(output) if output.is_file() else None
    except LibraryError:
        return None


def compute_library(
    source: str | Path,
    output: str | Path,
    *,
    engine: str = "pyscf",
    level: Mapping[str, Any] | Level | None = None,
    name: str | None = None,
    charge: int = 0,
    follow_imaginary: bool = True,
    conformers: int = 1,
    skip_bad: bool = False,
    report: str | Path | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    cluster: str | Mapping[str, Any] | None = None,
    progress: ProgressLike = None,
) -> Library:
    """Compute modes and Raman tensors of molecules, and write a library file.

    To resume a call that was stopped, repeat it; see docs/library.md.

    Parameters
    ----------
    source
        A SMILES, or the path of a list of SMILES (.smi), or of geometries (.xyz, .mol, .sdf).
    output
        The file to write, .tlib or .json.
    engine
        Name of the engine, such as ``"xtb"`` or ``"hybrid:xtb:gfn2+pyscf"``.
    level
        Settings of the level of theory, such as ``{"basis": "6-31g(d)"}``.
    name
        Name of a single molecule.
    charge
        Charge of the molecule of an .xyz file, e.
    follow_imaginary
        Whether imaginary modes are followed to a minimum.
    conformers
        Number of starting geometries for a SMILES; 1 for a single species.
    skip_bad
        Leave molecules out that cannot be computed, with a warning.
    report
        A file for number, name, status, seconds and reason of each molecule.
    overwrite
        Replace the file at ``output``.
    workers, scheduler, cluster
        Workers, as in ``tersgen.build``.
    progress
        Called with the progress, or True for a bar; it counts molecules.

    Raises
    ------
    ConfigError
        If an option is not as expected.
    LibraryError
        If the source, or without ``skip_bad`` a molecule, cannot be computed.
    MissingExtraError
        If a package is not installed.
    OutputError
        If the file exists, or cannot be written.
    ClusterError
        If the workers are lost.
    """
    path = Path(output)
    if path.suffix.lower() not in _ENDINGS:
        raise ConfigError(f"output: expected a name that ends in .tlib or .json, got {path.name!r}")
    asked = cluster_options(None, workers, scheduler, cluster)
    prepared = prepare_library(
        str(source),
        path,
        engine=engine,
        level=validate(Level, dict(level or {}), "level of theory"),
        name=name,
        charge=charge,
        follow=follow_imaginary,
        conformers=whole(conformers, "conformers"),
        skip_bad=skip_bad,
        report=None if report is None else Path(report),
        overwrite=overwrite,
    )
    if prepared.there is not None:
        return prepared.there
    computation = prepared.computation
    with reporting(progress) as tell:

        def show(now: Progress) -> None:
            if tell is not None:
                tell(now)

        def say(note: str) -> None:
            show(computation.progress()._replace(note=note))

        try:
            library = computation.run(asked, show, say, say)
        finally:
            if report is not None:
                write_report(Path(report), computation.rows())
    for row in computation.rows():
        if row.reason:
            text = f"molecule {row.number} ({row.name}): {row.status}: {row.reason}"
            warnings.warn(text, TersWarning, stacklevel=2)
    return library
