"""Raman tensors from quantum chemistry: density functional theory with PySCF and geomeTRIC."""

import contextlib
import io
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError, MissingExtraError, TersWarning
from ..files import read_input, why
from ..schema.species import Atom, Provenance, Species
from ..units import BOHR_ANGSTROM
from .geometry import SYMBOLS, hill_formula, read_xyz
from .harmonic import atom_tensors, build_modes, is_linear, normal_modes
from .hessian import hessian_from_gradients
from .irreps import label_modes
from .level import RESPONSE_GRID, Level
from .pointgroup import PointGroup, orient, symmetrise
from .polarizability import Report, polarizability_derivatives

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESPONSE_TOLERANCE = 1e-6
"""Convergence of that response, per atom."""


_LARGEST_XYZ = 1 << 26


def compute_species(
    geometry: str | Path,
    name: str,
    level: Level | None = None,
    report: Report | None = None,
) -> Species:
    """Optimise a closed-shell molecule and compute its modes and Raman tensors.

    Parameters
    ----------
    geometry
        A starting geometry: the path of an XYZ file, or its text.
    name
        Name of the species.
    level
        Level of theory; B3LYP/6-311+G(d,p), and B3LYP/aug-cc-pVDZ for the tensors, by default.
    report
        Called with one line at the start of each stage.

    Returns
    -------
    Species
        All vibrational modes in the molecule's standard frame, with per-atom tensors. Imaginary
        modes are left out with a warning and counted in the note of the provenance.

    Raises
    ------
    MissingExtraError
        If PySCF or geomeTRIC is not installed.
    LibraryError
        If the geometry, functional or basis cannot be used, or a step does not converge.
    """
    _require("pyscf", "geometric")
    level = level or Level()
    tell = report or (lambda _: None)
    text = _read_text(geometry)
    numbers, start = read_xyz(text)
    if len(numbers) < 2:
        raise LibraryError("expected a molecule of two or more atoms, got one: it has no modes")
    molecule = _molecule(numbers, start, level)
    raman_level = level.model_copy(update={"basis": level.raman_basis or level.basis})
    _molecule(numbers, start, raman_level)  # a basis that PySCF lacks is told before the work
    tell(f"{name}: optimising {hill_formula(numbers)}, {molecule.nao} basis functions")
    coordinates = _optimise(molecule, level, tell)
    masses = isotope_masses(numbers)
    coordinates, group = orient(numbers, coordinates, masses, is_linear(coordinates, masses))
    molecule = _molecule(numbers, coordinates, level)
    tell(f"{name}: Hessian, point group {group.name}")
    solution = _solve(molecule, level)
    residual = float(np.abs(solution.nuc_grad_method().kernel()).max())
    hessian = _hessian(solution, group, level, tell)
    if raman_level.basis.lower() != level.basis.lower():
        tell(f"{name}: d(alpha)/dR with {level.raman_basis}")
        solution = _solve(_molecule(numbers, coordinates, raman_level), raman_level)
    derivatives = polarizability_derivatives(solution, level.field_step, tell, group)
    provenance = Provenance(
        kind="computed",
        program=f"PySCF {metadata.version('pyscf')}, geomeTRIC {metadata.version('geometric')}",
        method=level.describe(),
        note=f"largest residual gradient {residual:.1e} hartree/bohr",
    )
    return _assemble(name, numbers, coordinates, group, hessian, derivatives, level, provenance)


def _assemble(
    name: str,
    numbers: Ints,
    coordinates: Floats,
    group: PointGroup,
    hessian: Floats,
    derivatives: Floats,
    level: Level,
    provenance: Provenance,
) -> Species:
    """Return the species from raw results: ``hessian`` has shape (n_atoms, n_atoms, 3, 3)."""
    n = len(numbers)
    masses = isotope_masses(numbers)
    square = symmetrise(hessian, group, 2).transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
    modes = normal_modes(square, masses, coordinates)
    shares = atom_tensors(modes.displacements, symmetrise(derivatives, group, 1))
    irreps = label_modes(modes.frequencies_cm1, modes.displacements, masses, group)
    if modes.n_imaginary:
        warnings.warn(
            f"{name}: {modes.n_imaginary} imaginary mode{'s' if modes.n_imaginary > 1 else ''} "
            "left out: the geometry is no minimum; start from one of lower symmetry",
            TersWarning,
            stacklevel=3,
        )
    scaling, source = level.frequency_scaling()
    remarks = [
        provenance.note,
        "most abundant isotopes; geometry, Hessian and tensors symmetrised in the point group; "
        "irreps from characters, axes as in tersgen.library.irreps",
        source,
        f"{modes.n_imaginary} imaginary modes left out" if modes.n_imaginary else "",
    ]
    note = "; ".join(remark for remark in remarks if remark)
    return Species(
        name=name,
        modes=build_modes(modes.frequencies_cm1 * scaling, shares, irreps, level.digits),
        provenance=provenance.model_copy(update={"scaling": scaling, "note": note}),
        formula=hill_formula(numbers),
        point_group=group.name,
        atoms=tuple(
            Atom(symbol=SYMBOLS[number], position=(float(x), float(y), float(z)))
            for number, (x, y, z) in zip(numbers, np.round(coordinates, 8) + 0.0, strict=True)
        ),
    )


