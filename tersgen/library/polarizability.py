"""Derivatives of the polarizability with respect to the nuclei, from PySCF gradients in a field.

d(alpha)/dR is the second difference, with respect to a uniform electric field, of the analytic
gradient of the energy: alpha_ab = -d2E/dF_a dF_b, so d(alpha_ab)/dR = -d2(dE/dR)/dF_a dF_b.
Thirteen gradients are enough whatever the number of atoms. A. Komornicki and J. W. McIver,
J. Chem. Phys. 70, 2014 (1979).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from .pointgroup import MATCH, PointGroup

Floats = NDArray[np.float64]
Report = Callable[[str], None]


def polarizability_derivatives(
    solution: Any, step: float, report: Report | None = None, group: PointGroup | None = None
) -> Floats:
    """Return d(alpha)/dR of a converged PySCF mean field, by field differences of gradients.

    Parameters
    ----------
    solution
        A converged restricted PySCF mean-field object.
    step
        Field step, hartree/(e bohr).
    report
        Called with one line per gradient.
    group
        Point group of the molecule in its own frame: a field that an operation turns into one
        computed before then costs nothing.

    Returns
    -------
    Floats
        bohr^2, shape (n_atoms, 3, 3, 3): atom, direction, the two indices of alpha.

    Raises
    ------
    LibraryError
        If the energy does not converge in a field.
    """
    tell = report or (lambda _: None)
    known: list[tuple[Floats, Floats]] = []
    answers: list[tuple[Floats, Floats]] = []
    ground = np.asarray(solution.make_rdm1())

    def gradient(direction: Floats) -> Floats:
        for other, result in known:
            for which, operation in enumerate(group.operations if group else []):
                if np.abs(operation @ other - direction).max() < MATCH:
                    turned = np.zeros_like(result)
                    turned[group.images[which] if group else []] = result @ operation.T
                    return turned
        tell(f"gradient {len(known) + 1} in a field, of 13 or fewer")
        guess = ground + _linear_answer(direction, answers)
        result, density = _gradient_in_field(solution, step * direction, guess)
        known.append((direction, result))
        answers.append((direction, density - ground))
        return result

    unit = np.eye(3)
    centre = gradient(np.zeros(3))

    def curvature(direction: Floats) -> Floats:
        return gradient(direction) + gradient(-direction) - 2 * centre

    pure = [curvature(unit[a]) for a in range(3)]
    out = np.zeros((*centre.shape, 3, 3))
    for a in range(3):
        out[..., a, a] = -pure[a] / step**2
        for b in range(a):
            both = curvature(unit[a] + unit[b])
            out[..., a, b] = out[..., b, a] = -(both - pure[a] - pure[b]) / (2 * step**2)
    return out


def _linear_answer(direction: Floats, answers: list[tuple[Floats, Floats]]) -> Floats:
    """Return what the answers to other fields say, to first order, of the one to this field."""
    if not answers:
        return np.zeros(())
    fields = np.array([field for field, _ in answers])
    weights = np.linalg.lstsq(fields.T, direction, rcond=None)[0]
    total: Floats = np.tensordot(weights, np.array([change for _, change in answers]), 1)
    return total


def _gradient_in_field(solution: Any, electric: Floats, guess: Floats) -> tuple[Floats, Floats]:
    """Return gradient and density matrix in a field, from a guess of the density matrix.

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
    return np.asarray(gradient.kernel(), np.float64), np.asarray(trial.make_rdm1())
