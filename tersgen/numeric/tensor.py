"""Raman tensors: Eqs. (3.1) and (3.2), invariants, rotations, orientation averages.

A tensor R = d(alpha)/dQ has shape (3, 3) and unit Angstrom^2 amu^-1/2. Sources: D. A. Long, "The
Raman Effect" (2002), ch. 5 and appendix A14; K. Shoemake, "Uniform random rotations", Graphics
Gems III (1992).
"""

import numpy as np
from numpy.typing import NDArray

from ._jit import inlined, kernel

Array = NDArray[np.floating]


@inlined
def mean_polarizability(tensor: Array) -> float:
    """Return the isotropic invariant a = tr(R)/3 of one (3, 3) tensor, Angstrom^2 amu^-1/2."""
    return (tensor[0, 0] + tensor[1, 1] + tensor[2, 2]) / 3.0


@inlined
def anisotropy_squared(tensor: Array) -> float:
    """Return the anisotropy gamma^2 of one (3, 3) tensor, Angstrom^4/amu.

    gamma^2 = [(xx-yy)^2 + (yy-zz)^2 + (zz-xx)^2]/2 + 3 (xy^2 + xz^2 + yz^2).
    """
    xx_yy = tensor[0, 0] - tensor[1, 1]
    yy_zz = tensor[1, 1] - tensor[2, 2]
    zz_xx = tensor[2, 2] - tensor[0, 0]
    diagonal = xx_yy * xx_yy + yy_zz * yy_zz + zz_xx * zz_xx
    off = tensor[0, 1] * tensor[0, 1] + tensor[0, 2] * tensor[0, 2] + tensor[1, 2] * tensor[1, 2]
    return 0.5 * diagonal + 3.0 * off


@kernel
def activity(tensor: Array) -> float:
    """Return the Raman activity S = 45 a^2 + 7 gamma^2 of one (3, 3) tensor, Angstrom^4/amu."""
    a = mean_polarizability(tensor)
    return 45.0 * a * a + 7.0 * anisotropy_squared(tensor)


@kernel
def depolarization_plane(tensor: Array) -> float:
    """Return the depolarization ratio for plane-polarised light, in [0, 3/4].

    3 gamma^2 / (45 a^2 + 4 gamma^2); 0 for a tensor that scatters nothing.
    """
    a = mean_polarizability(tensor)
    g2 = anisotropy_squared(tensor)
    total = 45.0 * a * a + 4.0 * g2
    return 3.0 * g2 / total if total > 0.0 else 0.0


@kernel
def depolarization_natural(tensor: Array) -> float:
    """Return the depolarization ratio for natural light, in [0, 6/7].

    6 gamma^2 / (45 a^2 + 7 gamma^2); 0 for a tensor that scatters nothing.
    """
    a = mean_polarizability(tensor)
    g2 = anisotropy_squared(tensor)
    total = 45.0 * a * a + 7.0 * g2
    return 6.0 * g2 / total if total > 0.0 else 0.0


@kernel
def scattered_intensity(tensor: Array, incident: Array, scattered: Array) -> float:
    """Return |e_s^T R e_i|^2 for a fixed geometry: Eq. (3.1).

    ``incident`` and ``scattered`` are real unit polarization vectors, shape (3,).
    """
    amplitude = tensor[0, 0] * 0.0
    for i in range(3):
        for j in range(3):
            amplitude += scattered[i] * tensor[i, j] * incident[j]
    return amplitude * amplitude


@kernel
def averaged_intensity(tensor: Array, incident: Array, scattered: Array) -> float:
    """Return |e_s^T R e_i|^2 averaged over all orientations of the molecule.

    With c = e_s . e_i it is a^2 c^2 + gamma^2 (3 + c^2)/45: (45 a^2 + 4 gamma^2)/45 for parallel
    and gamma^2/15 for crossed polarizations.
    """
    cosine = incident[0] * scattered[0] + incident[1] * scattered[1] + incident[2] * scattered[2]
    a = mean_polarizability(tensor)
    c2 = cosine * cosine
    return a * a * c2 + anisotropy_squared(tensor) * (3.0 + c2) / 45.0


@kernel
def activities(tensors: Array, out: Array) -> None:
    """Write the Raman activity of each tensor, shape (n, 3, 3), to ``out``, shape (n,)."""
    for k in range(tensors.shape[0]):
        out[k] = activity(tensors[k])


