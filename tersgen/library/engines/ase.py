"""Any ASE calculator with forces and polarizability, such as a machine-learnt model."""

from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError, LibraryError
from ...files import is_limit
from ...plugins import import_module, register
from ...units import BOHR_ANGSTROM
from ..engine import Engine, Molecule, require
from ..geometry import SYMBOLS
from ..hessian import hessian_from_gradients
from ..level import Level
from ..optimiser import Limits, optimise_geometry
from ..pointgroup import PointGroup
from ..polarizability import Report, Response

Floats = NDArray[np.float64]

_DISPLACEMENT_BOHR = 0.02
"""About ASE's own 0.01 Angstrom: models often compute in single precision."""
_WANTED = ("energy", "forces", "polarizability")


@register("tersgen.engines", "ase")
class Ase(Engine):
    """``ase:MODULE:FACTORY``: a function without arguments that returns a calculator.

    Polarizabilities are in ASE's unit, e^2 Angstrom^2 / eV; a charge is in ``atoms.info``.
    """

    takes_theory = False

    def __init__(self, argument: str, level: Level) -> None:
        module, colon, factory = argument.rpartition(":")
        if not colon or not module or not factory:
            raise ConfigError(
                "engine ase: expected ase:MODULE:FUNCTION such as ase:my_module:make_calculator, "
                f"got {argument!r}"
            )
        require("ase 'tersgen[xtb]'", "ase", "geometric")
        super().__init__(argument, level)
        make = getattr(import_module(module), factory, None)
        if not callable(make):
            raise ConfigError(f"engine ase: expected a function {factory} in {module}, got none")
        try:
            self._calculator: Any = make()
        except Exception as error:
            raise ConfigError(
                f"engine ase: {argument}: expected a calculator, got {_short(error)}"
            ) from error
        known = getattr(self._calculator, "implemented_properties", ())
        missing = [name for name in _WANTED if name not in known]
        if missing:
            raise ConfigError(
                f"engine ase: {argument}: expected an ASE calculator with {', '.join(_WANTED)}, "
                f"got one without {' and '.join(missing)}"
            )

    def program(self) -> str:
        """Return the class of the calculator, and the versions of ASE and geomeTRIC."""
        return (
            f"{type(self._calculator).__name__} of {self.argument}, ASE {metadata.version('ase')}, "
            f"geomeTRIC {metadata.version('geometric')}"
        )

    def hessian_level(self) -> str:
        """Return the calculator and how the Hessian is made."""
        return f"{self.argument}, Hessian from forces, step {_DISPLACEMENT_BOHR:g} bohr"

    def tensor_level(self) -> str:
        """Return the calculator and the displacement."""
        return f"{self.argument}, displaced atoms, step {_DISPLACEMENT_BOHR:g} bohr"

    def optimise(self, molecule: Molecule, report: Report) -> Molecule:
        """Return a molecule at the nearest minimum of its energy."""
        from ase.units import Bohr, Hartree

        def energy(coordinates: Floats) -> tuple[float, Floats]:
            atoms = _atoms(molecule, coordinates)
            forces = self._get("forces", atoms) * (-Bohr / Hartree)
            return float(self._get("energy", atoms)) / Hartree, forces

        return optimise_geometry(energy, molecule, Limits(energy=1e-6, steps=300), report)

    def hessian(self, molecule: Molecule, group: PointGroup, report: Report) -> Floats:
        """Return the Hessian from forces on displaced atoms."""
        from ase.units import Bohr, Hartree

        def gradient(coordinates: Floats) -> Floats:
            forces = self._get("forces", _atoms(molecule, coordinates))
            slope: Floats = forces * (-Bohr / Hartree)
            return slope

        start = molecule.coordinates / BOHR_ANGSTROM
        return hessian_from_gradients(gradient, start, group, _DISPLACEMENT_BOHR, report)

    def response(self, molecule: Molecule, group: PointGroup, report: Report) -> Response:
        """Return the polarizability and its differences as atoms are displaced."""
        from ase.units import Bohr, Hartree

        def polarizability(coordinates: Floats) -> Floats:
            found = np.reshape(self._get("polarizability", _atoms(molecule, coordinates)), (3, 3))
            symmetric: Floats = 0.5 * (found + found.T) * (Hartree / Bohr**2)
            return symmetric

        start = molecule.coordinates / BOHR_ANGSTROM
        derivatives = np.zeros((*start.shape, 3, 3))
        for atom in range(len(start)):
            report(f"polarizability, atom {atom + 1} of {len(start)} displaced")
            for axis in range(3):
                shift = np.zeros_like(start)
                shift[atom, axis] = _DISPLACEMENT_BOHR
                change = polarizability(start + shift) - polarizability(start - shift)
                derivatives[atom, axis] = change / (2 * _DISPLACEMENT_BOHR)
        return Response(derivatives, polarizability(start))

    def _get(self, name: str, atoms: Any) -> Floats:
        """Return a property of atoms in ASE's units."""
        try:
            value = np.asarray(self._calculator.get_property(name, atoms), np.float64)
        except Exception as error:
            if is_limit(error):
                raise
            raise LibraryError(
                f"engine ase: {self.argument}: expected {name}, got {_short(error)}"
            ) from error
        if not np.isfinite(value).all():
            raise LibraryError(
                f"engine ase: {self.argument}: expected finite {name}, got NaN or infinity"
            )
        return value


def _atoms(molecule: Molecule, coordinates: Floats) -> Any:
    from ase import Atoms

    symbols = [SYMBOLS[number] for number in molecule.numbers]
    info = {"charge": molecule.charge, "spin": 1}
    return Atoms(symbols, coordinates * BOHR_ANGSTROM, info=info)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
