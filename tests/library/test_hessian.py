"""The Hessian from few gradients equals the one from all, on a potential with known derivatives."""

import numpy as np
import pytest

from tersgen.library.hessian import hessian_from_gradients
from tersgen.library.pointgroup import orient, symmetrise

BOHR = 1.8897261


def pair_potential(numbers):
    """Return gradient and exact Hessian of sum_ij q_ij exp(-r_ij / 2), q from the elements."""
    q = np.sqrt(np.outer(numbers, numbers)).astype(float)

    def derivatives(at):
        n = len(at)
        gradient, hessian = np.zeros((n, 3)), np.zeros((n, n, 3, 3))
        for i in range(n):
            for j in range(n):
                if i == j:
                    continue
                d = at[i] - at[j]
                r = np.linalg.norm(d)
                unit = d / r
                first = -0.5 * q[i, j] * np.exp(-r / 2)
                second = 0.25 * q[i, j] * np.exp(-r / 2)
                gradient[i] += first * unit
                along = np.outer(unit, unit)
                block = second * along + first / r * (np.eye(3) - along)
                hessian[i, i] += block
                hessian[i, j] -= block
        return gradient, hessian

    return derivatives


MOLECULES = {
    "D*h": ([8, 6, 8], [[0, 0, 1.16], [0, 0, 0], [0, 0, -1.16]], 7),
    "C2v": ([8, 1, 1], [[0, 0, 0], [0, 0.757, 0.587], [0, -0.757, 0.587]], 9),
    "Td": (
        [6, 1, 1, 1, 1],
        0.629 * np.array([[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]),
        9,
    ),
    "D6h": (
        [6] * 6 + [1] * 6,
        [
            [radius * np.cos(k * np.pi / 3), radius * np.sin(k * np.pi / 3), 0]
            for radius in (1.39, 2.48)
            for k in range(6)
        ],
        8,
    ),
}


@pytest.mark.parametrize("name", MOLECULES)
def test_few_gradients_give_the_exact_hessian(name):
    numbers, coordinates, most = MOLECULES[name]
    numbers = np.array(numbers)
    masses = 2.0 * numbers
    at, group = orient(numbers, np.array(coordinates, float), masses, name == "D*h")
    assert group.name == name
    at = at * BOHR
    derivatives = pair_potential(numbers)
    calls = []

    def gradient(where):
        calls.append(where)
        return derivatives(where)[0]

    lines = []
    raw = hessian_from_gradients(gradient, at, group, 1e-3, lines.append)
    exact = derivatives(at)[1]
    np.testing.assert_allclose(symmetrise(raw, group, 2), exact, atol=1e-6)
    np.testing.assert_allclose(raw, exact, atol=1e-6)
    assert len(calls) <= most
    assert lines
