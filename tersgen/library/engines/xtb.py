"""Extended tight binding, GFN1-xTB and GFN2-xTB, with tblite.

S. Grimme, C. Bannwarth, P. Shushkov, J. Chem. Theory Comput. 13, 1989 (2017), and C. Bannwarth,
S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019). docs/library.md compares both with
density functional theory.
"""

from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError, LibraryError
from ...plugins import register
from ...text import not_among
from ...units import BOHR_ANGSTROM
from ..engine import Engine, Molecule, require
from ..hessian import hessian_from_gradients
from ..level import Level
from ..optimiser import Limits, optimise_geometry
from ..pointgroup import PointGroup
from ..polarizability import Report, Response, response_from_fields
from ..uncertainty import SEMI_EMPIRICAL_CM1

Floats = NDArray[np.float64]

_METHODS = {"gfn1": "GFN1-xTB", "gfn2": "GFN2-xTB"}
_ACCURACY = 0.01
"""Accuracy of the charges, tighter than tblite's default: second differences need it."""
_DISPLACEMENT_BOHR = 0.005
_FIELD = 0.002
"""Step, hartree/(e bohr)."""
_RADON = 86


@register("tersgen.engines", "xtb")
class Xtb(Engine):
    """GFN1-xTB, which has the better tensors, or GFN2-xTB with the argument gfn2."""

    heaviest = _RADON
    takes_theory = False

    def __init__(self, argument: str, level: Level) -> None:
        key = argument.lower().removesuffix("-xtb") or "gfn1"
        if key not in _METHODS:
            raise ConfigError(f"engine xtb: {not_among(argument, _METHODS)}")
        require("'tersgen[xtb]'", "tblite", "geometric")
        super().__init__(argument, level)
        self._method = _METHODS[key]

    def program(self) -> str:
        """Return the versions of tblite and geomeTRIC."""
        return f"tblite {metadata.version('tblite')}, geomeTRIC {metadata.version('geometric')}"

    def hessian_level(self) -> str:
        """Return the method and how the Hessian is made."""
        return f"{self._method}, Hessian from gradients, step {_DISPLACEMENT_BOHR:g} bohr"

    def tensor_level(self) -> str:
        """Return the method and the field step."""
        return f"{self._method}, field step {_FIELD:g} a.u."

    def uncertainty_cm1(self) -> float:
        """Return what the comparison with density functional theory says."""
        return SEMI_EMPIRICAL_CM1

    def seconds(self, n_atoms: int) -> float:
        """Return the time, extrapolated from drug-like molecules of 8 to 24 atoms."""
        return 1.4 * float((n_atoms / 14) ** 2.5)

    def optimise(self, molecule: Molecule, report: Report) -> Molecule:
        """Return a molecule at the nearest minimum of its energy."""
        surface = _Surface(self._method, molecule)
        limits = Limits(grms=1e-5, gmax=2e-5, steps=300)
        return optimise_geometry(surface.at, molecule, limits, report)

    def hessian(self, molecule: Molecule, group: PointGroup, report: Report) -> Floats:
        """Return the Hessian from gradients of displaced atoms."""
        surface = _Surface(self._method, molecule)
        centre = molecule.coordinates / BOHR_ANGSTROM
        surface.at(centre)

        def gradient(coordinates: Floats) -> Floats:
            return surface.at(coordinates)[1]

        return hessian_from_gradients(gradient, centre, group, _DISPLACEMENT_BOHR, report)

    def response(self, molecule: Molecule, group: PointGroup, report: Report) -> Response:
        """Return the polarizability and its derivatives."""

        def in_field(electric: Floats) -> tuple[float, Floats]:
            surface = _Surface(self._method, molecule, electric)
            return surface.at(molecule.coordinates / BOHR_ANGSTROM)

        return response_from_fields(in_field, _FIELD, report, group)


class _Surface:
    """The energy of a molecule as a function of its coordinates, in a field or without one."""

    def __init__(self, method: str, molecule: Molecule, electric: Floats | None = None) -> None:
        from tblite.interface import Calculator
        from tblite.library import ffi

        start = molecule.coordinates / BOHR_ANGSTROM
        self._calculator: Any = Calculator(method, molecule.numbers, start, float(molecule.charge))
        self._calculator.set("verbosity", 0)
        self._calculator.set("accuracy", _ACCURACY)
        if electric is not None:
            # tblite 0.8 does not take an array here
            self._calculator.add("electric-field", ffi.new("double[3]", electric.tolist()))

    def at(self, coordinates: Floats) -> tuple[float, Floats]:
        """Return energy, hartree, and gradient, hartree/bohr, at coordinates in bohr."""
        self._calculator.update(coordinates)
        try:
            result = self._calculator.singlepoint()
        except RuntimeError as error:
            text = " ".join(str(error).split())[:200]
            raise LibraryError(f"expected a converged energy, got: {text}") from error
        gradient = np.array(result.get("gradient"), np.float64)
        energy = float(result.get("energy"))
        if not (np.isfinite(gradient).all() and np.isfinite(energy)):
            raise LibraryError("expected a finite energy and gradient, got NaN or infinity")
        return energy, gradient
