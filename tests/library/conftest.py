"""Fixtures of the library's tests: a small molecule with a known answer."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ANGSTROM = 1.0 / 0.529177210903
AMU = 1822.888486209
HARTREE_CM1 = 219474.6313632


@dataclass(frozen=True)
class Triatomic:
    """A linear O-C-O with springs and bond polarizabilities: all results have closed forms.

    Force constants and formulas: G. Herzberg, Infrared and Raman Spectra (1945), II.4.
    """

    stretch: float = 1.0  # hartree/bohr^2
    coupling: float = 0.08
    bend: float = 0.25  # hartree
    bond: float = 2.2  # bohr
    along: float = 8.0  # d(alpha_zz)/dr, bohr^2
    across: float = 2.0
    masses: Floats = field(default_factory=lambda: np.array([15.99491462, 12.0, 15.99491462]))
    numbers: tuple[int, ...] = (8, 6, 8)

    def coordinates(self) -> Floats:
        return np.outer([-self.bond, 0.0, self.bond], [0.0, 0.0, 1.0])

    def hessian(self) -> Floats:
        b = np.zeros((4, 9))
        b[0, [2, 5]] = -1.0, 1.0
        b[1, [5, 8]] = -1.0, 1.0
        for row, axis in ((2, 0), (3, 1)):
            b[row, [axis, 3 + axis, 6 + axis]] = np.array([1.0, -2.0, 1.0]) / self.bond
        f = np.diag([self.stretch, self.stretch, self.bend, self.bend])
        f[0, 1] = f[1, 0] = self.coupling
        return b.T @ f @ b

    def polarizability_derivatives(self) -> Floats:
        out = np.zeros((3, 3, 3, 3))
        for atom, sign in ((0, -1.0), (2, 1.0)):
            out[atom, 2] = sign * np.diag([self.across, self.across, self.along])
            for axis in (0, 1):
                out[atom, axis, axis, 2] = out[atom, axis, 2, axis] = sign * 1.5
        return out

    def frequencies_cm1(self) -> Floats:
        oxygen, carbon = self.masses[0], self.masses[1]
        g = 2 / oxygen + 4 / carbon
        bend = self.bend * g / self.bond**2
        symmetric = (self.stretch + self.coupling) / oxygen
        antisymmetric = (self.stretch - self.coupling) * (1 / oxygen + 2 / carbon)
        squares = np.array([bend, bend, symmetric, antisymmetric])
        return np.sort(np.sqrt(squares / AMU) * HARTREE_CM1)

    def symmetric_tensor(self) -> Floats:
        scale = np.sqrt(2 / self.masses[0]) / ANGSTROM**2
        return scale * np.diag([self.across, self.across, self.along])


def _array(name: str, values: Floats | list[int], letter: str = "R") -> str:
    flat = np.asarray(values).ravel()
    per_line = 5 if letter == "R" else 6
    words = [f"{v:16.8E}" if letter == "R" else f"{v:12d}" for v in flat.tolist()]
    rows = ["".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]
    return f"{name:<40}   {letter}   N={len(flat):12d}\n" + "\n".join(rows) + "\n"


@pytest.fixture(scope="session")
def triatomic() -> Triatomic:
    return Triatomic()


@pytest.fixture(scope="session")
def small_fchk(triatomic: Triatomic) -> str:
    """Return a formatted checkpoint of the triatomic, with a Hessian and without modes."""
    hessian = triatomic.hessian()
    packed = triatomic.polarizability_derivatives().reshape(9, 3, 3)
    rows = packed[:, [0, 0, 1, 0, 1, 2], [0, 1, 1, 2, 2, 2]]
    return (
        "Linear triatomic\n"
        f"{'Freq':<10}{'RHF':<60}{'STO-3G':<20}\n"
        f"{'Number of atoms':<40}   I     {3:12d}\n"
        + _array("Atomic numbers", list(triatomic.numbers), "I")
        + _array("Current cartesian coordinates", triatomic.coordinates())
        + _array("Real atomic weights", triatomic.masses)
        + _array("Cartesian Force Constants", hessian[np.tril_indices(9)])
        + _array("Polarizability Derivatives", rows)
    )
