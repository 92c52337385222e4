"""Libraries of computed molecules: check all, compute the missing ones, write one file."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ..dataset.output_file import write_output
from ..errors import ClusterError, LibraryError
from ..library.engine import Engine, check_molecule
from ..library.entries import Entry, sketch
from ..library.libraryfile import parts_for
from ..library.smiles import canonical_smiles
from ..schema.library import Library
from .executors.options import ClusterOptions
from .molecule_files import MoleculeFiles
from .molecules import Order, Outcome, outcomes
from .progress import Progress, Report

_COLUMNS = ("number", "name", "atoms", "status", "seconds", "reason")


class Candidate(NamedTuple):
    """A molecule of a list, and whether it can be computed."""

    entry: Entry
    n_atoms: int
    """0 if it cannot be read."""
    problem: str
    """Why it cannot be computed; empty if it can."""


class Row(NamedTuple):
    """A line of the report."""

    number: int
    name: str
    n_atoms: int
    status: str
    """computed, flagged (something is left out), failed or refused."""
    seconds: float | None
    """None if it was computed before."""
    reason: str


def examine(entries: Sequence[Entry], engine: Engine) -> list[Candidate]:
    """Return whether each molecule can be computed, as far as known without a geometry."""
    known: dict[str, int] = {}
    found = []
    for given in entries:
        entry, n_atoms = given, 0
        problem = ""
        try:
            entry, molecule = sketch(given)
            n_atoms = len(molecule.numbers)
            check_molecule(molecule, engine.heaviest)
            if entry.name in known:
                raise LibraryError(
                    f"expected a name of its own, got that of molecule {known[entry.name]}; rename "
                    "one"
                )
            known[entry.name] = entry.number
        except LibraryError as error:
            problem = " ".join(str(error).split())
        found.append(Candidate(entry, n_atoms, problem))
    return found


def repeated(candidates: Sequence[Candidate]) -> list[str]:
    """Return a warning for molecules of a list that are in it under another name, too."""
    first: dict[str, Entry] = {}
    pairs = []
    for entry, _, problem in candidates:
        if problem or entry.kind != "smiles":
            continue
        other = first.setdefault(canonical_smiles(entry.text), entry)
        if other is not entry:
            pairs.append(f"{entry.shown} is {other.shown} again")
    if not pairs:
        return []
    others = f" (and {len(pairs) - 1} more)" if len(pairs) > 1 else ""
    return [f"{pairs[0]}{others}: no model can tell such classes apart; leave one out"]


def refuse_bad(candidates: Sequence[Candidate], skip_bad: bool = False) -> None:
    """Refuse a list with molecules that cannot be computed.

    Raises
    ------
    LibraryError
        If there is one; the message names it and the reason. With ``skip_bad`` only if all fail.
    """
    bad = [one for one in candidates if one.problem]
    if not bad or (skip_bad and len(bad) < len(candidates)):
        return
    entry, _, problem = bad[0]
    if len(candidates) == 1:
        raise LibraryError(f"{entry.file}: {problem}" if entry.file else problem)
    first = f"{entry.shown}: {problem}"
    others = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    without = "; or leave such molecules out (--skip-bad)" if not skip_bad else "; none is left"
    raise LibraryError(first + others + without)


class Computation:
    """A list of molecules that is computed into a library file.

    Parameters
    ----------
    candidates
        The molecules; those with a problem are left out.
    output
        The file to write, .tlib or .json.
    order
        How to compute them.
    program
        Program and version of the engine.
    skip_bad
        Whether molecules that fail are left out, instead of ending the run.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        output: Path,
        order: Order,
        program: str,
        skip_bad: bool,
    ) -> None:
        self._candidates = candidates
        self.output = output
        self._order = order
        self._skip_bad = skip_bad
        self._files = MoleculeFiles(output, order, program)
        self._entries = [one.entry for one in candidates if not one.problem]
        self._by_number = {entry.number: entry for entry in self._entries}
        self._n_atoms = {one.entry.number: one.n_atoms for one in candidates}
        self._reasons: dict[int, str] = {}
        self._failed: set[int] = set()
        self._seconds: dict[int, float] = {}
        for entry in self._entries:
            reason = self._files.reason(entry)
            if self._files.has(entry):
                self._reasons[entry.number] = reason
            elif reason and skip_bad:
                self._failed.add(entry.number)
                self._reasons[entry.number] = reason
        self.n_kept = len(self._reasons)
        """Molecules that were computed before."""

    def run(
        self,
        options: ClusterOptions,
        show: Report,
        tell: Callable[[str], None],
        waiting: Callable[[str], None],
    ) -> Library:
        """Compute the remaining molecules, and write the library.

        Parameters
        ----------
        options
            Workers.
        show
            Called with the progress after each molecule; its samples are molecules.
        tell, waiting
            See ``molecules.outcomes``.
        """
        todo = self.remaining(on_workers=options.executor != "threads")
        try:
            # closed at once, not when the error is forgotten: it may hold a cluster
            with closing(outcomes(self._order, todo, options, tell, waiting)) as found:
                for outcome in found:
                    self._take(outcome)
                    show(self.progress())
        except ClusterError as error:
            raise ClusterError(f"{self.output}: {error}; {self._left()}") from error
        except BaseException as error:
            error.add_note(f"{self.output}: stopped; {self._left()}")
            raise
        library = self._joined()
        write_output(self.output, parts_for(library, self.output))
        self._files.remove(self._entries)
        return library

    def remaining(self, on_workers: bool) -> list[Entry]:
        """Return the molecules to compute, in order; for workers the largest come first.

        Otherwise a large one at the end of a list would keep one worker busy while others wait.
        """
        todo = [entry for entry in self._entries if entry.number not in self._reasons]
        if on_workers:
            todo.sort(key=lambda entry: -self._n_atoms[entry.number])
        return todo

    def _take(self, outcome: Outcome) -> None:
        entry = self._by_number[outcome.number]
        self._files.save(entry, outcome)
        self._reasons[entry.number] = outcome.reason
        self._seconds[entry.number] = outcome.seconds
        if not outcome.failed:
            return
        self._failed.add(entry.number)
        if not self._skip_bad:
            if len(self._entries) == 1:
                raise LibraryError(outcome.reason)
            raise LibraryError(
                f"{entry.shown}: {outcome.reason}; {self._left()}; --skip-bad leaves out such "
                "molecules"
            )

    def _left(self) -> str:
        n_good = len(self._reasons) - len(self._failed)
        if not n_good:
            return "nothing was computed yet"
        return (
            f"{n_good} of {len(self._entries)} molecules are computed and kept in "
            f"{self._files.folder}; the same command resumes"
        )

    def _joined(self) -> Library:
        parts = []
        for entry in self._entries:
            if entry.number in self._failed:
                continue
            part = self._files.load(entry)
            if part is None:
                self._files.remove([entry])
                raise LibraryError(
                    f"{entry.shown}: its file in {self._files.folder} was damaged and is removed; "
                    "the same command computes it again"
                )
            parts.append(part)
        if not parts:
            raise LibraryError(
                f"expected a molecule that can be computed, got none of {len(self._candidates)}"
            )
        library = Library.joined(parts)
        try:
            library.check_names()
        except ValueError as error:
            raise LibraryError(f"{self.output}: {error}; rename molecules") from None
        return library

    def progress(self) -> Progress:
        """Return the progress: molecules computed or failed."""
        note = f"{len(self._failed)} failed" if self._failed else ""
        done, wanted = len(self._reasons), len(self._entries)
        return Progress(done, wanted, 0, n_kept=self.n_kept, note=note)

    def rows(self) -> list[Row]:
        """Return a line for each molecule that was refused or computed, or has failed, so far."""
        rows = []
        for entry, n_atoms, problem in self._candidates:
            if problem:
                rows.append(Row(entry.number, entry.name, n_atoms, "refused", None, problem))
            elif entry.number in self._reasons:
                reason = self._reasons[entry.number]
                good = "flagged" if reason else "computed"
                status = "failed" if entry.number in self._failed else good
                seconds = self._seconds.get(entry.number)
                rows.append(Row(entry.number, entry.name, n_atoms, status, seconds, reason))
        return rows


