"""Polarizability and its derivatives with respect to the nuclei, from gradients in a field.

d(alpha)/dR is the second difference, with respect to a uniform electric field, of the gradient of
the energy: alpha_ab = -d2E/dF_a dF_b, so d(alpha_ab)/dR = -d2(dE/dR)/dF_a dF_b. Thirteen gradients
are enough whatever the number of atoms. A. Komornicki and J. W. McIver, J. Chem. Phys. 70, 2014
(1979).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .pointgroup import MATCH, PointGroup

Floats = NDArray[np.float64]
Report = Callable[[str], None]


class Response(NamedTuple):
    """Polarizability of a molecule, and its derivatives with respect to the nuclei."""

    derivatives: Floats
    """d(alpha)/dR, bohr^2, shape (n_atoms, 3, 3, 3): atom, direction, the two indices of alpha."""
    polarizability: Floats
    """Static polarizability, bohr^3, shape (3, 3)."""


def response_from_fields(
    in_field: Callable[[Floats], tuple[float, Floats]],
    step: float,
    report: Report,
    group: PointGroup | None = None,
) -> Response:
    """Return the polarizability and its derivatives from energies and gradients in fields.

    Parameters
    ----------
    in_field
        Function from a field, hartree/(e bohr), shape (3,), to the energy in hartree and its
        gradient in hartree/bohr, shape (n_atoms, 3).
    step
        Field step, hartree/(e bohr).
    report
        Called with one line per gradient.
    group
        Point group of the molecule in its own frame: a field that is equivalent by symmetry to an
        earlier one then costs nothing.
    """
    known: list[tuple[Floats, float, Floats]] = []

    def answer(direction: Floats) -> tuple[float, Floats]:
        for other, energy, gradient in known:
            for which, operation in enumerate(group.operations if group else []):
                if np.abs(operation @ other - direction).max() < MATCH:
                    turned = np.zeros_like(gradient)
                    turned[group.images[which] if group else []] = gradient @ operation.T
                    return energy, turned
        report(f"gradient {len(known) + 1} in a field, of 13 or fewer")
        energy, gradient = in_field(step * direction)
        known.append((direction, energy, gradient))
        return energy, gradient

    unit = np.eye(3)
    centre = answer(np.zeros(3))

    def curvature(direction: Floats) -> tuple[float, Floats]:
        plus, minus = answer(direction), answer(-direction)
        return plus[0] + minus[0] - 2 * centre[0], plus[1] + minus[1] - 2 * centre[1]

    pure = [curvature(unit[a]) for a in range(3)]
    alpha = np.zeros((3, 3))
    derivatives = np.zeros((*centre[1].shape, 3, 3))
    for a in range(3):
        alpha[a, a] = -pure[a][0] / step**2
        derivatives[..., a, a] = -pure[a][1] / step**2
        for b in range(a):
            both = curvature(unit[a] + unit[b])
            mixed = (both[0] - pure[a][0] - pure[b][0], both[1] - pure[a][1] - pure[b][1])
            alpha[a, b] = alpha[b, a] = -mixed[0] / (2 * step**2)
            derivatives[..., a, b] = derivatives[..., b, a] = -mixed[1] / (2 * step**2)
    return Response(derivatives, alpha)
