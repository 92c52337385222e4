"""Derivatives of a response along displacements of the atoms, one atom and axis at a time.

Each of the 3N tasks needs two self-consistent fields and is independent of the others: they run in
any order, in any process, and results are kept in files, so that the same command resumes.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from ..errors import LibraryError
from ..schema.base import Frozen, field
from ..units import BOHR_ANGSTROM
from .basis_sets import build_molecule
from .engine import Molecule, check_molecule
from .geometry import hill_formula
from .linear_response import Forms, Probes, response_forms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CHANGES = 2
"""To be increased whenever a task gives other numbers: older files are then not used."""


class ResponseLevel(Frozen):
    """Level of theory of a response to the field of a tip."""

    functional: str = field("functional as PySCF names it, or hf", "1", "hf", max_length=64)
    basis: str = field("basis set as PySCF names it", "1", "aug-cc-pvdz", max_length=64)
    charge: int | None = field(
        "charge of the molecule; None takes what the species states, else 0", "e", None
    )
    grid: int = field("PySCF grid level of the functional", "1", 4, ge=0, le=9)
    step: float = field("displacement of an atom", "bohr", 0.01, gt=0, le=0.1)
    smearing: float = field("radius of the tip's charges, 0 for points", "bohr", 0.0, ge=0, le=5)

    def describe(self) -> str:
        """Return the level in one line, for a provenance."""
        theory = "RHF" if self.functional.lower() == "hf" else f"RKS {self.functional}"
        return f"{theory}/{self.basis}" + (f", charge {self.charge}" if self.charge else "")


@dataclass(frozen=True)
class Task:
    """One displacement of one atom.

    Attributes
    ----------
    numbers
        Atomic numbers, shape (n_atoms,).
    coordinates
        Shape (n_atoms, 3), bohr.
    level
        Level of theory.
    probes
        Potentials, fixed in space.
    atom
        Atom that is displaced.
    axis
        Axis along which it is displaced.
    """

    numbers: Ints
    coordinates: Floats
    level: ResponseLevel
    probes: Probes
    atom: int
    axis: int

    @cached_property
    def name(self) -> str:
        """Name of the file of the result, a digest of all that it depends on."""
        digest = blake3(
            f"{_CHANGES} {self.level.model_dump_json()} {self.probes.smearing}".encode()
        )
        probes = self.probes
        for values in (self.coordinates, probes.charges, probes.functions, probes.tips):
            digest.update(np.round(values, 9).tobytes())
        digest.update(self.numbers.tobytes())
        return f"{digest.hexdigest()[:24]}-{self.atom}-{self.axis}.npz"

    def run(self) -> Forms:
        """Return the derivatives of the response per bohr, by central differences.

        Raises
        ------
        LibraryError
            If the basis or functional cannot be used, or an energy does not converge.
        """
        density, ends = None, []
        for sign in (1.0, -1.0):
            moved = self.coordinates.copy()
            moved[self.atom, self.axis] += sign * self.level.step
            solution = solve(self.numbers, moved, self.level, density)
            density = solution.make_rdm1()
            ends.append(_forms(solution, self.probes))
        return ends[0].difference(ends[1], 2 * self.level.step)


def run_task(task: Task) -> Forms:
    """Return the result of a task, computed on one thread; for processes and clusters."""
    from pyscf import lib

    with lib.with_omp_threads(1):
        return task.run()


def _forms(solution: Any, probes: Probes) -> Forms:
    try:
        return response_forms(solution, probes)
    except np.linalg.LinAlgError:
        raise LibraryError(
            "expected a closed shell whose energy is a minimum, got a saddle point; take another "
            "functional"
        ) from None


def solve(numbers: Ints, coordinates: Floats, level: ResponseLevel, density: Any = None) -> Any:
    """Return a converged PySCF mean field of a closed shell; coordinates in bohr, (n_atoms, 3)."""
    from pyscf import dft, scf

    formula, charge = hill_formula(numbers), level.charge or 0
    check_molecule(Molecule(formula, numbers, coordinates * BOHR_ANGSTROM, charge))
    molecule = build_molecule(numbers, coordinates, level.basis, charge, "Bohr")
    solution = scf.RHF(molecule)
    if level.functional.lower() != "hf":
        try:
            dft.libxc.parse_xc(level.functional)
        except (KeyError, ValueError) as error:
            raise LibraryError(
                f"expected a functional PySCF knows, got {level.functional!r}"
            ) from error
        solution = dft.RKS(molecule)
        solution.xc = level.functional
        solution.grids.level, solution.grids.prune = level.grid, None
    solution.conv_tol, solution.conv_tol_grad, solution.max_cycle = 1e-12, 1e-8, 200
    solution.kernel(dm0=density)
    if not solution.converged:
        raise LibraryError(f"{formula}: expected a converged energy, got none after 200 cycles")
    return solution


Mapper = Callable[[Callable[[Task], Forms], Sequence[Task]], Iterable[tuple[Task, Forms]]]
"""Runs a function on tasks, in any order, here or elsewhere."""


def run_here(function: Callable[[Task], Forms], tasks: Sequence[Task]) -> Iterator[Any]:
    """Run tasks one after the other."""
    for task in tasks:
        yield task, function(task)


class Finished:
    """Displacements that are finished, each in a file of a folder, for the same command to resume.

    Parameters
    ----------
    folder
        Where the files are; it is made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own: set[str] = set()

    def read(self, task: Task) -> Forms | None:
        """Return a stored result; None if there is none, or it is damaged."""
        self._own.add(task.name)
        path = self.folder / task.name
        if not path.is_file():
            return None
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                return Forms(file["matrix"], file["images"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def write(self, task: Task, result: Forms) -> None:
        """Store a result, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / task.name
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.savez(file, matrix=result.matrix, images=result.images)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def remove(self) -> None:
        """Remove the results that were asked for, and the folder if nothing else is in it.

        Those of other levels, molecules or tips stay: another command may resume with them.
        """
        for name in self._own:
            for path in self.folder.glob(f"{name.removesuffix('npz')}*"):
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def derivatives(
    tasks: Sequence[Task], finished: Finished, mapper: Mapper, report: Callable[[str], None]
) -> dict[tuple[int, int], Forms]:
    """Return the result of each task by atom and axis; finished ones are read.

    Every new result is stored as soon as it is known.
    """
    done = {}
    for task in tasks:
        known = finished.read(task)
        if known is not None:
            done[task.atom, task.axis] = known
    if done:
        report(f"{len(done)} of {len(tasks)} displacements are in {finished.folder} already")
    todo = [task for task in tasks if (task.atom, task.axis) not in done]
    if todo:  # the first may take minutes
        report(f"{len(todo)} displacements to compute")
    for task, result in mapper(run_task, todo):
        finished.write(task, result)
        done[task.atom, task.axis] = result
        report(f"displacement {len(done)} of {len(tasks)}")
    return done
