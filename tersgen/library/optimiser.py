"""Optimisation of geometries with geomeTRIC, from energies and gradients of any engine.

L.-P. Wang and C. Song, J. Chem. Phys. 144, 214108 (2016).
"""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..units import BOHR_ANGSTROM
from .engine import Molecule
from .geometry import SYMBOLS
from .polarizability import Report

Floats = NDArray[np.float64]
Energy = Callable[[Floats], tuple[float, Floats]]
"""Function from coordinates in bohr, (n_atoms, 3), to the energy in hartree and its gradient."""


class Limits(NamedTuple):
    """Convergence criteria, by geomeTRIC's names and units."""

    energy: float = 1e-7
    grms: float = 3e-5
    gmax: float = 6e-5
    drms: float = 3e-4
    dmax: float = 6e-4
    steps: int = 200


def optimise_geometry(
    energy: Energy, molecule: Molecule, limits: Limits, report: Report
) -> Molecule:
    """Return a molecule at the nearest minimum of an energy.

    Parameters
    ----------
    energy
        Function from coordinates in bohr, shape (n_atoms, 3), to energy in hartree and gradient in
        hartree/bohr; errors of the library pass through.
    molecule
        The molecule to start from.
    limits
        Convergence criteria.
    report
        Called with one line per step.
    """
    from geometric.errors import GeomOptNotConvergedError
    from geometric.internal import DelocalizedInternalCoordinates
    from geometric.molecule import Molecule as Frames
    from geometric.optimize import Optimize, OptParams

    frames = Frames()
    frames.elem = [SYMBOLS[number] for number in molecule.numbers]
    frames.xyzs = [molecule.coordinates]
    settings = {f"convergence_{name}": value for name, value in limits._asdict().items()}
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        try:
            frames.build_topology()
            surface = _surface_class()(frames, energy, report)
            start = molecule.coordinates.ravel() / BOHR_ANGSTROM
            internal = DelocalizedInternalCoordinates(frames, build=True, connect=False)
            options = OptParams(**settings, maxiter=limits.steps)
            path = Optimize(start, frames, internal, surface, folder, options, False)
        except LibraryError:
            raise
        except GeomOptNotConvergedError:
            raise LibraryError(
                f"expected an optimised geometry, got none after {limits.steps} steps"
            ) from None
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise LibraryError(
                f"expected a geometry that can be optimised, got {type(error).__name__}: {text}"
            ) from error
    at = np.asarray(path.xyzs[-1], np.float64)
    return molecule._replace(coordinates=at, energy=float(path.qm_energies[-1]))


@cache
def _surface_class() -> Any:
    """Return the class that geomeTRIC calls for energies and gradients.

    It is made once: classes are freed late, and PySCF's objects have open files.
    """
    from geometric.engine import Engine

    class Surface(Engine):  # type: ignore[misc]
        def __init__(self, frames: Any, energy: Energy, report: Report) -> None:
            super().__init__(frames)
            self._energy = energy
            self._report = report
            self._n_steps = 0

        def calc_new(self, coords: Any, dirname: str) -> dict[str, Any]:
            value, gradient = self._energy(np.reshape(coords, (-1, 3)))
            self._n_steps += 1
            largest = float(np.abs(gradient).max())
            self._report(f"step {self._n_steps}: E {value:.8f}, gradient {largest:.1e}")
            return {"energy": value, "gradient": gradient.ravel()}

    return Surface


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep geomeTRIC from printing; steps are reported in one line each."""
    loggers = [logging.getLogger(name) for name in ("geometric.nifty", "geometric.molecule")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
