"""Density functional theory and Hartree-Fock with PySCF; geometries by geomeTRIC."""

from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError, LibraryError
from ...plugins import register
from ..basis_sets import build_molecule
from ..engine import Engine, Molecule, require
from ..hessian import hessian_from_gradients
from ..level import RESPONSE_GRID, Level
from ..optimiser import Limits, optimise_geometry
from ..pointgroup import PointGroup
from ..polarizability import Report, Response, response_from_fields
from ..uncertainty import DENSITY_FUNCTIONAL_CM1

Floats = NDArray[np.float64]

RESPONSE_TOLERANCE = 1e-6
"""Convergence of that response, per atom."""


@register("tersgen.engines", "pyscf")
class PySCF(Engine):
    """B3LYP/6-311+G(d,p), and B3LYP/aug-cc-pVDZ for the tensors, by default."""

    def __init__(self, argument: str, level: Level) -> None:
        if argument:
            raise ConfigError(
                f"engine pyscf: expected no argument, got {argument!r}; set --functional, --basis"
            )
        require("'tersgen[qm]'", "pyscf", "geometric")
        super().__init__(argument, level)
        self._raman = level.model_copy(update={"basis": level.raman_basis or level.basis})

    def check(self, molecule: Molecule) -> None:
        """Refuse open shells, and elements that a basis set lacks."""
        super().check(molecule)
        _molecule(molecule, self.level)
        _molecule(molecule, self._raman)

    def program(self) -> str:
        """Return the versions of PySCF and geomeTRIC."""
        return f"PySCF {metadata.version('pyscf')}, geomeTRIC {metadata.version('geometric')}"

    def hessian_level(self) -> str:
        """Return functional, basis set and how the Hessian is made."""
        return self.level.describe()

    def tensor_level(self) -> str:
        """Return functional, basis set and field step of the tensors."""
        return f"{self._raman.theory()}, field step {self.level.field_step:g} a.u."

    def scaling(self) -> tuple[float, str]:
        """Return the factor published for the level, if none is given."""
        return self.level.frequency_scaling()

    def uncertainty_cm1(self) -> float | None:
        """Return that of scaled B3LYP."""
        is_known = self.level.functional.lower() == "b3lyp" and self.scaling()[0] != 1.0
        return DENSITY_FUNCTIONAL_CM1 if is_known else None

    def seconds(self, n_atoms: int) -> float:
        """Return the time, extrapolated from pyridine."""
        return 2340.0 * (n_atoms / 11) ** 4

    def optimise(self, molecule: Molecule, report: Report) -> Molecule:
        """Return a molecule at the nearest minimum of its energy."""
        solver = _mean_field(_molecule(molecule, self.level), self.level)
        solver.conv_tol, solver.conv_tol_grad = 1e-10, 1e-6
        scanner = solver.nuc_grad_method().as_scanner()
        mole = solver.mol.copy()

        def energy(coordinates: Floats) -> tuple[float, Floats]:
            mole.set_geom_(coordinates, unit="Bohr")
            value, gradient = scanner(mole)
            if not scanner.converged:
                raise LibraryError("expected a converged energy, got none")
            return float(value), np.asarray(gradient, np.float64)

        # The grid's noise in a gradient is some 2e-5: tighter limits go round in circles.
        return optimise_geometry(energy, molecule, Limits(steps=100), report)

    def hessian(self, molecule: Molecule, group: PointGroup, report: Report) -> Floats:
        """Return the Hessian from gradients of displaced atoms, or the analytic one."""
        solution = _solve(_molecule(molecule, self.level), self.level)
        if self.level.analytic_hessian:
            return _analytic_hessian(solution, report)
        return _numeric_hessian(solution, group, self.level, report)

    def response(self, molecule: Molecule, group: PointGroup, report: Report) -> Response:
        """Return the polarizability and its derivatives."""
        solution = _solve(_molecule(molecule, self._raman), self._raman)
        return polarizability_derivatives(solution, self.level.field_step, report, group)


def _molecule(molecule: Molecule, level: Level) -> Any:
    return build_molecule(molecule.numbers, molecule.coordinates, level.basis, molecule.charge)


def _mean_field(molecule: Any, level: Level) -> Any:
    from pyscf import dft, scf

    if level.functional.lower() == "hf":
        field_free = scf.RHF(molecule)
    else:
        try:
            dft.libxc.parse_xc(level.functional)
        except (KeyError, ValueError) as error:
            raise LibraryError(
                f"expected a functional PySCF knows, got {level.functional!r}"
            ) from error
        field_free = dft.RKS(molecule)
        field_free.xc = level.functional
        field_free.grids.level = level.grid
    fitted = field_free.density_fit()
    # A second difference divides by the square of the step: noise must be far below 1e-6.
    fitted.conv_tol, fitted.conv_tol_grad, fitted.max_cycle = 1e-12, 1e-8, 200
    return fitted


def _solve(
    molecule: Any, level: Level, density: Any = None, gradient_tolerance: float = 1e-8
) -> Any:
    solution = _mean_field(molecule, level)
    solution.conv_tol_grad = gradient_tolerance
    solution.conv_tol = 1e-4 * gradient_tolerance
    solution.kernel(dm0=density)
    if not solution.converged:
        raise LibraryError("expected a converged energy, got none after 200 cycles")
    return solution


