"""The interface of engines, and how they are found by name."""

from abc import ABC, abstractmethod
from importlib import util
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, LibraryError, MissingExtraError
from ..plugins import load, named_errors
from .geometry import SYMBOLS, hill_formula
from .level import THEORY, Level
from .pointgroup import PointGroup
from .polarizability import Report, Response

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Molecule(NamedTuple):
    """A molecule to compute: a closed shell."""

    name: str
    numbers: Ints
    """Atomic numbers, shape (n_atoms,)."""
    coordinates: Floats
    """Angstrom, shape (n_atoms, 3)."""
    charge: int = 0
    """Charge, e."""
    remark: str = ""
    """Its source, for the provenance."""
    energy: float | None = None
    """Energy at this geometry, hartree, if it was optimised."""
    bonds: tuple[tuple[int, int], ...] = ()
    """Pairs of atoms that must stay bonded; none if bonds are unknown."""

    @property
    def formula(self) -> str:
        """Formula in Hill order."""
        return hill_formula(self.numbers)


class Engine(ABC):
    """A program that computes molecules; register a subclass in the group ``tersgen.engines``.

    A user chooses it with ``--engine NAME`` or ``--engine NAME:ARGUMENT``.

    Parameters
    ----------
    argument
        Text after the name, such as the method; empty if there is none.
    level
        Level of theory and numerical settings, as far as the engine can choose them.

    Raises
    ------
    ConfigError
        If the argument is not as expected.
    MissingExtraError
        If a package is not installed.
    """

    heaviest: ClassVar[int] = 118
    """Atomic number of the heaviest element that it has parameters for."""
    takes_theory: bool = True
    """Whether functional, basis sets and the like mean something to it."""

    def __init__(self, argument: str, level: Level) -> None:
        self.argument = argument
        self.level = level
        self.name = type(self).__name__
        """Its name among the plug-ins."""

    def check_level(self) -> None:
        """Refuse settings that the engine would ignore.

        Raises
        ------
        ConfigError
            If one differs from its default, and the engine has its own level of theory.
        """
        defaults = Level()
        for name in () if self.takes_theory else THEORY:
            given = getattr(self.level, name)
            if given != getattr(defaults, name):
                raise ConfigError(
                    f"{name}: expected the engine pyscf for it, got {self.name}, which has its "
                    f"own level of theory, and {given!r}; leave it out"
                )

    def check(self, molecule: Molecule) -> None:
        """Refuse a molecule that cannot be computed, before it is worked on.

        Raises
        ------
        LibraryError
            If there is an element without parameters, or it is no closed shell.
        """
        check_molecule(molecule, self.heaviest)

    @abstractmethod
    def program(self) -> str:
        """Return the program and its version."""

    @abstractmethod
    def hessian_level(self) -> str:
        """Return the level of theory of geometry and Hessian, for a provenance."""

    @abstractmethod
    def tensor_level(self) -> str:
        """Return the level of theory of the tensors, for a provenance."""

    def method(self) -> str:
        """Return the whole level of theory, for a provenance."""
        return f"geometry and Hessian {self.hessian_level()}; d(alpha)/dR {self.tensor_level()}"

    def scaling(self) -> tuple[float, str]:
        """Return the factor on the frequencies, and where it is from (empty if given or 1)."""
        return self.level.scaling or 1.0, ""

    def uncertainty_cm1(self) -> float | None:
        """Return the uncertainty of its frequencies, a standard deviation in cm^-1, if known."""
        return None

    def seconds(self, n_atoms: int) -> float | None:
        """Return the estimated time of a molecule without symmetry on one processor, if known."""
        return None

    @abstractmethod
    def optimise(self, molecule: Molecule, report: Report) -> Molecule:
        """Return a molecule at the nearest minimum of its energy.

        Raises
        ------
        LibraryError
            If energy or geometry do not converge.
        """

    @abstractmethod
    def hessian(self, molecule: Molecule, group: PointGroup, report: Report) -> Floats:
        """Return the second derivatives of the energy.

        Parameters
        ----------
        molecule
            At a minimum, symmetric under the group.
        group
            Its point group, which may save work.
        report
            Called with one line per step.

        Returns
        -------
        Floats
            hartree/bohr^2, shape (n_atoms, n_atoms, 3, 3), H[i, j, a, b] = d2E / dR_ia dR_jb.
        """

    @abstractmethod
    def response(self, molecule: Molecule, group: PointGroup, report: Report) -> Response:
        """Return the polarizability and its derivatives, see ``hessian``."""


def check_molecule(molecule: Molecule, heaviest: int = 118) -> None:
    """Refuse a molecule without modes, or with electrons that are not paired."""
    numbers = molecule.numbers
    if len(numbers) < 2:
        raise LibraryError("expected a molecule of two or more atoms, got one: it has no modes")
    if int(numbers.max()) > heaviest:
        raise LibraryError(
            f"expected elements from H to {SYMBOLS[heaviest]}, got {SYMBOLS[int(numbers.max())]}; "
            "choose another engine"
        )
    electrons = int(numbers.sum()) - molecule.charge
    if electrons % 2 or electrons < 2:
        raise LibraryError(
            f"expected an even number of electrons (closed shell), got {electrons} for "
            f"{molecule.formula} with charge {molecule.charge}; set the charge"
        )


def require(install: str, *modules: str) -> None:
    """Refuse to go on without some packages; ``install`` is what pip installs them with."""
    missing = [module for module in modules if util.find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"expected {' and '.join(missing)} for quantum chemistry, got no such package; "
            f"run: pip install {install}"
        )


def make_engine(text: str, level: Level | None = None) -> Engine:
    """Return the engine that ``--engine`` names: NAME, or NAME:ARGUMENT."""
    name, _, argument = text.partition(":")
    part = load("tersgen.engines", name)
    if not (isinstance(part, type) and issubclass(part, Engine)):
        raise ConfigError(
            f"engine {name!r}: expected a class that extends {Engine.__module__}.Engine, got "
            f"{part!r:.80}"
        )
    with named_errors("engine", name, part, ConfigError):
        engine: Engine = part(argument, level or Level())
    engine.name = name
    return engine