def isotope_masses(numbers: Ints) -> Floats:
    """Return the masses in amu of the most abundant isotopes, shape (n_atoms,), from PySCF."""
    from pyscf.data import elements

    # Mole.atom_mass_list gives mass numbers (H = 1), which are 0.8 % off for hydrogen.
    return np.array([elements.COMMON_ISOTOPE_MASSES[number] for number in numbers], np.float64)


def _require(*modules: str) -> None:
    missing = [module for module in modules if util.find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"expected {' and '.join(missing)} for quantum chemistry, got no such package; "
            "run: pip install 'tersgen[qm]'"
        )


def _read_text(geometry: str | Path) -> str:
    if isinstance(geometry, str) and "\n" in geometry:
        return geometry
    path = Path(geometry)
    try:
        return read_input(path, _LARGEST_XYZ).decode("utf-8")
    except OSError as error:
        raise LibraryError(
            f"expected an XYZ file at {path}, cannot read it: {why(error)}"
        ) from None
    except UnicodeDecodeError as error:
        raise LibraryError(f"expected an XYZ file at {path}, cannot read it: {error}") from error


def _molecule(numbers: Ints, coordinates: Floats, level: Level) -> Any:
    from pyscf import gto

    electrons = int(numbers.sum()) - level.charge
    if electrons % 2 or electrons < 2:
        raise LibraryError(
            f"expected an even number of electrons (closed shell), got {electrons} for "
            f"{hill_formula(numbers)} with charge {level.charge}; set the charge"
        )
    atoms = [(SYMBOLS[n], tuple(at)) for n, at in zip(numbers, coordinates, strict=True)]
    try:
        return gto.M(atom=atoms, unit="Angstrom", basis=level.basis, charge=level.charge, verbose=0)
    except Exception as error:
        raise LibraryError(
            f"expected a basis set PySCF knows for {hill_formula(numbers)}, got {level.basis!r}"
        ) from error


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


def _hessian(solution: Any, group: PointGroup, level: Level, report: Report) -> Floats:
    """Return the Hessian, shape (n_atoms, n_atoms, 3, 3), hartree/bohr^2."""
    if level.analytic_hessian:
        return _analytic_hessian(solution, report)
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
        # A first difference over 0.01 bohr bears far more noise than one of second order in F.
        displaced = _solve(moved, level, guess, 1e-7)
        last = (coordinates - start, displaced.make_rdm1())
        return np.asarray(displaced.nuc_grad_method().kernel(), np.float64)

    return hessian_from_gradients(gradient, start, group, level.displacement, report)


def _analytic_hessian(solution: Any, report: Report) -> Floats:
    """Return PySCF's Hessian, with the response of the orbitals on a coarser grid.

    The coupled-perturbed equations take most of the time, and what a coarser grid costs there is
    below the error of one that does not move with the atoms, which PySCF's Hessian makes anyway.
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
        # Objects in a circle are freed late, and PySCF's hold temporary files.
        del hessian.solve_mo1


def _optimise(molecule: Any, level: Level, report: Report) -> Floats:
    """Return the optimised coordinates in Angstrom."""
    from pyscf.geomopt import geometric_solver

    outside = sys.stdout

    def on_step(local: dict[str, Any]) -> None:
        largest = float(np.abs(local["gradients"]).max())
        with contextlib.redirect_stdout(outside):
            report(f"step {local['self'].cycle}: E {local['energy']:.8f}, gradient {largest:.1e}")

    solver = _mean_field(molecule, level)
    solver.conv_tol, solver.conv_tol_grad = 1e-10, 1e-6
    try:
        with _quiet_geometric() as settings:
            converged, optimised = geometric_solver.kernel(
                solver, callback=on_step, logIni=settings, maxsteps=100,
                # The grid's noise in a gradient is some 2e-5: tighter limits go round in circles.
                convergence_energy=1e-7, convergence_grms=3e-5, convergence_gmax=6e-5,
                convergence_drms=3e-4, convergence_dmax=6e-4,
            )  # fmt: skip
    except RuntimeError as error:
        raise LibraryError(f"expected a converged energy, got: {error}") from error
    if not converged:
        raise LibraryError("expected an optimised geometry, got none after 100 steps")
    return np.asarray(optimised.atom_coords(), np.float64) * BOHR_ANGSTROM


@contextlib.contextmanager
def _quiet_geometric() -> Iterator[str]:
    """Keep geomeTRIC from printing and from replacing the caller's log handlers."""
    root = logging.getLogger()
    handlers, severity = root.handlers[:], root.level
    settings = (
        "[loggers]\nkeys=root\n[handlers]\nkeys=none\n[formatters]\nkeys=\n"
        "[logger_root]\nlevel=CRITICAL\nhandlers=none\n"
        "[handler_none]\nclass=NullHandler\nargs=()\n"
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "log.ini"
        path.write_text(settings)
        try:
            yield str(path)
        finally:
            root.handlers[:], root.level = handlers, severity