def _numeric_hessian(solution: Any, group: PointGroup, level: Level, report: Report) -> Floats:
    """Return the Hessian, shape (n_atoms, n_atoms, 3, 3), hartree/bohr^2."""
    start = solution.mol.atom_coords()
    centre = solution.make_rdm1()
    last = (np.zeros_like(start), centre)

    def gradient(coordinates: Floats) -> Floats:
        nonlocal last
        shift, density = last
        opposite = np.abs(coordinates - start + shift).max() < 1e-12
        # To first order the density answers -x with the opposite of its answer to +x.
        guess = 2 * centre - density if opposite else centre
        moved = solution.mol.set_geom_(coordinates, unit="Bohr", inplace=False)
        # A first difference over 0.01 bohr tolerates far more noise than one of second order in F.
        displaced = _solve(moved, level, guess, 1e-7)
        last = (coordinates - start, displaced.make_rdm1())
        return np.asarray(displaced.nuc_grad_method().kernel(), np.float64)

    return hessian_from_gradients(gradient, start, group, level.displacement, report)


def _analytic_hessian(solution: Any, report: Report) -> Floats:
    """Return PySCF's Hessian, with the response of the orbitals on a coarser grid.

    The coupled-perturbed equations take most of the time, and what a coarser grid costs there is
    below the error of a grid that does not move with the atoms, which PySCF's Hessian has anyway.
    """
    from pyscf import dft
    from pyscf.hessian.rhf import gen_vind

    hessian = solution.Hessian()
    solve = hessian.solve_mo1
    response = solution.copy()
    response.conv_tol_cpscf = RESPONSE_TOLERANCE
    if isinstance(solution, dft.rks.KohnShamDFT):
        response.grids = dft.Grids(solution.mol)
        response.grids.level = min(RESPONSE_GRID, solution.grids.level)

    def solve_on_coarse_grid(energy: Any, orbitals: Any, occupied: Any, h1: Any, *_: Any,
                             **__: Any) -> Any:  # fmt: skip
        report("response of the orbitals to the displacements")
        hessian.base = response
        try:
            return solve(energy, orbitals, occupied, h1, gen_vind(response, orbitals, occupied))
        finally:
            hessian.base = solution

    hessian.solve_mo1 = solve_on_coarse_grid
    try:
        return np.asarray(hessian.kernel(), np.float64)
    finally:
        # Reference cycles are freed late, and PySCF's objects hold temporary files.
        del hessian.solve_mo1


def polarizability_derivatives(
    solution: Any, step: float, report: Report | None = None, group: PointGroup | None = None
) -> Response:
    """Return polarizability and d(alpha)/dR of a converged PySCF mean field.

    Parameters
    ----------
    solution
        A converged restricted PySCF mean-field object.
    step
        Field step, hartree/(e bohr).
    report
        Called with one line per gradient.
    group
        Point group of the molecule in its own frame.
    """
    answers: list[tuple[Floats, Floats]] = []
    ground = np.asarray(solution.make_rdm1())

    def in_field(electric: Floats) -> tuple[float, Floats]:
        guess = ground + _linear_answer(electric, answers)
        energy, gradient, density = _gradient_in_field(solution, electric, guess)
        answers.append((electric, density - ground))
        return energy, gradient

    return response_from_fields(in_field, step, report or (lambda _: None), group)


def _linear_answer(electric: Floats, answers: list[tuple[Floats, Floats]]) -> Floats:
    """Return the density matrix in this field, to first order in those of other fields."""
    if not answers:
        return np.zeros(())
    fields = np.array([field for field, _ in answers])
    weights = np.linalg.lstsq(fields.T, electric, rcond=None)[0]
    total: Floats = np.tensordot(weights, np.array([change for _, change in answers]), 1)
    return total


def _gradient_in_field(
    solution: Any, electric: Floats, guess: Floats
) -> tuple[float, Floats, Floats]:
    """Return energy, gradient and density matrix in a field, from a guess of the density matrix.

    The gradient is dE/dR, shape (n_atoms, 3), hartree/bohr, of H + F.r (electrons) - Z F.R
    (nuclei).
    """
    molecule = solution.mol
    with molecule.with_common_orig((0.0, 0.0, 0.0)):
        dipole = molecule.intor("int1e_r")
        # <mu| r_a d_b nu>; the gradient needs the derivative of the bra.
        derivative = molecule.intor("int1e_irp").reshape(3, 3, molecule.nao, molecule.nao)
    charges, positions = molecule.atom_charges(), molecule.atom_coords()
    core = solution.get_hcore() + np.einsum("a,aij->ij", electric, dipole)
    nuclear = solution.energy_nuc() - np.einsum("i,ia,a->", charges, positions, electric)
    trial = solution.copy()
    trial.get_hcore = lambda *_: core
    trial.energy_nuc = lambda *_: nuclear
    trial.kernel(dm0=guess)
    if not trial.converged:
        raise LibraryError(f"expected a converged energy in a field of {electric}, got none")
    gradient = trial.nuc_grad_method()
    core_derivative = gradient.get_hcore(molecule) - np.einsum("a,abij->bji", electric, derivative)
    nuclear_derivative = gradient.grad_nuc(molecule) - charges[:, None] * electric
    gradient.get_hcore = lambda *_: core_derivative
    gradient.grad_nuc = lambda *_, **__: nuclear_derivative
    forces = np.asarray(gradient.kernel(), np.float64)
    return float(trial.e_tot), forces, np.asarray(trial.make_rdm1())
