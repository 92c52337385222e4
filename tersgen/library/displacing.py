"""Derivatives of a response along displacements of the atoms, one atom and axis at a time.

Each of the 3N tasks needs two self-consistent fields and is independent of the others: they run in
any order, in any process, and results are kept in files, so that the same command resumes.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from .engine import Molecule, check_molecule
from .geometry import SYMBOLS, hill_formula
from .linear_response import Forms, Probes, response_forms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CHANGES = 1
"""To be increased whenever a task gives other numbers: older files are then not used."""
_NAME = re.compile(r"[0-9a-f]{24}-[0-9]+-[0-2]\.npz")


class ResponseLevel(Frozen):
    """Level of theory of a response to the field of a tip."""

    functional: str = field("functional as PySCF names it, or hf", "1", "hf", max_length=64)
    basis: str = field("basis set as PySCF names it", "1", "6-31g*", max_length=64)
    charge: int = field("charge of the molecule", "e", 0)
    grid: int = field("PySCF grid level of the functional", "1", 4, ge=0, le=9)
    step: float = field("displacement of an atom", "bohr", 0.01, gt=0, le=0.1)
    smearing: float = field("radius of the tip's charges, 0 for points", "bohr", 0.0, ge=0, le=5)

    def describe(self) -> str:
        """Return the level in one line, for a provenance."""
        theory = "RHF" if self.functional.lower() == "hf" else f"RKS {self.functional}"
        return f"{theory}/{self.basis}"


@dataclass(frozen=True)
class Derivative:
    """Derivatives along one displacement.

    Attributes
    ----------
    forms
        Of the response, per bohr.
    forces
        Of the gradient of the energy, shape (n_atoms, 3), hartree bohr^-2.
    """

    forms: Forms
    forces: Floats


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

    def run(self) -> Derivative:
        """Return the derivatives, by central differences.

        Raises
        ------
        LibraryError
            If the basis or functional cannot be used, or an energy does not converge.
        """
        density, ends, forces = None, [], []
        for sign in (1.0, -1.0):
            moved = self.coordinates.copy()
            moved[self.atom, self.axis] += sign * self.level.step
            solution = solve(self.numbers, moved, self.level, density)
            density = solution.make_rdm1()
            ends.append(_forms(solution, self.probes))
            forces.append(np.asarray(solution.nuc_grad_method().kernel(), np.float64))
        step = 2 * self.level.step
        return Derivative(ends[0].difference(ends[1], step), (forces[0] - forces[1]) / step)


def run_task(task: Task) -> Derivative:
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
    """Return a converged PySCF mean field of a closed shell; coordinates in bohr, (n_atoms, 3).

    Raises
    ------
    LibraryError
        If the basis or functional cannot be used, or the energy does not converge.
    """
    from pyscf import dft, gto, scf

    formula = hill_formula(numbers)
    check_molecule(Molecule(formula, numbers, coordinates * BOHR_ANGSTROM, level.charge))
    atoms = [(SYMBOLS[n], tuple(at)) for n, at in zip(numbers, coordinates, strict=True)]
    try:
        molecule = gto.M(atom=atoms, unit="Bohr", basis=level.basis, charge=level.charge, verbose=0)
    except Exception as error:
        raise LibraryError(
            f"expected a basis set PySCF knows for {formula}, got {level.basis!r}"
        ) from error
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


Mapper = Callable[[Callable[[Task], Derivative], Sequence[Task]], Iterable[tuple[Task, Derivative]]]
"""Runs a function on tasks, in any order, here or elsewhere."""


def run_here(function: Callable[[Task], Derivative], tasks: Sequence[Task]) -> Iterator[Any]:
    """Run tasks one after the other."""
    for task in tasks:
        yield task, function(task)


def derivatives(
    tasks: Sequence[Task], folder: Path, mapper: Mapper, report: Callable[[str], None]
) -> dict[tuple[int, int], Derivative]:
    """Return the result of each task by atom and axis; those in ``folder`` are read from there.

    Every new result is written there as soon as it is known.
    """
    done = {}
    for task in tasks:
        known = _read(folder / task.name)
        if known is not None:
            done[task.atom, task.axis] = known
    if done:
        report(f"{len(done)} of {len(tasks)} displacements are in {folder} already")
    todo = [task for task in tasks if (task.atom, task.axis) not in done]
    for task, result in mapper(run_task, todo):
        _write(folder / task.name, result)
        done[task.atom, task.axis] = result
        report(f"displacement {len(done)} of {len(tasks)}")
    return done


def remove_results(folder: Path) -> None:
    """Remove the results in a folder, and the folder if nothing else is in it."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if _NAME.fullmatch(path.name):
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _write(path: Path, result: Derivative) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(file, matrix=result.forms.matrix, images=result.forms.images, forces=result.forces)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _read(path: Path) -> Derivative | None:
    """Return a stored result; None if there is none, or it is damaged."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            forms = Forms(file["matrix"], file["images"])
            return Derivative(forms, file["forces"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
