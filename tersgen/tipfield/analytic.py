"""Analytic fields in the quasi-static limit, to check grids and to make them.

J. D. Jackson, Classical Electrodynamics, 3rd ed. (1999), ch. 4.4; C. F. Bohren and D. R. Huffman,
Absorption and Scattering of Light by Small Particles (1983), ch. 5.
"""

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]


def sphere_field(d: F64, radius: float, permittivity: complex) -> C128:
    """Return the field outside a sphere in a uniform field of 1 along z.

    E = z + beta a^3 [3 n (n.z) - z]/|d|^3 with beta = (eps - 1)/(eps + 2).

    Parameters
    ----------
    d
        Positions from its centre, shape (..., 3), Angstrom, outside of it.
    radius
        a, Angstrom.
    permittivity
        eps, relative to that outside.

    Returns
    -------
    C128
        Shape (..., 3).
    """
    beta = (permittivity - 1) / (permittivity + 2)
    up = np.array([0.0, 0.0, 1.0])
    distance = np.linalg.norm(d, axis=-1, keepdims=True)
    n = d / distance
    field: C128 = up + beta * (radius / distance) ** 3 * (3 * n * n[..., 2:] - up)
    return field


def spheroid_apex_factor(aspect: float, permittivity: complex) -> complex:
    """Return E/E_0 just outside the apex of a prolate spheroid along a uniform field E_0.

    eps/(1 + L (eps - 1)) with the depolarization factor L = (1 - e^2)/e^2 [ln((1 + e)/(1 - e))/(2
    e) - 1], e^2 = 1 - 1/aspect^2.

    >>> round(abs(spheroid_apex_factor(3, -18.28 + 0.481j)), 4)
    16.6669
    """
    return permittivity / (1 + depolarization_factor(aspect) * (permittivity - 1))


def depolarization_factor(aspect: float) -> float:
    """Return the depolarization factor L of a prolate spheroid along its axis, aspect above 1.

    >>> round(depolarization_factor(2), 6)
    0.173564
    """
    e = np.sqrt(1 - 1 / aspect**2)
    return float((1 - e * e) / (e * e) * (np.log((1 + e) / (1 - e)) / (2 * e) - 1))