@kernel
def intensities(
    tensors: Array, matrix: Array, averaged: bool, incident: Array, scattered: Array, out: Array
) -> None:
    """Write the intensity of each tensor to ``out``, shape (n,): turned by ``matrix``, or averaged.

    ``tensors`` has shape (n, 3, 3), ``matrix`` (3, 3).
    """
    turned = np.empty((3, 3))
    for k in range(tensors.shape[0]):
        if averaged:
            out[k] = averaged_intensity(tensors[k], incident, scattered)
        else:
            rotate(tensors[k], matrix, turned)
            out[k] = scattered_intensity(turned, incident, scattered)


@kernel
def asymmetry(tensor: Array) -> float:
    """Return || R - R^T ||_F^2, the symmetry regulariser of Eq. (3.2), for one (3, 3) tensor."""
    xy = tensor[0, 1] - tensor[1, 0]
    xz = tensor[0, 2] - tensor[2, 0]
    yz = tensor[1, 2] - tensor[2, 1]
    return 2.0 * (xy * xy + xz * xz + yz * yz)


@kernel
def quaternion_to_matrix(quaternion: Array, matrix: Array) -> None:
    """Write the rotation matrix of a unit quaternion (w, x, y, z) into ``matrix``, shape (3, 3).

    A unit quaternion drawn uniformly on the 3-sphere gives a uniformly random rotation.
    """
    w, x, y, z = quaternion[0], quaternion[1], quaternion[2], quaternion[3]
    one = w * w + x * x + y * y + z * z
    matrix[0, 0] = one - (y * y + z * z) - (y * y + z * z)
    matrix[1, 1] = one - (x * x + z * z) - (x * x + z * z)
    matrix[2, 2] = one - (x * x + y * y) - (x * x + y * y)
    matrix[0, 1] = (x * y - z * w) + (x * y - z * w)
    matrix[1, 0] = (x * y + z * w) + (x * y + z * w)
    matrix[0, 2] = (x * z + y * w) + (x * z + y * w)
    matrix[2, 0] = (x * z - y * w) + (x * z - y * w)
    matrix[1, 2] = (y * z - x * w) + (y * z - x * w)
    matrix[2, 1] = (y * z + x * w) + (y * z + x * w)


@kernel
def multiply_quaternions(left: Array, right: Array, out: Array) -> None:
    """Write the quaternion (w, x, y, z) that turns as ``right`` and then ``left``; none overlap."""
    a, b, c, d = left[0], left[1], left[2], left[3]
    w, x, y, z = right[0], right[1], right[2], right[3]
    out[0] = (a * w - b * x) - (c * y + d * z)
    out[1] = (a * x + b * w) + (c * z - d * y)
    out[2] = (a * y - b * z) + (c * w + d * x)
    out[3] = (a * z + b * y) + (d * w - c * x)


@kernel
def unpack(numbers: Array, out: Array) -> None:
    """Write xx, yy, zz, xy, xz, yz into ``out`` as a symmetric tensor, shape (3, 3)."""
    for i in range(3):
        out[i, i] = numbers[i]
    out[0, 1] = out[1, 0] = numbers[3]
    out[0, 2] = out[2, 0] = numbers[4]
    out[1, 2] = out[2, 1] = numbers[5]


@kernel
def rotate(tensor: Array, matrix: Array, out: Array) -> None:
    """Write O R O^T into ``out``; all three arrays are (3, 3), and ``out`` is exactly symmetric.

    Only the upper triangle of the result is computed: R is symmetric off resonance.
    """
    for i in range(3):
        left_x = (
            matrix[i, 0] * tensor[0, 0] + matrix[i, 1] * tensor[1, 0] + matrix[i, 2] * tensor[2, 0]
        )
        left_y = (
            matrix[i, 0] * tensor[0, 1] + matrix[i, 1] * tensor[1, 1] + matrix[i, 2] * tensor[2, 1]
        )
        left_z = (
            matrix[i, 0] * tensor[0, 2] + matrix[i, 1] * tensor[1, 2] + matrix[i, 2] * tensor[2, 2]
        )
        for j in range(i, 3):
            value = left_x * matrix[j, 0] + left_y * matrix[j, 1] + left_z * matrix[j, 2]
            out[i, j] = value
            out[j, i] = value
