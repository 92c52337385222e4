"""Geometry and Hessian of one engine, and the tensors of another."""

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError
from ...plugins import register
from ..engine import Engine, Molecule, make_engine
from ..level import Level
from ..pointgroup import PointGroup
from ..polarizability import Report, Response

_DEFAULT = "pyscf+xtb"


@register("tersgen.engines", "hybrid")
class Hybrid(Engine):
    """``hybrid:ONE+OTHER``, such as ``hybrid:xtb:gfn2+xtb:gfn1``; ``pyscf+xtb`` by default.

    Residual forces do not affect the tensors, which are derivatives at any geometry.
    """

    def __init__(self, argument: str, level: Level) -> None:
        one, plus, other = (argument or _DEFAULT).partition("+")
        if not plus or any(part.startswith("hybrid") or not part for part in (one, other)):
            raise ConfigError(
                "engine hybrid: expected two other engines such as hybrid:xtb:gfn2+pyscf (geometry "
                f"and Hessian, then tensors), got {argument!r}"
            )
        super().__init__(argument, level)
        self._one = make_engine(one, level)
        self._other = make_engine(other, level)
        self.takes_theory = self._one.takes_theory or self._other.takes_theory

    def check(self, molecule: Molecule) -> None:
        """Refuse what either engine refuses."""
        self._one.check(molecule)
        self._other.check(molecule)

    def program(self) -> str:
        """Return the programs of both."""
        return "; ".join(dict.fromkeys([self._one.program(), self._other.program()]))

    def hessian_level(self) -> str:
        """Return that of the first."""
        return self._one.hessian_level()

    def tensor_level(self) -> str:
        """Return that of the second."""
        return self._other.tensor_level()

    def scaling(self) -> tuple[float, str]:
        """Return that of the first, which has the frequencies."""
        return self._one.scaling()

    def uncertainty_cm1(self) -> float | None:
        """Return that of the first, which has the frequencies."""
        return self._one.uncertainty_cm1()

    def seconds(self, n_atoms: int) -> float | None:
        """Return the time of both."""
        times = [engine.seconds(n_atoms) for engine in (self._one, self._other)]
        known = [time for time in times if time is not None]
        return sum(known) if known else None

    def optimise(self, molecule: Molecule, report: Report) -> Molecule:
        """Return the molecule at the minimum of the first."""
        return self._one.optimise(molecule, report)

    def hessian(self, molecule: Molecule, group: PointGroup, report: Report) -> NDArray[np.float64]:
        """Return the Hessian of the first."""
        return self._one.hessian(molecule, group, report)

    def response(self, molecule: Molecule, group: PointGroup, report: Report) -> Response:
        """Return the polarizability of the second, and its derivatives."""
        return self._other.response(molecule, group, report)