def write_report(path: Path, rows: Sequence[Row]) -> None:
    """Write a report as a table of comma-separated values."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        seconds = "" if row.seconds is None else f"{row.seconds:.2f}"
        writer.writerow([*row[:4], seconds, row.reason])
    write_output(path, text.getvalue().encode())


def is_result(
    library: Library,
    candidates: Sequence[Candidate],
    engine: Engine,
    order: Order,
    skip_bad: bool,
) -> bool:
    """Return whether a library already has what a computation would write."""
    wanted = {one.entry.name: one.entry for one in candidates if not one.problem}
    names = [name.partition(", conformer ")[0] for name in library.names]
    if not set(names) <= set(wanted) or (len(set(names)) < len(wanted) and not skip_bad):
        return False
    for name, page in zip(names, library.pages, strict=True):
        entry, origin = wanted[name], page["provenance"]
        note = origin.get("note") or ""
        from_text = entry.file is None and f"from SMILES {entry.text};" in note
        followed = "imaginary modes followed" in note
        imaginary = followed or "imaginary mode" in note
        if not (
            ("class_name" in page) == (order.conformers > 1)
            and (not imaginary or followed == order.follow)
            and origin.get("program") == engine.program()
            and origin.get("method") == engine.method()
            and (entry.kind != "xyz" or page.get("charge", 0) == entry.charge)
            and origin.get("scaling", 1.0) == engine.scaling()[0]
            and (from_text or (entry.sha256 and origin.get("sha256") == entry.sha256))
        ):
            return False
    return True


def counts(rows: Sequence[Row]) -> str:
    """Return how many molecules are of each status, in words."""
    found = Counter(row.status for row in rows)
    return ", ".join(f"{count} {status}" for status, count in sorted(found.items()))


def estimate_seconds(candidates: Sequence[Candidate], engine: Engine) -> tuple[float, Candidate]:
    """Return the estimated time of all molecules on one processor, and the largest molecule."""
    good = [one for one in candidates if not one.problem]
    largest = max(good, key=lambda one: one.n_atoms)
    return sum(engine.seconds(one.n_atoms) or 0.0 for one in good), largest
